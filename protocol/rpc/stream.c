/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.c: the life of one stream; see stream.h.
 */
#include "protocol/rpc/stream.h"

#include "lib/err.h"
#include "protocol/rpc/arena.h"
#include "protocol/rpc/buffer.h"
#include "protocol/rpc/codec.h"
#include "protocol/rpc/error.h"
#include "protocol/rpc/types.h"

void
rpc_stream_init(struct rpc_stream *stream, const struct rpc_header *call,
	enum rpc_direction direction, bool sparse)
{
	*stream = (struct rpc_stream){
		.program = call->program,
		.procedure = call->procedure,
		.serial = call->serial,
		.direction = direction,
		.sparse = sparse,
		.state = RPC_STREAM_OPEN,
	};
}

bool
rpc_stream_is_for(const struct rpc_stream *stream, const struct rpc_header *header)
{
	return header->serial == stream->serial && header->procedure == stream->procedure &&
	       header->program == stream->program;
}

/* May the client send data and holes now? */
static bool
takes_data(const struct rpc_stream *stream)
{
	return (stream->direction & RPC_DIRECTION_IN) != 0;
}

static enum rpc_stream_input
receive_hole(struct rpc_stream *stream, const struct rpc_frame *frame, uint64_t *ret_hole)
{
	struct rpc_stream_hole hole;
	struct rpc_arena nothing;

	rpc_arena_init(&nothing, 0);
	if (!stream->sparse || rpc_decode(&rpc_shapes[RPC_SHAPE_STREAM_HOLE], frame->payload,
				       frame->size, &nothing, &hole))
		return RPC_STREAM_IN_CLOSE;
	if (!takes_data(stream) || hole.length <= 0 || hole.flags != 0)
		return RPC_STREAM_IN_REFUSE;
	*ret_hole = (uint64_t)hole.length;
	return RPC_STREAM_IN_HOLE;
}

static enum rpc_stream_input
receive_data(struct rpc_stream *stream, const struct rpc_frame *frame)
{
	if (!takes_data(stream))
		return RPC_STREAM_IN_REFUSE;
	return frame->size > 0 ? RPC_STREAM_IN_DATA : RPC_STREAM_IN_DROP;
}

enum rpc_stream_input
rpc_stream_receive(struct rpc_stream *stream, const struct rpc_frame *frame, uint64_t *ret_hole)
{
	if (stream->state != RPC_STREAM_OPEN && stream->state != RPC_STREAM_ENDED)
		return RPC_STREAM_IN_DROP;
	if (frame->header.type == RPC_STREAM_HOLE)
		return receive_hole(stream, frame, ret_hole);
	switch (frame->header.status) {
	case RPC_CONTINUE:
		return receive_data(stream, frame);
	case RPC_OK:
		stream->state = RPC_STREAM_FINISHING;
		return RPC_STREAM_IN_FINISH;
	default: /* RPC_ERROR; what else there may be ends it too */
		stream->state = RPC_STREAM_ABORTING;
		return RPC_STREAM_IN_ABORT;
	}
}

bool
rpc_stream_may_send(const struct rpc_stream *stream)
{
	return stream->state == RPC_STREAM_OPEN && (stream->direction & RPC_DIRECTION_OUT) != 0;
}

bool
rpc_stream_may_confirm(const struct rpc_stream *stream)
{
	return stream->state == RPC_STREAM_FINISHING || stream->state == RPC_STREAM_ABORTING;
}

bool
rpc_stream_may_fail(const struct rpc_stream *stream)
{
	return stream->state != RPC_STREAM_GONE;
}

static struct rpc_header
packet(const struct rpc_stream *stream, enum rpc_type type, enum rpc_status status)
{
	return (struct rpc_header){
		.program = stream->program,
		.version = RPC_VERSION,
		.procedure = stream->procedure,
		.type = type,
		.serial = stream->serial,
		.status = status,
	};
}

int
rpc_stream_data(struct rpc_stream *stream, const void *data, size_t size, struct rpc_buffer *buffer)
{
	struct rpc_header header = packet(stream, RPC_STREAM, RPC_CONTINUE);
	size_t start;

	ASSERT(rpc_stream_may_send(stream) && size > 0 && size <= RPC_STREAM_DATA_MAX);
	if (rpc_frame_begin(buffer, &header, 0, &start))
		return RPC_CODEC_E_FULL;
	if (rpc_buffer_append(buffer, data, size)) {
		rpc_buffer_cut(buffer, start);
		return RPC_CODEC_E_FULL;
	}
	(void)rpc_frame_end(buffer, start);
	return 0;
}

int
rpc_stream_hole(struct rpc_stream *stream, int64_t length, struct rpc_buffer *buffer)
{
	struct rpc_header header = packet(stream, RPC_STREAM_HOLE, RPC_CONTINUE);
	struct rpc_stream_hole hole = {.length = length};

	ASSERT(rpc_stream_may_send(stream) && stream->sparse && length > 0);
	return rpc_encode_frame(&header, 0, &rpc_shapes[RPC_SHAPE_STREAM_HOLE], &hole, buffer);
}

/* A packet without payload that leaves the stream in that state. */
static int
put_empty(struct rpc_stream *stream, enum rpc_status status, enum rpc_stream_state next,
	struct rpc_buffer *buffer)
{
	struct rpc_header header = packet(stream, RPC_STREAM, status);
	int r = rpc_encode_frame(&header, 0, NULL, NULL, buffer);

	if (!r)
		stream->state = next;
	return r;
}

int
rpc_stream_end(struct rpc_stream *stream, struct rpc_buffer *buffer)
{
	ASSERT(rpc_stream_may_send(stream));
	return put_empty(stream, RPC_CONTINUE, RPC_STREAM_ENDED, buffer);
}

int
rpc_stream_confirm(struct rpc_stream *stream, struct rpc_buffer *buffer)
{
	ASSERT(rpc_stream_may_confirm(stream));
	return put_empty(stream, RPC_OK, RPC_STREAM_GONE, buffer);
}

int
rpc_stream_fail(struct rpc_stream *stream, const struct rpc_error *error, struct rpc_buffer *buffer)
{
	struct rpc_header header = packet(stream, RPC_STREAM, RPC_ERROR);
	int r;

	ASSERT(rpc_stream_may_fail(stream));
	r = rpc_error_encode(error, &header, buffer);
	if (!r)
		stream->state = RPC_STREAM_GONE;
	return r;
}
