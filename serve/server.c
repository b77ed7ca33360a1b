/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * server.c: all connections of clients; see server.h.
 */
#include "serve/server.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "lib/take.h"

static const struct inflow_ops inflow_ops = {
	.granted = client_claim_granted, .stalled = client_claim_stalled};

void
server_init(struct server *server, struct loop *loop, struct uplink *uplink,
	const struct server_ops *ops, void (*occupied)(struct server *server, bool occupied))
{
	/* Nothing of `input` is read before it is written: untouched, it takes no memory. */
	memset(server, 0, offsetof(struct server, input));
	server->loop = loop;
	server->uplink = uplink;
	server->ops = ops;
	server->occupied = occupied;
	LIST_INIT(&server->clients);
	LIST_INIT(&server->touched);
	inflow_init(&server->inflow, loop, &inflow_ops);
	outflow_init(&server->outflow, client_evicted);
}

void
server_drain(struct server *server)
{
	struct client *client = LIST_FIRST(&server->clients), *next;

	server->draining = true;
	for (; client; client = next) {
		next = LIST_NEXT(client, entry);
		client_leave(client);
	}
}

void
server_fini(struct server *server)
{
	while (!LIST_EMPTY(&server->clients))
		client_end(LIST_FIRST(&server->clients));
	server->call = call_free(server->call);
}

int
server_change(struct server *server, const struct ipc_ticket_change *change)
{
	struct client *client;

	LIST_FOREACH (client, &server->clients, entry)
		if (client->conn.id == change->conn_id)
			break;
	if (!client)
		return -ENOENT;
	client_change(client, change);
	return 0;
}

static void
attend(struct deferred *deferred)
{
	struct server *server = container_of(deferred, struct server, attending);
	struct client *client;

	while ((client = LIST_FIRST(&server->touched))) {
		client->touched = false;
		LIST_REMOVE(client, touched_entry);
		client_proceed(client);
	}
}

void
server_touch(struct server *server, struct client *client)
{
	client_weigh(client);
	if (client->touched)
		return;
	client->touched = true;
	LIST_INSERT_HEAD(&server->touched, client, touched_entry);
	loop_defer(server->loop, &server->attending, attend);
}
