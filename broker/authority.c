/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * authority.c: who may do what, by the policy in force; see authority.h.
 *
 * Runs in the broker, as root, also while it is boxed. Must never decide by anything but the rules, who
 * connected and the accounts as they were looked up.
 */
#include "broker/authority.h"

#include <errno.h>

#include "broker/broker.h"
#include "broker/route.h"
#include "broker/tickets.h"
#include "lib/take.h"
#include "policy/decide.h"
#include "policy/explain.h"
#include "policy/reason.h"
#include "protocol/verb.h"

/* --- deciding ----------------------------------------------------------------------------- */

static const struct policy *
policy_of(const struct authority *authority)
{
	return rulebook_policy(&authority->broker->rulebook);
}

/* The account whose virtual machines root's are. */
static const struct account *
system_account(const struct authority *authority)
{
	const struct user *root = users_find(&authority->broker->users, 0);

	return root->has_account ? &root->account : NULL;
}

bool
authority_is_system(const struct authority *authority, uint32_t uid)
{
	const struct account *system = system_account(authority);

	return system && system->uid == uid;
}

bool
authority_is_own(const struct authority *authority, uint32_t uid, uint32_t owner_uid)
{
	return uid == 0 ? authority_is_system(authority, owner_uid) : uid == owner_uid;
}

struct policy_who
authority_who(const struct authority *authority, const struct user *user)
{
	const struct rulebook *rulebook = &authority->broker->rulebook;
	struct policy_who who = {.uid = user->uid,
		.account = user->has_account ? &user->account : NULL,
		.held = &user->held,
		.is_system = authority_is_system(authority, user->uid)};

	/* Root's entry has the system account. */
	if (user->uid == 0) {
		who.account = rulebook_root(rulebook);
		who.held = &rulebook->root_held;
	}
	return who;
}

/* Whose virtual machines root's are; its account is NULL where there is none. */
static struct policy_who
system_who(const struct authority *authority)
{
	const struct user *root = users_find(&authority->broker->users, 0);
	const struct account *account = system_account(authority);

	return (struct policy_who){.uid = account ? account->uid : 0,
		.account = account,
		.held = &root->held,
		.is_system = true};
}

