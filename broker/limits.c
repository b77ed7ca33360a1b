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
#include "policy/limits.h"

static void
tighten(struct quota_limits *limits, enum quota_key key, uint64_t max, const char *rule)
{
	struct quota_limit *limit = &limits->of[key];

	if (max >= limit->max)
		return;
	limit->max = max;
	(void)snprintf(limit->rule, sizeof limit->rule, "%s", rule);
}

static const struct {
	enum quota_key key;
	enum policy_key of;
	bool host;
} said[] = {
	{QUOTA_VM_VCPUS, POLICY_VM_VCPUS, false},
	{QUOTA_VM_MEMORY, POLICY_VM_MEMORY, false},
	{QUOTA_VMS, POLICY_VMS, false},
	{QUOTA_VCPUS, POLICY_VCPUS, false},
	{QUOTA_MEMORY, POLICY_MEMORY, false},
	{QUOTA_HOST_VMS, POLICY_VMS, true},
	{QUOTA_HOST_VCPUS, POLICY_VCPUS, true},
	{QUOTA_HOST_MEMORY, POLICY_MEMORY, true},
};

static uint64_t
value_of(const struct policy_limit *limit, uint64_t host_kib)
{
	/* In this order a large percentage of a large memory stays what it is. */
	return limit->is_percent
		       ? host_kib / 100 * limit->value + host_kib % 100 * limit->value / 100
		       : limit->value;
}

void
limits_read(const struct policy *policy, const struct policy_who *who, uint64_t host_kib,
	struct quota_limits *ret)
{
	struct policy_limits own, host;
	char where[POLICY_WHERE_MAX];

	quota_no_limits(ret);
	policy_limits(policy, who, &own);
	policy_host_limits(policy, &host);
	for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
		const struct policy_limit *limit = &(said[i].host ? &host : &own)->of[said[i].of];

		if (limit->rule)
			tighten(ret, said[i].key, value_of(limit, host_kib),
				policy_rule_where(policy, limit->rule, where, sizeof where));
	}
}

void
limits_of(const struct broker *broker, const struct policy_who *who, uint64_t n_others,
	struct quota_limits *ret)
{
	uint64_t max = broker->config.max_vms;
	uint64_t left = max > n_others ? max - n_others : 0, half = (left + 1) / 2;

	limits_read(rulebook_policy(&broker->rulebook), who, broker->memory_kib, ret);
	tighten(ret, QUOTA_HOST_VMS, max, "max_vms in qemud.conf");
	/* As many as are left for all others, so that no few users can have all. */
	ret->of[QUOTA_VMS].of_others = half < ret->of[QUOTA_VMS].max;
	tighten(ret, QUOTA_VMS, half, "half of what other users leave of max_vms in qemud.conf");
}

struct ipc_share
limits_share(const struct broker *broker, const struct user *user)
{
	struct policy_who who = authority_who(&broker->authority, user);
	struct policy_limits own;
	uint64_t tasks;

	policy_limits(rulebook_policy(&broker->rulebook), &who, &own);
	tasks = own.of[POLICY_PIDS].value;
	return (struct ipc_share){.tasks = tasks < INT32_MAX ? (uint32_t)tasks : INT32_MAX,
		.cpu_weight = (uint32_t)own.of[POLICY_CPU_WEIGHT].value};
}
