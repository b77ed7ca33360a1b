/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limits.c: how much of the host somebody's virtual machines may take, and all of them together.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody.
 */
#include "policy/limits.h"

#include <stdio.h>

/* The nearer a line is to her, the higher. */
static int
nearness(const struct policy_party *subject)
{
	switch (subject->kind) {
	case POLICY_EVERYONE:
		return 1;
	case POLICY_GROUP:
		return 2;
	default:
		return 3;
	}
}

static void
unlimited(struct policy_limits *ret)
{
	for (unsigned key = 0; key < POLICY_N_KEYS; key++)
		ret->of[key] = (struct policy_limit){.value = POLICY_UNLIMITED};
	ret->of[POLICY_CPU_WEIGHT].value = POLICY_WEIGHT_DEFAULT;
}

static bool
is_better(const struct policy_rule *rule, const struct policy_rule *than)
{
	int near = nearness(&rule->subject), other = than ? nearness(&than->subject) : 0;

	return near > other || (near == other && rule->value > than->value);
}

static void
take(const struct policy_rule *rule, struct policy_limits *ret)
{
	ret->of[rule->key] = (struct policy_limit){
		.value = rule->value, .is_percent = rule->is_percent, .rule = rule};
}

void
policy_limits(
	const struct policy *policy, const struct policy_who *owner, struct policy_limits *ret)
{
	struct match match = match_begin(policy, owner);

	unlimited(ret);
	for (unsigned i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->kind == POLICY_LIMIT && match_subject(&match, rule) &&
			is_better(rule, ret->of[rule->key].rule))
			take(rule, ret);
	}
}

void
policy_host_limits(const struct policy *policy, struct policy_limits *ret)
{
	unlimited(ret);
	for (unsigned i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].kind == POLICY_LIMIT &&
			policy->rules[i].subject.kind == POLICY_HOST)
			take(&policy->rules[i], ret);
}

const char *
policy_limit_text(const struct policy *policy, const struct policy_limits *limits,
	enum policy_key key, char buf[static POLICY_LIMIT_TEXT_MAX])
{
	const struct policy_limit *limit = &limits->of[key];
	char where[POLICY_WHERE_MAX], rule[POLICY_RULE_TEXT_MAX], value[32];

	(void)policy_value_text(key, limit->value, limit->is_percent, value, sizeof value);
	if (!limit->rule)
		(void)snprintf(buf, POLICY_LIMIT_TEXT_MAX, "%s", value);
	else
		(void)snprintf(buf, POLICY_LIMIT_TEXT_MAX, "%s (%s: %.56s)", value,
			policy_rule_where(policy, limit->rule, where, sizeof where),
			policy_rule_text(policy, limit->rule, rule));
	return buf;
}
