/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_event.c: procedures by which a client says which events of domains it wants.
 *
 * Runs in worker and view. A filter names its domain by UUID alone, and an unknown one is no error: the
 * domain may come later.
 */
#include "serve/domain_event.h"

#include <inttypes.h>

#include "protocol/rpc/handlers.h"
#include "serve/call.h"
#include "serve/client.h"
#include "serve/server.h"

enum {
	EVENT_SERIAL = 1, /* what libvirtd sends; clients ignore it */
	EVENT_BACKLOG_MAX = 4 * CLIENT_OUTPUT_ENOUGH
};

bool
domain_event_send(struct client *client, int32_t procedure, const void *msg)
{
	const struct rpc_procedure *row = rpc_procedure_find(RPC_PROGRAM_REMOTE, procedure);
	struct rpc_header header = {
		.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = procedure,
		.type = RPC_MESSAGE,
		.serial = EVENT_SERIAL,
	};

	return rpc_buffer_left(&client->wire.out) <= EVENT_BACKLOG_MAX &&
	       rpc_encode_frame(&header, 0, row->args, msg, &client->wire.out) == 0;
}

int
rpc_connect_domain_event_callback_register_any(struct rpc_call *call,
	const struct rpc_connect_domain_event_callback_register_any_args *args,
	struct rpc_connect_domain_event_callback_register_any_ret *ret)
{
	int r;

	if (args->eventID < 0 || args->eventID >= DOMAIN_EVENTS)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
			"internal error: unsupported event ID %" PRId32, args->eventID);
	r = subscription_add(&call->client->subscriptions, args->eventID,
		args->dom ? args->dom->uuid : NULL, &ret->callbackID);
	switch (r) {
	case 0:
		if (call->client->server->ops->subscribed)
			call->client->server->ops->subscribed(call->client);
		return RPC_DONE;
	case SUBSCRIPTION_E_AGAIN:
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_NONE,
			"invalid argument: event callback already tracked");
	case SUBSCRIPTION_E_FULL:
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: this connection has %d event callbacks, which is as "
			"many as it may have: deregister some",
			SUBSCRIPTIONS_MAX);
	default:
		return call_out_of_memory(call);
	}
}

int
rpc_connect_domain_event_callback_deregister_any(struct rpc_call *call,
	const struct rpc_connect_domain_event_callback_deregister_any_args *args)
{
	if (subscription_remove(&call->client->subscriptions, args->callbackID) == 0)
		return RPC_DONE;
	return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
		"internal error: domain event callback %" PRId32 " not registered",
		args->callbackID);
}
