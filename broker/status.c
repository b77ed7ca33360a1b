/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.c: how host and users are, for qemudctl; see status.h.
 *
 * Runs in the broker, as root. Must never tell a view of somebody whom its principal may not see.
 */
#include "broker/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/limits.h"
#include "broker/wishes.h"
#include "policy/decide.h"
#include "policy/limits.h"
#include "protocol/verb.h"

union told {
	struct ipc_status host;
	struct ipc_status_user_told user;
	struct ipc_status_limit_told limit;
	struct ipc_status_vm_told vm;
};

/* May this view be told of that user? 0, or -EACCES; 1: it may not even ask, and is ended. */
static int
may_know(struct view *view, const struct ipc_message *message, uint32_t uid)
{
	const struct broker *broker = view->child.broker;
	char reason[IPC_REASON_MAX];

	if (authority_is_own(&broker->authority, view->uid, uid))
		return 0;
	if (!views_was_told(view, uid)) {
		child_violation(&view->child, (uint16_t)message->type,
			"it is about somebody whom its connections' tickets do not reach");
		return 1;
	}
	return authority_over(&broker->authority, view->uid, view->socket, uid, reason) & VERB_VIEW
		       ? 0
		       : -EACCES;
}

static bool
sees_all(const struct view *view)
{
	const struct broker *broker = view->child.broker;
	const struct user *user = users_find(&broker->users, view->uid);
	struct policy_who who;

	if (!user)
		return false;
	who = authority_who(&broker->authority, user);
	return policy_sees_all(rulebook_policy(&broker->rulebook), &who);
}

/* --- the host ----------------------------------------------------------------------------- */

static enum ipc_audit_state
audit_state(const struct broker *broker)
{
	if (broker->config.audit == CONFIG_AUDIT_OFF)
		return IPC_AUDIT_OFF;
	return auditor_writes(&broker->audit.auditor) ? IPC_AUDIT_WRITES : IPC_AUDIT_STUCK;
}

static void
tell_all(const struct broker *broker, struct ipc_status *ret)
{
	ret->all = 1;
	ret->n_vms = (uint32_t)broker->leases.used.of[QUOTA_HOST_VMS];
	ret->n_connections = broker->conns.n_used;
	ret->audit = audit_state(broker);
	ret->audit_waiting = broker->audit.n;
	ret->audit_lost = broker->audit.n_lost;
	ret->memory_kib = broker->memory_kib;
	for (const struct user *user = NULL; (user = users_next(&broker->users, user));)
		ret->n_workers += user->child.pidfd >= 0;
}

static int
tell_host(struct view *view, const struct ipc_message *message, union told *ret)
{
	const struct broker *broker = view->child.broker;
	const struct rulebook *rulebook = &broker->rulebook;

	(void)message;
	ret->host = (struct ipc_status){
		.since_s = broker->since_s,
		.policy_s = rulebook->read_s,
		.n_rules = rulebook->now->n_rules,
		.n_files = rulebook->now->n_files,
		.reload_failed = rulebook->failed,
		.limits = broker->config.limits == CONFIG_LIMITS_ENFORCE ? IPC_LIMITS_ENFORCE
									 : IPC_LIMITS_COUNT,
		.controllers = census_controllers(broker->places.cgroup_fd),
	};
	if (sees_all(view))
		tell_all(broker, &ret->host);
	return 0;
}

/* --- a user ------------------------------------------------------------------------------- */

static enum ipc_worker_state
worker_state(const struct child *child)
{
	switch (child->state) {
	case CHILD_ABSENT:
		return child->waiting.first ? IPC_WORKER_STARTS : IPC_WORKER_NONE;
	case CHILD_ASKED:
	case CHILD_STARTING:
		return IPC_WORKER_STARTS;
	case CHILD_SERVING:
		return IPC_WORKER_SERVES;
	case CHILD_LEAVING:
	case CHILD_KILLED:
	case CHILD_ENDED:
		break;
	}
	return IPC_WORKER_LEAVES;
}

/* Whether it has read all that it was told; it is told something, so that the next answer shows it. */
static bool
reads(struct child *child)
{
	if (child->state != CHILD_SERVING || wishes_unread(child) > 0)
		return false;
	return link_notify(&child->link, IPC_PING, NULL) == 0;
}

static int
tell_user(struct view *view, const struct ipc_message *message, union told *ret)
{
	uint32_t uid = ((const struct ipc_status_user *)message->body)->uid;
	struct user *user = users_find(&view->child.broker->users, uid);
	int r = may_know(view, message, uid);

	ret->user = (struct ipc_status_user_told){.worker = IPC_WORKER_NONE};
	if (r != 0 || !user)
		return r;
	ret->user.worker = worker_state(&user->child);
	ret->user.reads = reads(&user->child);
	ret->user.n_connections = user->budget.n_conns;
	ret->user.n_vms = (uint32_t)user->leases.used.of[QUOTA_VMS];
	ret->user.vcpus = (uint32_t)user->leases.used.of[QUOTA_VCPUS];
	ret->user.memory_kib = user->leases.used.of[QUOTA_MEMORY];
	for (const struct lease *lease = user->leases.first; lease; lease = lease->next)
		ret->user.overhead_kib += lease->grant.overhead_kib;
	return 0;
}

/* --- a limit ------------------------------------------------------------------------------ */

/* How much of it is used: UINT64_MAX where nobody counts. */
static uint64_t
used_of(const struct broker *broker, const struct user *user, enum ipc_limit limit)
{
	enum quota_key key = (enum quota_key)(limit - IPC_LIMIT_VM_VCPUS);

	if (limit == IPC_LIMIT_HOST_CONNECTIONS)
		return broker->conns.n_used;
	if (limit == IPC_LIMIT_CONNECTIONS)
		return user ? user->budget.n_conns : 0;
	if (key >= QUOTA_N || key < QUOTA_VMS)
		return UINT64_MAX;
	if (key >= QUOTA_HOST_VMS)
		return broker->leases.used.of[key];
	return user ? user->leases.used.of[key] : 0;
}

