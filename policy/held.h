/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * held.h: the groups that an account was in when that was last known, and of which it cannot be told
 * now: they have vanished, or may have.
 *
 * Pure. Runs in the broker, as root. Where a group vanishes, its members do not have it among theirs any
 * more, as if they had left it. What a rule takes from its members is taken from them until it is seen
 * that the group is there and they are not in it. What rules give to a group is never given by this.
 */
#ifndef POLICY_HELD_H
#define POLICY_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/policy.h"
#include "protocol/ipc/account.h"

struct policy_held {
	unsigned n;
	uint32_t groups[ACCOUNT_GROUPS_MAX]; /* in no order */
};

bool held_has(const struct policy_held *held, uint32_t gid);
/**
 * The account is now that, and was before that; NULL: nothing was known, or it is gone. sure: the
 * groups that are known to the policy were there all the time since it was before. More than
 * ACCOUNT_GROUPS_MAX are not kept. Returns whether what is held is other than before.
 */
bool held_update(struct policy_held *held, const struct policy *policy,
	const struct account *before, const struct account *now, bool sure);
/** Is a group among them from which something is taken, and that has not vanished as far as is known? */
bool held_waits(const struct policy_held *held, const struct policy *policy);

#endif
