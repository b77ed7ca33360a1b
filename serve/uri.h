/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uri.h: the connection URI that a client opens, taken apart.
 *
 * Runs in worker and view; pure. RFC 3986 as far as libvirt's clients use it: the client has taken
 * transport and socket out, what is left is SCHEME://[USER@]/PATH?QUERY#FRAGMENT.
 */
#ifndef SERVE_URI_H
#define SERVE_URI_H

struct rpc_arena;

struct uri {
	const char *scheme;    /* NULL: none */
	const char *authority; /* what stands between "//" and the path; "" when nothing does */
	const char *host;      /* in the authority, with its port; "" when it names none */
	const char *path;      /* decoded */
	const char *rest;      /* query and fragment with their '?' and '#', as they came */
};

enum uri_error { URI_E_BAD = 1 /* a byte that stands in no URI, or a wrong escape */ };

/** Take it apart; all parts are in the arena. Returns 0, URI_E_BAD or -ENOMEM. */
int uri_read(const char *text, struct rpc_arena *arena, struct uri *ret);

#endif
