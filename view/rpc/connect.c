/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connect.c: procedures about the connection itself.
 *
 * Runs in the view. qemu:///system shows all that the principal may see, qemu:///session her own.
 * It opens when all is known that the broker knows by then.
 */
#include "lib/take.h"
#include "protocol/rpc/handlers.h"
#include "serve/connection.h"
#include "view/viewer.h"

/* A CONNECT_OPEN. In the call's arena. */
struct opening {
	struct owners_wait wait;
	struct rpc_call *call;
};

static void
opened(struct owners_wait *wait)
{
	struct rpc_call *call = container_of(wait, struct opening, wait)->call;

	if (call->client)
		connection_end(call->client, true);
	call_answer(call, RPC_DONE);
}

int
rpc_connect_open(struct rpc_call *call, const struct rpc_connect_open_args *args)
{
	struct viewer *viewer = viewer_of(call->client);
	struct opening *opening = rpc_arena_new(&call->arena, struct opening);
	int r;

	if (!opening)
		return call_out_of_memory(call);
	r = connection_begin(call, args, &viewer->session);
	if (r != RPC_DONE)
		return r;
	opening->call = call;
	owners_wait(&viewer->host->owners, &opening->wait, opened);
	return RPC_LATER;
}

/* What the workers do for it ends with their channels. */
int
rpc_connect_close(struct rpc_call *call)
{
	call->client->closing = true;
	return RPC_DONE;
}
