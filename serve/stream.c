/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.c: the streams that a client has open; see stream.h.
 *
 * A stream is closed in its client's turn or the broker's only, never while its other end is calling:
 * what the other end says of it is noted, and the client is touched. A walk over them closes the one at
 * which it is, and whatever it calls closes none.
 */
#include "serve/stream.h"

#include "protocol/rpc/procedure.h"
#include "serve/call.h"
#include "serve/client.h"
#include "serve/server.h"

static void
touch(struct client_stream *stream)
{
	server_touch(stream->client->server, stream->client);
}

static void
drop_rest(struct client_stream *stream)
{
	struct client_streams *streams = &stream->client->streams;

	rpc_buffer_fini(&stream->rest);
	if (streams->stuck == stream)
		streams->stuck = NULL;
}

void
client_stream_close(struct client_stream *stream)
{
	struct client_streams *streams = &stream->client->streams;

	drop_rest(stream);
	rpc_buffer_fini(&stream->out);
	TAILQ_REMOVE(&streams->all, stream, entry);
	streams->n -= !stream->forgotten;
	stream->ops->close(stream);
}

/* --- open --------------------------------------------------------------------------------- */

static struct client_stream *
find(const struct client_streams *streams, const struct rpc_header *header)
{
	struct client_stream *stream;

	TAILQ_FOREACH (stream, &streams->all, entry)
		if (!stream->forgotten && rpc_stream_is_for(&stream->rpc, header))
			return stream;
	return NULL;
}

/*
 * Some clients (go-libvirt) leave a stream as it is when they have read the end of data. It makes room
 * at once, and is closed when the next are sent: this may be called from there.
 */
static void
forget_an_ended_one(struct client_streams *streams)
{
	struct client_stream *stream;

	TAILQ_FOREACH (stream, &streams->all, entry) {
		if (stream->forgotten || stream->rpc.state != RPC_STREAM_ENDED)
			continue;
		stream->forgotten = streams->forgot = true;
		streams->n--;
		touch(stream);
		return;
	}
}

int
client_stream_open(
	struct client_stream *stream, struct rpc_call *call, const struct client_stream_ops *ops)
{
	struct client_streams *streams = &call->client->streams;

	if (call_check_verbs(call) != RPC_DONE)
		return RPC_FAILED;
	if (find(streams, &call->header))
		return rpc_error_set(&call->error, VIR_ERR_RPC, VIR_FROM_STREAMS,
			"this connection has a stream with the serial of this call: finish or "
			"abort it first");
	if (streams->n == CLIENT_STREAMS_MAX)
		forget_an_ended_one(streams);
	if (streams->n == CLIENT_STREAMS_MAX)
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_STREAMS,
			"operation failed: this connection has %d streams open, which is as many "
			"as it may have: finish or abort some",
			CLIENT_STREAMS_MAX);
	stream->ops = ops;
	stream->client = call->client;
	stream->verbs = call->verbs;
	rpc_stream_init(&stream->rpc, &call->header, call->procedure->direction, false);
	rpc_buffer_init(&stream->out, CLIENT_STREAM_OUTPUT_MAX);
	rpc_buffer_init(&stream->rest, RPC_PAYLOAD_MAX);
	TAILQ_INSERT_TAIL(&streams->all, stream, entry);
	streams->n++;
	return RPC_DONE;
}

/* --- what the other end says -------------------------------------------------------------- */

bool
client_stream_output(struct client_stream *stream, const uint8_t *data, size_t size)
{
	touch(stream);
	if (rpc_buffer_append(&stream->out, data, size) == 0)
		return true;
	rpc_buffer_fini(&stream->out);
	client_stream_fail(stream,
		"too much waited to be read on this stream, and it was closed: read it faster, and "
		"open it again");
	return false;
}

void
client_stream_end(struct client_stream *stream)
{
	drop_rest(stream);
	stream->ends = true;
	touch(stream);
}

void
client_stream_fail(struct client_stream *stream, const char *why)
{
	/* As libvirtd: "stream had I/O failure" is 39/38. */
	(void)rpc_error_set(&stream->error, VIR_ERR_RPC, VIR_FROM_STREAMS, "%s", why);
	touch(stream);
}

void
client_stream_fail_as(struct client_stream *stream, const struct rpc_error *error)
{
	stream->error = *error;
	touch(stream);
}

void
client_stream_writable(struct client_stream *stream)
{
	size_t left = rpc_buffer_left(&stream->rest);

	if (left == 0)
		return;
	rpc_buffer_drop(
		&stream->rest, stream->ops->input(stream, rpc_buffer_front(&stream->rest), left));
	if (rpc_buffer_left(&stream->rest) > 0)
		return;
	drop_rest(stream);
	touch(stream);
}

/* --- what the client says ----------------------------------------------------------------- */

static void
take(struct client_stream *stream, const uint8_t *data, size_t size)
{
	size_t n = stream->ops->input(stream, data, size);

	if (n == size)
		return;
	if (rpc_buffer_append(&stream->rest, data + n, size - n) == 0)
		stream->client->streams.stuck = stream;
	else
		client_stream_fail(stream, "out of memory");
}

