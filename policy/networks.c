/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * networks.c: which networks somebody's virtual machines may be connected to.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody.
 */
#include "policy/networks.h"

#include <string.h>

static bool
gives(const struct policy *policy, const struct policy_rule *rule, const char *bridge)
{
	if (!bridge)
		return rule->network == POLICY_NETWORK_USER;
	return rule->network == POLICY_NETWORK_BRIDGE &&
	       strcmp(policy->pool + rule->bridge, bridge) == 0;
}

bool
policy_network(const struct policy *policy, const struct policy_who *owner, const char *bridge,
	const struct policy_rule **ret_rule)
{
	struct match match = match_begin(policy, owner);

	*ret_rule = NULL;
	if (!policy->has_networks)
		return !bridge && match.counts;
	for (unsigned i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->kind != POLICY_NETWORK || !match_subject(&match, rule))
			continue;
		if (rule->network == POLICY_NETWORK_NONE) {
			*ret_rule = rule;
			return false;
		}
		if (!*ret_rule && gives(policy, rule, bridge))
			*ret_rule = rule;
	}
	return *ret_rule != NULL;
}
