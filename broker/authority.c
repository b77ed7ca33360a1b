/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * authority.c: the policy in force; see authority.h.
 *
 * Runs in the broker, as root, also while it is boxed. There are two policies, each with all the
 * memory that it may need: the one in force, and room for the one that a reload reads.
 */
#include "broker/authority.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/registry.h"
#include "broker/route.h"
#include "broker/rulefiles.h"
#include "broker/shares.h"
#include "broker/tickets.h"
#include "lib/log.h"
#include "lib/take.h"
#include "policy/decide.h"
#include "policy/explain.h"
#include "policy/reason.h"
#include "protocol/verb.h"

const struct policy *
authority_policy(const struct authority *authority)
{
	return authority->now->n_files > 0 ? authority->now : policy_builtin();
}

/* --- deciding ----------------------------------------------------------------------------- */

/* The account whose virtual machines root's are. */
static const struct account *
system_account(const struct authority *authority)
{
	const struct user *root = users_find(&authority->broker->users, 0);

	return root->has_account ? &root->account : NULL;
}

static bool
is_system(const struct authority *authority, uint32_t uid)
{
	const struct account *system = system_account(authority);

	return system && system->uid == uid;
}

struct policy_who
authority_who(const struct authority *authority, const struct user *user)
{
	return (struct policy_who){.uid = user->uid,
		.account = user->uid != 0 && user->has_account ? &user->account : NULL,
		.is_system = is_system(authority, user->uid)};
}

/* Why not more; that the read-only socket gives no more is not policy's doing. */
static void
say_why(const struct policy *policy, const struct policy_who *who, enum ipc_socket socket,
	const struct policy_who *owner, uint32_t verbs, char reason[static IPC_REASON_MAX])
{
	const char *name = who->uid == 0 ? "root" : who->account ? who->account->name : "this uid";

	if (verbs == 0)
		(void)policy_refusal(policy, who, socket, owner, VERB_VIEW, reason);
	else if (verbs != (socket == IPC_SOCKET_RW ? VERBS_ALL : VERBS_VIEW))
		(void)policy_reason(policy, who, name, owner, verbs, reason, IPC_REASON_MAX);
}

static void
decide(const struct authority *authority, const struct policy *policy, const struct user *user,
	enum ipc_socket socket, struct ticket *ret)
{
	const struct account *system = system_account(authority);
	struct policy_who who = authority_who(authority, user), owner = who;

	ticket_decide(policy, &who, system, socket, ret);
	if (ret->refusal != IPC_REFUSAL_NONE)
		return;
	if (user->uid == 0)
		owner = (struct policy_who){
			.uid = system->uid, .account = system, .is_system = true};
	say_why(policy, &who, socket, &owner, ret->verbs, ret->reason);
}

void
authority_decide(const struct authority *authority, const struct user *user, enum ipc_socket socket,
	struct ticket *ret)
{
	decide(authority, authority_policy(authority), user, socket, ret);
}

/* Do the groups of owners decide anything? */
static bool
asks_for_groups(const struct policy *policy)
{
	for (unsigned i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].target.kind == POLICY_GROUP)
			return true;
	return false;
}

uint32_t
authority_over(const struct authority *authority, uint32_t uid, enum ipc_socket socket,
	uint32_t owner_uid, char reason[static IPC_REASON_MAX])
{
	const struct broker *broker = authority->broker;
	const struct policy *policy = authority_policy(authority);
	const struct user *user = users_find(&broker->users, uid);
	const struct user *owner_user = users_find(&broker->users, owner_uid);
	struct policy_who who, owner = {.uid = owner_uid};
	struct account kept;
	uint32_t verbs;

	reason[0] = '\0';
	if (!user)
		return 0;
	who = authority_who(authority, user);
	owner.is_system = is_system(authority, owner_uid);
	if (owner_user && owner_user->has_account)
		owner.account = &owner_user->account;
	else if (asks_for_groups(policy) &&
		 registry_account(broker->places.registry_fd, owner_uid, &kept) == 0)
		owner.account = &kept;
	verbs = policy_decide(policy, &who, socket, &owner);
	say_why(policy, &who, socket, &owner, verbs, reason);
	return verbs;
}

bool
authority_names(const struct authority *authority, uint32_t uid)
{
	return policy_names_uid(authority_policy(authority), uid);
}

/* --- who is connected --------------------------------------------------------------------- */

