/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decide.h: who may do what to whose virtual machines.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody. For each owner: the union of what all
 * rules allow that are for her and about this owner, without what any such rule denies. The order of
 * lines does not matter. Root's rule, `allow user root manage all`, is always there, and can be denied.
 */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/match.h"
#include "policy/policy.h"
#include "protocol/ipc/ipc.h"

/** What a rule that allows a verb gives: it, and what it includes. A set of protocol/verb.h. */
uint32_t policy_verbs_given(unsigned verb);
/** What a rule that denies a verb takes: it, and what includes it; of 0: everything. */
uint32_t policy_verbs_taken(unsigned verb);

/** Her verbs over what owner owns, of that socket: the read-only one keeps view alone. */
uint32_t policy_decide(const struct policy *policy, const struct policy_who *who,
	enum ipc_socket socket, const struct policy_who *owner);

/**
 * All verbs that she may have over anybody's but her own, whoever that would be: 0 is certain, other
 * verbs are not (a group may have no member, a deny may hit each of them).
 */
uint32_t policy_reach(
	const struct policy *policy, const struct policy_who *who, enum ipc_socket socket);
/** The first rule that gives her anything of that; NULL: none does. */
const struct policy_rule *policy_reach_rule(
	const struct policy *policy, const struct policy_who *who);

/** Does a rule let her see everybody's, and none hide anybody's from her? */
bool policy_sees_all(const struct policy *policy, const struct policy_who *who);

#endif
