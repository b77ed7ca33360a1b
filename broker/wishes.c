/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wishes.c: what workers and views ask for, and what they are told.
 *
 * Runs in the broker, as root. Must never believe that what a worker names is its user's.
 */
#include "broker/wishes.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/broker.h"
#include "broker/child.h"
#include "broker/force.h"
#include "broker/status.h"
#include "broker/users.h"
#include "broker/views.h"

/* An answer or a notice was sent, or not: a worker that does not read is ended. */
static int
sent(struct child *child, enum ipc_type type, int r)
{
	if (r == LINK_E_FULL)
		child_violation(child, (uint16_t)type, "it does not read what it is told");
	return r;
}

uint32_t
wishes_unread(const struct child *child)
{
	uint32_t memory[SK_MEMINFO_VARS] = {0};
	socklen_t size = sizeof memory;

	/* Without a link there is nothing to send either. */
	if (child->link.fd < 0 ||
		getsockopt(child->link.fd, SOL_SOCKET, SO_MEMINFO, memory, &size) < 0)
		return 0;
	return memory[SK_MEMINFO_WMEM_ALLOC];
}

bool
wishes_is_behind(const struct child *child)
{
	return wishes_unread(child) > WISHES_UNREAD_MAX;
}

int
wishes_answer_tool(struct child *child, uint32_t serial, int err, int fd)
{
	return sent(
		child, IPC_TOOL, link_answer(&child->link, IPC_TOOL_READY, serial, err, NULL, &fd));
}

int
wishes_answer_lease(
	struct child *child, uint32_t serial, int err, const struct ipc_leased *leased, int fd)
{
	return sent(
		child, IPC_LEASE, link_answer(&child->link, IPC_LEASED, serial, err, leased, &fd));
}

/* What the answer that follows is about. */
static int
say_why(struct child *child, const char why[static IPC_REASON_MAX])
{
	struct ipc_lease_refused refused = {.why = ""};

	(void)snprintf(refused.why, sizeof refused.why, "%s", why);
	return sent(
		child, IPC_LEASE_REFUSED, link_notify(&child->link, IPC_LEASE_REFUSED, &refused));
}

int
wishes_refuse_lease(struct child *child, uint32_t serial, const char why[static IPC_REASON_MAX])
{
	int r = say_why(child, why);

	return r ? r : wishes_answer_lease(child, serial, -EDQUOT, NULL, -1);
}

int
wishes_answer_change(struct child *child, uint32_t serial, int err)
{
	return sent(child, IPC_LEASE_CHANGE,
		link_answer(&child->link, IPC_LEASE_CHANGED, serial, err, NULL, NULL));
}

int
wishes_answer_net(struct child *child, uint32_t serial, int err, int fd)
{
	return sent(
		child, IPC_NET, link_answer(&child->link, IPC_NET_READY, serial, err, NULL, &fd));
}

void
wishes_lease_gone(struct child *child, const struct ipc_lease_gone *gone)
{
	/* One that has not said HELLO asks for what there is when it has. */
	if (child->state == CHILD_SERVING || child->state == CHILD_LEAVING)
		(void)sent(child, IPC_LEASE_GONE, link_notify(&child->link, IPC_LEASE_GONE, gone));
	child_next(child);
}

void
wishes_place_inventory(struct child *child, int fd)
{
	/* It is the first thing that it is told: there is room. */
	(void)link_notify_fds(&child->link, IPC_INVENTORY_PLACE, NULL, &fd);
}

int
wishes_answer_inventory(struct child *child, uint32_t serial, int err)
{
	return sent(child, IPC_INVENTORY,
		link_answer(&child->link, IPC_INVENTORY_KEPT, serial, err, NULL, NULL));
}

void
wishes_inventory_changed(struct child *child)
{
	/* One that is leaving has asked all that it will. */
	if (child->state == CHILD_SERVING)
		(void)sent(child, IPC_INVENTORY_CHANGED,
			link_notify(&child->link, IPC_INVENTORY_CHANGED, NULL));
}

void
wishes_answer_next(struct child *child, uint32_t serial, int err,
	const struct ipc_inventory_found *found, int fd)
{
	int r = wishes_is_behind(child)
			? LINK_E_FULL
			: link_answer(&child->link, IPC_INVENTORY_FOUND, serial, err, found, &fd);

	(void)sent(child, IPC_INVENTORY_NEXT, r);
}

int
wishes_answer_channel(struct child *child, uint32_t serial, int err, int fd)
{
	int r = wishes_is_behind(child)
			? LINK_E_FULL
			: link_answer(&child->link, IPC_CHANNEL_OPEN, serial, err, NULL, &fd);

	return sent(child, IPC_CHANNEL, r);
}