/* The account of a principal, or an owner, cannot be looked up: what there is stays until it can. */
static bool
is_unknown(const struct user *user)
{
	return !user || (!user->has_account && user->lookup_err != -ENOENT);
}

static void
review_one(struct authority *authority, struct conn *conn)
{
	struct broker *broker = authority->broker;
	const struct user *user = users_find(&broker->users, conn->pass.uid);
	enum ipc_socket socket = (enum ipc_socket)conn->pass.socket;
	struct ticket ticket;

	if (conn->pass.refusal != IPC_REFUSAL_NONE || is_unknown(user))
		return;
	authority_decide(authority, user, socket, &ticket);
	if (conn->owner_uid != 0)
		ticket.verbs = authority_over(
			authority, user->uid, socket, conn->owner_uid, ticket.reason);
	else if (conn->child->view)
		ticket.verbs |= ticket.others;
	tickets_change(broker, conn, ticket.verbs, ticket.verbs == VERBS_ALL ? "" : ticket.reason);
}

static void
review_some(struct deferred *deferred)
{
	struct authority *authority = container_of(deferred, struct authority, review);
	struct conns *conns = &authority->broker->conns;

	for (unsigned i = 0; i < AUTHORITY_AT_ONCE && authority->next_conn < conns->n_touched;
		authority->next_conn++) {
		struct conn *conn = &conns->slots[authority->next_conn];

		if (conn->pass.conn_id == 0 || !conn->child)
			continue;
		review_one(authority, conn);
		i++;
	}
	if (authority->next_conn < conns->n_touched)
		loop_defer(&authority->broker->loop, &authority->review, review_some);
}

void
authority_review(struct authority *authority)
{
	inventories_retell(&authority->broker->inventories);
	authority->next_conn = 0;
	loop_defer(&authority->broker->loop, &authority->review, review_some);
}

/* --- telling ------------------------------------------------------------------------------ */

