/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * force.c: what is done to a virtual machine without its owner's worker; see force.h.
 *
 * Runs in the broker, as root. Must never act for a connection that has no `power` over the owner now.
 */
#include "broker/force.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/wishes.h"
#include "lib/log.h"
#include "protocol/verb.h"

static void
describe(const struct view *view, const struct conn *conn, const struct owner *owner, uint32_t id,
	struct force_act *ret)
{
	const struct broker *broker = view->child.broker;
	const struct user *user = users_find(&broker->users, owner->uid);
	const struct lease *lease = user ? leases_by_id(user, id) : NULL;

	*ret = (struct force_act){.conn_id = conn->pass.conn_id,
		.uid = conn->pass.uid,
		.pid = conn->pass.pid,
		.owner_uid = owner->uid,
		.vm = id};
	(void)snprintf(ret->label, sizeof ret->label, "%s", conn->pass.label);
	(void)snprintf(ret->owner, sizeof ret->owner, "%s", owner->account.name);
	authority_line(
		&broker->authority, view->uid, view->socket, owner->uid, VERB_POWER, ret->line);
	if (lease)
		memcpy(ret->uuid, lease->uuid, sizeof ret->uuid);
}

static void
note(struct broker *broker, const struct force_act *act, enum audit_kind kind, int err)
{
	enum audit_verdict verdict = err == 0         ? AUDIT_ALLOWED
				     : err == -EACCES ? AUDIT_REFUSED
						      : AUDIT_FAILED;

	audit_record(&broker->audit,
		&(struct audit_event){
			.kind = kind,
			.verdict = verdict,
			.uid = act->uid,
			.pid = act->pid,
			.conn_id = act->conn_id,
			.label = act->label,
			.target = act->owner,
			.rule = act->line,
			.vm = act->vm,
			.uuid = act->uuid,
			.payer = err == 0 ? NULL : audit_payer(&broker->audit, act->uid),
		},
		"uid %" PRIu32 ": %s", act->owner_uid,
		err == 0 ? "without its worker" : strerror(-err));
}

/* The user whose VM a view wants to act on: 0, or -EACCES or -ENOENT; 1: the view is ended. */
static int
find(struct view *view, enum ipc_type type, const struct ipc_vm_stop *ask,
	struct force_act *ret_act, const struct user **ret)
{
	struct broker *broker = view->child.broker;
	char reason[IPC_REASON_MAX];
	const struct owner *owner;
	struct conn *conn;
	uint64_t n;

	if (!views_may_ask(view, type, ask->conn_id, ask->uid, VERB_POWER, &conn, &owner))
		return 1;
	describe(view, conn, owner, ask->id, ret_act);
	if (!(views_over(view, owner, reason) & VERB_POWER))
		return -EACCES;
	*ret = users_find(&broker->users, ask->uid);
	if (!*ret)
		return -ENOENT;
	if (pace_tell(&view->force.told, loop_now(&broker->loop), &n))
		log_info("conn=%" PRIu64 " uid=%" PRIu32 ": %s of id=%" PRIu32 " of uid=%" PRIu32
			 " (%" PRIu64 " since it was told last)",
			ask->conn_id, conn->pass.uid, ipc_type_name((uint16_t)type), ask->id,
			ask->uid, n);
	return 0;
}

void
force_stop(struct view *view, const struct ipc_message *message)
{
	const struct ipc_vm_stop *ask = message->body;
	const struct user *user;
	struct force_act act;
	int r = find(view, IPC_VM_STOP, ask, &act, &user);

	if (r > 0)
		return;
	if (r == 0)
		r = leases_force_stop(user, ask->id);
	note(view->child.broker, &act, AUDIT_VM_STOP, r);
	wishes_answer_vm(&view->child, IPC_VM_STOP, message->serial, r);
}

static void
note_freeze(const struct view *view, const struct force_act *act, bool on, int err)
{
	note(view->child.broker, act, on ? AUDIT_VM_FREEZE : AUDIT_VM_THAW, err);
}

static void
frozen(void *arg, int err)
{
	struct view *view = arg;
	struct force *force = &view->force;

	force->open = false;
	note_freeze(view, &force->act, force->on, err);
	if (!force->stale)
		wishes_answer_vm(&view->child, IPC_VM_FREEZE, force->serial, err);
	force->stale = false;
}

void
force_freeze(struct view *view, const struct ipc_message *message)
{
	const struct ipc_vm_freeze *ask = message->body;
	struct force *force = &view->force;
	const struct user *user;
	struct force_act act;
	int r = find(view, IPC_VM_FREEZE, &ask->vm, &act, &user);

	if (r > 0)
		return;
	if (r == 0 && force->open)
		r = -EBUSY;
	if (r == 0) {
		*force = (struct force){.open = true,
			.on = ask->on,
			.serial = message->serial,
			.act = act,
			.told = force->told};
		r = leases_freeze(user, ask->vm.id, ask->on, frozen, view);
		if (r == 0)
			return;
		force->open = false;
	}
	note_freeze(view, &act, ask->on, r);
	wishes_answer_vm(&view->child, IPC_VM_FREEZE, message->serial, r);
}

void
force_forsake(struct force *force)
{
	force->stale = force->open;
}
