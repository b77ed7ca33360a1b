/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * match.c: whom a rule is for, and whose virtual machines it is about.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody.
 */
#include "policy/match.h"

#include <string.h>

#include "policy/nobody.h"

static bool
is_known(const struct policy *policy, const struct policy_party *party, uint32_t *ret_id)
{
	const struct policy_name *name = &policy->names[party->n];

	*ret_id = name->id;
	return name->known;
}

static bool
is_uid(const struct policy *policy, const struct policy_party *party, uint32_t uid)
{
	uint32_t id;

	if (party->kind == POLICY_UID)
		return party->n == uid;
	return party->kind == POLICY_USER && is_known(policy, party, &id) && id == uid;
}

static bool
is_in_group(
	const struct policy *policy, const struct policy_party *party, const struct policy_who *who)
{
	const struct account *account = who->account;
	unsigned first = 0, last;
	uint32_t gid;

	if (!account || account->uid != who->uid || !is_known(policy, party, &gid))
		return false;
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

bool
policy_names_uid(const struct policy *policy, uint32_t uid)
{
	for (unsigned i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].kind == POLICY_ALLOW &&
			is_uid(policy, &policy->rules[i].subject, uid))
			return true;
	return false;
}

struct match
match_begin(const struct policy *policy, const struct policy_who *who)
{
	struct match match = {.policy = policy, .who = who};

	/* Root is named by the built-in rule, whether her account was looked up or not. */
	if (!who->tls)
		match.counts =
			!nobody_why(who->uid, who->account) || policy_names_uid(policy, who->uid);
	return match;
}

bool
match_subject(const struct match *match, const struct policy_party *subject)
{
	const struct policy_who *who = match->who;

	if (who->tls)
		return subject->kind == POLICY_TLS &&
		       strcmp(match->policy->pool + subject->n, who->tls) == 0;
	switch (subject->kind) {
	case POLICY_EVERYONE:
		return match->counts;
	case POLICY_GROUP:
		return match->counts && is_in_group(match->policy, subject, who);
	default:
		return is_uid(match->policy, subject, who->uid);
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
match_target(const struct match *match, const struct policy_party *target,
	const struct policy_who *owner)
{
	switch (target->kind) {
	case 0: /* a deny without a target */
	case POLICY_ALL:
		return true;
	case POLICY_OWN:
		return match_owns(match->who, owner);
	case POLICY_SYSTEM:
		return owner->is_system;
	case POLICY_GROUP:
		return is_in_group(match->policy, target, owner);
	default:
		return is_uid(match->policy, target, owner->uid);
	}
}
