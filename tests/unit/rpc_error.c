/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An error reaches the client as libvirtd would send it, whatever its text is.
 */
#include "protocol/rpc/error.h"

#include <errno.h>

#include "protocol/rpc/arena.h"
#include "protocol/rpc/buffer.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/procedure.h"
#include "protocol/rpc/types.h"
#include "tests/unit/test.h"

static struct rpc_arena arena;
static struct rpc_buffer buffer;

static struct rpc_header call = {
	.program = RPC_PROGRAM_REMOTE,
	.version = 1,
	.procedure = RPC_PROC_DOMAIN_OPEN_GRAPHICS,
	.type = RPC_CALL_WITH_FDS,
	.serial = 77,
};

/* Answer the call with the error and read the reply as a client does. */
static void
answer(const struct rpc_error *error, struct rpc_frame *ret_frame, struct rpc_remote_error *ret)
{
	size_t length = 0;

	rpc_buffer_cut(&buffer, 0);
	rpc_arena_reset(&arena);
	CHECK(rpc_error_reply(error, &call, &buffer) == 0);
	CHECK(rpc_frame_length(rpc_buffer_front(&buffer), rpc_buffer_left(&buffer), &length) == 0);
	CHECK(length == rpc_buffer_left(&buffer));
	CHECK(rpc_frame_read(rpc_buffer_front(&buffer), length, ret_frame) == 0);
	CHECK(rpc_decode(&rpc_shapes[RPC_SHAPE_REMOTE_ERROR], ret_frame->payload, ret_frame->size,
		      &arena, ret) == 0);
}

static void
as_libvirtd(void)
{
	struct rpc_error error;
	struct rpc_frame frame;
	struct rpc_remote_error wire;

	CHECK(rpc_error_set(&error, VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU,
		      "Domain not found: no domain with matching name '%s'", "x") == RPC_FAILED);
	answer(&error, &frame, &wire);
	CHECK(frame.header.type == RPC_REPLY && frame.header.status == RPC_ERROR);
	CHECK(frame.header.program == call.program && frame.header.procedure == call.procedure &&
		frame.header.serial == call.serial && frame.header.version == 1);
	CHECK(wire.code == 42 && wire.domain == 10 && wire.level == 2);
	CHECK_STR(wire.message, "Domain not found: no domain with matching name 'x'");
	CHECK_STR(wire.str1, "%s");
	CHECK_STR(wire.str2, "Domain not found: no domain with matching name 'x'");
	CHECK(!wire.dom && !wire.str3 && !wire.net && wire.int1 == -1 && wire.int2 == -1);
}

static void
system_error(void)
{
	struct rpc_error error;
	struct rpc_frame frame;
	struct rpc_remote_error wire;

	CHECK(rpc_error_set_errno(&error, ENOSPC, VIR_FROM_STREAMS, "cannot write to '%s'", "v") ==
		RPC_FAILED);
	answer(&error, &frame, &wire);
	CHECK(wire.code == 38 && wire.domain == 38 && wire.int1 == ENOSPC && wire.int2 == -1);
	CHECK_STR(wire.message, "cannot write to 'v': No space left on device");
}

static void
too_long(void)
{
	static char text[3000];
	struct rpc_error error;
	size_t length;

	/* Every position of the cut within a character of four bytes. */
	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'a', shift);
		for (size_t i = shift; i + 4 < sizeof(text); i += 4)
			memcpy(text + i, "\xf0\x9f\x96\xa5", 5);
		(void)rpc_error_set(&error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN, "%s", text);
		length = strlen(error.message);
		CHECK(length > RPC_ERROR_MESSAGE_SIZE - 5 && length < RPC_ERROR_MESSAGE_SIZE);
		CHECK(length % 4 == shift && strncmp(error.message, text, length) == 0);
	}
	memset(text, 'a', sizeof(text) - 1);
	text[RPC_ERROR_MESSAGE_SIZE - 1] = '\0';
	(void)rpc_error_set(&error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN, "%s", text);
	CHECK_STR(error.message, text);
	memset(text, 0x80, sizeof(text) - 1); /* not UTF-8 at all */
	(void)rpc_error_set(&error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN, "%s", text);
	CHECK(strlen(error.message) < RPC_ERROR_MESSAGE_SIZE);
}

static void
replaced(void)
{
	struct rpc_error error;

	(void)rpc_error_set_errno(&error, EIO, VIR_FROM_QEMU, "first");
	(void)rpc_error_set(&error, VIR_ERR_RPC, VIR_FROM_RPC, "unknown procedure: %d", 444);
	CHECK(error.code == 39 && error.domain == 7 && error.errnum == 0);
	CHECK_STR(error.message, "unknown procedure: 444");
}

int
main(void)
{
	rpc_arena_init(&arena, 1 << 20);
	rpc_buffer_init(&buffer, 1 << 20);
	TEST("a reply with an error echoes the call and has message, level and details",
		as_libvirtd);
	TEST("a system error carries the errno and its text", system_error);
	TEST("a long text is cut between two characters", too_long);
	TEST("a second error replaces the first", replaced);
	rpc_arena_fini(&arena);
	rpc_buffer_fini(&buffer);
	return TEST_END();
}
