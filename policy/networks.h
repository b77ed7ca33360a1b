/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * networks.h: which networks somebody's virtual machines may be connected to.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody. The union of what all lines give that
 * are for her; `none` takes all of them, whatever other lines say. Where no line of the policy
 * speaks of networks, everyone has the user network, as on a host without a policy. Whether the host
 * has such a network at all is not asked here (qemud.conf: network).
 */
#ifndef POLICY_NETWORKS_H
#define POLICY_NETWORKS_H

#include "policy/match.h"
#include "policy/policy.h"

/**
 * May what owner owns be connected to that bridge, or, with NULL, to the user network? The rule that
 * gives it, or that takes it, is in *ret_rule; NULL there: no line says so.
 */
bool policy_network(const struct policy *policy, const struct policy_who *owner, const char *bridge,
	const struct policy_rule **ret_rule);

#endif