static void
tell_complaints(const struct authority *authority, const struct policy *policy)
{
	const char *dir = authority->broker->config.policy;
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
	const struct authority *authority, const struct policy *before, const struct policy *after)
{
	const struct users *users = &authority->broker->users;
	unsigned n_told = 0, n_compared = 0, n_more = 0;
	char was[64], is[64], others_was[64], others_is[64];

	for (struct user *user = NULL;
		n_compared < AUTHORITY_COMPARED && (user = users_next(users, user));) {
		struct ticket old, new;

		if (!user->has_account)
			continue;
		n_compared++;
		decide(authority, before, user, IPC_SOCKET_RW, &old);
		decide(authority, after, user, IPC_SOCKET_RW, &new);
		if (old.verbs == new.verbs && old.others == new.others)
			continue;
		if (n_told++ < AUTHORITY_TOLD_MAX)
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
load(struct authority *authority, struct policy *policy, bool *ret_has_main)
{
	const char *dir = authority->broker->config.policy;
	char error[RULEFILES_ERROR_MAX];
	struct rulefiles files;

	policy_clear(policy);
	if (rulefiles_read(dir, authority->owner, &files, error) != 0) {
		log_error("%s", error);
		return 1;
	}
	for (unsigned i = 0; i < files.n; i++)
		(void)policy_parse(
			policy, files.files[i].name, files.files[i].text, files.files[i].size);
	*ret_has_main = files.has_main;
	rulefiles_free(&files);
	/* It could be on its way from one place to another: rules are not lost by that. */
	if (authority->has_main && !*ret_has_main) {
		log_error("%s/policy.conf is not there any more: put it back, or an empty one, "
			  "which allows nothing; or restart qemud for its built-in rules",
			dir);
		return 1;
	}
	if (policy->n_errors > 0) {
		tell_complaints(authority, policy);
		return 1;
	}
	return 0;
}

int
authority_load(struct authority *authority)
{
	return load(authority, authority->now, &authority->has_main);
}

static void
hold(struct authority *authority)
{
	struct policy *before = authority->now;
	const struct policy *was = authority_policy(authority);

	authority->now = authority->next;
	authority->next = before;
	authority->has_main = authority->next_has_main;
	tell_complaints(authority, authority->now);
	log_info("policy: read again: %u rules in %u files hold from now on",
		authority->now->n_rules, authority->now->n_files);
	tell_changes(authority, was, authority_policy(authority));
	shares_tell(authority->broker);
	authority_review(authority);
}

static void
reload_failed(void)
{
	log_error("policy: nothing of what was read holds: the policy stays as it was");
}

static void
reloaded(struct authority *authority)
{
	const struct names *names = &authority->names;
	struct policy *next = authority->next;

	if (names->n_failed > 0) {
		log_error("policy: %u names, %s among them, could not be looked up: try again",
			names->n_failed, next->names[names->failed].text);
		reload_failed();
	} else if (policy_check_names(next) != 0) {
		tell_complaints(authority, next);
		reload_failed();
	} else {
		hold(authority);
	}
}

static void
started(struct authority *authority)
{
	struct broker *broker = authority->broker;
	struct policy *now = authority->now;

	if (authority->names.n_failed > 0)
		log_error("policy: the name %s could not be looked up",
			now->names[authority->names.failed].text);
	if (authority->names.n_failed > 0 || policy_check_names(now) != 0) {
		tell_complaints(authority, now);
		broker_policy_failed(broker);
		return;
	}
	tell_complaints(authority, now);
	authority->known = true;
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
	struct authority *authority = container_of(names, struct authority, names);
	uint64_t now_ns = loop_now(&authority->broker->loop);
	enum authority_run run = authority->run;

	authority->run = RUN_NONE;
	authority->refresh_ns = now_ns + LOOP_S(authority->broker->config.account_seconds);
	if (run == RUN_START) {
		started(authority);
	} else if (run == RUN_RELOAD) {
		reloaded(authority);
	} else if (names->n_changed > 0) {
		log_info("policy: %u of its names stand for something else than before",
			names->n_changed);
		authority_review(authority);
	}
	if (authority->reload_again && authority->known)
		authority_reload(authority);
}

void
authority_reload(struct authority *authority)
{
	authority->reload_again = authority->run != RUN_NONE || !authority->known;
	if (authority->reload_again)
		return;
	if (load(authority, authority->next, &authority->next_has_main) != 0) {
		reload_failed();
		return;
	}
	authority->run = RUN_RELOAD;
	names_look_up(&authority->names, authority->next, false);
}

/* --- as time goes by ---------------------------------------------------------------------- */

/* Whose answer is not good any more, and who is connected, is asked for again; some at a time. */
static void
look_up_accounts(struct authority *authority)
{
	struct broker *broker = authority->broker;
	struct users *users = &broker->users;
	uint64_t now_ns = loop_now(&broker->loop);

	for (unsigned i = 0, n = 0; i < users->n_touched && n < AUTHORITY_AT_ONCE; i++) {
		struct user *user = &users->table[authority->next_user++ % users->n_touched];

		if (!user->used || !user->has_account || user->lookup_again_ns > now_ns ||
			(user->budget.n_conns == 0 && user->uid != 0))
			continue;
		route_look_up(broker, user);
		n++;
	}
}

static uint64_t
tick_ns(const struct authority *authority)
{
	uint64_t period_ns = LOOP_S(authority->broker->config.account_seconds);

	return period_ns < LOOP_MS(AUTHORITY_TICK_MS) ? period_ns : LOOP_MS(AUTHORITY_TICK_MS);
}

static void
tick(struct timer *timer)
{
	struct authority *authority = container_of(timer, struct authority, tick);
	struct loop *loop = &authority->broker->loop;

	look_up_accounts(authority);
	if (authority->run == RUN_NONE && authority->now->n_names > 0 &&
		authority->refresh_ns <= loop_now(loop)) {
		authority->run = RUN_REFRESH;
		names_look_up(&authority->names, authority->now, false);
	}
	timer_set(loop, timer, loop_now(loop) + tick_ns(authority), tick);
}

/* --- begin and end ------------------------------------------------------------------------ */

int
authority_init(struct authority *authority, struct broker *broker)
{
	*authority = (struct authority){
		.broker = broker, .owner = geteuid(), .now = policy_new(), .next = policy_new()};
	names_init(&authority->names, &broker->starter, names_known);
	return authority->now && authority->next ? 0 : -ENOMEM;
}

void
authority_fini(struct authority *authority)
{
	authority_stop(authority);
	policy_free(take_ptr(authority->now));
	policy_free(take_ptr(authority->next));
}

void
authority_start(struct authority *authority)
{
	struct loop *loop = &authority->broker->loop;

	authority->run = RUN_START;
	names_look_up(&authority->names, authority->now, true);
	timer_set(loop, &authority->tick, loop_now(loop) + tick_ns(authority), tick);
}

void
authority_stop(struct authority *authority)
{
	timer_stop(&authority->tick);
}
