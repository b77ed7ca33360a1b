/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stream answers what the client may send, drops what comes too late, and never confirms unasked.
 */
#include "protocol/rpc/stream.h"

#include "protocol/rpc/arena.h"
#include "protocol/rpc/bigendian.h"
#include "protocol/rpc/buffer.h"
#include "protocol/rpc/error.h"
#include "protocol/rpc/types.h"
#include "tests/unit/test.h"

static const struct rpc_header call = {
	.program = RPC_PROGRAM_REMOTE,
	.version = 1,
	.procedure = RPC_PROC_STORAGE_VOL_UPLOAD,
	.type = RPC_CALL,
	.serial = 17,
};

static struct rpc_stream stream;
static struct rpc_buffer buffer;
static uint64_t hole;

static void
open_stream(enum rpc_direction direction, bool sparse)
{
	rpc_stream_init(&stream, &call, direction, sparse);
	rpc_buffer_cut(&buffer, 0);
}

static enum rpc_stream_input
receive(enum rpc_type type, uint32_t status, const void *payload, size_t size)
{
	struct rpc_frame frame = {.header = call, .payload = payload, .size = size};

	frame.header.type = type;
	frame.header.status = status;
	CHECK(rpc_stream_is_for(&stream, &frame.header));
	return rpc_stream_receive(&stream, &frame, &hole);
}

static enum rpc_stream_input
receive_hole(int64_t length, uint32_t flags)
{
	uint8_t payload[12];

	rpc_write_u64(payload, (uint64_t)length);
	rpc_write_u32(payload + 8, flags);
	return receive(RPC_STREAM_HOLE, RPC_CONTINUE, payload, sizeof(payload));
}

/* The one packet that was sent; gone from the buffer afterwards, but its bytes stay. */
static struct rpc_frame
sent(void)
{
	struct rpc_frame frame = {0};
	size_t length = 0;

	CHECK(rpc_frame_length(rpc_buffer_front(&buffer), rpc_buffer_left(&buffer), &length) == 0);
	CHECK(length == rpc_buffer_left(&buffer));
	CHECK(rpc_frame_read(rpc_buffer_front(&buffer), length, &frame) == 0);
	CHECK(frame.header.program == call.program && frame.header.procedure == call.procedure &&
		frame.header.serial == call.serial && frame.header.version == 1);
	rpc_buffer_cut(&buffer, 0);
	return frame;
}

static void
which_stream(void)
{
	struct rpc_header header = call;

	open_stream(RPC_DIRECTION_IN, false);
	header.type = RPC_STREAM;
	CHECK(rpc_stream_is_for(&stream, &header));
	header.serial++;
	CHECK(!rpc_stream_is_for(&stream, &header));
	header = call;
	header.procedure++;
	CHECK(!rpc_stream_is_for(&stream, &header));
	header = call;
	header.program++;
	CHECK(!rpc_stream_is_for(&stream, &header));
}

static void
upload(void)
{
	struct rpc_frame frame;

	open_stream(RPC_DIRECTION_IN, false);
	CHECK(!rpc_stream_may_send(&stream) && !rpc_stream_may_confirm(&stream));
	CHECK(receive(RPC_STREAM, RPC_CONTINUE, "abc", 3) == RPC_STREAM_IN_DATA);
	CHECK(receive(RPC_STREAM, RPC_CONTINUE, NULL, 0) == RPC_STREAM_IN_DROP);
	CHECK(receive(RPC_STREAM, RPC_OK, NULL, 0) == RPC_STREAM_IN_FINISH);
	CHECK(receive(RPC_STREAM, RPC_CONTINUE, "abc", 3) == RPC_STREAM_IN_DROP);
	CHECK(receive(RPC_STREAM, RPC_OK, NULL, 0) == RPC_STREAM_IN_DROP);
	CHECK(rpc_stream_may_confirm(&stream));
	CHECK(rpc_stream_confirm(&stream, &buffer) == 0);
	frame = sent();
	CHECK(frame.header.type == RPC_STREAM && frame.header.status == RPC_OK && frame.size == 0);
	CHECK(!rpc_stream_may_confirm(&stream) && !rpc_stream_may_fail(&stream));
	CHECK(receive(RPC_STREAM, RPC_ERROR, NULL, 0) == RPC_STREAM_IN_DROP);
}

