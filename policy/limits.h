/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limits.h: how much of the host somebody's virtual machines may take, and all of them together.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody. For each key by itself: what a line
 * says for the user; else the largest that one says for a group she is in; else what one says for
 * everyone; else there is no limit. Where two lines of one kind are for her (user and uid of one
 * account, two groups), the larger holds.
 */
#ifndef POLICY_LIMITS_H
#define POLICY_LIMITS_H

#include "policy/match.h"
#include "policy/policy.h"

enum { POLICY_WEIGHT_DEFAULT = 100, POLICY_LIMIT_TEXT_MAX = 192 };

struct policy_limit {
	uint64_t value;                 /* enum policy_key says of what; POLICY_UNLIMITED */
	bool is_percent;                /* memory of the host: of what it has */
	const struct policy_rule *rule; /* that says so, of the policy; NULL: none does */
};

/* By enum policy_key. Where no line says one, it is unlimited; a weight is the default. */
struct policy_limits {
	struct policy_limit of[POLICY_N_KEYS];
};

/** Of all virtual machines that owner owns, and of each of them. */
void policy_limits(
	const struct policy *policy, const struct policy_who *owner, struct policy_limits *ret);
/** Of all virtual machines of the host: vms, vcpus and memory. */
void policy_host_limits(const struct policy *policy, struct policy_limits *ret);

/**
 * "16G (policy.conf:8: limit everyone memory 16G)", "unlimited", into buf. Returns buf.
 */
const char *policy_limit_text(const struct policy *policy, const struct policy_limits *limits,
	enum policy_key key, char buf[static POLICY_LIMIT_TEXT_MAX]);

#endif
