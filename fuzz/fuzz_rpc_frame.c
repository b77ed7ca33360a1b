/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets one after the other as a connection reads them: each is made again to the same bytes, and
 * a stream that all of them are addressed to stays within its life.
 *
 * Input: one byte for the stream (two bits direction, one bit sparse, the others what the server
 * does), then packets. The stream's serial, procedure and program are those of the first packet.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/rpc/buffer.h"
#include "protocol/rpc/error.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/keepalive.h"
#include "protocol/rpc/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int holds)
{
	if (!holds)
		abort();
}

static void
make_again(const uint8_t *data, size_t length, const struct rpc_frame *frame)
{
	struct rpc_buffer buffer;
	size_t start;

	rpc_buffer_init(&buffer, length);
	require(rpc_frame_begin(&buffer, &frame->header, frame->n_fds, &start) == 0);
	if (frame->size > 0)
		require(rpc_buffer_append(&buffer, frame->payload, frame->size) == 0);
	require(rpc_frame_end(&buffer, start) == 0);
	require(rpc_buffer_left(&buffer) == length &&
		memcmp(rpc_buffer_front(&buffer), data, length) == 0);
	rpc_buffer_fini(&buffer);
}

/* What the server does when it may, chosen by the low bits. */
static void
serve(struct rpc_stream *stream, unsigned choice)
{
	struct rpc_error error = {.code = VIR_ERR_SYSTEM_ERROR};
	struct rpc_buffer buffer;

	rpc_buffer_init(&buffer, RPC_FRAME_MAX);
	if (rpc_stream_may_confirm(stream))
		require(rpc_stream_confirm(stream, &buffer) == 0);
	else if (choice == 1 && rpc_stream_may_send(stream))
		require(rpc_stream_data(stream, "data", 4, &buffer) == 0);
	else if (choice == 2 && rpc_stream_may_send(stream))
		require(rpc_stream_end(stream, &buffer) == 0);
	else if (choice == 3 && rpc_stream_may_fail(stream))
		require(rpc_stream_fail(stream, &error, &buffer) == 0);
	rpc_buffer_fini(&buffer);
}

static void
judge(struct rpc_stream *stream, const struct rpc_frame *frame)
{
	enum rpc_stream_state before = stream->state;
	uint64_t hole = 0;
	enum rpc_stream_input input = rpc_stream_receive(stream, frame, &hole);
	bool over = before != RPC_STREAM_OPEN && before != RPC_STREAM_ENDED;

	require(!over || (input == RPC_STREAM_IN_DROP && stream->state == before));
	require(rpc_stream_may_confirm(stream) ==
		(stream->state == RPC_STREAM_FINISHING || stream->state == RPC_STREAM_ABORTING));
	require((input == RPC_STREAM_IN_FINISH || input == RPC_STREAM_IN_ABORT) ==
		(stream->state != before));
	require(input != RPC_STREAM_IN_HOLE || (stream->sparse && hole > 0 && hole <= INT64_MAX));
	require(input != RPC_STREAM_IN_DATA ||
		(frame->size > 0 && stream->direction & RPC_DIRECTION_IN));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_stream stream = {0};
	struct rpc_frame frame;
	size_t length;
	uint8_t control;

	if (size < 1)
		return 0;
	control = *data++;
	size--;
	while (rpc_frame_length(data, size, &length) == 0) {
		require(length >= RPC_FRAME_MIN && length <= RPC_FRAME_MAX);
		if (length > size || rpc_frame_read(data, length, &frame))
			break;
		make_again(data, length, &frame);
		require(!rpc_keepalive_is(&frame.header) || frame.header.type == RPC_MESSAGE);
		if (stream.state == 0)
			rpc_stream_init(&stream, &frame.header, control & 3, (control & 4) != 0);
		if (frame.header.type == RPC_STREAM || frame.header.type == RPC_STREAM_HOLE)
			judge(&stream, &frame);
		serve(&stream, control >> 3 & 3);
		control = (uint8_t)(control >> 5 | control << 3);
		data += length;
		size -= length;
	}
	return 0;
}
