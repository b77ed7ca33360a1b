/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * server.h: all connections of a worker, and what they share.
 *
 * Runs in the worker.
 */
#ifndef WORKER_RPC_SERVER_H
#define WORKER_RPC_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"
#include "lib/uplink.h"
#include "worker/rpc/client.h"
#include "worker/rpc/inflow.h"
#include "worker/rpc/outflow.h"

struct estate;

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

struct server {
	struct loop *loop;
	struct uplink *uplink;
	struct estate *estate; /* borrowed */
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
	void (*occupied)(struct server *server, bool occupied));
/** Serve no new call; a connection ends as soon as nothing is left to be sent to it. */
void server_drain(struct server *server);
/** End all connections. They must still be forgotten (lib/uplink.h). */
void server_fini(struct server *server);

/** Something is queued for this client outside of its own turn: send it at the end of this one. */
void server_touch(struct server *server, struct client *client);

#endif