static void
download(void)
{
	static uint8_t data[RPC_STREAM_DATA_MAX];
	struct rpc_frame frame;

	open_stream(RPC_DIRECTION_OUT, false);
	CHECK(rpc_stream_may_send(&stream));
	CHECK(rpc_stream_data(&stream, data, sizeof(data), &buffer) == 0);
	frame = sent();
	CHECK(frame.header.type == RPC_STREAM && frame.header.status == RPC_CONTINUE &&
		frame.size == sizeof(data));
	CHECK(rpc_stream_end(&stream, &buffer) == 0);
	frame = sent();
	CHECK(frame.header.type == RPC_STREAM && frame.header.status == RPC_CONTINUE &&
		frame.size == 0);
	CHECK(!rpc_stream_may_send(&stream) && !rpc_stream_may_confirm(&stream));
	CHECK(receive(RPC_STREAM, RPC_OK, NULL, 0) == RPC_STREAM_IN_FINISH);
	CHECK(rpc_stream_confirm(&stream, &buffer) == 0);
	CHECK(sent().header.status == RPC_OK);
}

static void
data_where_none_is_taken(void)
{
	struct rpc_error error;

	open_stream(RPC_DIRECTION_OUT, false);
	CHECK(receive(RPC_STREAM, RPC_CONTINUE, "abc", 3) == RPC_STREAM_IN_REFUSE);
	(void)rpc_error_set(&error, VIR_ERR_OPERATION_INVALID, VIR_FROM_STREAMS, "no");
	CHECK(rpc_stream_fail(&stream, &error, &buffer) == 0);
	CHECK(sent().header.status == RPC_ERROR);
	CHECK(receive(RPC_STREAM, RPC_CONTINUE, "abc", 3) == RPC_STREAM_IN_DROP);
}

static void
console(void)
{
	struct rpc_frame frame;

	open_stream(RPC_DIRECTION_BOTH, false);
	CHECK(receive(RPC_STREAM, RPC_CONTINUE, "\r", 1) == RPC_STREAM_IN_DATA);
	CHECK(rpc_stream_data(&stream, "login: ", 7, &buffer) == 0);
	frame = sent();
	CHECK(frame.size == 7 && memcmp(frame.payload, "login: ", 7) == 0);
	/* The guest has ended, the client has not noticed yet. */
	CHECK(rpc_stream_end(&stream, &buffer) == 0);
	CHECK(receive(RPC_STREAM, RPC_CONTINUE, "\r", 1) == RPC_STREAM_IN_DATA);
	CHECK(receive(RPC_STREAM, RPC_ERROR, NULL, 0) == RPC_STREAM_IN_ABORT);
}

static void
aborted(void)
{
	static const uint32_t status[] = {RPC_ERROR, 3, 0xffffffff};

	for (size_t i = 0; i < sizeof(status) / sizeof(status[0]); i++) {
		open_stream(RPC_DIRECTION_BOTH, false);
		CHECK(receive(RPC_STREAM, status[i], NULL, 0) == RPC_STREAM_IN_ABORT);
		CHECK(!rpc_stream_may_send(&stream));
		CHECK(receive(RPC_STREAM, RPC_OK, NULL, 0) == RPC_STREAM_IN_DROP);
		CHECK(rpc_stream_confirm(&stream, &buffer) == 0);
		CHECK(sent().header.status == RPC_OK);
	}
}

