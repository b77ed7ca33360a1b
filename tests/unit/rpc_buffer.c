/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes leave the buffer in the order they came, never more than the cap, and an idle one is small.
 */
#include "protocol/rpc/buffer.h"

#include "tests/unit/test.h"

static void
first_in_first_out(void)
{
	struct rpc_buffer buffer;
	uint8_t in = 0, out = 0, *p;

	rpc_buffer_init(&buffer, 1000);
	for (unsigned i = 0; i < 100000; i++) {
		size_t n = 1 + i * 7 % 300, m;

		p = rpc_buffer_left(&buffer) + n <= 1000 ? rpc_buffer_grow(&buffer, n) : NULL;
		for (size_t j = 0; p && j < n; j++)
			p[j] = in++;
		CHECK(p || rpc_buffer_left(&buffer) + n > 1000);
		m = rpc_buffer_left(&buffer) * (i % 5) / 4;
		for (size_t j = 0; j < m; j++)
			CHECK(rpc_buffer_front(&buffer)[j] == out++);
		rpc_buffer_drop(&buffer, m);
	}
	rpc_buffer_fini(&buffer);
}

static void
cap(void)
{
	struct rpc_buffer buffer;

	rpc_buffer_init(&buffer, 10);
	CHECK(rpc_buffer_append(&buffer, "0123456789", 10) == 0);
	CHECK(rpc_buffer_append(&buffer, "x", 1) < 0);
	CHECK(!rpc_buffer_grow(&buffer, SIZE_MAX));
	CHECK(!rpc_buffer_grow(&buffer, SIZE_MAX - 9));
	rpc_buffer_drop(&buffer, 4);
	CHECK(rpc_buffer_append(&buffer, "abcde", 5) < 0);
	CHECK(rpc_buffer_append(&buffer, "abcd", 4) == 0);
	CHECK(rpc_buffer_left(&buffer) == 10);
	CHECK(memcmp(rpc_buffer_front(&buffer), "456789abcd", 10) == 0);
	rpc_buffer_cut(&buffer, 3);
	CHECK(rpc_buffer_left(&buffer) == 3 && memcmp(rpc_buffer_front(&buffer), "456", 3) == 0);
	rpc_buffer_fini(&buffer);
}

static void
idle(void)
{
	struct rpc_buffer buffer;

	rpc_buffer_init(&buffer, 1 << 20);
	CHECK(buffer.capacity == 0);
	CHECK(rpc_buffer_grow(&buffer, 1 << 20));
	rpc_buffer_drop(&buffer, 1 << 19);
	CHECK(buffer.capacity >= 1 << 20);
	rpc_buffer_drop(&buffer, 1 << 19);
	CHECK(buffer.capacity <= 8192);
	CHECK(rpc_buffer_grow(&buffer, 100));
	rpc_buffer_drop(&buffer, 100);
	CHECK(buffer.capacity > 0); /* an ordinary reply costs no allocation */
	rpc_buffer_fini(&buffer);
}

int
main(void)
{
	TEST("bytes come out as they went in", first_in_first_out);
	TEST("the cap counts what waits", cap);
	TEST("an empty buffer keeps little memory", idle);
	return TEST_END();
}
