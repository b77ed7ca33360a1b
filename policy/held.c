/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * held.c: the groups that an account was in when that was last known; see held.h.
 *
 * Pure. Runs in the broker, as root.
 */
#include "policy/held.h"

#include <stddef.h>

/* What rules take from who is in a group, or from what is hers. */
enum taking { TAKES_NOTHING, TAKES, TAKES_HELD /* and it has vanished */ };

static enum taking
taking_of(const struct policy *policy, uint32_t gid)
{
	enum taking taking = TAKES_NOTHING;
	unsigned n;

	for (unsigned i = 0; i < policy->n_names && taking != TAKES_HELD; i++) {
		const struct policy_name *name = &policy->names[i];

		if (name->is_group && (name->known || name->held) && name->id == gid &&
			policy_speaks_of(policy, name, true, &n))
			taking = name->held ? TAKES_HELD : TAKES;
	}
	return taking;
}

static bool
has(const uint32_t *groups, unsigned n, uint32_t gid)
{
	for (unsigned i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

bool
held_has(const struct policy_held *held, uint32_t gid)
{
	return has(held->groups, held->n, gid);
}

static bool
stays(const struct policy *policy, const struct account *now, bool sure, uint32_t gid)
{
	enum taking least = sure ? TAKES_HELD : TAKES;

	return !(now && has(now->groups, now->n_groups, gid)) && taking_of(policy, gid) >= least;
}

bool
held_update(struct policy_held *held, const struct policy *policy, const struct account *before,
	const struct account *now, bool sure)
{
	unsigned n = 0, n_before = held->n;
	bool added = false;

	for (unsigned i = 0; i < n_before; i++)
		if (stays(policy, now, sure, held->groups[i]))
			held->groups[n++] = held->groups[i];
	held->n = n;
	for (unsigned i = 0; before && i < before->n_groups && held->n < ACCOUNT_GROUPS_MAX; i++) {
		uint32_t gid = before->groups[i];

		if (held_has(held, gid) || !stays(policy, now, sure, gid))
			continue;
		held->groups[held->n++] = gid;
		added = true;
	}
	return added || n != n_before;
}

bool
held_waits(const struct policy_held *held, const struct policy *policy)
{
	for (unsigned i = 0; i < held->n; i++)
		if (taking_of(policy, held->groups[i]) == TAKES)
			return true;
	return false;
}
