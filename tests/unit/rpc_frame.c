/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A packet is found in whatever pieces it arrives, and what is no packet is told from its first
 * word.
 */
#include "protocol/rpc/frame.h"

#include <stdbool.h>

#include "protocol/rpc/bigendian.h"
#include "protocol/rpc/buffer.h"
#include "tests/unit/test.h"

static void
length_word(void)
{
	static const struct {
		uint32_t length;
		int r;
	} rows[] = {
		{0, RPC_FRAME_E_BAD},
		{3, RPC_FRAME_E_BAD},
		{4, RPC_FRAME_E_BAD},
		{27, RPC_FRAME_E_BAD},
		{28, 0},
		{33554436, 0},
		{33554437, RPC_FRAME_E_BAD},
		{0x80000000, RPC_FRAME_E_BAD},
		{0xffffffff, RPC_FRAME_E_BAD},
	};
	uint8_t data[4];
	size_t length;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rpc_write_u32(data, rows[i].length);
		for (size_t n = 0; n < 4; n++)
			CHECK(rpc_frame_length(data, n, &length) == RPC_FRAME_E_MORE);
		length = 0;
		CHECK(rpc_frame_length(data, 4, &length) == rows[i].r);
		CHECK(rows[i].r || length == rows[i].length);
	}
}

static const struct rpc_header header = {
	.program = RPC_PROGRAM_REMOTE,
	.version = 1,
	.procedure = -2,
	.type = 0xfffffffe,
	.serial = 0xdeadbeef,
	.status = 7,
};

static bool
same(const struct rpc_header *a, const struct rpc_header *b)
{
	return a->program == b->program && a->version == b->version &&
	       a->procedure == b->procedure && a->type == b->type && a->serial == b->serial &&
	       a->status == b->status;
}

static void
header_words(void)
{
	static const uint8_t wire[RPC_HEADER_SIZE] = {0x20, 0x00, 0x80, 0x86, 0, 0, 0, 1, 0xff,
		0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xfe, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 7};
	uint8_t made[RPC_HEADER_SIZE];
	struct rpc_header read, reply;

	rpc_header_write(&header, made);
	CHECK(memcmp(made, wire, sizeof(wire)) == 0);
	rpc_header_read(wire, &read);
	CHECK(same(&read, &header));
	reply = rpc_header_reply(&header, RPC_ERROR);
	CHECK(reply.type == RPC_REPLY && reply.status == RPC_ERROR);
	reply.type = header.type;
	reply.status = header.status;
	CHECK(same(&reply, &header));
}

static void
payload_and_descriptors(void)
{
	static const struct {
		uint32_t type, count;
		size_t payload; /* bytes after the header */
		int r;
		size_t size; /* of what is payload then */
	} rows[] = {
		{RPC_CALL, 33, 4, 0, 4},
		{RPC_CALL, 0, 0, 0, 0},
		{RPC_CALL_WITH_FDS, 0, 4, 0, 0},
		{RPC_CALL_WITH_FDS, 32, 8, 0, 4},
		{RPC_REPLY_WITH_FDS, 1, 4, 0, 0},
		{RPC_CALL_WITH_FDS, 33, 8, RPC_FRAME_E_BAD, 0},
		{RPC_REPLY_WITH_FDS, 0xffffffff, 4, RPC_FRAME_E_BAD, 0},
		{RPC_CALL_WITH_FDS, 0, 3, RPC_FRAME_E_BAD, 0},
		{RPC_CALL_WITH_FDS, 0, 0, RPC_FRAME_E_BAD, 0},
	};
	uint8_t data[RPC_FRAME_MIN + 8] = {0};
	struct rpc_frame frame;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rpc_write_u32(data + 16, rows[i].type);
		rpc_write_u32(data + RPC_FRAME_MIN, rows[i].count);
		CHECK(rpc_frame_read(data, RPC_FRAME_MIN + rows[i].payload, &frame) == rows[i].r);
		if (rows[i].r)
			continue;
		CHECK(frame.size == rows[i].size);
		CHECK(frame.n_fds == (rows[i].type == RPC_CALL ? 0 : rows[i].count));
		CHECK(frame.payload + frame.size == data + RPC_FRAME_MIN + rows[i].payload);
	}
}

static void
appended(void)
{
	struct rpc_header call = {.type = RPC_CALL}, with_fds = {.type = RPC_REPLY_WITH_FDS};
	struct rpc_buffer buffer;
	struct rpc_frame frame;
	size_t start, length;

	rpc_buffer_init(&buffer, 200);
	CHECK(rpc_frame_begin(&buffer, &call, 3, &start) == 0);
	CHECK(rpc_buffer_append(&buffer, "payload", 7) == 0);
	CHECK(rpc_frame_end(&buffer, start) == 0);
	rpc_buffer_drop(&buffer, 5); /* some has been sent already */
	CHECK(rpc_frame_begin(&buffer, &with_fds, 3, &start) == 0 && start == 30);
	CHECK(rpc_frame_end(&buffer, start) == 0);
	rpc_buffer_drop(&buffer, 30);
	CHECK(rpc_frame_length(rpc_buffer_front(&buffer), rpc_buffer_left(&buffer), &length) == 0);
	CHECK(length == 32 && rpc_buffer_left(&buffer) == 32);
	CHECK(rpc_frame_read(rpc_buffer_front(&buffer), length, &frame) == 0);
	CHECK(frame.n_fds == 3 && frame.size == 0);
	rpc_buffer_fini(&buffer);
	rpc_buffer_init(&buffer, 27);
	CHECK(rpc_frame_begin(&buffer, &call, 0, &start) < 0 && rpc_buffer_left(&buffer) == 0);
	rpc_buffer_fini(&buffer);
}

static void
too_large(void)
{
	struct rpc_header call = {.type = RPC_CALL};
	struct rpc_buffer buffer;
	size_t start;

	rpc_buffer_init(&buffer, RPC_FRAME_MAX + 100);
	CHECK(rpc_buffer_append(&buffer, "before", 6) == 0);
	CHECK(rpc_frame_begin(&buffer, &call, 0, &start) == 0);
	CHECK(rpc_buffer_grow(&buffer, RPC_PAYLOAD_MAX));
	CHECK(rpc_frame_end(&buffer, start) == 0);
	CHECK(rpc_buffer_append(&buffer, "x", 1) == 0);
	CHECK(rpc_frame_end(&buffer, start) == RPC_FRAME_E_BAD);
	CHECK(rpc_buffer_left(&buffer) == 6);
	rpc_buffer_fini(&buffer);
}

int
main(void)
{
	TEST("the length word is accepted from 28 to 33554436", length_word);
	TEST("the header's six words are read and written as they are", header_words);
	TEST("the count of descriptors is taken off the payload, and at most 32",
		payload_and_descriptors);
	TEST("packets are appended with their length, behind what is being sent", appended);
	TEST("a packet that became too large is taken off again", too_large);
	return TEST_END();
}
