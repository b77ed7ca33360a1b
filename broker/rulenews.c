/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rulenews.c: what is told of the policy, to the log and to the audit; see rulenews.h.
 *
 * Runs in the broker, as root. Must never decide, nor tell more lines than it is bound to.
 */
#include "broker/rulenews.h"

#include <inttypes.h>
#include <stdio.h>

#include "broker/broker.h"
#include "lib/log.h"

static void
note(struct broker *broker, enum audit_kind kind, enum audit_verdict verdict, const char *target,
	const char *rule, const char *outcome)
{
	audit_record(&broker->audit,
		&(struct audit_event){
			.kind = kind, .verdict = verdict, .target = target, .rule = rule},
		"%s", outcome);
}

/* --- what is wrong ------------------------------------------------------------------------ */

void
rulenews_complaints(const struct broker *broker, const struct policy *policy)
{
	const char *dir = broker->config.policy;
	char text[POLICY_WHERE_MAX + POLICY_COMPLAINT_MAX + 16];
	unsigned n = policy->n_errors + policy->n_warnings;

	for (unsigned i = 0; i < policy->n_complaints; i++) {
		const struct policy_complaint *complaint = &policy->complaints[i];

		(void)policy_complaint_text(policy, complaint, text, sizeof(text));
		if (complaint->is_warning)
			log_warning("%s/%s", dir, text);
		else
			log_error("%s/%s", dir, text);
	}
	if (n > policy->n_complaints)
		log_error("policy: there are %u more mistakes", n - policy->n_complaints);
}

/* "policy.conf and 2 more", or what stands for it. */
static const char *
files_text(const struct policy *policy, char buf[static IPC_NAME_MAX])
{
	if (policy->n_files == 0)
		(void)snprintf(buf, IPC_NAME_MAX, "no file");
	else if (policy->n_files == 1)
		(void)snprintf(buf, IPC_NAME_MAX, "%s", policy->files[0]);
	else
		(void)snprintf(buf, IPC_NAME_MAX, "%.40s and %u more", policy->files[0],
			policy->n_files - 1);
	return buf;
}

/* NULL: none that is kept. */
static const struct policy_complaint *
first_error(const struct policy *policy)
{
	for (unsigned i = 0; i < policy->n_complaints; i++)
		if (!policy->complaints[i].is_warning)
			return &policy->complaints[i];
	return NULL;
}

void
rulenews_refused(struct broker *broker, const struct policy *policy, const char *why)
{
	const struct policy_complaint *first = why ? NULL : first_error(policy);
	char files[IPC_NAME_MAX], where[POLICY_WHERE_MAX] = "", outcome[IPC_REASON_MAX] = "";

	if (first) {
		(void)snprintf(where, sizeof(where), "%s:%" PRIu32, policy->files[first->file],
			first->line);
		(void)snprintf(outcome, sizeof(outcome), "errors: %u; the first: %.200s",
			policy->n_errors, first->text);
	}
	log_error("policy: nothing of what was read holds: the policy stays as it was");
	note(broker, AUDIT_POLICY_RELOAD, AUDIT_REFUSED, files_text(policy, files), where,
		why ? why : outcome);
}

/* --- what holds --------------------------------------------------------------------------- */

void
rulenews_holds(struct broker *broker, const struct policy *policy, enum audit_kind kind)
{
	char files[IPC_NAME_MAX], outcome[IPC_REASON_MAX];

	if (kind == AUDIT_POLICY_RELOAD)
		log_info("policy: read again: %u rules in %u files hold from now on",
			policy->n_rules, policy->n_files);
	else if (policy->n_files > 0)
		log_info("policy: %u rules in %u files", policy->n_rules, policy->n_files);
	else
		log_info("policy: there is none in %s: everyone manages her own",
			broker->config.policy);
	(void)snprintf(outcome, sizeof(outcome), "rules: %u, files: %u, names: %u, warnings: %u",
		policy->n_rules, policy->n_files, policy->n_names, policy->n_warnings);
	note(broker, kind, AUDIT_ALLOWED, files_text(policy, files), NULL, outcome);
}