/* What was refused at once; what was granted, or failed, tells who did it. */
static void
note_refusal(struct child *child, enum audit_kind kind, uint32_t vm, const struct ipc_lease *lease,
	const char *why, const char *rule)
{
	struct audit_event event = audit_by(child->user, kind, AUDIT_REFUSED);

	event.target = child->user->account.name;
	event.rule = rule;
	event.vm = vm;
	if (lease) {
		event.uuid = lease->uuid;
		event.memory_kib = lease->memory_kib;
		event.vcpus = lease->vcpus;
	}
	audit_record(&child->broker->audit, &event, "%s", why);
}

void
wishes_answer_vm(struct child *child, enum ipc_type ask, uint32_t serial, int err)
{
	enum ipc_type type = ask == IPC_VM_STOP ? IPC_VM_STOPPED : IPC_VM_FROZEN;

	(void)sent(child, ask, link_answer(&child->link, type, serial, err, NULL, NULL));
}

void
wishes_answer_status(
	struct child *child, enum ipc_type ask, uint32_t serial, int err, const void *body)
{
	(void)sent(child, ask,
		link_answer(&child->link, (enum ipc_type)(ask + 1), serial, err, body, NULL));
}

static void
on_tool(struct child *child, const struct ipc_message *message)
{
	const struct ipc_tool *ask = message->body;
	int r = -ESHUTDOWN;

	if (child->state == CHILD_SERVING)
		r = tools_ask(&child->broker->tools, child->user, (enum ipc_tool_kind)ask->kind,
			message->serial);
	if (r == 0)
		return;
	note_refusal(child, AUDIT_TOOL_START, 0, NULL, strerror(-r), NULL);
	(void)wishes_answer_tool(child, message->serial, r, -1);
}

/* Nothing of it is a number that others' use would tell. */
static int
refuse_start(struct quota_refusal *ret, const char *why, const char *rule)
{
	(void)snprintf(ret->why, sizeof ret->why, "%s", why);
	(void)snprintf(ret->all, sizeof ret->all, "%s", why);
	(void)snprintf(ret->rule, sizeof ret->rule, "%.*s", (int)sizeof ret->rule - 1, rule);
	return -EDQUOT;
}

static void
on_lease(struct child *child, const struct ipc_message *message)
{
	struct quota_refusal refusal = {.rule = ""};
	struct ticket ticket;
	int r = -ESHUTDOWN;

	if (child->state == CHILD_SERVING)
		r = audit_refusal(&child->broker->audit);
	if (r == -ENOSPC || r == -ENOLINK)
		r = refuse_start(&refusal, audit_refusal_words(r), audit_refusal_rule(r));
	else if (r == 0 && !authority_may_start(&child->broker->authority, child->user, &ticket))
		r = refuse_start(&refusal, ticket.reason, ticket.rule);
	else if (r == 0)
		r = leases_ask(&child->broker->leases, child->user, message->body, message->serial,
			&refusal);
	if (r == 0)
		return;
	note_refusal(child, AUDIT_VM_START, 0, message->body,
		r == -EDQUOT ? refusal.all : strerror(-r), refusal.rule);
	if (r == -EDQUOT)
		(void)wishes_refuse_lease(child, message->serial, refusal.why);
	else
		(void)wishes_answer_lease(child, message->serial, r, NULL, -1);
}

static void
note_refused_change(
	struct child *child, const struct ipc_lease_change *want, const char *why, const char *rule)
{
	struct audit_event event = audit_by(child->user, AUDIT_VM_CHANGE, AUDIT_REFUSED);
	const struct lease *lease = leases_by_id(child->user, want->id);

	event.uuid = lease ? lease->uuid : NULL;
	event.target = child->user->account.name;
	event.rule = rule;
	event.vm = want->id;
	event.memory_kib = want->memory_kib;
	event.vcpus = want->vcpus;
	audit_record(&child->broker->audit, &event, "%s", why);
}

static void
on_lease_change(struct child *child, const struct ipc_message *message)
{
	const struct ipc_lease_change *want = message->body;
	struct quota_refusal refusal = {.rule = ""};
	int r = growth_ask(child->user, want, message->serial, &refusal);

	if (r == 0)
		return;
	note_refused_change(child, want, r == -EDQUOT ? refusal.all : strerror(-r), refusal.rule);
	if (r != -EDQUOT || say_why(child, refusal.why) == 0)
		(void)wishes_answer_change(child, message->serial, r);
}

static void
on_net(struct child *child, const struct ipc_message *message)
{
	struct quota_refusal refusal = {.rule = ""};
	int r = -ESHUTDOWN;

	if (child->state == CHILD_SERVING)
		r = audit_refusal(&child->broker->audit);
	if (r == 0)
		r = nets_ask(&child->broker->nets, child->user, message->body, message->serial,
			&refusal);
	if (r == 0)
		return;
	note_refusal(child, AUDIT_NET_START, ((const struct ipc_net *)message->body)->id, NULL,
		r == -EPERM ? refusal.why : strerror(-r), refusal.rule);
	if (r != -EPERM || say_why(child, refusal.why) == 0)
		(void)wishes_answer_net(child, message->serial, r, -1);
}

