/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every packet captured from libvirt (tests/golden/wire) is understood and made again byte for
 * byte.
 *
 * A file of packets is text: "client|server KIND PROCEDURE" on a line of its own, then lines that
 * start with a tab: the packet in hex, blanks ignored, where 41*4096 is that byte so many times.
 */
#include <glob.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/take.h"
#include "protocol/rpc/arena.h"
#include "protocol/rpc/buffer.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/keepalive.h"
#include "protocol/rpc/procedure.h"
#include "protocol/rpc/stream.h"
#include "protocol/rpc/types.h"
#include "tests/unit/hex.h"
#include "tests/unit/test.h"

enum { PACKETS = 70, LINE_SIZE = 256, VALUE_SIZE = 4096 };

struct packet {
	char side[16], kind[16], name[64];
	uint8_t bytes[8192];
	size_t size;
};

static struct rpc_arena arena;
static struct rpc_buffer buffer;
static struct rpc_stream stream; /* the one that was opened last */
static unsigned n_packets;
static const char *at_file;
static unsigned at_line;

/* Does the buffer hold exactly the packet? It is empty afterwards. */
static bool
is_made_again(const struct packet *packet)
{
	bool same = rpc_buffer_left(&buffer) == packet->size &&
		    memcmp(rpc_buffer_front(&buffer), packet->bytes, packet->size) == 0;

	rpc_buffer_drop(&buffer, rpc_buffer_left(&buffer));
	return same;
}

static bool
check_shape(const struct packet *packet, const struct rpc_frame *frame,
	const struct rpc_shape *shape, void *value)
{
	rpc_arena_reset(&arena);
	if (rpc_decode(shape, frame->payload, frame->size, &arena, value) ||
		arena.used > 4 * frame->size)
		return false;
	return rpc_encode_frame(&frame->header, frame->n_fds, shape, value, &buffer) == 0 &&
	       is_made_again(packet);
}

static bool
check_call(const struct packet *packet, const struct rpc_frame *frame,
	const struct rpc_procedure *procedure)
{
	_Alignas(8) uint8_t value[VALUE_SIZE];
	bool sparse = false;

	if (!check_shape(packet, frame, procedure->args, value))
		return false;
	if (procedure->number == RPC_PROC_STORAGE_VOL_DOWNLOAD)
		sparse = ((const struct rpc_storage_vol_download_args *)(void *)value)->flags == 1;
	if (procedure->direction != RPC_DIRECTION_NONE)
		rpc_stream_init(&stream, &frame->header, procedure->direction, sparse);
	return true;
}

static bool
check_stream_of_client(const struct packet *packet, const struct rpc_frame *frame)
{
	uint64_t hole;
	enum rpc_stream_input input;

	if (!rpc_stream_is_for(&stream, &frame->header))
		return false;
	input = rpc_stream_receive(&stream, frame, &hole);
	return (strcmp(packet->kind, "data") == 0 && input == RPC_STREAM_IN_DATA) ||
	       (strcmp(packet->kind, "finish") == 0 && input == RPC_STREAM_IN_FINISH) ||
	       (strcmp(packet->kind, "abort") == 0 && input == RPC_STREAM_IN_ABORT);
}

static bool
check_stream_of_server(const struct packet *packet, const struct rpc_frame *frame)
{
	struct rpc_stream_hole hole;
	int r = -1;

	if (strcmp(packet->kind, "data") == 0)
		r = rpc_stream_data(&stream, frame->payload, frame->size, &buffer);
	else if (strcmp(packet->kind, "end") == 0)
		r = rpc_stream_end(&stream, &buffer);
	else if (strcmp(packet->kind, "finish") == 0)
		r = rpc_stream_confirm(&stream, &buffer);
	else if (strcmp(packet->kind, "hole") == 0 &&
		 check_shape(packet, frame, &rpc_shapes[RPC_SHAPE_STREAM_HOLE], &hole))
		r = rpc_stream_hole(&stream, hole.length, &buffer);
	return r == 0 && is_made_again(packet);
}

