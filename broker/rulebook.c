/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rulebook.c: the policy in force; see rulebook.h.
 *
 * Runs in the broker, as root, also while it is boxed. There are two policies, each with all the
 * memory that it may need: the one in force, and room for the one that a reload reads.
 */
#include "broker/rulebook.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/rulefiles.h"
#include "broker/shares.h"
#include "lib/log.h"
#include "lib/take.h"
#include "policy/rule.h"
#include "protocol/verb.h"

const struct policy *
rulebook_policy(const struct rulebook *rulebook)
{
	return rulebook->now->n_files > 0 ? rulebook->now : policy_builtin();
}

const struct account *
rulebook_root(const struct rulebook *rulebook)
{
	return rulebook->names.root.name[0] != '\0' ? &rulebook->names.root : NULL;
}

/* --- telling ------------------------------------------------------------------------------ */

static void
tell_complaints(const struct rulebook *rulebook, const struct policy *policy)
{
	const char *dir = rulebook->broker->config.policy;
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

/* "view, power" */
static const char *
verbs_text(uint32_t verbs, char buf[static 64])
{
	static const unsigned all[] = {VERB_MANAGE, VERB_CONSOLE, VERB_POWER, VERB_VIEW};
	const char *separator = "";

	(void)snprintf(buf, 64, "%s", verbs == 0 ? "nothing" : "");
	for (unsigned i = 0; i < sizeof(all) / sizeof(*all); i++) {
		size_t at = strlen(buf);

		if (!(verbs & all[i]))
			continue;
		(void)snprintf(buf + at, 64 - at, "%s%s", separator, policy_verb_word(all[i]));
		separator = ", ";
	}
	return buf;
}

/* Who of those that the broker deals with has gained or lost what. */
static void
tell_changes(
	const struct rulebook *rulebook, const struct policy *before, const struct policy *after)
{
	const struct authority *authority = &rulebook->broker->authority;
	const struct users *users = &rulebook->broker->users;
	unsigned n_told = 0, n_compared = 0, n_more = 0;
	char was[64], is[64], others_was[64], others_is[64];

	for (struct user *user = NULL;
		n_compared < RULEBOOK_COMPARED && (user = users_next(users, user));) {
		struct ticket old, new;

		if (!user->has_account)
			continue;
		n_compared++;
		authority_decide_by(authority, before, user, IPC_SOCKET_RW, &old);
		authority_decide_by(authority, after, user, IPC_SOCKET_RW, &new);
		if (old.verbs == new.verbs && old.others == new.others)
			continue;
		if (n_told++ < RULEBOOK_TOLD_MAX)
			log_info("policy: uid=%" PRIu32 " (%s) had %s over her own and up to %s "
				 "over others', and has %s and up to %s",
				user->uid, user->uid == 0 ? "root" : user->account.name,
				verbs_text(old.verbs, was), verbs_text(old.others, others_was),
				verbs_text(new.verbs, is), verbs_text(new.others, others_is));
		else
			n_more++;
	}
	if (n_more > 0)
		log_info("policy: and so have %u others other rights than before", n_more);
}

/* --- loading ------------------------------------------------------------------------------ */

/* Read and parse into *policy. Returns 0, or 1 after it has told what is wrong. */
static int
load(struct rulebook *rulebook, struct policy *policy, bool *ret_has_main)
{
	const char *dir = rulebook->broker->config.policy;
	char error[RULEFILES_ERROR_MAX];
	struct rulefiles files;

	policy_clear(policy);
	if (rulefiles_read(dir, rulebook->owner, &files, error) != 0) {
		log_error("%s", error);
		return 1;
	}
	for (unsigned i = 0; i < files.n; i++)
		(void)policy_parse(
			policy, files.files[i].name, files.files[i].text, files.files[i].size);
	*ret_has_main = files.has_main;
	rulefiles_free(&files);
	/* It could be on its way from one place to another: rules are not lost by that. */
	if (rulebook->has_main && !*ret_has_main) {
		log_error("%s/policy.conf is not there any more: put it back, or an empty one, "
			  "which allows nothing; or restart qemud for its built-in rules",
			dir);
		return 1;
	}
	if (policy->n_errors > 0) {
		tell_complaints(rulebook, policy);
		return 1;
	}
	return 0;
}

int
rulebook_load(struct rulebook *rulebook)
{
	rulebook->read_s = (uint64_t)time(NULL);
	return load(rulebook, rulebook->now, &rulebook->has_main);
}

static void
hold(struct rulebook *rulebook)
{
	struct policy *before = rulebook->now;
	const struct policy *was = rulebook_policy(rulebook);

	rulebook->now = rulebook->next;
	rulebook->next = before;
	rulebook->has_main = rulebook->next_has_main;
	rulebook->read_s = rulebook->next_read_s;
	rulebook->failed = false;
	tell_complaints(rulebook, rulebook->now);
	log_info("policy: read again: %u rules in %u files hold from now on",
		rulebook->now->n_rules, rulebook->now->n_files);
	tell_changes(rulebook, was, rulebook_policy(rulebook));
	shares_tell(rulebook->broker);
	authority_review(&rulebook->broker->authority);
}

static void
reload_failed(struct rulebook *rulebook)
{
	rulebook->failed = true;
	log_error("policy: nothing of what was read holds: the policy stays as it was");
}

static void
reloaded(struct rulebook *rulebook)
{
	const struct names *names = &rulebook->names;
	struct policy *next = rulebook->next;

	if (names->n_failed > 0) {
		log_error("policy: %u names, %s among them, could not be looked up: try again",
			names->n_failed, names->failed);
		reload_failed(rulebook);
	} else if (policy_check_names(next) != 0) {
		tell_complaints(rulebook, next);
		reload_failed(rulebook);
	} else {
		hold(rulebook);
	}
}

static void
started(struct rulebook *rulebook)
{
	struct broker *broker = rulebook->broker;
	struct policy *now = rulebook->now;

	if (rulebook->names.n_failed > 0)
		log_error("policy: the name %s could not be looked up", rulebook->names.failed);
	if (rulebook->names.n_failed > 0 || policy_check_names(now) != 0) {
		tell_complaints(rulebook, now);
		broker_policy_failed(broker);
		return;
	}
	tell_complaints(rulebook, now);
	rulebook->known = true;
	if (now->n_files > 0)
		log_info("policy: %u rules in %u files", now->n_rules, now->n_files);
	else
		log_info("policy: there is none in %s: everyone manages her own",
			broker->config.policy);
	broker_policy_known(broker);
}

static void
names_known(struct names *names)
{
	struct rulebook *rulebook = container_of(names, struct rulebook, names);
	uint64_t now_ns = loop_now(&rulebook->broker->loop);
	enum rulebook_run run = rulebook->run;

	rulebook->run = RUN_NONE;
	rulebook->refresh_ns = now_ns + LOOP_S(rulebook->broker->config.account_seconds);
	if (run == RUN_START) {
		started(rulebook);
	} else if (run == RUN_RELOAD) {
		reloaded(rulebook);
	} else if (names->n_changed > 0) {
		log_info("policy: %u of its names stand for something else than before",
			names->n_changed);
		authority_review(&rulebook->broker->authority);
	}
	if (names->root_changed)
		authority_review(&rulebook->broker->authority);
	if (rulebook->reload_again && rulebook->known)
		rulebook_reload(rulebook);
}

void
rulebook_reload(struct rulebook *rulebook)
{
	rulebook->reload_again = rulebook->run != RUN_NONE || !rulebook->known;
	if (rulebook->reload_again)
		return;
	rulebook->next_read_s = (uint64_t)time(NULL);
	if (load(rulebook, rulebook->next, &rulebook->next_has_main) != 0) {
		reload_failed(rulebook);
		return;
	}
	rulebook->run = RUN_RELOAD;
	names_look_up(&rulebook->names, rulebook->next, false);
}

void
rulebook_refresh(struct rulebook *rulebook)
{
	if (rulebook->run != RUN_NONE || rulebook->now->n_names == 0 ||
		rulebook->refresh_ns > loop_now(&rulebook->broker->loop))
		return;
	rulebook->run = RUN_REFRESH;
	names_look_up(&rulebook->names, rulebook->now, false);
}

/* --- begin and end ------------------------------------------------------------------------ */

int
rulebook_init(struct rulebook *rulebook, struct broker *broker)
{
	*rulebook = (struct rulebook){
		.broker = broker, .owner = geteuid(), .now = policy_new(), .next = policy_new()};
	names_init(&rulebook->names, &broker->starter, names_known);
	return rulebook->now && rulebook->next ? 0 : -ENOMEM;
}

void
rulebook_fini(struct rulebook *rulebook)
{
	policy_free(take_ptr(rulebook->now));
	policy_free(take_ptr(rulebook->next));
}

void
rulebook_start(struct rulebook *rulebook)
{
	rulebook->run = RUN_START;
	names_look_up(&rulebook->names, rulebook->now, true);
}
