/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listed.c: which domains a call that lists them means; see listed.h.
 */
#include "serve/listed.h"

#include <inttypes.h>
#include <stddef.h>

/* virConnectListAllDomainsFlags. */
enum listed_flag {
	LIST_ACTIVE = 0x1,
	LIST_INACTIVE = 0x2,
	LIST_PERSISTENT = 0x4,
	LIST_TRANSIENT = 0x8,
	LIST_RUNNING = 0x10,
	LIST_PAUSED = 0x20,
	LIST_SHUTOFF = 0x40,
	LIST_OTHER = 0x80,
	LIST_NO_MANAGEDSAVE = 0x200,
	LIST_AUTOSTART = 0x400,
	LIST_NO_AUTOSTART = 0x800,
	LIST_NO_SNAPSHOT = 0x2000,
	LIST_NO_CHECKPOINT = 0x8000
};

enum { STATE_RUNNING = 1, STATE_PAUSED = 3, STATE_SHUTOFF = 5 };

static const uint32_t groups[] = {0x3, 0xc, 0xf0, 0x300, 0xc00, 0x3000, 0xc000};

/* What holds for a domain, one bit of each group. */
static uint32_t
traits_of(const struct listed *listed)
{
	uint32_t traits = LIST_NO_MANAGEDSAVE | LIST_NO_SNAPSHOT | LIST_NO_CHECKPOINT;

	traits |= listed->persistent ? LIST_PERSISTENT : LIST_TRANSIENT;
	traits |= listed->active ? LIST_ACTIVE : LIST_INACTIVE;
	traits |= listed->autostart ? LIST_AUTOSTART : LIST_NO_AUTOSTART;
	switch (listed->state) {
	case STATE_RUNNING:
		return traits | LIST_RUNNING;
	case STATE_PAUSED:
		return traits | LIST_PAUSED;
	case STATE_SHUTOFF:
		return traits | LIST_SHUTOFF;
	default:
		return traits | LIST_OTHER;
	}
}

bool
listed_passes(const struct listed *listed, uint32_t flags)
{
	uint32_t traits = traits_of(listed);

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		uint32_t asked = flags & groups[i];

		if (asked && !(asked & traits))
			return false;
	}
	return true;
}

/* libvirt's own words (remote_daemon_dispatch.c). */
int
listed_check_most(struct rpc_call *call, const char *what, int32_t most)
{
	if (most >= 0 && most <= LISTED_MAX)
		return RPC_DONE;
	return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
		"internal error: %s > REMOTE_DOMAIN_LIST_MAX", what);
}

int
listed_check_n(struct rpc_call *call, uint32_t n)
{
	if (n <= LISTED_MAX)
		return RPC_DONE;
	return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
		"internal error: Too many domains '%" PRIu32 "' for limit '%d'", n, LISTED_MAX);
}
