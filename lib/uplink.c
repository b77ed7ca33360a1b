/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uplink.c: the child's end of its link to the broker; see uplink.h.
 *
 * The broker has at most LINK_ASKS_MAX asks open, so the answers that wait have a fixed place.
 */
#include "lib/uplink.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/take.h"

static int
answer(struct uplink *uplink, const struct uplink_answer *given)
{
	struct ipc_conn_taken body = {.conn_id = given->conn_id};

	return link_answer(&uplink->link, given->type, given->serial, given->err,
		given->type == IPC_CONN_TAKEN ? &body : NULL, NULL);
}

/* In their order. */
static void
answer_or_queue(struct uplink *uplink, const struct uplink_answer *given)
{
	if (uplink->n_answers == 0 && answer(uplink, given) != LINK_E_FULL)
		return;
	ASSERT(uplink->n_answers < LINK_ASKS_MAX);
	uplink->answers[uplink->n_answers++] = *given;
}

/* Tell the broker what it has not been told, as far as the link has room. */
static void
tell(struct uplink *uplink)
{
	while (uplink->n_answers > 0) {
		if (answer(uplink, &uplink->answers[0]) == LINK_E_FULL)
			return;
		uplink->n_answers--;
		memmove(&uplink->answers[0], &uplink->answers[1],
			uplink->n_answers * sizeof uplink->answers[0]);
	}
	while (uplink->gone_first) {
		struct uplink_conn *conn = uplink->gone_first;
		struct ipc_conn_gone body = {.conn_id = conn->id};

		if (link_notify(&uplink->link, IPC_CONN_GONE, &body) == LINK_E_FULL)
			return;
		uplink->gone_first = conn->next;
		if (!conn->next)
			uplink->gone_last = &uplink->gone_first;
		uplink->ops->forget(uplink, conn);
	}
}

static void
telling(struct deferred *deferred)
{
	tell(container_of(deferred, struct uplink, telling));
}

static void
take(struct uplink *uplink, const struct ipc_message *message, int *fds)
{
	const struct ipc_conn_pass *pass = message->body;
	struct uplink_answer taken = {
		.type = IPC_CONN_TAKEN, .conn_id = pass->conn_id, .serial = message->serial};

	taken.err = message->err ? -EMFILE : uplink->ops->pass(uplink, pass, take_fd(&fds[0]));
	answer_or_queue(uplink, &taken);
}

static void
change(struct uplink *uplink, const struct ipc_message *message)
{
	struct uplink_answer changed = {
		.type = IPC_TICKET_CHANGED, .serial = message->serial, .err = -ENOENT};

	if (uplink->ops->ticket)
		changed.err = uplink->ops->ticket(uplink, message->body);
	answer_or_queue(uplink, &changed);
}

static void
stop(struct uplink *uplink, enum ipc_fault fault, uint16_t type)
{
	if (uplink->stopped && fault == IPC_OK)
		return;
	uplink->stopped = true;
	uplink->ops->stop(uplink, fault, type);
}

static void
idle_answered(struct uplink *uplink, const struct ipc_message *message)
{
	const struct ipc_idle_answer *answer = message->body;

	uplink->ops->idle(uplink, message->err == 0 && answer->granted);
}

static void
leased(struct uplink *uplink, const struct ipc_message *message, uint64_t cookie, int *fds)
{
	bool ok = message->err == 0;

	uplink->ops->leased(uplink, cookie, message->err, ok ? message->body : NULL,
		ok ? take_fd(&fds[0]) : -1);
	uplink->refusal[0] = '\0';
}

static void
lease_changed(struct uplink *uplink, const struct ipc_message *message, uint64_t cookie)
{
	uplink->ops->lease_changed(uplink, cookie, message->err);
	uplink->refusal[0] = '\0';
}

static void
net_ready(struct uplink *uplink, const struct ipc_message *message, uint64_t cookie, int *fds)
{
	uplink->ops->net(uplink, cookie, message->err, message->err ? -1 : take_fd(&fds[0]));
	uplink->refusal[0] = '\0';
}

static void
refused(struct uplink *uplink, const struct ipc_lease_refused *body)
{
	_Static_assert(sizeof uplink->refusal == sizeof body->why, "it has room");
	memcpy(uplink->refusal, body->why, sizeof uplink->refusal);
}

