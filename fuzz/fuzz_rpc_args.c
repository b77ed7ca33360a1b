/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Payloads of every procedure: what is accepted is encoded, and reads back as the same bytes.
 *
 * Input: two bytes choose the row (big endian; the qemu program after the remote one, then error
 * and hole), the high bit of the first chooses the result instead of the arguments; the rest is
 * the payload.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/draw.h"
#include "protocol/rpc/arena.h"
#include "protocol/rpc/buffer.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/procedure.h"
#include "protocol/rpc/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* libFuzzer's own; not there when a corpus is replayed. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

enum { VALUE_SIZE = 4096 };

static void
require(int holds)
{
	if (!holds)
		abort();
}

static const struct rpc_shape *
chosen_shape(const uint8_t *data)
{
	uint32_t number = (uint32_t)(data[0] & 0x7f) << 8 | data[1];
	const struct rpc_program *program = rpc_programs;
	const struct rpc_procedure *procedure;

	while (number >= program->n_procedures) {
		number -= program->n_procedures;
		if (++program == rpc_programs + RPC_N_PROGRAMS)
			return &rpc_shapes[number ? RPC_SHAPE_REMOTE_ERROR : RPC_SHAPE_STREAM_HOLE];
	}
	procedure = &program->procedures[number];
	return data[0] & 0x80 ? procedure->ret : procedure->args;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_Alignas(8) static uint8_t value[VALUE_SIZE];
	const struct rpc_shape *shape = size >= 2 ? chosen_shape(data) : NULL;
	struct rpc_buffer first, second;
	struct rpc_arena arena;

	if (!shape)
		return 0;
	data += 2;
	size -= 2;
	rpc_arena_init(&arena, (size_t)4 * RPC_PAYLOAD_MAX);
	rpc_buffer_init(&first, RPC_FRAME_MAX);
	rpc_buffer_init(&second, RPC_FRAME_MAX);
	if (rpc_decode(shape, data, size, &arena, value) == 0) {
		size_t n;

		require(arena.used <= 4 * size);
		require(size >= shape->min);
		require(rpc_encode(shape, value, &first) == 0);
		n = rpc_buffer_left(&first);
		require(n <= size);
		rpc_arena_reset(&arena);
		memset(value, 0xaa, sizeof(value));
		require(rpc_decode(shape, rpc_buffer_front(&first), n, &arena, value) == 0);
		require(rpc_encode(shape, value, &second) == 0);
		require(rpc_buffer_left(&second) == n &&
			memcmp(rpc_buffer_front(&first), rpc_buffer_front(&second), n) == 0);
	} else {
		require(arena.used <= 4 * size);
	}
	rpc_arena_fini(&arena);
	rpc_buffer_fini(&first);
	rpc_buffer_fini(&second);
	return 0;
}

/* Now and then a payload of another row, of its shape, drawn from the bytes of this one. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	const struct rpc_shape *shape;

	if (size < 2 || seed % 8 != 0)
		return LLVMFuzzerMutate(data, size, max_size);
	if (seed & 8) {
		data[0] = (uint8_t)((seed >> 8 & 0x81) | (seed >> 9 & 1));
		data[1] = (uint8_t)(seed >> 16);
	}
	shape = chosen_shape(data);
	draw.data = data + 2;
	draw.size = size - 2;
	draw_payload(shape);
	if (2 + draw.n_out > max_size)
		return LLVMFuzzerMutate(data, size, max_size);
	memcpy(data + 2, draw.out, draw.n_out);
	return 2 + draw.n_out;
}
