/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * route.c: the way of a connection: who is it, what may it do, whose child serves it.
 *
 * Runs in the broker, as root. Order: who (the kernel), the budget, the account, the ticket, the
 * child. At every step a connection is either further on, refused in words, or (a flood) closed.
 */
#include "broker/route.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "broker/broker.h"
#include "broker/members.h"
#include "broker/registry.h"
#include "broker/views.h"
#include "lib/fd.h"
#include "lib/foreign.h"
#include "lib/log.h"
#include "lib/memfd.h"
#include "lib/take.h"
#include "policy/nobody.h"
#include "policy/policy.h"
#include "policy/ticket.h"
#include "protocol/verb.h"

/* What refused it, where no line did. */
static const char *const rules[] = {
	[IPC_REFUSAL_NOBODY] = "nobody",
	[IPC_REFUSAL_POLICY] = "policy",
	[IPC_REFUSAL_CONNECTIONS] = "user_connections",
	[IPC_REFUSAL_RATE] = "user_connections_per_second",
	[IPC_REFUSAL_HOST] = "host",
	[IPC_REFUSAL_WORKER] = "worker",
};

static const char *const socket_words[] = {
	[IPC_SOCKET_RW] = "rw", [IPC_SOCKET_RO] = "ro", [IPC_SOCKET_CTL] = "ctl"};

#define CONFIG_WORDS "its administrator can raise it in qemud.conf"

/* --- for the audit ------------------------------------------------------------------------ */

static void
note(struct broker *broker, const struct conn *conn, enum audit_verdict verdict, const char *target,
	const char *rule, const char *outcome)
{
	const struct ipc_conn_pass *pass = &conn->pass;
	char groups[PEER_TEXT_MAX] = "";

	audit_record(&broker->audit,
		&(struct audit_event){
			.kind = AUDIT_CONNECTION,
			.verdict = verdict,
			.uid = pass->uid,
			.pid = pass->pid,
			.conn_id = pass->conn_id,
			.label = pass->label,
			.target = target,
			.rule = rule,
			.payer = audit_payer(&broker->audit, pass->uid),
		},
		"%s%s: %s", socket_words[pass->socket],
		verdict == AUDIT_ALLOWED ? peer_groups(conn->fd, groups) : "", outcome);
}

/* --- refusing ----------------------------------------------------------------------------- */

/* rule: what refuses it, for the audit. */
__attribute__((format(printf, 5, 0))) static void
refuse(struct broker *broker, struct conn *conn, enum ipc_refusal refusal, const char *rule,
	const char *fmt, va_list ap)
{
	struct ipc_conn_pass *pass = &conn->pass;
	uint64_t n;

	if (pass->refusal == IPC_REFUSAL_NONE) {
		pass->refusal = (uint8_t)refusal;
		pass->verbs = 0;
		conn->untold = conn->loses = false;
		memset(pass->reason, 0, sizeof pass->reason);
		(void)vsnprintf(pass->reason, sizeof pass->reason, fmt, ap);
		if (pass->label[0] == '\0')
			(void)snprintf(pass->label, sizeof pass->label, "uid %" PRIu32, pass->uid);
		log_debug("refused conn=%" PRIu64 " uid=%" PRIu32 ": %s", pass->conn_id, pass->uid,
			pass->reason);
		note(broker, conn, AUDIT_REFUSED, NULL, rule, pass->reason);
		if (child_give(&broker->refuser, conn) == 0)
			return;
	}
	if (pace_tell(&broker->unrefused, loop_now(&broker->loop), &n))
		log_warning("closed %" PRIu64 " refused connections without a word, the last of "
			    "uid=%" PRIu32 ": too many of them wait for qemud-view",
			n, pass->uid);
	conns_remove(&broker->conns, conn);
}

void
route_refuse_va(struct broker *broker, struct conn *conn, enum ipc_refusal refusal, const char *fmt,
	va_list ap)
{
	refuse(broker, conn, refusal, rules[refusal], fmt, ap);
}

