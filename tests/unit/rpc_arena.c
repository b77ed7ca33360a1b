/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pieces of an arena do not overlap, stay within its limit, and go together.
 */
#include "protocol/rpc/arena.h"

#include <stdint.h>

#include "tests/unit/test.h"

enum { PIECES = 3000 };

static void
pieces(void)
{
	static uint8_t *piece[PIECES];
	static size_t size[PIECES];
	struct rpc_arena arena;

	rpc_arena_init(&arena, SIZE_MAX);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < PIECES; i++) {
			size[i] = i % 100 == 99 ? 40000 + i : i * 31 % 500;
			piece[i] = i % 2 ? rpc_arena_bytes(&arena, size[i])
					 : rpc_arena_array(&arena, size[i], 1);
			CHECK(piece[i] && (i % 2 || (uintptr_t)piece[i] % 8 == 0));
			for (size_t j = 0; piece[i] && i % 2 == 0 && j < size[i]; j++)
				CHECK(piece[i][j] == 0);
			memset(piece[i], (int)(i % 251), size[i]);
		}
		for (unsigned i = 0; i < PIECES; i++)
			for (size_t j = 0; j < size[i]; j++)
				CHECK(piece[i][j] == i % 251);
		rpc_arena_reset(&arena);
		CHECK(arena.used == 0);
	}
	rpc_arena_fini(&arena);
}

static void
limit(void)
{
	struct rpc_arena arena;

	rpc_arena_init(&arena, 100);
	CHECK(!rpc_arena_bytes(&arena, 101));
	CHECK(!rpc_arena_bytes(&arena, SIZE_MAX));
	CHECK(!rpc_arena_array(&arena, SIZE_MAX / 2, 8));
	CHECK(!rpc_arena_array(&arena, 13, 8));
	CHECK(rpc_arena_bytes(&arena, 1));
	CHECK(!rpc_arena_array(&arena, 12, 8)); /* 1, 7 of alignment, 96 */
	CHECK(rpc_arena_array(&arena, 11, 8));
	CHECK(arena.used == 96);
	CHECK(!rpc_arena_strdup(&arena, "five."));
	CHECK(rpc_arena_strdup(&arena, "6.."));
	rpc_arena_reset(&arena);
	CHECK(rpc_arena_bytes(&arena, 100));
	rpc_arena_fini(&arena);
}

static void
reuse(void)
{
	struct rpc_arena arena;
	void *first;

	rpc_arena_init(&arena, 1 << 24);
	CHECK(!arena.first);
	CHECK(rpc_arena_bytes(&arena, 1 << 20)); /* larger than any chunk that stays */
	rpc_arena_reset(&arena);
	first = rpc_arena_bytes(&arena, 100);
	for (unsigned i = 0; i < 10; i++) {
		CHECK(rpc_arena_bytes(&arena, 1 << 20));
		rpc_arena_reset(&arena);
		CHECK(rpc_arena_bytes(&arena, 100) == first);
	}
	rpc_arena_fini(&arena);
	CHECK(rpc_arena_bytes(&arena, 1));
	rpc_arena_fini(&arena);
}

static void
text(void)
{
	struct rpc_arena arena;

	rpc_arena_init(&arena, 1 << 20);
	CHECK_STR(rpc_arena_strdup(&arena, ""), "");
	CHECK_STR(rpc_arena_strdup(&arena, "qemu:///system"), "qemu:///system");
	rpc_arena_fini(&arena);
}

int
main(void)
{
	TEST("pieces of all sizes keep their contents; arrays are zeroed and aligned", pieces);
	TEST("the limit counts every byte, alignment included", limit);
	TEST("a reset keeps the first chunk and no other", reuse);
	TEST("strings are copied and formatted", text);
	return TEST_END();
}
