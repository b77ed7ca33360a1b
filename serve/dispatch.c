/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dispatch.c: from a client's packet to its handler; see dispatch.h.
 */
#include "serve/dispatch.h"

#include <inttypes.h>

#include "lib/take.h"
#include "protocol/rpc/keepalive.h"
#include "serve/call.h"
#include "serve/client.h"
#include "serve/server.h"

static int
unknown_procedure(struct rpc_call *call)
{
	/* Clients look for the first two words: libvirt 9.0.0, virnetclientprogram.c. */
	return rpc_error_set(&call->error, VIR_ERR_RPC, VIR_FROM_RPC, "unknown procedure: %" PRId32,
		call->header.procedure);
}

/* What can be said without the arguments. */
static int
check_header(struct rpc_call *call)
{
	const struct rpc_header *header = &call->header;
	const struct rpc_procedure *procedure;
	int r;

	if (!rpc_program_is_known(header->program, header->version))
		return rpc_error_set(&call->error, VIR_ERR_RPC, VIR_FROM_RPC,
			"Cannot find program %" PRIu32 " version %" PRIu32, header->program,
			header->version);
	if (header->status != RPC_OK)
		return rpc_error_set(&call->error, VIR_ERR_RPC, VIR_FROM_RPC,
			"Unexpected message status %" PRIu32, header->status);
	procedure = rpc_procedure_find(header->program, header->procedure);
	if (!procedure)
		return unknown_procedure(call);
	call->procedure = procedure;
	call->verbs = procedure->verb;
	r = call_check_verbs(call);
	if (r != RPC_DONE)
		return r;
	/* Neither is an event, which needs no verb. */
	return call->client->server->ops->serves(procedure) ? RPC_DONE : unknown_procedure(call);
}

/* Is there room for one more that may have to wait? */
static int
check_backlog(struct rpc_call *call, size_t size)
{
	const struct client *client = call->client;
	const struct server *server = client->server;

	if (server->n_later >= 2 * SERVER_LATER_MAX ||
		(server->n_later >= SERVER_LATER_MAX && client->n_later > 0))
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_RPC,
			"operation failed: %u calls of this user wait for their answers, which is "
			"as many as there may be: try again when some have been answered",
			server->n_later);
	if (size > SERVER_LATER_SMALL && server->later_bytes > SERVER_LATER_BYTES_MAX)
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_RPC,
			"operation failed: calls of this user that wait for their answers hold %zu "
			"bytes, which is as much as there may be: try again when some have been "
			"answered",
			server->later_bytes);
	return RPC_DONE;
}

static int
decode(struct rpc_call *call, const struct rpc_frame *frame, void **ret_args)
{
	const struct rpc_procedure *procedure = call->procedure;
	int r = RPC_CODEC_E_FULL;

	*ret_args = NULL;
	if (!procedure->args)
		return RPC_DONE;
	*ret_args = rpc_arena_array(&call->arena, 1, procedure->args->size);
	if (*ret_args)
		r = rpc_decode(
			procedure->args, frame->payload, frame->size, &call->arena, *ret_args);
	if (r == RPC_CODEC_E_BAD)
		return rpc_error_set(&call->error, VIR_ERR_RPC, VIR_FROM_RPC,
			"Unable to decode message payload");
	return r == 0 ? RPC_DONE : call_out_of_memory(call);
}

/* All checks in their order, then the handler. */
static int
handle(struct rpc_call *call, const struct rpc_frame *frame)
{
	const struct client *client = call->client;
	void *args;
	int r = check_header(call);

	if (r == RPC_DONE)
		r = check_backlog(call, frame->size);
	if (r == RPC_DONE)
		r = decode(call, frame, &args);
	if (r != RPC_DONE)
		return r;
	if (call->procedure->verb != 0 && !client->uri)
		return call_not_open(call);
	call->verbs = rpc_procedure_verbs(call->procedure, args);
	r = call_check_verbs(call);
	if (r != RPC_DONE)
		return r;
	if (call->procedure->ret) {
		call->ret = rpc_arena_array(&call->arena, 1, call->procedure->ret->size);
		if (!call->ret)
			return call_out_of_memory(call);
	}
	return client->server->ops->handle(call, args);
}

/* A result, and the descriptor that goes with it. False: there is no room. */
static bool
reply_result(struct client *client, struct rpc_call *call)
{
	struct rpc_header header = rpc_header_reply(&call->header, RPC_OK);
	struct rpc_buffer *out = &client->wire.out;
	size_t before = rpc_buffer_left(out);
	uint32_t n_fds = call->reply_fd >= 0;

	if (n_fds > 0)
		header.type = RPC_REPLY_WITH_FDS;
	if (rpc_encode_frame(&header, n_fds, call->procedure->ret, call->ret, out) != 0)
		return false;
	if (n_fds == 0)
		return true;
	if (wire_put_fd(&client->wire, take_fd(&call->reply_fd)) == 0)
		return true;
	wire_cut(&client->wire, before);
	return false;
}

bool
dispatch_reply(struct client *client, struct rpc_call *call, int handled)
{
	/* Its client may have lost what it needs while it waited. */
	if (handled == RPC_DONE && call->reply_fd >= 0)
		handled = call_check_verbs(call);
	if (handled == RPC_DONE) {
		if (reply_result(client, call))
			return true;
		(void)rpc_error_set(&call->error, VIR_ERR_RPC, VIR_FROM_RPC,
			"Unable to encode message payload");
	}
	return rpc_error_reply(&call->error, &call->header, &client->wire.out) == 0;
}

/* Its client may do nothing any more: this is the last that it is told. */
static bool
dispatch_farewell(struct client *client, const struct rpc_frame *frame)
{
	struct rpc_error error = {.code = 0};

	(void)rights_refuse_all(&client->rights, &error);
	client->closing = true;
	return rpc_error_reply(&error, &frame->header, &client->wire.out) == 0;
}

static bool
dispatch_call(struct client *client, const struct rpc_frame *frame, int *fds)
{
	struct server *server = client->server;
	struct rpc_call *call = server->call;
	bool ok;
	int r;

	if (!call)
		call = server->call = call_new();
	if (!call)
		return false;
	call->client = client;
	call->header = frame->header;
	for (; call->n_fds < frame->n_fds; call->n_fds++)
		call->fds[call->n_fds] = take_fd(&fds[call->n_fds]);
	r = handle(call, frame);
	if (r == RPC_LATER) {
		client_await(client, take_ptr(server->call));
		return true;
	}
	ok = dispatch_reply(client, call, r);
	call_reset(call);
	return ok;
}

static bool
dispatch_keepalive(struct client *client, const struct rpc_header *header)
{
	uint8_t *pong;

	if (header->procedure != RPC_KEEPALIVE_PING)
		return true;
	pong = rpc_buffer_grow(&client->wire.out, RPC_FRAME_MIN);
	if (pong)
		rpc_keepalive_frame(RPC_KEEPALIVE_PONG, pong);
	return pong != NULL;
}

bool
dispatch_frame(struct client *client, const struct rpc_frame *frame, int *fds)
{
	if (rpc_keepalive_is(&frame->header))
		return dispatch_keepalive(client, &frame->header);
	if (frame->header.type == RPC_STREAM || frame->header.type == RPC_STREAM_HOLE)
		return client_streams_serve(client, frame);
	if (frame->header.type != RPC_CALL && frame->header.type != RPC_CALL_WITH_FDS)
		return true;
	if (client->rights.verbs == 0)
		return dispatch_farewell(client, frame);
	return dispatch_call(client, frame, fds);
}
