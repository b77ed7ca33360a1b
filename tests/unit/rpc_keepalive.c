/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client that asked for it is pinged when silent and given up as libvirtd would; no other ever
 * is.
 */
#include "protocol/rpc/keepalive.h"

#include "tests/unit/test.h"

#define SECOND UINT64_C(1000000000)

static const uint64_t start = 1000 * SECOND;

/* Run the timer as its owner does until the client is closed or until; returns pings sent. */
static unsigned
run(struct rpc_keepalive *keepalive, uint64_t until, uint64_t *ret_closed)
{
	unsigned pings = 0;

	*ret_closed = 0;
	while (keepalive->due_ns <= until) {
		uint64_t now = keepalive->due_ns;

		switch (rpc_keepalive_check(keepalive, now)) {
		case RPC_KEEPALIVE_WAIT:
			break;
		case RPC_KEEPALIVE_SEND_PING:
			pings++;
			break;
		case RPC_KEEPALIVE_CLOSE:
			*ret_closed = now;
			return pings;
		}
	}
	return pings;
}

static void
silent(void)
{
	struct rpc_keepalive keepalive = {0};
	uint64_t closed;

	rpc_keepalive_arm(&keepalive, start);
	CHECK(keepalive.due_ns == start + 5 * SECOND);
	CHECK(run(&keepalive, start + 29 * SECOND, &closed) == 5 && closed == 0);
	CHECK(run(&keepalive, start + 60 * SECOND, &closed) == 0);
	CHECK(closed == start + 30 * SECOND);
}

static void
heard(void)
{
	struct rpc_keepalive keepalive = {0};
	uint64_t closed, now = start;

	rpc_keepalive_arm(&keepalive, now);
	for (unsigned i = 0; i < 100; i++) {
		now += 4 * SECOND;
		CHECK(run(&keepalive, now, &closed) == 0 && closed == 0);
		rpc_keepalive_heard(&keepalive, now);
	}
	CHECK(run(&keepalive, now + 26 * SECOND, &closed) == 5 && closed == 0);
	rpc_keepalive_heard(&keepalive, now + 26 * SECOND);
	CHECK(run(&keepalive, now + 51 * SECOND, &closed) == 5 && closed == 0);
	CHECK(run(&keepalive, now + 100 * SECOND, &closed) == 0);
	CHECK(closed == now + 56 * SECOND);
}

static void
early_timer(void)
{
	struct rpc_keepalive keepalive = {0};

	rpc_keepalive_arm(&keepalive, start);
	rpc_keepalive_heard(&keepalive, start + 3 * SECOND);
	/* The timer was set for what was due before. */
	CHECK(rpc_keepalive_check(&keepalive, start + 5 * SECOND) == RPC_KEEPALIVE_WAIT);
	CHECK(keepalive.due_ns == start + 8 * SECOND);
	CHECK(rpc_keepalive_check(&keepalive, start + 8 * SECOND - 1) == RPC_KEEPALIVE_WAIT);
	CHECK(rpc_keepalive_check(&keepalive, start + 8 * SECOND) == RPC_KEEPALIVE_SEND_PING);
}

static void
late_timer(void)
{
	struct rpc_keepalive keepalive = {0};

	rpc_keepalive_arm(&keepalive, start);
	for (uint64_t i = 1; i <= 5; i++) {
		uint64_t now = start + i * 100 * SECOND;

		CHECK(rpc_keepalive_check(&keepalive, now) == RPC_KEEPALIVE_SEND_PING);
		CHECK(keepalive.due_ns == now + 5 * SECOND);
	}
}

static void
not_armed(void)
{
	struct rpc_keepalive keepalive = {0};

	rpc_keepalive_heard(&keepalive, start);
	CHECK(keepalive.due_ns == 0);
	rpc_keepalive_arm(&keepalive, start);
	rpc_keepalive_arm(&keepalive, start + 2 * SECOND); /* asked twice */
	CHECK(keepalive.due_ns == start + 5 * SECOND);
}

static void
packets(void)
{
	struct rpc_header header = {.program = RPC_PROGRAM_KEEPALIVE,
		.version = 1,
		.procedure = 1,
		.type = RPC_MESSAGE};
	uint8_t made[RPC_FRAME_MIN];
	struct rpc_frame frame;

	CHECK(rpc_keepalive_is(&header));
	header.type = RPC_CALL;
	CHECK(!rpc_keepalive_is(&header));
	header.type = RPC_MESSAGE;
	header.version = 2;
	CHECK(!rpc_keepalive_is(&header));
	header.version = 1;
	header.program = RPC_PROGRAM_REMOTE;
	CHECK(!rpc_keepalive_is(&header));
	rpc_keepalive_frame(RPC_KEEPALIVE_PONG, made);
	CHECK(rpc_frame_read(made, sizeof(made), &frame) == 0);
	CHECK(rpc_keepalive_is(&frame.header) && frame.header.procedure == 2 &&
		frame.header.serial == 0 && frame.header.status == RPC_OK && frame.size == 0);
}

int
main(void)
{
	TEST("five pings, five seconds apart, and the end after thirty", silent);
	TEST("whatever arrives starts anew", heard);
	TEST("a timer that fires early finds nothing to do", early_timer);
	TEST("a timer that fires late still gives the client its time", late_timer);
	TEST("who did not ask has no deadline; who asks twice has one", not_armed);
	TEST("a ping is a message of the keepalive program, version 1", packets);
	return TEST_END();
}
