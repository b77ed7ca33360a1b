/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * buffer.c: bytes on their way out; see buffer.h.
 */
#include "protocol/rpc/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

enum {
	FIRST_CAPACITY = 512, /* an ordinary reply */
	KEEP_CAPACITY = 8192  /* what an empty buffer of an idle connection may hold */
};

void
rpc_buffer_init(struct rpc_buffer *buffer, size_t max)
{
	*buffer = (struct rpc_buffer){.max = max};
}

void
rpc_buffer_fini(struct rpc_buffer *buffer)
{
	free(buffer->data);
	rpc_buffer_init(buffer, buffer->max);
}

uint8_t *
rpc_buffer_grow_slow(struct rpc_buffer *buffer, size_t n)
{
	size_t left = rpc_buffer_left(buffer), capacity;
	uint8_t *data;

	if (n > buffer->max - left)
		return NULL;
	if (buffer->start > 0) {
		memmove(buffer->data, buffer->data + buffer->start, left);
		buffer->start = 0;
		buffer->size = left;
	}
	if (n > buffer->capacity - left) {
		capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_CAPACITY;
		while (capacity < left + n)
			capacity *= 2;
		data = realloc(buffer->data, capacity);
		if (!data)
			return NULL;
		buffer->data = data;
		buffer->capacity = capacity;
	}
	buffer->size = left + n;
	return buffer->data + left;
}

int
rpc_buffer_append(struct rpc_buffer *buffer, const void *data, size_t n)
{
	uint8_t *p = rpc_buffer_grow(buffer, n);

	if (!p)
		return -ENOBUFS;
	memcpy(p, data, n);
	return 0;
}

void
rpc_buffer_drop(struct rpc_buffer *buffer, size_t n)
{
	ASSERT(n <= rpc_buffer_left(buffer));
	buffer->start += n;
	if (buffer->start < buffer->size)
		return;
	if (buffer->capacity > KEEP_CAPACITY)
		rpc_buffer_fini(buffer);
	buffer->start = buffer->size = 0;
}

void
rpc_buffer_cut(struct rpc_buffer *buffer, size_t n)
{
	ASSERT(n <= rpc_buffer_left(buffer));
	buffer->size = buffer->start + n;
}
