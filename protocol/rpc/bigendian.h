/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bigendian.h: the numbers of the wire, at any address.
 *
 * Pure; in worker and view.
 */
#ifndef PROTOCOL_RPC_BIGENDIAN_H
#define PROTOCOL_RPC_BIGENDIAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t
rpc_read_u32(const uint8_t *p)
{
	uint32_t be;

	memcpy(&be, p, sizeof(be));
	return be32toh(be);
}

static inline uint64_t
rpc_read_u64(const uint8_t *p)
{
	uint64_t be;

	memcpy(&be, p, sizeof(be));
	return be64toh(be);
}

static inline void
rpc_write_u32(uint8_t *p, uint32_t v)
{
	uint32_t be = htobe32(v);

	memcpy(p, &be, sizeof(be));
}

static inline void
rpc_write_u64(uint8_t *p, uint64_t v)
{
	uint64_t be = htobe64(v);

	memcpy(p, &be, sizeof(be));
}

#endif