static bool
check_keepalive(const struct packet *packet, const struct rpc_frame *frame)
{
	uint8_t made[RPC_FRAME_MIN];

	rpc_keepalive_frame(
		strcmp(packet->name, "ping") == 0 ? RPC_KEEPALIVE_PING : RPC_KEEPALIVE_PONG, made);
	return rpc_keepalive_is(&frame->header) && packet->size == sizeof(made) &&
	       memcmp(made, packet->bytes, sizeof(made)) == 0;
}

/* Framing alone, of a program that is not in the table. */
static bool
check_framing(const struct packet *packet, const struct rpc_frame *frame)
{
	size_t start;

	return !rpc_program_is_known(frame->header.program, frame->header.version) &&
	       rpc_frame_begin(&buffer, &frame->header, 0, &start) == 0 &&
	       (frame->size == 0 || rpc_buffer_append(&buffer, frame->payload, frame->size) == 0) &&
	       rpc_frame_end(&buffer, start) == 0 && is_made_again(packet);
}

static bool
check_packet(const struct packet *packet)
{
	_Alignas(8) uint8_t value[VALUE_SIZE];
	const struct rpc_procedure *procedure;
	struct rpc_frame frame;
	size_t length;

	if (rpc_frame_length(packet->bytes, packet->size, &length) || length != packet->size ||
		rpc_frame_read(packet->bytes, length, &frame))
		return false;
	if (strcmp(packet->kind, "keepalive") == 0)
		return check_keepalive(packet, &frame);
	if (strcmp(packet->kind, "packet") == 0)
		return check_framing(packet, &frame);
	procedure = rpc_procedure_find(frame.header.program, frame.header.procedure);
	if (!procedure || strcmp(procedure->name, packet->name) != 0)
		return false;
	if (strcmp(packet->kind, "args") == 0)
		return check_call(packet, &frame, procedure);
	if (strcmp(packet->kind, "event") == 0)
		return procedure->is_event && check_shape(packet, &frame, procedure->args, value);
	if (strcmp(packet->kind, "ret") == 0)
		return check_shape(packet, &frame, procedure->ret, value);
	if (strcmp(packet->kind, "error") == 0)
		return check_shape(packet, &frame, &rpc_shapes[RPC_SHAPE_REMOTE_ERROR], value);
	return strcmp(packet->side, "client") == 0 ? check_stream_of_client(packet, &frame)
						   : check_stream_of_server(packet, &frame);
}

static void
end_packet(struct packet *packet)
{
	if (packet->size == 0)
		return;
	n_packets++;
	if (!check_packet(packet)) {
		printf("# %s, before line %u: %s %s %s\n", at_file, at_line, packet->side,
			packet->kind, packet->name);
		test_this_failed = 1;
	}
	packet->size = 0;
}

static void
check_file(const char *path)
{
	static struct packet packet;
	file_auto FILE *file = fopen(path, "re");
	char line[LINE_SIZE];

	CHECK(file);
	at_file = path;
	at_line = 0;
	while (file && fgets(line, sizeof(line), file)) {
		at_line++;
		if (line[0] == '\t') {
			hex_read(line, packet.bytes, &packet.size, sizeof(packet.bytes));
			continue;
		}
		end_packet(&packet);
		if (line[0] != '#' && line[0] != '\n')
			CHECK(sscanf(line, "%15s %15s %63s", packet.side, packet.kind,
				      packet.name) == 3);
	}
	end_packet(&packet);
}

static void
captured_packets(void)
{
	glob_t files;

	CHECK(glob("tests/golden/wire/*.frames", 0, NULL, &files) == 0);
	for (size_t i = 0; i < files.gl_pathc; i++)
		check_file(files.gl_pathv[i]);
	globfree(&files);
	CHECK(n_packets == PACKETS);
}

int
main(void)
{
	rpc_arena_init(&arena, RPC_PAYLOAD_MAX);
	rpc_buffer_init(&buffer, RPC_FRAME_MAX);
	TEST("captured packets are decoded and encoded to the same bytes", captured_packets);
	rpc_arena_fini(&arena);
	rpc_buffer_fini(&buffer);
	return TEST_END();
}
