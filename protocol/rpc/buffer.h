/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * buffer.h: bytes on their way out, appended at the end and taken off at the front.
 *
 * Runs in worker and view. It grows by doubling up to a cap that its owner sets; nothing is
 * allocated before the first byte.
 */
#ifndef PROTOCOL_RPC_BUFFER_H
#define PROTOCOL_RPC_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct rpc_buffer {
	uint8_t *data;
	size_t start;    /* data[start] is the first byte that was not dropped */
	size_t size;     /* data[size - 1] is the last byte */
	size_t capacity; /* allocated */
	size_t max;      /* size - start never exceeds it */
};

/** An empty buffer that holds at most max bytes. */
void rpc_buffer_init(struct rpc_buffer *buffer, size_t max);
/** Release the memory. The buffer is empty and may be used again. */
void rpc_buffer_fini(struct rpc_buffer *buffer);

uint8_t *rpc_buffer_grow_slow(struct rpc_buffer *buffer, size_t n);

/**
 * Make n > 0 more bytes at the end, with whatever is in them, and return the first; NULL above the
 * cap or without memory. Earlier pointers into the buffer are void.
 */
static inline uint8_t *
rpc_buffer_grow(struct rpc_buffer *buffer, size_t n)
{
	if (n > buffer->capacity - buffer->size || n > buffer->max - (buffer->size - buffer->start))
		return rpc_buffer_grow_slow(buffer, n);
	buffer->size += n;
	return buffer->data + buffer->size - n;
}

/** Append a copy of n > 0 bytes. Returns 0 or -ENOBUFS (cap or memory). */
int rpc_buffer_append(struct rpc_buffer *buffer, const void *data, size_t n);
/** Drop n bytes at the front, n of those that wait. An empty buffer keeps little memory. */
void rpc_buffer_drop(struct rpc_buffer *buffer, size_t n);
/** Drop bytes at the end so that n of those that wait are left. */
void rpc_buffer_cut(struct rpc_buffer *buffer, size_t n);

/** How many bytes wait in the buffer, and the first of them when there is one. */
static inline size_t
rpc_buffer_left(const struct rpc_buffer *buffer)
{
	return buffer->size - buffer->start;
}

static inline const uint8_t *
rpc_buffer_front(const struct rpc_buffer *buffer)
{
	return buffer->data + buffer->start;
}

#endif