static void
on_lease_stop(struct child *child, const struct ipc_message *message)
{
	leases_stop(child->user, ((const struct ipc_lease_stop *)message->body)->id);
}

static void
on_lease_next(struct child *child, const struct ipc_message *message)
{
	const struct ipc_lease_next *ask = message->body;
	const struct lease *lease = leases_next(child->user, ask->after);
	struct ipc_lease_found found = {.id = 0};

	if (lease) {
		found.id = lease->id;
		found.pid = lease->pid;
		found.vcpus = lease->grant.vcpus;
		found.memory_kib = lease->grant.memory_kib;
		memcpy(found.uuid, lease->uuid, sizeof found.uuid);
	}
	(void)sent(child, IPC_LEASE_NEXT,
		link_answer(&child->link, IPC_LEASE_FOUND, message->serial, lease ? 0 : -ENOENT,
			&found, NULL));
}

static void
note_autostart(struct user *user, enum ipc_autostart_state state)
{
	static const char *const words[] = {
		[IPC_AUTOSTART_NONE] = "no machine starts with the host",
		[IPC_AUTOSTART_SOME] = "machines start with the host",
		[IPC_AUTOSTART_UNKNOWN] = "its home cannot be read",
	};
	struct audit_event event = audit_by(user, AUDIT_AUTOSTART, AUDIT_FACT);

	event.target = user->account.name;
	audit_record(&user->child.broker->audit, &event, "%s", words[state]);
	autostart_hear(user, state);
}

static void
on_autostart(struct child *child, const struct ipc_message *message)
{
	const struct ipc_autostart *autostart = message->body;

	if (!marks_hear(child->user, (enum ipc_autostart_state)autostart->state))
		child_violation(child, IPC_AUTOSTART, "it is what it said before");
	else
		note_autostart(child->user, (enum ipc_autostart_state)autostart->state);
}

static void
on_inventory(struct child *child, const struct ipc_message *message)
{
	const struct ipc_inventory *inventory = message->body;
	const char *rule = inventories_hear(child->user, message->serial, inventory->size);

	if (rule)
		child_violation(child, IPC_INVENTORY, rule);
}

static void
on_inventory_next(struct child *child, const struct ipc_message *message)
{
	views_tell_next(child->view, message);
}

static void
on_channel(struct child *child, const struct ipc_message *message)
{
	views_open_channel(child->view, message);
}

static void
on_vm_stop(struct child *child, const struct ipc_message *message)
{
	force_stop(child->view, message);
}

static void
on_vm_freeze(struct child *child, const struct ipc_message *message)
{
	force_freeze(child->view, message);
}

static void
on_status(struct child *child, const struct ipc_message *message)
{
	status_hear(child->view, message);
}

enum whose { WORKERS, VIEWS, HOST_VIEWS, CTL_VIEWS };

/* What breaks whose rule, where it is not this child's to say; or NULL. */
static const char *
says_wrongly(const struct child *child, enum whose whose)
{
	bool ctl = child->view && child->view->socket == IPC_SOCKET_CTL;

	if (whose == WORKERS)
		return child->user ? NULL : "it is a worker's to say";
	if (!child->view)
		return "it is a view's to say";
	if (whose == CTL_VIEWS && !ctl)
		return "it is for a view of qemudctl's to say";
	return whose == HOST_VIEWS && ctl ? "it is not for a view of qemudctl's to say" : NULL;
}

static const struct {
	enum ipc_type type;
	enum whose whose;
	void (*hear)(struct child *child, const struct ipc_message *message);
} wishes[] = {
	{IPC_TOOL, WORKERS, on_tool},
	{IPC_LEASE, WORKERS, on_lease},
	{IPC_LEASE_CHANGE, WORKERS, on_lease_change},
	{IPC_NET, WORKERS, on_net},
	{IPC_LEASE_STOP, WORKERS, on_lease_stop},
	{IPC_LEASE_NEXT, WORKERS, on_lease_next},
	{IPC_AUTOSTART, WORKERS, on_autostart},
	{IPC_INVENTORY, WORKERS, on_inventory},
	{IPC_INVENTORY_NEXT, VIEWS, on_inventory_next},
	{IPC_CHANNEL, HOST_VIEWS, on_channel},
	{IPC_VM_STOP, HOST_VIEWS, on_vm_stop},
	{IPC_VM_FREEZE, HOST_VIEWS, on_vm_freeze},
	{IPC_STATUS, CTL_VIEWS, on_status},
	{IPC_STATUS_USER, CTL_VIEWS, on_status},
	{IPC_STATUS_LIMIT, CTL_VIEWS, on_status},
	{IPC_STATUS_VM, CTL_VIEWS, on_status},
};

void
wishes_message(struct child *child, const struct ipc_message *message)
{
	for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
		const char *wrong;

		if (wishes[i].type != message->type)
			continue;
		wrong = says_wrongly(child, wishes[i].whose);
		if (wrong)
			child_violation(child, (uint16_t)message->type, wrong);
		else
			wishes[i].hear(child, message);
	}
}
