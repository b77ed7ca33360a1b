/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limits.c: which limits a user's virtual machines are under, now; see limits.h.
 *
 * Runs in the broker, as root.
 */
#include "broker/limits.h"

#include <stdio.h>

#include "broker/broker.h"
#include "broker/users.h"

static void
tighten(struct quota_limits *limits, enum quota_key key, uint64_t max, const char *rule)
{
	struct quota_limit *limit = &limits->of[key];

	if (max >= limit->max)
		return;
	limit->max = max;
	(void)snprintf(limit->rule, sizeof limit->rule, "%s", rule);
}

void
limits_of(const struct broker *broker, const struct user *user, struct quota_limits *ret)
{
	uint64_t max = broker->config.max_vms;
	uint64_t others = broker->leases.used.of[QUOTA_HOST_VMS] - user->leases.used.of[QUOTA_VMS];
	uint64_t left = max > others ? max - others : 0;

	quota_no_limits(ret);
	tighten(ret, QUOTA_HOST_VMS, max, "max_vms in qemud.conf");
	/* As many as are left for all others, so that no few users can have all. */
	tighten(ret, QUOTA_VMS, (left + 1) / 2,
		"half of what other users leave of max_vms in qemud.conf");
}
