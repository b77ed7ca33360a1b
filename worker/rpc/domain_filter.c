/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_filter.c: which domains a call that lists them means; see domain_filter.h.
 *
 * Runs in the worker.
 */
#include "worker/rpc/domain_filter.h"

#include "serve/listed.h"

bool
domain_filter_passes(const struct domain *domain, uint32_t flags)
{
	struct listed listed = {.active = domain_is_active(domain),
		.persistent = domain->config != NULL,
		.autostart = domain->autostart,
		.state = (uint32_t)domain->state};

	return listed_passes(&listed, flags);
}
