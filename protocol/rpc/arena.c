/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arena.c: memory of one call; see arena.h.
 *
 * Chunks grow so that many small pieces need few of them; a piece that is larger than the largest
 * chunk gets one of its own size. What malloc gives is at most about twice what is handed out.
 */
#include "protocol/rpc/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CHUNK = 4096, LARGEST_CHUNK = 1 << 20, ALIGNMENT = 8 };

struct rpc_arena_chunk {
	struct rpc_arena_chunk *next;
	size_t size, used; /* of data */
	_Alignas(ALIGNMENT) uint8_t data[];
};

void
rpc_arena_init(struct rpc_arena *arena, size_t limit)
{
	*arena = (struct rpc_arena){.limit = limit};
}

static void
free_from(struct rpc_arena_chunk *chunk)
{
	struct rpc_arena_chunk *next;

	for (; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
}

void
rpc_arena_reset(struct rpc_arena *arena)
{
	arena->used = 0;
	arena->current = arena->first;
	if (!arena->first)
		return;
	free_from(arena->first->next);
	arena->first->next = NULL;
	arena->first->used = 0;
}

void
rpc_arena_fini(struct rpc_arena *arena)
{
	free_from(arena->first);
	rpc_arena_init(arena, arena->limit);
}

static struct rpc_arena_chunk *
append_chunk(struct rpc_arena *arena, size_t size)
{
	struct rpc_arena_chunk *chunk = malloc(sizeof(*chunk) + size);

	if (!chunk)
		return NULL;
	*chunk = (struct rpc_arena_chunk){.size = size};
	if (arena->current)
		arena->current->next = chunk;
	else
		arena->first = chunk;
	arena->current = chunk;
	return chunk;
}

static struct rpc_arena_chunk *
larger_chunk(struct rpc_arena *arena, const struct rpc_arena_chunk *current, size_t size)
{
	size_t usual = current->size < LARGEST_CHUNK / 2 ? current->size * 2 : LARGEST_CHUNK;

	return append_chunk(arena, size > usual ? size : usual);
}

static void *
allocate(struct rpc_arena *arena, size_t size, size_t alignment)
{
	struct rpc_arena_chunk *chunk = arena->current;
	size_t padding;
	void *p;

	/* The first chunk stays, so it has the usual size whatever is asked for. */
	if (!chunk)
		chunk = append_chunk(arena, FIRST_CHUNK - sizeof(*chunk));
	if (!chunk)
		return NULL;
	padding = -chunk->used & (alignment - 1);
	if (size > arena->limit - arena->used || padding > arena->limit - arena->used - size)
		return NULL;
	if (padding + size > chunk->size - chunk->used) {
		chunk = larger_chunk(arena, chunk, size);
		if (!chunk)
			return NULL;
		padding = 0;
	}
	p = chunk->data + chunk->used + padding;
	chunk->used += padding + size;
	arena->used += padding + size;
	return p;
}

void *
rpc_arena_array(struct rpc_arena *arena, size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	p = allocate(arena, bytes, ALIGNMENT);
	return p ? memset(p, 0, bytes) : NULL;
}

void *
rpc_arena_bytes(struct rpc_arena *arena, size_t size)
{
	return allocate(arena, size, 1);
}

char *
rpc_arena_strdup(struct rpc_arena *arena, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = rpc_arena_bytes(arena, size);

	return copy ? memcpy(copy, s, size) : NULL;
}