/* What was decided about her; rule is the line, if one did. */
__attribute__((format(printf, 5, 6))) static void
refuse_by(struct broker *broker, struct conn *conn, enum ipc_refusal refusal, const char *rule,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	refuse(broker, conn, refusal, rule[0] != '\0' ? rule : rules[refusal], fmt, ap);
	va_end(ap);
}

void
route_refuse(
	struct broker *broker, struct conn *conn, enum ipc_refusal refusal, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	route_refuse_va(broker, conn, refusal, fmt, ap);
	va_end(ap);
}

/* --- the ticket, the child ---------------------------------------------------------------- */

/* The account whose answer this user has: its own, or for root the system account. */
static const struct account *
account_of(const struct user *user)
{
	return user && user->has_account ? &user->account : NULL;
}

/* The owner's account is known, as far as it can be; and policy may be another than when it was asked for. */
static void
give_channel(struct broker *broker, struct conn *channel, struct user *owner)
{
	struct ipc_conn_pass *pass = &channel->pass;
	char reason[IPC_REASON_MAX];

	if (!owner->has_account) {
		route_refuse(broker, channel, IPC_REFUSAL_WORKER,
			"uid %" PRIu32 ", whose virtual machine it is, has no account that can be "
			"found: %s",
			owner->uid, strerror(-owner->lookup_err));
		return;
	}
	pass->verbs = authority_over(
		&broker->authority, pass->uid, (enum ipc_socket)pass->socket, owner->uid, reason);
	if (pass->verbs == 0) {
		route_refuse(broker, channel, IPC_REFUSAL_POLICY, "%s", reason);
		return;
	}
	(void)snprintf(pass->reason, sizeof pass->reason, "%s", reason);
	(void)child_give(&owner->child, channel);
}

/* It is for a view of the whole host, or of what she has of it, instead of a worker. */
static void
give_view(struct broker *broker, struct conn *conn, const struct user *user, const char *rule)
{
	struct view *view =
		views_get(&broker->views, user->uid, (enum ipc_socket)conn->pass.socket);

	/* root's is the system account. */
	if (user->has_account)
		inventories_expect(&broker->inventories, &user->account);
	if (view) {
		note(broker, conn, AUDIT_ALLOWED, "host", rule, "passed to a view of the host");
		(void)child_give(&view->child, conn);
	} else {
		route_refuse(broker, conn, IPC_REFUSAL_HOST,
			"as many views of this host are open as there may be (max_views "
			"%" PRIu32 "); try again, or " CONFIG_WORDS,
			broker->config.max_views);
	}
}

static void
decide(struct broker *broker, struct conn *conn, struct user *user)
{
	struct ipc_conn_pass *pass = &conn->pass;
	const struct account *account = account_of(user);
	bool is_root = user->uid == 0;
	struct ticket ticket;

	if (!account && user->lookup_err != -ENOENT) {
		route_refuse(broker, conn, IPC_REFUSAL_HOST,
			"the account of uid %" PRIu32 " cannot be looked up: %s; try again, or ask "
			"the administrator",
			user->uid, strerror(-user->lookup_err));
		return;
	}
	if (is_root || account)
		(void)snprintf(
			pass->label, sizeof pass->label, "%s", is_root ? "root" : account->name);
	else
		(void)snprintf(pass->label, sizeof pass->label, "uid %" PRIu32, pass->uid);
	authority_decide(&broker->authority, user, (enum ipc_socket)pass->socket, &ticket);
	ticket.verbs |= ticket.others;
	if (ticket.verbs == 0) {
		refuse_by(broker, conn,
			ticket.refusal != IPC_REFUSAL_NONE ? ticket.refusal : IPC_REFUSAL_POLICY,
			ticket.rule, "%s", ticket.reason);
		return;
	}
	users_set_stranger(&broker->users, user, false);
	conn_charge(conn, &user->budget);
	pass->verbs = ticket.verbs;
	if (ticket.verbs != VERBS_ALL)
		(void)snprintf(pass->reason, sizeof pass->reason, "%s", ticket.reason);
	if (pass->socket == IPC_SOCKET_CTL || ticket.others != 0) {
		give_view(broker, conn, user, ticket.rule);
		return;
	}
	/* root, whose machines are another account's, is never here: what may be hers may be all's. */
	note(broker, conn, AUDIT_ALLOWED, user->account.name, ticket.rule, "passed to its worker");
	(void)child_give(&user->child, conn);
}

