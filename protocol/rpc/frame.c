/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frame.c: packets of libvirt's remote protocol; see frame.h.
 */
#include "protocol/rpc/frame.h"

#include <errno.h>

#include "protocol/rpc/bigendian.h"
#include "protocol/rpc/buffer.h"

static int
has_fds(uint32_t type)
{
	return type == RPC_CALL_WITH_FDS || type == RPC_REPLY_WITH_FDS;
}

int
rpc_frame_length(const uint8_t *data, size_t size, size_t *ret_length)
{
	uint32_t length;

	if (size < RPC_LENGTH_SIZE)
		return RPC_FRAME_E_MORE;
	length = rpc_read_u32(data);
	if (length < RPC_FRAME_MIN || length > RPC_FRAME_MAX)
		return RPC_FRAME_E_BAD;
	*ret_length = length;
	return 0;
}

int
rpc_frame_read(const uint8_t *data, size_t length, struct rpc_frame *ret)
{
	rpc_header_read(data + RPC_LENGTH_SIZE, &ret->header);
	ret->n_fds = 0;
	ret->payload = data + RPC_FRAME_MIN;
	ret->size = length - RPC_FRAME_MIN;
	if (has_fds(ret->header.type)) {
		if (ret->size < 4)
			return RPC_FRAME_E_BAD;
		ret->n_fds = rpc_read_u32(ret->payload);
		if (ret->n_fds > RPC_FDS_MAX)
			return RPC_FRAME_E_BAD;
		ret->payload += 4;
		ret->size -= 4;
	}
	return 0;
}

void
rpc_header_read(const uint8_t data[RPC_HEADER_SIZE], struct rpc_header *ret)
{
	ret->program = rpc_read_u32(data);
	ret->version = rpc_read_u32(data + 4);
	ret->procedure = (int32_t)rpc_read_u32(data + 8);
	ret->type = rpc_read_u32(data + 12);
	ret->serial = rpc_read_u32(data + 16);
	ret->status = rpc_read_u32(data + 20);
}

void
rpc_header_write(const struct rpc_header *header, uint8_t ret_data[RPC_HEADER_SIZE])
{
	rpc_write_u32(ret_data, header->program);
	rpc_write_u32(ret_data + 4, header->version);
	rpc_write_u32(ret_data + 8, (uint32_t)header->procedure);
	rpc_write_u32(ret_data + 12, header->type);
	rpc_write_u32(ret_data + 16, header->serial);
	rpc_write_u32(ret_data + 20, header->status);
}

struct rpc_header
rpc_header_reply(const struct rpc_header *call, enum rpc_status status)
{
	struct rpc_header reply = *call;

	reply.type = RPC_REPLY;
	reply.status = status;
	return reply;
}

int
rpc_frame_begin(struct rpc_buffer *buffer, const struct rpc_header *header, uint32_t n_fds,
	size_t *ret_start)
{
	size_t size = RPC_FRAME_MIN + (has_fds(header->type) ? 4 : 0);
	size_t start = rpc_buffer_left(buffer);
	uint8_t *p = rpc_buffer_grow(buffer, size);

	if (!p)
		return -ENOBUFS;
	rpc_write_u32(p, (uint32_t)size);
	rpc_header_write(header, p + RPC_LENGTH_SIZE);
	if (has_fds(header->type))
		rpc_write_u32(p + RPC_FRAME_MIN, n_fds);
	*ret_start = start;
	return 0;
}

int
rpc_frame_end(struct rpc_buffer *buffer, size_t start)
{
	size_t size = rpc_buffer_left(buffer) - start;

	if (size > RPC_FRAME_MAX) {
		rpc_buffer_cut(buffer, start);
		return RPC_FRAME_E_BAD;
	}
	rpc_write_u32(buffer->data + buffer->start + start, (uint32_t)size);
	return 0;
}
