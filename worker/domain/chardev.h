/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chardev.h: the host's end of a character device: of a serial or parallel port, a console, a
 * channel.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_CHARDEV_H
#define WORKER_DOMAIN_CHARDEV_H

#include <stddef.h>

#include "worker/domain/device.h"

struct _xmlNode;
struct domain_cursor;
struct domain_def;
struct domain_parse;
struct writer;

enum { DOMAIN_SOCKET_PATH_MAX = 107 }; /* bytes: unix(7) */

enum domain_chardev_type {
	DOMAIN_CHARDEV_PTY = 1, /* a pty in name: a stream of the worker's (DOMAIN_OPEN_CONSOLE) */
	DOMAIN_CHARDEV_FILE,    /* what the guest says */
	DOMAIN_CHARDEV_UNIX,
	DOMAIN_CHARDEV_NULL
};

/* The first member of the struct of every character device. */
struct domain_chardev {
	struct domain_device device;
	enum domain_chardev_type type;
	/* Of file and unix. NULL: of a channel of type unix, and chosen when it starts. */
	char *path;
	bool chosen;               /* so it was: it goes with the running VM */
	enum domain_switch append; /* file */
	bool connect;              /* unix: to who listens there; else whoever comes is served */
	char *log;                 /* a file for what the guest says, beside all that; or NULL */
	enum domain_switch log_append;
};

/**
 * Type, <source> and <log> of an element. path_needed: a socket has to have one. Returns 0, -ENOMEM
 * or DOMAIN_E_REFUSED.
 */
int domain_chardev_parse(struct domain_parse *p, struct _xmlNode *node,
	struct domain_chardev *chardev, bool path_needed);
/** Write the start tag, with type, and <source> and <log> in it. */
void domain_chardev_format(struct writer *w, const char *element,
	const struct domain_chardev *chardev, unsigned flags);
/** Free what it owns beside its alias: `fini` of a kind that owns no more. */
void domain_chardev_fini(void *device);

/** The next character device, of whatever kind, {0} standing before the first; NULL after the last. */
struct domain_chardev *domain_chardev_next(
	const struct domain_def *def, struct domain_cursor *cursor);
/** The one that domain_chardev_next() finds after `index` others, or NULL. */
struct domain_chardev *domain_chardev_at(const struct domain_def *def, size_t index);
/** How many domain_chardev_next() finds before this one. */
size_t domain_chardev_index(const struct domain_def *def, const struct domain_chardev *chardev);
/**
 * The index of the one that is meant when a console is asked for and none is named: the first
 * console, else the first serial port. False: there is none.
 */
bool domain_chardev_default(const struct domain_def *def, size_t *ret_index);

#endif
