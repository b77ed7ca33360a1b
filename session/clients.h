/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clients.h: the two sockets of a session, and who connects to them.
 *
 * Runs in qemud-session, as the user. Reads no byte from a client: each connection is handed to
 * the worker. Only the user herself is served, as the kernel says; others cannot reach the folder.
 */
#ifndef SESSION_CLIENTS_H
#define SESSION_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/link.h"
#include "lib/loop.h"

enum {
	CLIENTS_ON_THEIR_WAY = 8, /* to the worker, not taken yet */
	CLIENTS_BATCH = 16        /* accepted before others have a turn */
};

struct client_socket {
	struct clients *clients;
	struct io io;
	int fd; /* owned; -1 when closed */
	enum ipc_socket kind;
};

struct clients {
	struct loop *loop;
	struct link *link;
	int home_fd;
	bool ready; /* the worker takes connections */
	uint64_t last_id;
	struct client_socket rw, ro;
};

/**
 * Listen at sock and sock-ro in the working folder, which home_fd is of, and whose lock the caller
 * holds: what an earlier session left there is replaced. Returns 0, or a negative errno; -EEXIST:
 * there is something of that name that is no socket.
 */
int clients_init(struct clients *clients, struct loop *loop, struct link *link, int home_fd);
/** Close, and remove the sockets. */
void clients_fini(struct clients *clients);
/** The worker takes connections from now on, or does no more: they wait meanwhile. */
void clients_set_ready(struct clients *clients, bool ready);
/** The worker has taken one: there may be room for the next. */
void clients_go_on(struct clients *clients);

#endif
