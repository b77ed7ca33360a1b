/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * match.c: whom a rule is for, and whose virtual machines it is about.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody.
 */
#include "policy/match.h"

#include <string.h>

#include "policy/nobody.h"

/* One party of a rule, and what it is compared with. */
struct side {
	const struct policy *policy;
	const struct policy_party *party;
	bool takes; /* the rule does: for what was known last, where nothing is known now */
};

static bool
is_known(const struct side *side, uint32_t *ret_id)
{
	const struct policy_name *name = &side->policy->names[side->party->n];

	*ret_id = name->id;
	return name->known || (side->takes && name->held);
}

static bool
is_uid(const struct side *side, uint32_t uid)
{
	uint32_t id;

	if (side->party->kind == POLICY_UID)
		return side->party->n == uid;
	return side->party->kind == POLICY_USER && is_known(side, &id) && id == uid;
}

static bool
is_in_group(const struct side *side, const struct policy_who *who)
{
	const struct account *account = who->account;
	unsigned first = 0, last;
	uint32_t gid;

	if (!account || account->uid != who->uid || !is_known(side, &gid))
		return false;
	if (side->takes && who->held && held_has(who->held, gid))
		return true;
	last = account->n_groups;
	while (first < last) {
		unsigned middle = (first + last) / 2;

		if (account->groups[middle] < gid)
			first = middle + 1;
		else
			last = middle;
	}
	return first < account->n_groups && account->groups[first] == gid;
}

/* held: by a name that has vanished, too */
static bool
names_uid(const struct policy *policy, uint32_t uid, bool held)
{
	for (unsigned i = 0; i < policy->n_rules; i++) {
		struct side side = {policy, &policy->rules[i].subject, held};

		if (policy->rules[i].kind == POLICY_ALLOW && is_uid(&side, uid))
			return true;
	}
	return false;
}

bool
policy_names_uid(const struct policy *policy, uint32_t uid)
{
	return names_uid(policy, uid, false);
}

struct match
match_begin(const struct policy *policy, const struct policy_who *who)
{
	struct match match = {.policy = policy, .who = who};

	/* Root is named by the built-in rule, whether her account was looked up or not. */
	if (!who->tls) {
		match.counts =
			!nobody_why(who->uid, who->account) || policy_names_uid(policy, who->uid);
		match.counted = match.counts || names_uid(policy, who->uid, true);
	}
	return match;
}

bool
match_subject(const struct match *match, const struct policy_rule *rule)
{
	struct side side = {match->policy, &rule->subject, policy_takes(rule)};
	const struct policy_who *who = match->who;
	bool counts = side.takes ? match->counted : match->counts;

	if (who->tls)
		return side.party->kind == POLICY_TLS &&
		       strcmp(match->policy->pool + side.party->n, who->tls) == 0;
	switch (side.party->kind) {
	case POLICY_EVERYONE:
		return counts;
	case POLICY_GROUP:
		return counts && is_in_group(&side, who);
	default:
		return is_uid(&side, who->uid);
	}
}

bool
match_owns(const struct policy_who *who, const struct policy_who *owner)
{
	if (who->tls || who->uid == 0)
		return owner->is_system;
	return who->account && who->account->uid == who->uid && who->uid == owner->uid;
}

bool
match_target(
	const struct match *match, const struct policy_rule *rule, const struct policy_who *owner)
{
	struct side side = {match->policy, &rule->target, policy_takes(rule)};

	switch (side.party->kind) {
	case 0: /* a deny without a target */
	case POLICY_ALL:
		return true;
	case POLICY_OWN:
		return match_owns(match->who, owner);
	case POLICY_SYSTEM:
		return owner->is_system;
	case POLICY_GROUP:
		return is_in_group(&side, owner);
	default:
		return is_uid(&side, owner->uid);
	}
}
