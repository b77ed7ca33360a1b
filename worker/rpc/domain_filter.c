/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_filter.c: which domains a call that lists them means; see domain_filter.h.
 *
 * Runs in the worker.
 */
#include "worker/rpc/domain_filter.h"

#include <stddef.h>

/* virConnectListAllDomainsFlags. */
enum domain_filter {
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

static const uint32_t filter_groups[] = {0x3, 0xc, 0xf0, 0x300, 0xc00, 0x3000, 0xc000};

/* What holds for a domain, one bit of each group. */
static uint32_t
traits_of(const struct domain *domain)
{
	uint32_t traits = LIST_NO_MANAGEDSAVE | LIST_NO_SNAPSHOT | LIST_NO_CHECKPOINT;

	traits |= domain->config ? LIST_PERSISTENT : LIST_TRANSIENT;
	traits |= domain_is_active(domain) ? LIST_ACTIVE : LIST_INACTIVE;
	traits |= domain->autostart ? LIST_AUTOSTART : LIST_NO_AUTOSTART;
	switch (domain->state) {
	case DOMAIN_STATE_RUNNING:
		return traits | LIST_RUNNING;
	case DOMAIN_STATE_PAUSED:
		return traits | LIST_PAUSED;
	case DOMAIN_STATE_SHUTOFF:
		return traits | LIST_SHUTOFF;
	case DOMAIN_STATE_SHUTDOWN:
	case DOMAIN_STATE_CRASHED:
	case DOMAIN_STATE_PMSUSPENDED:
		break;
	}
	return traits | LIST_OTHER;
}

bool
domain_filter_passes(const struct domain *domain, uint32_t flags)
{
	uint32_t traits = traits_of(domain);

	for (size_t i = 0; i < sizeof(filter_groups) / sizeof(filter_groups[0]); i++) {
		uint32_t asked = flags & filter_groups[i];

		if (asked && !(asked & traits))
			return false;
	}
	return true;
}
