/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * graphics.h: how a guest's screen is looked at: VNC.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_GRAPHICS_H
#define WORKER_DOMAIN_GRAPHICS_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/domain/kind.h"

enum { DOMAIN_GRAPHICS_MAX = 1, DOMAIN_VNC_PASSWORD_MAX = 8 };

enum domain_listen { DOMAIN_LISTEN_ADDRESS = 1, DOMAIN_LISTEN_SOCKET, DOMAIN_LISTEN_NONE };
enum domain_share { DOMAIN_SHARE_EXCLUSIVE = 1, DOMAIN_SHARE_FORCE_SHARED, DOMAIN_SHARE_IGNORE };

/*
 * Nothing ever listens on a port: an address and a port are kept as they are written, and a machine
 * that runs has a socket in their place (domain_graphics_place()).
 */
struct domain_graphics {
	struct domain_device device; /* it has no alias and no address */
	enum domain_listen listen;
	char *address; /* with LISTEN_ADDRESS; may be NULL */
	char *socket;  /* with LISTEN_SOCKET: absolute path, or NULL: ours, when it runs */
	bool autoport; /* with LISTEN_ADDRESS */
	uint16_t port; /* the same; 0: none */
	char *keymap;  /* may be NULL: a name, letters, digits and dashes */
	enum domain_share share;
	enum domain_switch power_control;
	char *password;       /* may be NULL: none is asked for */
	bool expires;         /* the password, at: */
	int64_t expires_at;   /* seconds since 1970 */
	bool keeps_connected; /* who is connected when the password changes */
	uint32_t audio;       /* id of an <audio>; 0: not said */
};

/* <graphics>. The password is written with DOMAIN_DEF_SECURE only. */
extern const struct domain_kind domain_graphics_kind;

/**
 * Give the screens that a machine about to run shows on a socket, or would on a port, a socket in
 * this folder: UUID.vnc. Returns 0 or -ENOMEM.
 */
int domain_graphics_place(struct domain_def *live, const char *folder);

#endif
