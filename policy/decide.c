/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decide.c: who may do what to whose virtual machines.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody.
 */
#include "policy/decide.h"

#include "protocol/verb.h"

uint32_t
policy_verbs_given(unsigned verb)
{
	switch (verb) {
	case VERB_VIEW:
		return VERB_VIEW;
	case VERB_CONSOLE:
		return VERB_VIEW | VERB_CONSOLE;
	case VERB_POWER:
		return VERB_VIEW | VERB_POWER;
	case VERB_MANAGE:
		return VERBS_ALL;
	default:
		return VERBS_NONE;
	}
}

uint32_t
policy_verbs_taken(unsigned verb)
{
	switch (verb) {
	case VERB_MANAGE:
		return VERB_MANAGE;
	case VERB_POWER:
		return VERB_POWER | VERB_MANAGE;
	case VERB_CONSOLE:
		return VERB_CONSOLE | VERB_MANAGE;
	default:
		return VERBS_ALL;
	}
}

static uint32_t
of_socket(uint32_t verbs, enum ipc_socket socket)
{
	return socket == IPC_SOCKET_RW ? verbs : verbs & VERBS_VIEW;
}

uint32_t
policy_decide(const struct policy *policy, const struct policy_who *who, enum ipc_socket socket,
	const struct policy_who *owner)
{
	struct match match = match_begin(policy, who);
	uint32_t given = 0, taken = 0;

	for (unsigned i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if ((rule->kind != POLICY_ALLOW && rule->kind != POLICY_DENY) ||
			!match_subject(&match, rule) || !match_target(&match, rule, owner))
			continue;
		if (rule->kind == POLICY_ALLOW)
			given |= policy_verbs_given(rule->verb);
		else
			taken |= policy_verbs_taken(rule->verb);
	}
	return of_socket(given & ~taken, socket);
}

/* Can a rule that allows her something over this target be about somebody else's? */
static bool
is_others(const struct match *match, const struct policy_rule *rule)
{
	const struct policy_party *target = &rule->target;
	const struct policy_who *who = match->who;
	const struct policy_who self = {.uid = who->uid, .is_system = who->is_system};
	bool as_system = who->tls || who->uid == 0;

	switch (target->kind) {
	case POLICY_OWN:
		return false;
	case POLICY_SYSTEM:
		return !as_system && !who->is_system;
	case POLICY_USER:
	case POLICY_UID:
		return as_system || !who->account || !match_target(match, rule, &self);
	default:
		return true;
	}
}

/* What is denied to her over all that a target stands for. */
static uint32_t
taken_of(const struct match *match, const struct policy_party *target)
{
	const struct policy *policy = match->policy;
	uint32_t taken = 0;

	for (unsigned i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		bool covers = rule->target.kind == 0 || rule->target.kind == POLICY_ALL ||
			      (rule->target.kind == target->kind && rule->target.n == target->n);

		if (rule->kind == POLICY_DENY && covers && match_subject(match, rule))
			taken |= policy_verbs_taken(rule->verb);
	}
	return taken;
}

uint32_t
policy_reach(const struct policy *policy, const struct policy_who *who, enum ipc_socket socket)
{
	struct match match = match_begin(policy, who);
	uint32_t verbs = 0;

	for (unsigned i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->kind == POLICY_ALLOW && match_subject(&match, rule) &&
			is_others(&match, rule))
			verbs |= policy_verbs_given(rule->verb) & ~taken_of(&match, &rule->target);
	}
	return of_socket(verbs, socket);
}

bool
policy_sees_all(const struct policy *policy, const struct policy_who *who)
{
	struct match match = match_begin(policy, who);
	bool all = false;

	for (unsigned i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (!match_subject(&match, rule))
			continue;
		if (rule->kind == POLICY_ALLOW)
			all = all || rule->target.kind == POLICY_ALL;
		else if (rule->kind == POLICY_DENY && (policy_verbs_taken(rule->verb) & VERB_VIEW))
			return false;
	}
	return all;
}

const struct policy_rule *
policy_reach_rule(const struct policy *policy, const struct policy_who *who)
{
	struct match match = match_begin(policy, who);

	for (unsigned i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->kind == POLICY_ALLOW && match_subject(&match, rule) &&
			is_others(&match, rule) &&
			(policy_verbs_given(rule->verb) & ~taken_of(&match, &rule->target)))
			return rule;
	}
	return NULL;
}
