/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * quota.c: may a virtual machine have that much of the host? See quota.h.
 *
 * Runs in the broker, as root; pure.
 */
#include "broker/quota.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

enum {
	OVERHEAD_KIB = 192 * 1024,
	OVERHEAD_VCPU_KIB = 12 * 1024,
	OVERHEAD_SHARE = 128, /* page tables, dirty bitmaps */
	AMOUNT_TEXT_MAX = 32
};

/* As policy.conf(5) calls them. */
static const struct {
	const char *name;
	bool memory;
} keys[QUOTA_N] = {
	[QUOTA_VM_VCPUS] = {"vm-vcpus", false},
	[QUOTA_VM_MEMORY] = {"vm-memory", true},
	[QUOTA_VMS] = {"vms", false},
	[QUOTA_VCPUS] = {"vcpus", false},
	[QUOTA_MEMORY] = {"memory", true},
	[QUOTA_HOST_VMS] = {"host vms", false},
	[QUOTA_HOST_VCPUS] = {"host vcpus", false},
	[QUOTA_HOST_MEMORY] = {"host memory", true},
};

void
quota_no_limits(struct quota_limits *ret)
{
	*ret = (struct quota_limits){.of = {{.max = 0}}};
	for (enum quota_key key = 0; key < QUOTA_N; key++)
		ret->of[key].max = UINT64_MAX;
}

static uint64_t
overhead_kib(uint32_t vcpus, uint64_t memory_kib)
{
	return OVERHEAD_KIB + (uint64_t)vcpus * OVERHEAD_VCPU_KIB + memory_kib / OVERHEAD_SHARE;
}

struct ipc_grant
quota_grant(const struct ipc_lease *lease)
{
	return (struct ipc_grant){
		.memory_kib = lease->memory_kib,
		.overhead_kib = overhead_kib(lease->vcpus, lease->memory_kib) +
				(uint64_t)lease->code_mib * 1024,
		.vcpus = lease->vcpus,
	};
}

struct ipc_grant
quota_regrant(const struct ipc_grant *grant, uint32_t vcpus, uint64_t memory_kib)
{
	uint64_t usual = overhead_kib(grant->vcpus, grant->memory_kib);
	/* Less only of one that another version has granted. */
	uint64_t more = grant->overhead_kib > usual ? grant->overhead_kib - usual : 0;

	return (struct ipc_grant){.memory_kib = memory_kib,
		.overhead_kib = overhead_kib(vcpus, memory_kib) + more,
		.vcpus = vcpus};
}

struct quota_amounts
quota_of(const struct ipc_grant *grant)
{
	uint64_t all_kib = grant->memory_kib + grant->overhead_kib;

	return (struct quota_amounts){.of = {
					      [QUOTA_VM_VCPUS] = grant->vcpus,
					      [QUOTA_VM_MEMORY] = grant->memory_kib,
					      [QUOTA_VMS] = 1,
					      [QUOTA_VCPUS] = grant->vcpus,
					      [QUOTA_MEMORY] = grant->memory_kib,
					      [QUOTA_HOST_VMS] = 1,
					      [QUOTA_HOST_VCPUS] = grant->vcpus,
					      [QUOTA_HOST_MEMORY] = all_kib,
				      }};
}

enum quota_key
quota_decide(const struct quota_limits *limits, const struct quota_amounts *used,
	const struct quota_amounts *more)
{
	enum quota_key key = 0;

	for (; key < QUOTA_N; key++) {
		uint64_t max = limits->of[key].max;

		if (more->of[key] != 0 &&
			(used->of[key] > max || more->of[key] > max - used->of[key]))
			break;
	}
	return key;
}

/* In the largest unit that says it exactly. */
static const char *
say(enum quota_key key, uint64_t amount, char text[static AMOUNT_TEXT_MAX])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	unsigned unit = 0;

	if (!keys[key].memory) {
		(void)snprintf(text, AMOUNT_TEXT_MAX, "%" PRIu64, amount);
		return text;
	}
	while (unit < 3 && amount != 0 && amount % 1024 == 0) {
		amount /= 1024;
		unit++;
	}
	(void)snprintf(text, AMOUNT_TEXT_MAX, "%" PRIu64 " %s", amount, units[unit]);
	return text;
}

void
quota_words(enum quota_key key, const struct quota_limits *limits, const struct quota_amounts *used,
	const struct quota_amounts *more, struct quota_refusal *ret)
{
	static const char who[] = "root of this host can change it";
	char max[AMOUNT_TEXT_MAX], in_use[AMOUNT_TEXT_MAX], wanted[AMOUNT_TEXT_MAX];
	const struct quota_limit *limit = &limits->of[key];
	const char *name = keys[key].name;

	(void)say(key, limit->max, max);
	(void)say(key, used->of[key], in_use);
	(void)say(key, more->of[key], wanted);
	(void)snprintf(ret->all, sizeof ret->all,
		"limit %s %s (%s): %s in use, %s more asked for; %s", name, max, limit->rule,
		in_use, wanted, who);
	if (key >= QUOTA_HOST_VMS)
		(void)snprintf(ret->why, sizeof ret->why,
			"limit %s %s (%s): the host has no room for %s more; %s", name, max,
			limit->rule, wanted, who);
	else if (limit->of_others)
		(void)snprintf(ret->why, sizeof ret->why,
			"limit %s (%s): %s in use, %s more asked for; %s", name, limit->rule,
			in_use, wanted, who);
	else
		(void)snprintf(ret->why, sizeof ret->why, "%s", ret->all);
	(void)snprintf(ret->rule, sizeof ret->rule, "%s", limit->rule);
}