/* What is about inventories and channels, or for qemudctl. Returns whether it was. */
static bool
view_message(struct uplink *uplink, const struct ipc_message *message, int *fds, uint64_t cookie)
{
	const struct uplink_ops *ops = uplink->ops;
	bool ok = message->err == 0;

	if (message->type == IPC_INVENTORY_PLACE && ops->inventory_place)
		ops->inventory_place(uplink, take_fd(&fds[0]));
	else if (message->type == IPC_INVENTORY_KEPT)
		ops->inventory_kept(uplink, message->err);
	else if (message->type == IPC_INVENTORY_CHANGED && ops->inventory_changed)
		ops->inventory_changed(uplink);
	else if (message->type == IPC_INVENTORY_FOUND)
		ops->inventory_found(uplink, message->err, ok ? message->body : NULL,
			ok ? take_fd(&fds[0]) : -1);
	else if (message->type == IPC_CHANNEL_OPEN)
		ops->channel(uplink, cookie, message->err, ok ? take_fd(&fds[0]) : -1);
	else if (message->type == IPC_VM_STOPPED || message->type == IPC_VM_FROZEN)
		ops->vm_done(uplink, cookie, message->err);
	else if (message->type >= IPC_STATUS && message->type <= IPC_STATUS_VM_TOLD)
		ops->status(uplink, cookie, message->err, ok ? message->body : NULL);
	else
		return false;
	return true;
}

static void
uplink_message(struct link *link, const struct ipc_message *message, int *fds, uint64_t cookie)
{
	struct uplink *uplink = container_of(link, struct uplink, link);

	if (view_message(uplink, message, fds, cookie))
		return;
	if (message->type == IPC_CONN_PASS)
		take(uplink, message, fds);
	else if (message->type == IPC_TICKET_CHANGE)
		change(uplink, message);
	else if (message->type == IPC_STOP)
		stop(uplink, IPC_OK, IPC_STOP);
	else if (message->type == IPC_IDLE_ANSWER)
		idle_answered(uplink, message);
	else if (message->type == IPC_TOOL_READY)
		uplink->ops->tool(
			uplink, cookie, message->err, message->err ? -1 : take_fd(&fds[0]));
	else if (message->type == IPC_NET_READY)
		net_ready(uplink, message, cookie, fds);
	else if (message->type == IPC_LEASED)
		leased(uplink, message, cookie, fds);
	else if (message->type == IPC_LEASE_CHANGED)
		lease_changed(uplink, message, cookie);
	else if (message->type == IPC_LEASE_REFUSED)
		refused(uplink, message->body);
	else if (message->type == IPC_LEASE_FOUND)
		uplink->ops->lease_found(
			uplink, cookie, message->err, message->err ? NULL : message->body);
	else if (message->type == IPC_LEASE_GONE && uplink->ops->lease_gone)
		uplink->ops->lease_gone(uplink, message->body);
}

/* The answer to this ask will not come. */
static void
give_up(struct uplink *uplink, const struct link_ask *ask)
{
	if (ask->type == IPC_TOOL)
		uplink->ops->tool(uplink, ask->cookie, -EPIPE, -1);
	else if (ask->type == IPC_NET)
		uplink->ops->net(uplink, ask->cookie, -EPIPE, -1);
	else if (ask->type == IPC_LEASE)
		uplink->ops->leased(uplink, ask->cookie, -EPIPE, NULL, -1);
	else if (ask->type == IPC_LEASE_CHANGE)
		uplink->ops->lease_changed(uplink, ask->cookie, -EPIPE);
	else if (ask->type == IPC_LEASE_NEXT)
		uplink->ops->lease_found(uplink, ask->cookie, -EPIPE, NULL);
	else if (ask->type == IPC_INVENTORY)
		uplink->ops->inventory_kept(uplink, -EPIPE);
	else if (ask->type == IPC_INVENTORY_NEXT)
		uplink->ops->inventory_found(uplink, -EPIPE, NULL, -1);
	else if (ask->type == IPC_CHANNEL)
		uplink->ops->channel(uplink, ask->cookie, -EPIPE, -1);
	else if (ask->type == IPC_VM_STOP || ask->type == IPC_VM_FREEZE)
		uplink->ops->vm_done(uplink, ask->cookie, -EPIPE);
	else if (ask->type >= IPC_STATUS && ask->type <= IPC_STATUS_VM)
		uplink->ops->status(uplink, ask->cookie, -EPIPE, NULL);
}

static void
uplink_end(struct link *link, enum ipc_fault fault, uint16_t type)
{
	struct uplink *uplink = container_of(link, struct uplink, link);

	/* Whoever waits to be forgotten is now, with nobody left to tell. */
	loop_defer(uplink->loop, &uplink->telling, telling);
	for (unsigned i = 0; i < LINK_ASKS_MAX; i++)
		if (link->asks[i].serial != 0)
			give_up(uplink, &link->asks[i]);
	stop(uplink, fault, type);
}