static void
tell_change(struct broker *broker, const struct user *user, const struct ticket *old,
	const struct ticket *new)
{
	const char *name = user->uid == 0 ? "root" : user->account.name;
	char was[POLICY_VERBS_MAX], is[POLICY_VERBS_MAX];
	char others_was[POLICY_VERBS_MAX], others_is[POLICY_VERBS_MAX];
	char text[IPC_REASON_MAX];

	(void)snprintf(text, sizeof(text),
		"had %s over her own and up to %s over others', and has %s and up to %s",
		policy_verbs_text(old->verbs, was), policy_verbs_text(old->others, others_was),
		policy_verbs_text(new->verbs, is), policy_verbs_text(new->others, others_is));
	log_info("policy: uid=%" PRIu32 " (%s) %s", user->uid, name, text);
	note(broker, AUDIT_POLICY_CHANGE, AUDIT_FACT, name, new->rule, text);
}

void
rulenews_changes(struct broker *broker, const struct policy *before, const struct policy *after)
{
	unsigned n_told = 0, n_compared = 0, n_more = 0;
	char text[IPC_REASON_MAX];

	for (struct user *user = NULL;
		n_compared < RULENEWS_COMPARED && (user = users_next(&broker->users, user));) {
		struct ticket old, new;

		if (!user->has_account)
			continue;
		n_compared++;
		authority_decide_by(&broker->authority, before, user, IPC_SOCKET_RW, &old);
		authority_decide_by(&broker->authority, after, user, IPC_SOCKET_RW, &new);
		if (old.verbs == new.verbs && old.others == new.others)
			continue;
		if (n_told++ < RULENEWS_CHANGES_MAX)
			tell_change(broker, user, &old, &new);
		else
			n_more++;
	}
	if (n_more == 0)
		return;
	(void)snprintf(
		text, sizeof(text), "and so have %u others other rights than before", n_more);
	log_info("policy: %s", text);
	note(broker, AUDIT_POLICY_CHANGE, AUDIT_FACT, NULL, NULL, text);
}

/* The lines that speak of a name that has vanished, and take something away, or do not. */
static void
tell_lines(struct broker *broker, const struct policy *policy, const struct policy_name *name,
	bool takes)
{
	const char *kind = name->is_group ? "group" : "user";
	char where[POLICY_WHERE_MAX], text[IPC_REASON_MAX], more[32] = "";
	const struct policy_rule *first;
	unsigned n;

	first = policy_speaks_of(policy, name, takes, &n);
	if (!first)
		return;
	(void)policy_rule_where(policy, first, where, sizeof(where));
	if (n > 1)
		(void)snprintf(
			more, sizeof(more), " (and %u line%s more)", n - 1, n > 2 ? "s" : "");
	if (!takes)
		(void)snprintf(text, sizeof(text),
			"this host knows no %s %s any more: this line%s gives nothing to anybody",
			kind, name->text, more);
	else
		(void)snprintf(text, sizeof(text),
			"this host knows no %s %s any more: what this line%s takes stays taken "
			"from %s %" PRIu32 "%s",
			kind, name->text, more, name->is_group ? "gid" : "uid", name->id,
			name->is_group ? " and who was in it" : "");
	log_warning("%s/%s: %s", broker->config.policy, where, text);
	note(broker, AUDIT_POLICY_NAMES, AUDIT_FACT, name->text, where, text);
}

static void
tell_name(struct broker *broker, const struct policy *policy, const struct policy_name *name)
{
	char text[IPC_REASON_MAX];

	if (name->held) {
		tell_lines(broker, policy, name, true);
		tell_lines(broker, policy, name, false);
		return;
	}
	(void)snprintf(text, sizeof(text), "this host knows the %s %s again: %s %" PRIu32,
		name->is_group ? "group" : "user", name->text, name->is_group ? "gid" : "uid",
		name->id);
	log_info("policy: %s", text);
	note(broker, AUDIT_POLICY_NAMES, AUDIT_FACT, name->text, NULL, text);
}

void
rulenews_names(struct broker *broker, struct policy *policy, unsigned n)
{
	const struct policy_name *name;
	unsigned n_told = 0, n_more = 0;
	char text[IPC_REASON_MAX];

	for (unsigned at = 0; (name = policy_changed(policy, &at));) {
		if (n_told++ < RULENEWS_CHANGES_MAX)
			tell_name(broker, policy, name);
		else
			n_more++;
	}
	if (n_more > 0)
		log_warning("policy: and %u names more have vanished, or are back", n_more);

	(void)snprintf(
		text, sizeof(text), "%u of its names stand for something else than before", n);
	log_info("policy: %s", text);
	note(broker, AUDIT_POLICY_NAMES, AUDIT_FACT, NULL, NULL, text);
}
