/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * relay.c: streams of a client that an owner's worker has the other end of; see relay.h.
 */
#include "view/relay.h"

#include <stdlib.h>

#include "lib/take.h"
#include "protocol/rpc/frame.h"
#include "serve/client.h"
#include "view/channel.h"
#include "view/worker_error.h"

enum { WAITING_MAX = CLIENT_STREAM_OUTPUT_MAX / 2 };

struct relay {
	LIST_ENTRY(relay) entry; /* of the channel's, as long as the worker has its end */
	struct client_stream stream;
	struct channel *channel; /* NULL: the worker's end is gone */
	uint32_t serial;         /* the worker knows it by */
	bool stuck;              /* the worker did not take all that the client said */
};

static int
send_packet(struct channel *channel, const struct rpc_procedure *row, uint32_t serial,
	enum rpc_status status, const uint8_t *data, size_t size)
{
	struct rpc_header header = {.program = row->program,
		.version = RPC_VERSION,
		.procedure = row->number,
		.type = RPC_STREAM,
		.serial = serial,
		.status = status};
	struct rpc_buffer *out = &channel->wire.out;
	size_t before = rpc_buffer_left(out), start;

	if (rpc_frame_begin(out, &header, 0, &start) != 0)
		return -1;
	if (size > 0 && rpc_buffer_append(out, data, size) != 0) {
		rpc_buffer_cut(out, before);
		return -1;
	}
	return rpc_frame_end(out, start);
}

static const struct rpc_procedure *
row_of(const struct relay *relay)
{
	return rpc_procedure_find(relay->stream.rpc.program, relay->stream.rpc.procedure);
}

static void
detach(struct relay *relay)
{
	if (relay->channel)
		LIST_REMOVE(relay, entry);
	relay->channel = NULL;
}

/* --- what the client says ----------------------------------------------------------------- */

static size_t
input(struct client_stream *stream, const uint8_t *data, size_t size)
{
	struct relay *relay = container_of(stream, struct relay, stream);
	size_t taken = 0, n;

	/* While this goes on there being room again is seen here; whoever called has not dropped it yet. */
	relay->stuck = false;
	while (relay->channel && taken < size && channel_has_room(relay->channel)) {
		n = size - taken < RPC_STREAM_DATA_MAX ? size - taken : RPC_STREAM_DATA_MAX;
		if (send_packet(relay->channel, row_of(relay), relay->serial, RPC_CONTINUE,
			    data + taken, n) != 0)
			break;
		taken += n;
		if (taken == size || !channel_has_room(relay->channel))
			channel_flush(relay->channel);
	}
	if (!relay->channel)
		return size;
	relay->stuck = taken < size;
	return taken;
}

static void
close_relay(struct client_stream *stream)
{
	struct relay *relay = container_of(stream, struct relay, stream);
	struct channel *channel = relay->channel;

	if (channel && channel->state == CHANNEL_READY) {
		(void)send_packet(channel, row_of(relay), relay->serial,
			stream->finished ? RPC_OK : RPC_ERROR, NULL, 0);
		channel_flush(channel);
	}
	detach(relay);
	free(relay);
}

static void
more(struct client_stream *stream)
{
	struct relay *relay = container_of(stream, struct relay, stream);

	if (relay->channel)
		channel_resume(relay->channel);
}

static const struct client_stream_ops ops = {.input = input, .close = close_relay, .more = more};

int
relay_open(struct rpc_call *call, struct channel *channel, struct relays *relays, uint32_t serial)
{
	struct relay *relay = calloc(1, sizeof(*relay));
	int r;

	if (relay && call->client) {
		relay->channel = channel;
		relay->serial = serial;
		r = client_stream_open(&relay->stream, call, &ops);
	} else {
		r = call_out_of_memory(call);
	}
	if (r == RPC_DONE) {
		LIST_INSERT_HEAD(relays, relay, entry);
		return RPC_DONE;
	}
	free(relay);
	(void)send_packet(channel, call->procedure, serial, RPC_ERROR, NULL, 0);
	return RPC_FAILED;
}

/* --- what the worker says ----------------------------------------------------------------- */

void
relays_serve(struct relays *relays, const struct rpc_frame *frame)
{
	struct rpc_error error;
	struct relay *relay;

	LIST_FOREACH (relay, relays, entry)
		if (relay->serial == frame->header.serial &&
			relay->stream.rpc.procedure == frame->header.procedure)
			break;
	if (!relay || relay->stream.ends || relay->stream.error.code != 0)
		return;
	switch (frame->header.status) {
	case RPC_CONTINUE:
		/* Neither after its end, nor where the client alone speaks. */
		if (!rpc_stream_may_send(&relay->stream.rpc))
			break;
		if (frame->size == 0)
			client_stream_end(&relay->stream);
		else
			(void)client_stream_output(&relay->stream, frame->payload, frame->size);
		break;
	case RPC_ERROR:
		if (!rpc_stream_may_fail(&relay->stream.rpc))
			break;
		worker_error(frame, &error);
		detach(relay);
		client_stream_fail_as(&relay->stream, &error);
		break;
	default:
		/* Confirmed is what the client ended, and that is gone. */
		break;
	}
}

void
relays_writable(struct relays *relays)
{
	struct relay *relay, *next;

	for (relay = LIST_FIRST(relays); relay; relay = next) {
		next = LIST_NEXT(relay, entry);
		if (relay->stuck)
			client_stream_writable(&relay->stream);
	}
}

bool
relays_may_take(const struct relays *relays)
{
	const struct relay *relay;

	LIST_FOREACH (relay, relays, entry)
		if (rpc_buffer_left(&relay->stream.out) > WAITING_MAX)
			return false;
	return true;
}

void
relays_fail(struct relays *relays, const struct rpc_error *why)
{
	struct relay *relay;

	while ((relay = LIST_FIRST(relays))) {
		detach(relay);
		client_stream_fail_as(&relay->stream, why);
	}
}