/* A client that finishes or aborts a stream waits for an answer, also of one that was forgotten. */
static bool
confirm_forgotten(struct client *client, const struct rpc_frame *frame)
{
	struct rpc_stream rpc;
	uint64_t hole;

	rpc_stream_init(&rpc, &frame->header, RPC_DIRECTION_OUT, false);
	(void)rpc_stream_receive(&rpc, frame, &hole);
	return !rpc_stream_may_confirm(&rpc) || rpc_stream_confirm(&rpc, &client->wire.out) == 0;
}

bool
client_streams_serve(struct client *client, const struct rpc_frame *frame)
{
	struct client_stream *stream = find(&client->streams, &frame->header);
	uint64_t hole;
	int r;

	if (!stream)
		return !client->streams.forgot || confirm_forgotten(client, frame);
	switch (rpc_stream_receive(&stream->rpc, frame, &hole)) {
	case RPC_STREAM_IN_DROP:
		break;
	case RPC_STREAM_IN_DATA:
		take(stream, frame->payload, frame->size);
		break;
	case RPC_STREAM_IN_FINISH:
	case RPC_STREAM_IN_ABORT:
		stream->finished = stream->rpc.state == RPC_STREAM_FINISHING;
		r = rpc_stream_confirm(&stream->rpc, &client->wire.out);
		client_stream_close(stream);
		return r == 0;
	case RPC_STREAM_IN_REFUSE:
		client_stream_fail(stream, "nothing can be written to this stream");
		break;
	case RPC_STREAM_IN_HOLE: /* none is sparse */
	case RPC_STREAM_IN_CLOSE:
		return false;
	}
	return true;
}

/* --- what is sent ------------------------------------------------------------------------- */

/* A packet of data, and what follows the last one. Returns 0, or there is no room for it. */
static int
send_next(struct client_stream *stream, struct rpc_buffer *out)
{
	size_t n;
	int r = 0;

	if (stream->ops->more && rpc_buffer_left(&stream->out) == 0 &&
		stream->rpc.state == RPC_STREAM_OPEN && !stream->ends && stream->error.code == 0)
		stream->ops->more(stream);
	n = rpc_buffer_left(&stream->out);

	if (n > CLIENT_STREAM_PACKET_MAX)
		n = CLIENT_STREAM_PACKET_MAX;
	if (n > 0) {
		r = rpc_stream_data(&stream->rpc, rpc_buffer_front(&stream->out), n, out);
		if (r == 0)
			rpc_buffer_drop(&stream->out, n);
	}
	if (r != 0 || rpc_buffer_left(&stream->out) > 0)
		return r;
	if (stream->error.code != 0) {
		r = rpc_stream_fail(&stream->rpc, &stream->error, out);
		client_stream_close(stream);
	} else if (stream->ends) {
		stream->ends = false;
		r = rpc_stream_end(&stream->rpc, out);
	}
	return r;
}

void
client_streams_send(struct client *client)
{
	struct client_stream *stream = TAILQ_FIRST(&client->streams.all), *next;

	for (; stream; stream = next) {
		next = TAILQ_NEXT(stream, entry);
		if (stream->forgotten)
			client_stream_close(stream);
		else if (send_next(stream, &client->wire.out) != 0)
			client->lost = true;
	}
}

size_t
client_streams_weight(const struct client_streams *streams)
{
	const struct client_stream *stream;
	size_t weight = 0;

	TAILQ_FOREACH (stream, &streams->all, entry)
		weight += stream->out.capacity + stream->rest.capacity + stream->weight;
	return weight;
}

/* --- begin and end ------------------------------------------------------------------------ */

bool
client_streams_leave(struct client_streams *streams)
{
	struct client_stream *stream;
	bool ret = false;

	TAILQ_FOREACH (stream, &streams->all, entry) {
		if (stream->rpc.state != RPC_STREAM_OPEN || stream->ends || stream->error.code != 0)
			continue;
		client_stream_fail(stream,
			"the process that serves this stream is about to end; connect and open it "
			"again");
		ret = true;
	}
	return ret;
}

void
client_streams_forbid(struct client *client)
{
	struct client_stream *stream = TAILQ_FIRST(&client->streams.all), *next;
	const struct rights *rights = &client->rights;

	for (; stream; stream = next) {
		next = TAILQ_NEXT(stream, entry);
		if (stream->forgotten || !(stream->verbs & ~rights->verbs))
			continue;
		stream->error = (struct rpc_error){.code = 0};
		if (rights->verbs == 0)
			(void)rights_refuse_all(rights, &stream->error);
		else
			(void)rights_refuse(rights, "this stream", "", &stream->error);
		if (rpc_stream_fail(&stream->rpc, &stream->error, &client->wire.out) != 0)
			client->lost = true;
		client_stream_close(stream);
	}
}

void
client_streams_init(struct client_streams *streams)
{
	*streams = (struct client_streams){.n = 0};
	TAILQ_INIT(&streams->all);
}

void
client_streams_fini(struct client_streams *streams)
{
	while (!TAILQ_EMPTY(&streams->all))
		client_stream_close(TAILQ_FIRST(&streams->all));
}
