/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connect.c: procedures about the connection itself.
 *
 * Runs in the worker. Which virtual machines a connection shows depends on who connected, not on
 * the URI: qemu:///system and qemu:///session both mean those of the account that this worker
 * runs as.
 */
#include <limits.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/take.h"
#include "protocol/rpc/handlers.h"
#include "serve/call.h"
#include "serve/client.h"
#include "serve/connection.h"
#include "serve/server.h"
#include "worker/estate.h"
#include "worker/rpc/serving.h"

int
rpc_connect_open(struct rpc_call *call, const struct rpc_connect_open_args *args)
{
	bool session;
	int r = connection_begin(call, args, &session);

	/* Either URI means the same here. */
	if (r != RPC_DONE)
		return r;
	r = estate_enter(call_estate(call), call);
	if (r != RPC_LATER)
		connection_end(call->client, r == RPC_DONE);
	return r;
}

/* A CONNECT_CLOSE that is answered when all that ends with the connection has ended. */
struct closing {
	struct rpc_call *call;
	unsigned n; /* that have not */
};

static void
one_has_ended(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	struct closing *closing = arg;
	struct rpc_call *call = closing->call;

	/* Or will not: who closes a connection waits for it no longer. */
	(void)handled;
	(void)error;
	if (--closing->n > 0)
		return;
	if (call->client)
		call->client->closing = true;
	call_answer(call, RPC_DONE);
}

int
rpc_connect_close(struct rpc_call *call)
{
	struct client *client = call->client;
	struct closing *closing = rpc_arena_array(&call->arena, 1, sizeof(*closing));

	if (!closing)
		return call_out_of_memory(call);
	closing->call = call;
	closing->n = vms_disown(&serving_of(client)->owned, one_has_ended, closing);
	if (closing->n > 0)
		return RPC_LATER;
	client->closing = true;
	return RPC_DONE;
}

int
rpc_connect_get_hostname(struct rpc_call *call, struct rpc_connect_get_hostname_ret *ret)
{
	char name[HOST_NAME_MAX + 1];

	ASSERT(gethostname(name, sizeof name) == 0);
	return call_return_string(call, name, &ret->hostname);
}
