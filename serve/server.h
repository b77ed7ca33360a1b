/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * server.h: all connections of clients, and what they share.
 *
 * Runs in worker and view. What the calls mean is for the program that has the server: server_ops.
 */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"
#include "lib/uplink.h"
#include "serve/client.h"
#include "serve/inflow.h"
#include "serve/outflow.h"

enum {
	SERVER_READ_MAX = 64 * 1024, /* bytes taken from one client before others have a turn */
	/*
	 * Calls that wait for their answer, of all clients, those that have gone included. With so many
	 * a client that has one already is refused more; with twice as many everybody is.
	 */
	SERVER_LATER_MAX = 1024,
	SERVER_LATER_BYTES_MAX =
		64 * 1024 * 1024, /* that they hold; then only small ones are taken */
	SERVER_LATER_SMALL = 4096
};

/* What the program does with what clients want. */
struct server_ops {
	size_t client_size; /* bytes of a connection's object, which begins with a struct client */
	/* May it be called here? It is in the table. If not, it is unknown. */
	bool (*serves)(const struct rpc_procedure *procedure);
	/* A call that passed all checks; args and call->ret are of its row. Returns an enum rpc_handled. */
	int (*handle)(struct rpc_call *call, const void *args);
	/* A connection has begun as the broker says. NULL: nothing to be done. */
	void (*started)(struct client *client, const struct ipc_conn_pass *pass);
	/* What the client may do is another, and its streams know. NULL: nothing to be done. */
	void (*changed)(struct client *client);
	/* The client wants to hear of more. NULL: nothing to be done. */
	void (*subscribed)(struct client *client);
	/* The client has read: there is room for more. NULL: nobody waits for that. */
	void (*room)(struct client *client);
	/* The connection ends: let go of what hangs on it. Its streams are closed already. */
	void (*ended)(struct client *client);
};

struct server {
	struct loop *loop;
	struct uplink *uplink;
	const struct server_ops *ops;
	void *site; /* borrowed: what the program serves, of a type of its own */
	/* The first connection has come, or the last one has ended. */
	void (*occupied)(struct server *server, bool occupied);
	struct clients clients;
	unsigned n_clients;
	bool draining; /* no new calls; connections end when their replies are sent */
	struct inflow inflow;
	struct outflow outflow;
	unsigned n_later;       /* calls that wait for their answer */
	size_t later_bytes;     /* that they hold */
	struct rpc_call *call;  /* for the next call; NULL: to be made */
	struct clients touched; /* have something to send that did not come from their own input */
	struct deferred attending;
	uint8_t input[SERVER_READ_MAX]; /* last: see server_init() */
};

void server_init(struct server *server, struct loop *loop, struct uplink *uplink,
	const struct server_ops *ops, void (*occupied)(struct server *server, bool occupied));
/** Serve no new call; a connection ends as soon as nothing is left to be sent to it. */
void server_drain(struct server *server);
/** End all connections. They must still be forgotten (lib/uplink.h). */
void server_fini(struct server *server);

/** What a connection may do from now on. Returns 0, or -ENOENT when it has gone. */
int server_change(struct server *server, const struct ipc_ticket_change *change);

/** Something is queued for this client outside of its own turn: send it at the end of this one. */
void server_touch(struct server *server, struct client *client);

#endif