/* --- the account -------------------------------------------------------------------------- */

static int
fill_lookup(struct question *question, union question_body *ret, int *ret_fd)
{
	struct user *user = container_of(question, struct user, lookup);

	(void)ret_fd;
	ret->resolve.kind = IPC_RESOLVE_ACCOUNT;
	if (user->uid == 0)
		(void)snprintf(ret->resolve.name, sizeof ret->resolve.name, "%s",
			user->child.broker->config.system_account);
	else
		ret->resolve.uid = user->uid;
	return 0;
}

static bool
same_account(const struct account *a, const struct account *b)
{
	char text_a[MEMFD_TEXT_MAX], text_b[MEMFD_TEXT_MAX];

	return account_format(a, text_a, sizeof text_a) > 0 &&
	       account_format(b, text_b, sizeof text_b) > 0 && strcmp(text_a, text_b) == 0;
}

/* The answer is about that account: keep it, here and in the registry. */
static void
keep_account(struct broker *broker, struct user *user, const struct account *account)
{
	int registry_fd = broker->places.registry_fd, r;
	/* What was decided about what she owns was decided by that, also before she was looked up. */
	const struct account *known = authority_owner(&broker->authority, user->uid).account;
	bool changed = known && !same_account(known, account);
	bool held = members_answered(broker, user, account);

	if (user->has_account && !held && same_account(&user->account, account))
		return;
	if (changed || held || user->uid == 0)
		authority_review(&broker->authority);
	user->has_account = true;
	user->account = *account;
	members_tell(user);
	if (!registry_has(registry_fd, account->uid))
		return;
	r = registry_keep(registry_fd, account, (uint64_t)time(NULL));
	if (r < 0)
		log_warning("uid=%" PRIu32 " cannot be registered: %s", account->uid, strerror(-r));
}

static void
drop_account(struct broker *broker, struct user *user)
{
	(void)members_answered(broker, user, NULL);
	if (user->has_account) {
		log_info("uid=%" PRIu32 " has no account any more", user->uid);
		authority_review(&broker->authority);
	}
	user->has_account = false;
	if (user->uid != 0)
		users_set_stranger(&broker->users, user, true);
}

static void
look_up_again(struct timer *timer)
{
	struct user *user = container_of(timer, struct user, timer);

	if (user->leases.first)
		route_look_up(user->child.broker, user);
}

/* Her virtual machines run: her worker serves them, whether she connects or not. */
static void
serve_leases(struct broker *broker, struct user *user)
{
	if (user->has_account)
		child_next(&user->child);
	else if (user->lookup_err == -ENOENT)
		log_warning("uid=%" PRIu32 " has virtual machines and no account: they run on "
			    "without a worker; make the account again, or end them by hand",
			user->uid);
	else
		timer_set(&broker->loop, &user->timer, user->lookup_again_ns, look_up_again);
}

static void
settle(struct broker *broker, struct conn *conn, struct user *user)
{
	if (conn->owner_uid != 0)
		give_channel(broker, conn, user);
	else
		decide(broker, conn, user);
}

