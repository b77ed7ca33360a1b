/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arena.h: memory of one call: allocated piece by piece, released at once.
 *
 * Runs in worker and view. Arguments are decoded into an arena and results are built in it, so
 * that no path out of a handler can leak or free twice. What a peer can make it hold is limited
 * in bytes. Nothing is allocated before the first use; a reset keeps the first chunk, so that the
 * next ordinary call allocates nothing.
 */
#ifndef PROTOCOL_RPC_ARENA_H
#define PROTOCOL_RPC_ARENA_H

#include <stddef.h>

struct rpc_arena_chunk;

struct rpc_arena {
	struct rpc_arena_chunk *first, *current;
	size_t used;  /* bytes handed out since the last reset, alignment included */
	size_t limit; /* used never exceeds it */
};

/** An empty arena that hands out at most limit bytes between two resets. */
void rpc_arena_init(struct rpc_arena *arena, size_t limit);
/** Release everything but the first chunk. What was handed out is gone. */
void rpc_arena_reset(struct rpc_arena *arena);
/** Release everything. The arena may be used again. */
void rpc_arena_fini(struct rpc_arena *arena);

/** n zeroed elements of that size, aligned for any type. NULL above the limit or without memory. */
void *rpc_arena_array(struct rpc_arena *arena, size_t n, size_t size);
/** size bytes, neither zeroed nor aligned. NULL above the limit or without memory. */
void *rpc_arena_bytes(struct rpc_arena *arena, size_t size);
/** A copy of a string, or NULL. */
char *rpc_arena_strdup(struct rpc_arena *arena, const char *s);

/** One zeroed struct of that type. */
#define rpc_arena_new(arena, type) ((type *)rpc_arena_array((arena), 1, sizeof(type)))

#endif