struct policy_who
authority_owner(const struct authority *authority, uint32_t uid)
{
	const struct broker *broker = authority->broker;
	const struct user *user = users_find(&broker->users, uid);
	const struct owner *kept = inventories_find(&broker->inventories, uid);
	struct policy_who owner = {.uid = uid};

	if (authority_is_system(authority, uid))
		return system_who(authority);
	if (user && uid != 0)
		owner.held = &user->held;
	if (user && user->has_account && uid != 0)
		owner.account = &user->account;
	else if (kept && kept->known)
		owner.account = &kept->account;
	return owner;
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

void
authority_decide_by(const struct authority *authority, const struct policy *policy,
	const struct user *user, enum ipc_socket socket, struct ticket *ret)
{
	struct policy_who system = system_who(authority);
	struct policy_who who = authority_who(authority, user), owner = who;

	ticket_decide(policy, &who, system.account ? &system : NULL, socket, ret);
	if (ret->refusal != IPC_REFUSAL_NONE)
		return;
	if (user->uid == 0)
		owner = system;
	say_why(policy, &who, socket, &owner, ret->verbs, ret->reason);
}

void
authority_decide(const struct authority *authority, const struct user *user, enum ipc_socket socket,
	struct ticket *ret)
{
	authority_decide_by(authority, policy_of(authority), user, socket, ret);
}

/* Who asks, and whose it is, as policy sees them. */
struct pair {
	struct policy_who who, owner;
};

/* False: there is no such user. */
static bool
find_pair(const struct authority *authority, uint32_t uid, uint32_t owner_uid, struct pair *ret)
{
	const struct user *user = users_find(&authority->broker->users, uid);

	if (!user)
		return false;
	ret->who = authority_who(authority, user);
	ret->owner = authority_owner(authority, owner_uid);
	return true;
}

uint32_t
authority_over(const struct authority *authority, uint32_t uid, enum ipc_socket socket,
	uint32_t owner_uid, char reason[IPC_REASON_MAX])
{
	const struct policy *policy = policy_of(authority);
	struct pair pair;
	uint32_t verbs;

	if (reason)
		reason[0] = '\0';
	if (!find_pair(authority, uid, owner_uid, &pair))
		return 0;
	verbs = policy_decide(policy, &pair.who, socket, &pair.owner);
	if (reason)
		say_why(policy, &pair.who, socket, &pair.owner, verbs, reason);
	return verbs;
}

void
authority_line(const struct authority *authority, uint32_t uid, enum ipc_socket socket,
	uint32_t owner_uid, enum verb verb, char ret[static POLICY_WHERE_MAX])
{
	const struct policy *policy = policy_of(authority);
	const struct policy_rule *rule = NULL;
	struct pair pair;

	ret[0] = '\0';
	if (find_pair(authority, uid, owner_uid, &pair))
		rule = policy_verdict(policy, &pair.who, socket, &pair.owner, verb).rule;
	if (rule)
		(void)policy_rule_where(policy, rule, ret, POLICY_WHERE_MAX);
}

static bool
has_power(const struct conn_list *list)
{
	for (const struct conn *conn = list->first; conn; conn = conn->next)
		if (conn->pass.verbs & VERB_POWER)
			return true;
	return false;
}

bool
authority_may_start(const struct authority *authority, const struct user *user, struct ticket *ret)
{
	struct policy_who who = authority_who(authority, user);

	authority_decide(authority, user, IPC_SOCKET_RW, ret);
	if (ret->verbs & VERB_POWER || has_power(&user->child.passed) ||
		has_power(&user->child.taken))
		return true;
	authority_line(authority, user->uid, IPC_SOCKET_RW, user->uid, VERB_POWER, ret->rule);
	(void)policy_refusal(
		policy_of(authority), &who, IPC_SOCKET_RW, &who, VERB_POWER, ret->reason);
	return false;
}

bool
authority_names(const struct authority *authority, uint32_t uid)
{
	return policy_names_uid(policy_of(authority), uid);
}

/* --- who is connected --------------------------------------------------------------------- */

/* The account of a principal, or an owner, cannot be looked up: what there is stays until it can. */
static bool
is_unknown(const struct user *user)
{
	return !user || (!user->has_account && user->lookup_err != -ENOENT);
}

/* It could do more until now. */
static void
note_loss(const struct authority *authority, const struct conn *conn, const struct ticket *ticket)
{
	const struct ipc_conn_pass *pass = &conn->pass;
	const struct user *owner = users_find(&authority->broker->users, conn->owner_uid);
	uint32_t verbs = pass->verbs & ~ticket->verbs;
	char lost[POLICY_VERBS_MAX], left[POLICY_VERBS_MAX], line[POLICY_WHERE_MAX] = "";

	/* Over whom all of a view's connection are, no one line says. */
	if (conn->owner_uid != 0 || !conn->child->view)
		authority_line(authority, pass->uid, (enum ipc_socket)pass->socket,
			conn->owner_uid != 0 ? conn->owner_uid : pass->uid, policy_verb_most(verbs),
			line);
	audit_record(&authority->broker->audit,
		&(struct audit_event){
			.kind = AUDIT_TICKET,
			.uid = pass->uid,
			.pid = pass->pid,
			.conn_id = pass->conn_id,
			.label = pass->label,
			.target = conn->owner_uid != 0 && owner ? owner->account.name : NULL,
			.rule = line[0] != '\0' || conn->owner_uid != 0 ? line : ticket->rule,
		},
		"it loses %s and has %s", policy_verbs_text(verbs, lost),
		policy_verbs_text(ticket->verbs, left));
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
	if (conn->pass.verbs & ~ticket.verbs)
		note_loss(authority, conn, &ticket);
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

/* --- as time goes by ---------------------------------------------------------------------- */

/*
 * Who is connected, or has something that runs, which others may have verbs over by her groups; or of whom
 * something is in doubt.
 */
static bool
matters(const struct user *user)
{
	return user->budget.n_conns > 0 || user->leases.first || user->held.n > 0 || user->uid == 0;
}

/* Whose answer is not good any more is asked for again; some at a time. */
static void
look_up_accounts(struct authority *authority)
{
	struct broker *broker = authority->broker;
	struct users *users = &broker->users;
	uint64_t now_ns = loop_now(&broker->loop);

	for (unsigned i = 0, n = 0; i < users->n_touched && n < AUTHORITY_AT_ONCE; i++) {
		struct user *user = &users->table[authority->next_user++ % users->n_touched];

		if (!user->used || !user->has_account || user->lookup_again_ns > now_ns ||
			!matters(user))
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
	rulebook_refresh(&authority->broker->rulebook);
	timer_set(loop, timer, loop_now(loop) + tick_ns(authority), tick);
}

/* --- begin and end ------------------------------------------------------------------------ */

void
authority_init(struct authority *authority, struct broker *broker)
{
	*authority = (struct authority){.broker = broker};
}

void
authority_start(struct authority *authority)
{
	struct loop *loop = &authority->broker->loop;

	timer_set(loop, &authority->tick, loop_now(loop) + tick_ns(authority), tick);
}

void
authority_stop(struct authority *authority)
{
	timer_stop(&authority->tick);
}
