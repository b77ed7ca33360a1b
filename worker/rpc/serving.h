/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serving.h: what the worker serves its clients with: handlers, the user's estate, her VMs.
 *
 * Runs in the worker. What connections are, and how calls come and are answered, is serve/.
 */
#ifndef WORKER_RPC_SERVING_H
#define WORKER_RPC_SERVING_H

#include "serve/client.h"
#include "serve/server.h"
#include "worker/domain/guise.h"
#include "worker/estate.h"
#include "worker/vm/vm.h"

/* A connection of a client, and what hangs on it. */
struct serving {
	struct client client;  /* first: it is freed as such */
	struct vm_owned owned; /* that end with the connection */
	/* Through a view, of somebody else's: how the user's VMs look to it. Else without owner. */
	struct guise guise;
	char owner[IPC_LABEL_MAX];
};

/** server_init() for a worker; estate is borrowed, and need not be there yet. */
void serving_init(struct server *server, struct loop *loop, struct uplink *uplink,
	void (*occupied)(struct server *server, bool occupied), struct estate *estate);

static inline struct serving *
serving_of(struct client *client)
{
	return container_of(client, struct serving, client);
}

/** How the user's VMs look to the call's client; NULL: as they are. */
const struct guise *call_guise(const struct rpc_call *call);
/** What a call's client is served from. */
static inline struct estate *
call_estate(const struct rpc_call *call)
{
	return call->client->server->site;
}

#endif