/* Who does not see everybody is told what would be hers if there was nobody else. */
static void
tell_quota(const struct view *view, const struct policy_who *who, const struct user *user,
	enum quota_key key, struct ipc_status_limit_told *ret)
{
	const struct broker *broker = view->child.broker;
	uint64_t n_own = user ? user->leases.used.of[QUOTA_VMS] : 0;
	bool all = sees_all(view);
	struct quota_limits limits;

	limits_of(broker, who, all ? broker->leases.used.of[QUOTA_HOST_VMS] - n_own : 0, &limits);
	ret->max = limits.of[key].max;
	(void)snprintf(ret->rule, sizeof ret->rule, "%s",
		limits.of[key].of_others && !all ? "at most half of max_vms in qemud.conf"
						 : limits.of[key].rule);
}

/* What the starter is told of all that runs for her. */
static void
tell_share(const struct policy *policy, const struct policy_who *who, enum policy_key key,
	struct ipc_status_limit_told *ret)
{
	char where[POLICY_WHERE_MAX];
	struct policy_limits own;

	policy_limits(policy, who, &own);
	ret->max = own.of[key].value;
	if (own.of[key].rule)
		(void)snprintf(ret->rule, sizeof ret->rule, "%s",
			policy_rule_where(policy, own.of[key].rule, where, sizeof where));
}

static bool
is_of_host(enum ipc_limit limit)
{
	return (limit >= IPC_LIMIT_HOST_VMS && limit <= IPC_LIMIT_HOST_MEMORY) ||
	       limit == IPC_LIMIT_HOST_CONNECTIONS;
}

static int
tell_limit(struct view *view, const struct ipc_message *message, union told *ret)
{
	const struct broker *broker = view->child.broker;
	const struct policy *policy = rulebook_policy(&broker->rulebook);
	const struct ipc_status_limit *ask = message->body;
	enum ipc_limit limit = (enum ipc_limit)ask->limit;
	const struct user *user = users_find(&broker->users, ask->uid);
	struct policy_who who;
	int r = sees_all(view) ? 0 : -EACCES;

	if (is_of_host(limit) != (ask->uid == 0)) {
		child_violation(&view->child, (uint16_t)message->type, "it is no limit of theirs");
		return 1;
	}
	if (ask->uid != 0)
		r = may_know(view, message, ask->uid);
	if (r != 0)
		return r;
	who = authority_owner(&broker->authority, ask->uid);
	ret->limit = (struct ipc_status_limit_told){.used = used_of(broker, user, limit)};
	if (limit == IPC_LIMIT_PIDS) {
		tell_share(policy, &who, POLICY_PIDS, &ret->limit);
	} else if (limit == IPC_LIMIT_CPU_WEIGHT) {
		tell_share(policy, &who, POLICY_CPU_WEIGHT, &ret->limit);
	} else if (limit == IPC_LIMIT_CONNECTIONS) {
		ret->limit.max = broker->limits.connections;
		(void)snprintf(ret->limit.rule, IPC_RULE_MAX, "user_connections in qemud.conf");
	} else if (limit == IPC_LIMIT_HOST_CONNECTIONS) {
		ret->limit.max = broker->max_conns;
		(void)snprintf(ret->limit.rule, IPC_RULE_MAX, "max_connections in qemud.conf");
	} else {
		tell_quota(view, &who, user, (enum quota_key)(limit - IPC_LIMIT_VM_VCPUS),
			&ret->limit);
	}
	return 0;
}

_Static_assert(
	IPC_LIMIT_HOST_MEMORY - IPC_LIMIT_VM_VCPUS == QUOTA_N - 1, "the same, in that order");

/* --- a virtual machine -------------------------------------------------------------------- */

static enum ipc_vm_state
vm_state(const struct lease *lease)
{
	if (lease->state == LEASE_ENDING || lease->unwanted)
		return IPC_VM_ENDS;
	if (lease->state == LEASE_ASKED)
		return IPC_VM_STARTS;
	return lease->frozen ? IPC_VM_STANDS : IPC_VM_RUNS;
}

static int
tell_vm(struct view *view, const struct ipc_message *message, union told *ret)
{
	const struct ipc_status_vm *ask = message->body;
	const struct user *user = users_find(&view->child.broker->users, ask->uid);
	const struct lease *lease = user ? leases_next(user, ask->after) : NULL;
	int r = may_know(view, message, ask->uid);

	if (r == 0 && !lease)
		r = -ENOENT;
	if (r != 0)
		return r;
	ret->vm = (struct ipc_status_vm_told){
		.id = lease->id, .state = vm_state(lease), .grant = lease->grant};
	memcpy(ret->vm.uuid, lease->uuid, sizeof ret->vm.uuid);
	return 0;
}

void
status_hear(struct view *view, const struct ipc_message *message)
{
	static const struct {
		enum ipc_type type;
		int (*tell)(struct view *view, const struct ipc_message *message, union told *ret);
	} asks[] = {
		{IPC_STATUS, tell_host},
		{IPC_STATUS_USER, tell_user},
		{IPC_STATUS_LIMIT, tell_limit},
		{IPC_STATUS_VM, tell_vm},
	};
	union told told;

	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
		int r;

		if (asks[i].type != message->type)
			continue;
		r = asks[i].tell(view, message, &told);
		if (r <= 0)
			wishes_answer_status(
				&view->child, message->type, message->serial, r, &told);
	}
}
