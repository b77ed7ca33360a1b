/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * explain.c: why somebody may do something, or may not: the line that decides, in words.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody.
 */
#include "policy/explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/decide.h"
#include "policy/nobody.h"

enum { NAME_MAX_SHOWN = 48, WHO_TEXT_MAX = 80 };

#define WHO_CHANGES "root of this host can change that"

/* --- the verdict ---------------------------------------------------------------------------- */

/* An allow or deny that is for her. */
static bool
is_for(const struct match *match, const struct policy_rule *rule)
{
	return (rule->kind == POLICY_ALLOW || rule->kind == POLICY_DENY) &&
	       match_subject(match, rule);
}

struct policy_verdict
policy_verdict(const struct policy *policy, const struct policy_who *who, enum ipc_socket socket,
	const struct policy_who *owner, enum verb verb)
{
	struct match match = match_begin(policy, who);
	struct policy_verdict verdict = {.outcome = POLICY_NOT_ALLOWED};

	for (unsigned i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (!is_for(&match, rule) || !match_target(&match, rule, owner))
			continue;
		if (rule->kind == POLICY_DENY && (policy_verbs_taken(rule->verb) & verb))
			return (struct policy_verdict){.outcome = POLICY_DENIED, .rule = rule};
		if (rule->kind == POLICY_ALLOW && verdict.outcome == POLICY_NOT_ALLOWED &&
			(policy_verbs_given(rule->verb) & verb))
			verdict = (struct policy_verdict){.outcome = POLICY_ALLOWED, .rule = rule};
	}
	if (verdict.outcome == POLICY_ALLOWED && socket != IPC_SOCKET_RW && verb != VERB_VIEW)
		verdict.outcome = POLICY_READ_ONLY;
	if (verdict.outcome == POLICY_NOT_ALLOWED && !match.counts && !who->tls)
		verdict.outcome = POLICY_NOBODY;
	return verdict;
}

/* --- one sentence --------------------------------------------------------------------------- */

static const char *
who_text(const struct policy_who *who, char buf[static WHO_TEXT_MAX])
{
	if (who->tls)
		(void)snprintf(buf, WHO_TEXT_MAX, "the certificate \"%.*s%s\"", NAME_MAX_SHOWN,
			who->tls, strlen(who->tls) > NAME_MAX_SHOWN ? "..." : "");
	else if (who->account && who->account->uid == who->uid)
		(void)snprintf(buf, WHO_TEXT_MAX, "%s", who->account->name);
	else if (who->uid == 0)
		(void)snprintf(buf, WHO_TEXT_MAX, "root");
	else
		(void)snprintf(buf, WHO_TEXT_MAX, "uid %" PRIu32, who->uid);
	return buf;
}

/* "own virtual machines", "virtual machines of bob". */
static const char *
whose_text(const struct policy_who *who, const struct policy_who *owner,
	char buf[static WHO_TEXT_MAX + 24])
{
	char name[WHO_TEXT_MAX];

	if (match_owns(who, owner))
		(void)snprintf(buf, WHO_TEXT_MAX + 24, "own virtual machines");
	else
		(void)snprintf(
			buf, WHO_TEXT_MAX + 24, "virtual machines of %s", who_text(owner, name));
	return buf;
}

/* What does not fit is cut: a name that long is its owner's choice. */
__attribute__((format(printf, 2, 3))) static int
say(char buf[static IPC_REASON_MAX], const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, IPC_REASON_MAX, fmt, ap);
	va_end(ap);
	return n;
}

/* Which line, and if there is room what it says. */
static void
put_denied(const struct policy *policy, const struct policy_rule *rule, const char *whom,
	const char *what, char buf[static IPC_REASON_MAX])
{
	char where[POLICY_WHERE_MAX], text[POLICY_RULE_TEXT_MAX];
	int n;

	(void)policy_rule_where(policy, rule, where, sizeof where);
	n = say(buf, "policy denies %s %s: %s: %s; " WHO_CHANGES, whom, what, where,
		policy_rule_text(policy, rule, text));
	if (n >= IPC_REASON_MAX)
		(void)say(buf, "%s denies %s %s; " WHO_CHANGES, where, whom, what);
}