static void
lookup_answered(struct question *question, int err, const void *body, int *fds)
{
	struct user *user = container_of(question, struct user, lookup);
	struct broker *broker = user->child.broker;
	struct account account;

	(void)body;
	if (err == 0)
		err = broker_read_account(fds[0], &account);
	if (err == 0 && user->uid != 0 && account.uid != user->uid)
		err = -EBADMSG;
	if (err == 0)
		keep_account(broker, user, &account);
	else if (err == -ENOENT)
		drop_account(broker, user);
	else
		log_warning("the account of uid=%" PRIu32 " cannot be looked up: %s", user->uid,
			strerror(-err));
	user->lookup_err = err;
	user->lookup_again_ns =
		loop_now(&broker->loop) +
		LOOP_S(err == 0 ? broker->config.account_seconds : ROUTE_NO_ACCOUNT_S);
	timer_stop(&user->timer);
	while (user->pending.first)
		settle(broker, user->pending.first, user);
	if (user->leases.first)
		serve_leases(broker, user);
	autostart_looked_up(user);
	leavers_looked_up(user);
	if (user->uid == 0)
		broker_system_known(broker);
}

void
route_look_up(struct broker *broker, struct user *user)
{
	static const struct question_ops ops = {
		.type = IPC_RESOLVE, .fill = fill_lookup, .answered = lookup_answered};

	if (!user->lookup.open)
		starter_ask(&broker->starter, &user->lookup, &ops,
			user->stranger ? LANE_STRANGERS : LANE_KNOWN);
}

static void
pending_due(struct timer *timer)
{
	struct user *user = container_of(timer, struct user, timer);
	struct broker *broker = user->child.broker;
	struct conn *first;

	while ((first = user->pending.first) && first->deadline_ns <= loop_now(&broker->loop))
		route_refuse(broker, first, IPC_REFUSAL_HOST,
			"the account of uid %" PRIu32 " was not found out within %d seconds; try "
			"again, or ask the administrator",
			user->uid, ROUTE_PENDING_S);
	if (first)
		timer_set(&broker->loop, &user->timer, first->deadline_ns, pending_due);
}

/* The account is not known yet. */
static void
wait_for_account(struct broker *broker, struct conn *conn, struct user *user)
{
	if (user->pending.n >= ROUTE_PENDING_MAX) {
		route_refuse(broker, conn, IPC_REFUSAL_HOST,
			"%d connections of uid %" PRIu32 " wait for its account to be looked up "
			"already; try again",
			ROUTE_PENDING_MAX, user->uid);
		return;
	}
	conn->deadline_ns = loop_now(&broker->loop) + LOOP_S(ROUTE_PENDING_S);
	conn_append(&user->pending, conn);
	if (user->pending.n == 1)
		timer_set(&broker->loop, &user->timer, conn->deadline_ns, pending_due);
}

/* --- who connected ------------------------------------------------------------------------ */

/* The entry of a uid that is known: here since the start, or from the registry. */
static struct user *
find_user(struct broker *broker, uint32_t uid)
{
	struct user *user = users_find(&broker->users, uid);

	if (!user && registry_has(broker->places.registry_fd, uid))
		user = users_add(&broker->users, uid, false);
	return user;
}

/* Enter a connection that its budget permits in some way; NULL when it was closed. */
static struct conn *
enter(struct broker *broker, int fd, const struct peer *peer, enum ipc_socket socket,
	struct budget *budget, enum budget_verdict verdict)
{
	struct conn *conn = NULL;
	uint64_t n;

	if (verdict != BUDGET_CLOSE)
		conn = conns_add(&broker->conns, fd, peer, socket, budget);
	if (conn)
		return conn;
	foreign_close(&fd);
	audit_record(&broker->audit,
		&(struct audit_event){
			.kind = AUDIT_CONNECTION,
			.verdict = AUDIT_REFUSED,
			.uid = peer->uid,
			.pid = peer->pid,
			.label = "",
			.rule = verdict == BUDGET_CLOSE ? "user_connections" : "max_connections",
			.payer = audit_payer(&broker->audit, peer->uid),
		},
		"closed at once: far over the limit");
	if (pace_tell(&broker->flood, loop_now(&broker->loop), &n))
		log_warning("closed %" PRIu64 " connections at once, the last of uid=%" PRIu32
			    " pid=%" PRIu32 ": %s",
			n, peer->uid, peer->pid,
			verdict == BUDGET_CLOSE ? "far over the limits of a user"
						: "far over max_connections");
	return NULL;
}

