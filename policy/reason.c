/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reason.c: why somebody may not do everything, in a line; see reason.h.
 *
 * Pure. Runs in the broker, as root.
 */
#include "policy/reason.h"

#include <stdarg.h>
#include <stdio.h>

#include "policy/decide.h"
#include "protocol/verb.h"

static const unsigned verbs_upwards[] = {VERB_VIEW, VERB_CONSOLE, VERB_POWER, VERB_MANAGE};

enum { N_VERBS = sizeof verbs_upwards / sizeof *verbs_upwards };

/* What is written so far. */
struct line {
	char *buf;
	size_t size, at;
};

__attribute__((format(printf, 2, 3))) static void
add(struct line *line, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line->buf + line->at, line->size - line->at, fmt, ap);
	va_end(ap);
	line->at += (size_t)n;
	if (line->at >= line->size)
		line->at = line->size - 1;
}

/* The first rule of a kind that gives, or takes, that verb here; NULL: there is none. */
static const struct policy_rule *
find(const struct match *match, const struct policy_who *owner, enum policy_kind kind,
	unsigned verb)
{
	for (unsigned i = 0; i < match->policy->n_rules; i++) {
		const struct policy_rule *rule = &match->policy->rules[i];
		uint32_t verbs = kind == POLICY_ALLOW ? policy_verbs_given(rule->verb)
						      : policy_verbs_taken(rule->verb);

		if (rule->kind == kind && (verbs & verb) && match_subject(match, rule) &&
			match_target(match, rule, owner))
			return rule;
	}
	return NULL;
}

static void
add_where(struct line *line, const struct policy *policy, const struct policy_rule *rule)
{
	char where[POLICY_WHERE_MAX];

	add(line, "%s", policy_rule_where(policy, rule, where, sizeof where));
}

/* What she has, without what is included in other words of it, and which line gives it. */
static void
add_given(struct line *line, const struct match *match, const struct policy_who *owner,
	uint32_t verbs)
{
	const char *separator = "";

	for (unsigned i = N_VERBS; i-- > 0;) {
		unsigned verb = verbs_upwards[i];
		const struct policy_rule *rule;

		if (!(verbs & verb) || (verb == VERB_VIEW && separator[0] != '\0'))
			continue;
		rule = find(match, owner, POLICY_ALLOW, verb);
		add(line, "%s%s", separator, policy_verb_word(verb));
		if (rule) {
			add(line, " (");
			add_where(line, match->policy, rule);
			add(line, ")");
		}
		separator = ", ";
	}
	if (separator[0] == '\0')
		add(line, "nothing");
}

/* The rule by which a verb is missing, each once. */
static void
add_taken(struct line *line, const struct match *match, const struct policy_who *owner,
	uint32_t verbs)
{
	const struct policy_rule *last = NULL;

	for (unsigned i = 0; i < N_VERBS; i++) {
		unsigned verb = verbs_upwards[i];
		const struct policy_rule *rule = find(match, owner, POLICY_DENY, verb);

		/* What takes another verb takes manage too. */
		if ((verbs & verb) || !rule || rule == last || (last && verb == VERB_MANAGE))
			continue;
		add(line, last ? " and " : ", by ");
		add_where(line, match->policy, rule);
		last = rule;
	}
}

const char *
policy_reason(const struct policy *policy, const struct policy_who *who, const char *name,
	const struct policy_who *owner, uint32_t verbs, char *buf, size_t size)
{
	struct match match = match_begin(policy, who);
	struct line line = {.buf = buf, .size = size};

	add(&line, "policy gives %s ", name);
	add_given(&line, &match, owner, verbs);
	add_taken(&line, &match, owner, verbs);
	add(&line, "; root of this host can change that");
	return buf;
}