const char *
policy_refusal(const struct policy *policy, const struct policy_who *who, enum ipc_socket socket,
	const struct policy_who *owner, enum verb verb, char buf[static IPC_REASON_MAX])
{
	struct policy_verdict verdict = policy_verdict(policy, who, socket, owner, verb);
	char whom[WHO_TEXT_MAX], whose[WHO_TEXT_MAX + 24], what[WHO_TEXT_MAX + 48];

	(void)who_text(who, whom);
	(void)snprintf(what, sizeof what, "\"%s\" over %s", policy_verb_word(verb),
		whose_text(who, owner, whose));
	switch (verdict.outcome) {
	case POLICY_DENIED:
		put_denied(policy, verdict.rule, whom, what, buf);
		break;
	case POLICY_READ_ONLY:
		(void)say(buf,
			"the read-only socket gives \"view\" alone; connect to the read-write one "
			"for \"%s\"",
			policy_verb_word(verb));
		break;
	case POLICY_NOBODY:
		(void)say(buf,
			"uid %" PRIu32 " is nobody here: %s; root of this host can allow it "
			"something by number, in policy.conf",
			who->uid, nobody_why(who->uid, who->account));
		break;
	case POLICY_NOT_ALLOWED:
		(void)say(buf, "no line of policy.conf allows %s %s; " WHO_CHANGES, whom, what);
		break;
	case POLICY_ALLOWED:
		buf[0] = '\0';
		break;
	}
	return buf;
}

/* --- the whole chain ------------------------------------------------------------------------ */

struct out {
	char *buf;
	size_t size, used;
	unsigned n_lost; /* lines that did not fit */
};

enum { LAST_LINE_MAX = 64 };

__attribute__((format(printf, 2, 3))) static void
put(struct out *out, const char *fmt, ...)
{
	size_t room = out->size - LAST_LINE_MAX - out->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out->buf + out->used, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room || out->n_lost > 0) {
		out->buf[out->used] = '\0';
		out->n_lost++;
	} else {
		out->used += (size_t)n;
	}
}

static void
put_verdict(struct out *out, const struct policy *policy, const struct policy_verdict *verdict)
{
	char where[POLICY_WHERE_MAX] = "";

	if (verdict->rule)
		(void)policy_rule_where(policy, verdict->rule, where, sizeof where);
	switch (verdict->outcome) {
	case POLICY_ALLOWED:
		put(out, "allowed, by %s\n", where);
		break;
	case POLICY_DENIED:
		put(out, "refused, by %s\n", where);
		break;
	case POLICY_READ_ONLY:
		put(out,
			"refused: the read-only socket gives view alone (elsewhere allowed, by "
			"%s)\n",
			where);
		break;
	case POLICY_NOBODY:
	case POLICY_NOT_ALLOWED:
		put(out, "refused: no line allows it\n");
		break;
	}
}

static void
put_rule(struct out *out, const struct match *match, const struct policy_rule *rule,
	const struct policy_who *owner)
{
	char where[POLICY_WHERE_MAX], text[POLICY_RULE_TEXT_MAX], verbs[POLICY_VERBS_MAX];
	uint32_t set = rule->kind == POLICY_ALLOW ? policy_verbs_given(rule->verb)
						  : policy_verbs_taken(rule->verb);

	(void)policy_rule_where(match->policy, rule, where, sizeof where);
	(void)policy_rule_text(match->policy, rule, text);
	if (!match_target(match, rule, owner))
		put(out, "  %s: %s: not about these\n", where, text);
	else
		put(out, "  %s: %s: %s %s\n", where, text,
			rule->kind == POLICY_ALLOW ? "gives" : "takes",
			policy_verbs_text(set, verbs));
}

size_t
policy_explain(const struct policy *policy, const struct policy_who *who, enum ipc_socket socket,
	const struct policy_who *owner, enum verb verb, char *buf, size_t size)
{
	struct policy_verdict verdict = policy_verdict(policy, who, socket, owner, verb);
	struct match match = match_begin(policy, who);
	struct out out = {.buf = buf, .size = size};
	char whom[WHO_TEXT_MAX], whose[WHO_TEXT_MAX + 24], verbs[POLICY_VERBS_MAX];

	buf[0] = '\0';
	put(&out, "%s, on the read-%s socket: %s over %s\n", who_text(who, whom),
		socket == IPC_SOCKET_RW ? "write" : "only", policy_verb_word(verb),
		whose_text(who, owner, whose));
	put_verdict(&out, policy, &verdict);
	if (!match.counts && !who->tls)
		put(&out, "  %s is nobody: %s; what is for everyone and for groups is not for it\n",
			whom, nobody_why(who->uid, who->account));
	for (unsigned i = 0; i < policy->n_rules; i++)
		if (is_for(&match, &policy->rules[i]))
			put_rule(&out, &match, &policy->rules[i], owner);
	if (socket != IPC_SOCKET_RW)
		put(&out, "  the read-only socket keeps view\n");
	put(&out, "  left: %s\n",
		policy_verbs_text(policy_decide(policy, who, socket, owner), verbs));
	if (out.n_lost > 0)
		out.used += (size_t)snprintf(
			out.buf + out.used, LAST_LINE_MAX, "  (%u lines more)\n", out.n_lost);
	return out.used;
}
