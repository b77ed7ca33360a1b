/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keepalive.c: pings and their deadlines; see keepalive.h.
 */
#include "protocol/rpc/keepalive.h"

#include "protocol/rpc/bigendian.h"

#define INTERVAL_NS ((uint64_t)RPC_KEEPALIVE_INTERVAL_S * 1000000000u)

void
rpc_keepalive_arm(struct rpc_keepalive *keepalive, uint64_t now_ns)
{
	if (keepalive->due_ns == 0)
		*keepalive = (struct rpc_keepalive){.due_ns = now_ns + INTERVAL_NS};
}

void
rpc_keepalive_heard(struct rpc_keepalive *keepalive, uint64_t now_ns)
{
	if (keepalive->due_ns != 0)
		*keepalive = (struct rpc_keepalive){.due_ns = now_ns + INTERVAL_NS};
}

enum rpc_keepalive_action
rpc_keepalive_check(struct rpc_keepalive *keepalive, uint64_t now_ns)
{
	if (now_ns < keepalive->due_ns)
		return RPC_KEEPALIVE_WAIT;
	if (keepalive->pings == RPC_KEEPALIVE_COUNT)
		return RPC_KEEPALIVE_CLOSE;
	/* From now, not from when it was due: a client is not punished for a pause of ours. */
	keepalive->pings++;
	keepalive->due_ns = now_ns + INTERVAL_NS;
	return RPC_KEEPALIVE_SEND_PING;
}

bool
rpc_keepalive_is(const struct rpc_header *header)
{
	return header->program == RPC_PROGRAM_KEEPALIVE && header->version == RPC_VERSION &&
	       header->type == RPC_MESSAGE;
}

void
rpc_keepalive_frame(enum rpc_keepalive_procedure procedure, uint8_t ret_frame[RPC_FRAME_MIN])
{
	struct rpc_header header = {
		.program = RPC_PROGRAM_KEEPALIVE,
		.version = RPC_VERSION,
		.procedure = (int32_t)procedure,
		.type = RPC_MESSAGE,
	};

	rpc_write_u32(ret_frame, RPC_FRAME_MIN);
	rpc_header_write(&header, ret_frame + RPC_LENGTH_SIZE);
}
