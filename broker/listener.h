/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listener.h: one of the broker's sockets, and the connections that it accepts.
 *
 * Runs in the broker, as root; binds before it is boxed. Must never let a connection in while the
 * socket has another mode than it is meant to have, and never end because of what connects.
 */
#ifndef BROKER_LISTENER_H
#define BROKER_LISTENER_H

#include <sys/types.h>

#include "broker/pace.h"
#include "lib/loop.h"
#include "protocol/ipc/ipc.h"

enum {
	LISTENER_BATCH = 32,     /* connections accepted in one wake-up, then others have a turn */
	LISTENER_PAUSE_MS = 100, /* without accepting, where the host has no descriptor left */
	LISTENER_BACKLOG = 4096
};

enum listener_error {
	LISTENER_E_BLOCKED = 1, /* there is something that is not a socket */
	LISTENER_E_ELSEWHERE    /* it is bound to another place */
};

/**
 * Bind and listen at dir_path/name, mode 0666 exactly, whatever the umask; dir_fd is the same
 * folder, which only root can write and which the caller has locked. A socket left behind is
 * replaced. Returns 0 with the caller's *ret_fd, LISTENER_E_BLOCKED or a negative errno.
 */
int listener_bind(int dir_fd, const char *dir_path, const char *name, int *ret_fd);

/**
 * The same for a listening socket that somebody else has bound there (fd stays the caller's): mode
 * and backlog are made what they are meant to be. Returns 0, LISTENER_E_ELSEWHERE or a negative
 * errno.
 */
int listener_inherit(int dir_fd, const char *dir_path, const char *name, int fd);

struct listener;

/** A connection; fd is the callee's. */
typedef void listener_fn(struct listener *listener, int fd);

struct listener {
	struct loop *loop; /* NULL: not started */
	struct io io;
	struct timer pause;
	int fd, spare_fd; /* owned */
	enum ipc_socket socket;
	struct pace shed;
	listener_fn *accepted;
	void *arg; /* the callee's */
};

/** Take over a listening descriptor and accept from it. Returns 0 or a negative errno. */
int listener_start(struct listener *listener, struct loop *loop, int fd, enum ipc_socket socket,
	listener_fn *accepted, void *arg);
/** Accept no more, close. Nothing happens when not started. */
void listener_stop(struct listener *listener);

#endif