static void
look_up_and_settle(struct broker *broker, struct conn *conn, struct user *user)
{
	if (loop_now(&broker->loop) >= user->lookup_again_ns)
		route_look_up(broker, user);
	if (!user->has_account && user->lookup.open)
		wait_for_account(broker, conn, user);
	else
		settle(broker, conn, user);
}

static void
route(struct broker *broker, struct conn *conn, struct user *user)
{
	uint32_t uid = conn->pass.uid;
	struct ticket ticket;

	if (nobody_uid_why(uid) && !authority_names(&broker->authority, uid)) {
		ticket_decide(policy_builtin(), &(struct policy_who){.uid = uid}, NULL,
			(enum ipc_socket)conn->pass.socket, &ticket);
		route_refuse(broker, conn, ticket.refusal, "%s", ticket.reason);
		return;
	}
	if (!user)
		user = users_add(&broker->users, uid, true);
	if (!user) {
		route_refuse(broker, conn, IPC_REFUSAL_HOST,
			"more users than this host may serve connect at once (max_users %" PRIu32
			"); try again, or " CONFIG_WORDS,
			broker->config.max_users);
		return;
	}
	look_up_and_settle(broker, conn, user);
}

void
route_channel(struct broker *broker, struct conn *channel)
{
	struct user *owner = users_find(&broker->users, channel->owner_uid);

	if (!owner)
		owner = users_add(&broker->users, channel->owner_uid, false);
	if (owner)
		look_up_and_settle(broker, channel, owner);
	else
		route_refuse(broker, channel, IPC_REFUSAL_HOST,
			"this host serves as many users as it may (max_users %" PRIu32
			"); " CONFIG_WORDS,
			broker->config.max_users);
}

void
route_accepted(struct listener *listener, int fd)
{
	struct broker *broker = listener->arg;
	const struct config *config = &broker->config;
	enum budget_verdict verdict;
	struct budget *budget;
	struct conn *conn;
	struct user *user;
	struct peer peer;

	if (peer_read(fd, &peer) < 0) {
		foreign_close(&fd);
		return;
	}
	user = find_user(broker, peer.uid);
	budget = users_budget(&broker->users, peer.uid, user);
	verdict = budget_judge(budget, &broker->limits, loop_now(&broker->loop));
	conn = enter(broker, fd, &peer, listener->socket, budget, verdict);
	if (!conn)
		return;
	if (config->log_level >= LEVEL_DEBUG)
		log_debug("accepted conn=%" PRIu64 " uid=%" PRIu32 " pid=%" PRIu32 " socket=%s%s",
			conn->pass.conn_id, peer.uid, peer.pid, socket_words[listener->socket],
			peer_describe(fd, (char[PEER_TEXT_MAX]){0}));
	if (verdict == BUDGET_TOO_MANY)
		route_refuse(broker, conn, IPC_REFUSAL_CONNECTIONS,
			"uid %" PRIu32 " has as many connections as a user may have "
			"(user_connections %" PRIu32 "); close some, or " CONFIG_WORDS,
			peer.uid, config->user_connections);
	else if (verdict == BUDGET_TOO_OFTEN)
		route_refuse(broker, conn, IPC_REFUSAL_RATE,
			"uid %" PRIu32 " connects more often than a user may "
			"(user_connections_per_second %" PRIu32 "); wait, or " CONFIG_WORDS,
			peer.uid, config->user_connections_per_second);
	else if (broker->conns.n_used > broker->max_conns)
		route_refuse(broker, conn, IPC_REFUSAL_HOST,
			"this host has as many connections as it may (max_connections %" PRIu32
			"); try later, or " CONFIG_WORDS,
			broker->max_conns);
	else
		route(broker, conn, user);
}
