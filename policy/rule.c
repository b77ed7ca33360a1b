/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rule.c: one rule as text.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody. What is written reads as the same rule.
 */
#include "policy/rule.h"

#include <inttypes.h>
#include <stdio.h>

#include "policy/choices.h"
#include "policy/policy.h"

const char *
policy_verb_word(unsigned verb)
{
	return choices_word(verb, USE_VERB);
}

const char *
policy_key_word(unsigned key)
{
	return choices_word(key, USE_KEY);
}

static const char *
party_word(unsigned kind)
{
	return choices_word(
		kind, USE_SUBJECT | USE_LIMIT_SUBJECT | USE_NETWORK_SUBJECT | USE_TARGET);
}

const char *
policy_verbs_text(uint32_t verbs, char buf[static POLICY_VERBS_MAX])
{
	size_t used = 0;

	for (unsigned verb = VERB_VIEW; verb <= VERB_MANAGE; verb *= 2)
		if (verbs & verb)
			used += (size_t)snprintf(buf + used, POLICY_VERBS_MAX - used, "%s%s",
				used ? ", " : "", policy_verb_word(verb));
	if (used == 0)
		(void)snprintf(buf, POLICY_VERBS_MAX, "nothing");
	return buf;
}

enum verb
policy_verb_most(uint32_t verbs)
{
	unsigned verb = VERB_MANAGE;

	while (verb > VERB_VIEW && !(verbs & verb))
		verb /= 2;
	return (enum verb)verb;
}

bool
policy_key_is_memory(unsigned key)
{
	return key == POLICY_MEMORY || key == POLICY_VM_MEMORY;
}

const char *
policy_party_text(
	const struct policy *policy, const struct policy_party *party, char *buf, size_t size)
{
	const char *word = party_word(party->kind);

	if (party->kind == POLICY_USER || party->kind == POLICY_GROUP)
		(void)snprintf(buf, size, "%s %s", word, policy->names[party->n].text);
	else if (party->kind == POLICY_UID)
		(void)snprintf(buf, size, "%s %" PRIu32, word, party->n);
	else if (party->kind == POLICY_TLS)
		(void)snprintf(buf, size, "%s \"%s\"", word, policy->pool + party->n);
	else
		(void)snprintf(buf, size, "%s", word ? word : "");
	return buf;
}

const char *
policy_value_text(unsigned key, uint64_t value, bool is_percent, char *buf, size_t size)
{
	static const char units[] = "KMGT";
	unsigned unit = 0;

	if (value == POLICY_UNLIMITED)
		(void)snprintf(buf, size, "unlimited");
	else if (is_percent || !policy_key_is_memory(key))
		(void)snprintf(buf, size, "%" PRIu64 "%s", value, is_percent ? "%" : "");
	else {
		for (; value > 0 && value % 1024 == 0 && units[unit + 1]; unit++)
			value /= 1024;
		(void)snprintf(buf, size, "%" PRIu64 "%c", value, units[unit]);
	}
	return buf;
}

/* What stands behind the subject. */
static void
put_rest(const struct policy *policy, const struct policy_rule *rule, char *buf, size_t size)
{
	char text[POLICY_TLS_MAX];

	buf[0] = '\0';
	switch ((enum policy_kind)rule->kind) {
	case POLICY_ALLOW:
	case POLICY_DENY:
		if (rule->verb != 0 && rule->target.kind != 0)
			(void)snprintf(buf, size, " %s %s", policy_verb_word(rule->verb),
				policy_party_text(policy, &rule->target, text, sizeof text));
		else if (rule->verb != 0)
			(void)snprintf(buf, size, " %s", policy_verb_word(rule->verb));
		break;
	case POLICY_LIMIT:
		(void)snprintf(buf, size, " %s %s", policy_key_word(rule->key),
			policy_value_text(
				rule->key, rule->value, rule->is_percent, text, sizeof text));
		break;
	case POLICY_NETWORK:
		(void)snprintf(buf, size, " %s%s%s", choices_word(rule->network, USE_NETWORK),
			rule->network == POLICY_NETWORK_BRIDGE ? " " : "",
			rule->network == POLICY_NETWORK_BRIDGE ? policy->pool + rule->bridge : "");
		break;
	}
}

const char *
policy_rule_text(const struct policy *policy, const struct policy_rule *rule,
	char buf[static POLICY_RULE_TEXT_MAX])
{
	char subject[POLICY_TLS_MAX + 8], rest[ACCOUNT_NAME_MAX + 32];

	put_rest(policy, rule, rest, sizeof rest);
	(void)snprintf(buf, POLICY_RULE_TEXT_MAX, "%s %s%s", choices_word(rule->kind, USE_LINE),
		policy_party_text(policy, &rule->subject, subject, sizeof subject), rest);
	return buf;
}

const char *
policy_rule_where(
	const struct policy *policy, const struct policy_rule *rule, char *buf, size_t size)
{
	if (rule->is_builtin)
		(void)snprintf(buf, size, "a built-in rule");
	else
		(void)snprintf(buf, size, "%s:%" PRIu32, policy->files[rule->file], rule->line);
	return buf;
}