static void
failed(void)
{
	struct rpc_error error;
	struct rpc_arena arena;
	struct rpc_remote_error wire;
	struct rpc_frame frame;

	rpc_arena_init(&arena, 4096);
	for (int finish = 0; finish < 2; finish++) {
		open_stream(RPC_DIRECTION_IN, false);
		if (finish)
			CHECK(receive(RPC_STREAM, RPC_OK, NULL, 0) == RPC_STREAM_IN_FINISH);
		(void)rpc_error_set_errno(&error, 28, VIR_FROM_STREAMS, "cannot write");
		CHECK(rpc_stream_fail(&stream, &error, &buffer) == 0);
		frame = sent();
		CHECK(frame.header.type == RPC_STREAM && frame.header.status == RPC_ERROR);
		CHECK(rpc_decode(&rpc_shapes[RPC_SHAPE_REMOTE_ERROR], frame.payload, frame.size,
			      &arena, &wire) == 0);
		CHECK(wire.code == VIR_ERR_SYSTEM_ERROR && wire.int1 == 28);
		CHECK(!rpc_stream_may_fail(&stream) && !rpc_stream_may_confirm(&stream));
		CHECK(receive(RPC_STREAM, RPC_OK, NULL, 0) == RPC_STREAM_IN_DROP);
	}
	rpc_arena_fini(&arena);
}

static void
holes(void)
{
	struct rpc_frame frame;

	open_stream(RPC_DIRECTION_IN, true);
	CHECK(receive_hole(1048576, 0) == RPC_STREAM_IN_HOLE && hole == 1048576);
	CHECK(receive_hole(INT64_MAX, 0) == RPC_STREAM_IN_HOLE && hole == INT64_MAX);
	CHECK(receive_hole(0, 0) == RPC_STREAM_IN_REFUSE);
	CHECK(receive_hole(-1, 0) == RPC_STREAM_IN_REFUSE);
	CHECK(receive_hole(1, 1) == RPC_STREAM_IN_REFUSE);
	CHECK(receive(RPC_STREAM_HOLE, RPC_CONTINUE, "1234567", 7) == RPC_STREAM_IN_CLOSE);
	open_stream(RPC_DIRECTION_IN, false);
	CHECK(receive_hole(1048576, 0) == RPC_STREAM_IN_CLOSE);
	open_stream(RPC_DIRECTION_OUT, true);
	CHECK(receive_hole(1048576, 0) == RPC_STREAM_IN_REFUSE);
	CHECK(rpc_stream_hole(&stream, 2093056, &buffer) == 0);
	frame = sent();
	CHECK(frame.header.type == RPC_STREAM_HOLE && frame.header.status == RPC_CONTINUE);
	CHECK(frame.size == 12 && rpc_read_u64(frame.payload) == 2093056);
}

static void
full_buffer(void)
{
	struct rpc_buffer small;

	open_stream(RPC_DIRECTION_BOTH, false);
	rpc_buffer_init(&small, RPC_FRAME_MIN + 1);
	CHECK(rpc_stream_data(&stream, "ab", 2, &small) != 0 && rpc_buffer_left(&small) == 0);
	CHECK(rpc_stream_data(&stream, "a", 1, &small) == 0);
	CHECK(rpc_stream_end(&stream, &small) != 0 && rpc_stream_may_send(&stream));
	CHECK(receive(RPC_STREAM, RPC_OK, NULL, 0) == RPC_STREAM_IN_FINISH);
	CHECK(rpc_stream_confirm(&stream, &small) != 0 && rpc_stream_may_confirm(&stream));
	rpc_buffer_fini(&small);
}

int
main(void)
{
	rpc_buffer_init(&buffer, 1 << 20);
	TEST("a packet belongs to a stream by program, procedure and serial", which_stream);
	TEST("an upload takes data until it is finished, and is confirmed once", upload);
	TEST("a download ends with an empty packet and is confirmed when asked", download);
	TEST("data on a download fails that stream alone", data_where_none_is_taken);
	TEST("a console goes both ways and may end on our side first", console);
	TEST("an abort stops everything and is confirmed", aborted);
	TEST("a failure carries the error and is the last packet, also after a finish", failed);
	TEST("holes are for sparse streams; elsewhere they end the connection", holes);
	TEST("a full buffer changes neither stream nor buffer", full_buffer);
	rpc_buffer_fini(&buffer);
	return TEST_END();
}
