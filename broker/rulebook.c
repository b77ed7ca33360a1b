/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rulebook.c: the policy in force; see rulebook.h.
 *
 * Runs in the broker, as root, also while it is boxed. There are two policies, each with all the
 * memory that it may need: the one in force, and room for the one that a reload reads.
 */
#include "broker/rulebook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/members.h"
#include "broker/rulefiles.h"
#include "broker/rulenews.h"
#include "broker/shares.h"
#include "lib/log.h"
#include "lib/take.h"

const struct policy *
rulebook_policy(const struct rulebook *rulebook)
{
	return rulebook->now->n_files > 0 ? rulebook->now : policy_builtin();
}

const struct account *
rulebook_root(const struct rulebook *rulebook)
{
	return rulebook->root.name[0] != '\0' ? &rulebook->root : NULL;
}

/* --- loading ------------------------------------------------------------------------------ */

/*
 * Read and parse into *policy. Returns 0, or 1 after it has told what is wrong; *ret_error is "" where
 * that is in what was read.
 */
static int
load(struct rulebook *rulebook, struct policy *policy, bool *ret_has_main,
	char ret_error[static RULEFILES_ERROR_MAX])
{
	const char *dir = rulebook->broker->config.policy;
	struct rulefiles files;

	ret_error[0] = '\0';
	policy_clear(policy);
	if (rulefiles_read(dir, rulebook->owner, &files, ret_error) != 0) {
		log_error("%s", ret_error);
		return 1;
	}
	for (unsigned i = 0; i < files.n; i++)
		(void)policy_parse(
			policy, files.files[i].name, files.files[i].text, files.files[i].size);
	*ret_has_main = files.has_main;
	rulefiles_free(&files);
	/* It could be on its way from one place to another: rules are not lost by that. */
	if (rulebook->has_main && !*ret_has_main) {
		(void)snprintf(ret_error, RULEFILES_ERROR_MAX,
			"%s/policy.conf is not there any more: put it back, or an empty one, which "
			"allows nothing; or restart qemud for its built-in rules",
			dir);
		log_error("%s", ret_error);
		return 1;
	}
	if (policy->n_errors > 0) {
		rulenews_complaints(rulebook->broker, policy);
		return 1;
	}
	return 0;
}

int
rulebook_load(struct rulebook *rulebook)
{
	char error[RULEFILES_ERROR_MAX];

	rulebook->read_s = (uint64_t)time(NULL);
	return load(rulebook, rulebook->now, &rulebook->has_main, error);
}

static void
hold(struct rulebook *rulebook)
{
	struct broker *broker = rulebook->broker;
	struct policy *before = rulebook->now;
	const struct policy *was = rulebook_policy(rulebook);

	rulebook->now = rulebook->next;
	rulebook->next = before;
	rulebook->has_main = rulebook->next_has_main;
	rulebook->read_s = rulebook->next_read_s;
	rulebook->failed = false;
	rulenews_complaints(broker, rulebook->now);
	rulenews_holds(broker, rulebook->now, AUDIT_POLICY_RELOAD);
	rulenews_changes(broker, was, rulebook_policy(rulebook));
	shares_tell(broker);
	authority_review(&broker->authority);
}

/* Because of that; NULL: of what is in it. */
static void
reload_failed(struct rulebook *rulebook, const char *why)
{
	rulebook->failed = true;
	rulenews_refused(rulebook->broker, rulebook->next, why);
}

static void
reloaded(struct rulebook *rulebook)
{
	const struct names *names = &rulebook->names;
	struct policy *next = rulebook->next;
	char why[IPC_REASON_MAX];

	if (names->n_failed > 0) {
		(void)snprintf(why, sizeof(why),
			"%u names, %s among them, could not be looked up: try again",
			names->n_failed, names->failed);
		log_error("policy: %s", why);
		reload_failed(rulebook, why);
	} else if (policy_check_names(next) != 0) {
		rulenews_complaints(rulebook->broker, next);
		reload_failed(rulebook, NULL);
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
		rulenews_complaints(broker, now);
		broker_policy_failed(broker);
		return;
	}
	rulenews_complaints(broker, now);
	rulebook->known = true;
	rulenews_holds(broker, now, AUDIT_POLICY_LOAD);
	broker_policy_known(broker);
}

/* What a run tells of root's own account. Returns whether that changes what root may do. */
static bool
keep_root(struct rulebook *rulebook, bool sure)
{
	const struct account *now = &rulebook->names.root;
	struct account *root = &rulebook->root;
	bool held;

	if (!rulebook->names.has_root)
		return false;
	held = held_update(&rulebook->root_held, rulebook_policy(rulebook), root, now, sure);
	if (!held && now->n_groups == root->n_groups &&
		memcmp(now->groups, root->groups, now->n_groups * sizeof *now->groups) == 0)
		return false;
	*root = *now;
	return true;
}

/* They are looked up again, and some are others than before. */
static void
refreshed(struct rulebook *rulebook)
{
	struct broker *broker = rulebook->broker;

	rulenews_names(broker, rulebook->now, rulebook->names.n_changed);
	shares_tell(broker);
	authority_review(&broker->authority);
}

static void
names_known(struct names *names)
{
	struct rulebook *rulebook = container_of(names, struct rulebook, names);
	uint64_t now_ns = loop_now(&rulebook->broker->loop);
	enum rulebook_run run = rulebook->run;
	/* All names of the policy in force were told. */
	bool sure = names->n_failed == 0 && run != RUN_RELOAD;
	bool root_changed;

	rulebook->run = RUN_NONE;
	root_changed = keep_root(rulebook, sure);
	rulebook->refresh_ns = now_ns + LOOP_S(rulebook->broker->config.account_seconds);
	if (run == RUN_START) {
		started(rulebook);
	} else if (run == RUN_RELOAD) {
		reloaded(rulebook);
	} else if (names->n_changed > 0) {
		refreshed(rulebook);
	}
	if (root_changed)
		authority_review(&rulebook->broker->authority);
	members_review(rulebook->broker, sure);
	if (run == RUN_RELOAD && held_waits(&rulebook->root_held, rulebook_policy(rulebook)))
		rulebook_hasten(rulebook);
	if (rulebook->reload_again && rulebook->known)
		rulebook_reload(rulebook);
}

void
rulebook_reload(struct rulebook *rulebook)
{
	char error[RULEFILES_ERROR_MAX];

	rulebook->reload_again = rulebook->run != RUN_NONE || !rulebook->known;
	if (rulebook->reload_again)
		return;
	rulebook->next_read_s = (uint64_t)time(NULL);
	if (load(rulebook, rulebook->next, &rulebook->next_has_main, error) != 0) {
		reload_failed(rulebook, error[0] != '\0' ? error : NULL);
		return;
	}
	rulebook->run = RUN_RELOAD;
	names_look_up(&rulebook->names, rulebook->next, false);
}

void
rulebook_hasten(struct rulebook *rulebook)
{
	rulebook->refresh_ns = 0;
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
