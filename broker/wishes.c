/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wishes.c: what a worker asks for, of tools, leases and networks, and what it is told of them.
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
#include "broker/users.h"

/* An answer or a notice was sent, or not: a worker that does not read is ended. */
static int
sent(struct child *child, enum ipc_type type, int r)
{
	if (r == LINK_E_FULL)
		child_violation(child, (uint16_t)type, "it does not read what it is told");
	return r;
}

bool
wishes_is_behind(const struct child *child)
{
	uint32_t memory[SK_MEMINFO_VARS] = {0};
	socklen_t size = sizeof memory;

	/* Without a link there is nothing to send either. */
	if (child->link.fd < 0 ||
		getsockopt(child->link.fd, SOL_SOCKET, SO_MEMINFO, memory, &size) < 0)
		return false;
	return memory[SK_MEMINFO_WMEM_ALLOC] > WISHES_UNREAD_MAX;
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

int
wishes_refuse_lease(struct child *child, uint32_t serial, const char why[static IPC_REASON_MAX])
{
	struct ipc_lease_refused refused = {.why = ""};
	int r;

	(void)snprintf(refused.why, sizeof refused.why, "%s", why);
	r = sent(child, IPC_LEASE_REFUSED, link_notify(&child->link, IPC_LEASE_REFUSED, &refused));
	return r ? r : wishes_answer_lease(child, serial, -EDQUOT, NULL, -1);
}

int
wishes_answer_net(struct child *child, uint32_t serial, int err, int fd)
{
	return sent(
		child, IPC_NET, link_answer(&child->link, IPC_NET_READY, serial, err, NULL, &fd));
}

void
wishes_lease_gone(struct child *child, uint32_t id)
{
	struct ipc_lease_gone body = {.id = id};

	/* One that has not said HELLO asks for what there is when it has. */
	if (child->state == CHILD_SERVING || child->state == CHILD_LEAVING)
		(void)sent(child, IPC_LEASE_GONE, link_notify(&child->link, IPC_LEASE_GONE, &body));
	child_next(child);
}

static void
on_tool(struct child *child, const struct ipc_message *message)
{
	const struct ipc_tool *ask = message->body;
	int r = -ESHUTDOWN;

	if (child->state == CHILD_SERVING)
		r = tools_ask(&child->broker->tools, child->user, (enum ipc_tool_kind)ask->kind,
			message->serial);
	if (r < 0)
		(void)wishes_answer_tool(child, message->serial, r, -1);
}

static void
on_lease(struct child *child, const struct ipc_message *message)
{
	char why[IPC_REASON_MAX];
	int r = -ESHUTDOWN;

	if (child->state == CHILD_SERVING)
		r = leases_ask(
			&child->broker->leases, child->user, message->body, message->serial, why);
	if (r == -EDQUOT)
		(void)wishes_refuse_lease(child, message->serial, why);
	else if (r < 0)
		(void)wishes_answer_lease(child, message->serial, r, NULL, -1);
}

static void
on_net(struct child *child, const struct ipc_message *message)
{
	int r = -ESHUTDOWN;

	if (child->state == CHILD_SERVING)
		r = nets_ask(&child->broker->nets, child->user, message->body, message->serial);
	if (r < 0)
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
		memcpy(found.uuid, lease->uuid, sizeof found.uuid);
	}
	(void)sent(child, IPC_LEASE_NEXT,
		link_answer(&child->link, IPC_LEASE_FOUND, message->serial, lease ? 0 : -ENOENT,
			&found, NULL));
}

static void
on_autostart(struct child *child, const struct ipc_message *message)
{
	const struct ipc_autostart *autostart = message->body;

	if (!marks_hear(child->user, (enum ipc_autostart_state)autostart->state))
		child_violation(child, IPC_AUTOSTART, "it is what it said before");
	else
		autostart_hear(child->user, (enum ipc_autostart_state)autostart->state);
}

static const struct {
	enum ipc_type type;
	void (*hear)(struct child *child, const struct ipc_message *message);
} wishes[] = {
	{IPC_TOOL, on_tool},
	{IPC_LEASE, on_lease},
	{IPC_NET, on_net},
	{IPC_LEASE_STOP, on_lease_stop},
	{IPC_LEASE_NEXT, on_lease_next},
	{IPC_AUTOSTART, on_autostart},
};

void
wishes_message(struct child *child, const struct ipc_message *message)
{
	for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
		if (wishes[i].type != message->type)
			continue;
		if (child->user)
			wishes[i].hear(child, message);
		else
			child_violation(child, (uint16_t)message->type, "it is a worker's to say");
	}
}