static void
uplink_writable(struct link *link)
{
	tell(container_of(link, struct uplink, link));
}

static const struct link_ops link_ops = {
	.message = uplink_message, .end = uplink_end, .writable = uplink_writable};

int
uplink_start(struct uplink *uplink, struct loop *loop, int fd, const struct uplink_ops *uplink_ops)
{
	struct ipc_hello hello = {.pid = (uint32_t)getpid()};
	int r;

	*uplink =
		(struct uplink){.loop = loop, .ops = uplink_ops, .gone_last = &uplink->gone_first};
	r = link_start(&uplink->link, loop, fd, IPC_LINK_CHILD, IPC_SIDE_PEER, &link_ops);
	if (r < 0)
		return r;
	/* A broker that is gone already is told by the link's end. */
	(void)link_notify(&uplink->link, IPC_HELLO, &hello);
	return 0;
}

void
uplink_gone(struct uplink *uplink, struct uplink_conn *conn)
{
	conn->next = NULL;
	*uplink->gone_last = conn;
	uplink->gone_last = &conn->next;
	loop_defer(uplink->loop, &uplink->telling, telling);
}

int
uplink_ask_idle(struct uplink *uplink)
{
	return link_ask(&uplink->link, IPC_IDLE_ASK, NULL, NULL, 0);
}

int
uplink_ask_tool(struct uplink *uplink, enum ipc_tool_kind kind, uint64_t cookie)
{
	struct ipc_tool body = {.kind = kind};

	return link_ask(&uplink->link, IPC_TOOL, &body, NULL, cookie);
}

int
uplink_ask_lease(struct uplink *uplink, const struct ipc_lease *lease, uint64_t cookie)
{
	return link_ask(&uplink->link, IPC_LEASE, lease, NULL, cookie);
}

int
uplink_ask_change(struct uplink *uplink, const struct ipc_lease_change *change, uint64_t cookie)
{
	return link_ask(&uplink->link, IPC_LEASE_CHANGE, change, NULL, cookie);
}

int
uplink_ask_next_lease(struct uplink *uplink, uint32_t after, uint64_t cookie)
{
	struct ipc_lease_next body = {.after = after};

	return link_ask(&uplink->link, IPC_LEASE_NEXT, &body, NULL, cookie);
}

int
uplink_ask_net(struct uplink *uplink, uint32_t id, enum ipc_net_kind kind, uint64_t cookie)
{
	struct ipc_net body = {.id = id, .kind = kind};

	return link_ask(&uplink->link, IPC_NET, &body, NULL, cookie);
}

int
uplink_stop_lease(struct uplink *uplink, uint32_t id)
{
	struct ipc_lease_stop body = {.id = id};

	return link_notify(&uplink->link, IPC_LEASE_STOP, &body);
}

int
uplink_say_autostart(struct uplink *uplink, enum ipc_autostart_state state)
{
	struct ipc_autostart body = {.state = state};

	return link_notify(&uplink->link, IPC_AUTOSTART, &body);
}

int
uplink_ask_inventory(struct uplink *uplink, uint32_t size)
{
	struct ipc_inventory body = {.size = size};

	return link_ask(&uplink->link, IPC_INVENTORY, &body, NULL, 0);
}

int
uplink_ask_next_inventory(struct uplink *uplink, uint64_t after)
{
	struct ipc_inventory_next body = {.after = after};

	return link_ask(&uplink->link, IPC_INVENTORY_NEXT, &body, NULL, 0);
}

int
uplink_ask_channel(struct uplink *uplink, uint64_t conn_id, uint32_t owner_uid, uint64_t cookie)
{
	struct ipc_channel body = {.conn_id = conn_id, .uid = owner_uid};

	return link_ask(&uplink->link, IPC_CHANNEL, &body, NULL, cookie);
}

int
uplink_ask_stop(struct uplink *uplink, const struct ipc_vm_stop *stop, uint64_t cookie)
{
	return link_ask(&uplink->link, IPC_VM_STOP, stop, NULL, cookie);
}

int
uplink_ask_freeze(struct uplink *uplink, const struct ipc_vm_freeze *freeze, uint64_t cookie)
{
	return link_ask(&uplink->link, IPC_VM_FREEZE, freeze, NULL, cookie);
}

int
uplink_ask_status(struct uplink *uplink, enum ipc_type type, const void *body, uint64_t cookie)
{
	return link_ask(&uplink->link, type, body, NULL, cookie);
}

void
uplink_fini(struct uplink *uplink)
{
	link_stop(&uplink->link);
	/* Nobody is left to tell: this forgets all that have gone. */
	tell(uplink);
}
