/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * views.c: the processes that show a principal the whole host; see views.h.
 *
 * Runs in the broker, as root. Must never believe what a view names: a connection must be one that it
 * serves, an owner one that it was told of, and the verbs are asked for anew each time.
 */
#include "broker/views.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/broker.h"
#include "broker/route.h"
#include "broker/wishes.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "protocol/ipc/account.h"
#include "protocol/verb.h"

/* Besides the verbs (protocol/verb.h) in what was told of an owner. */
enum { TOLD_SHOWN = 0x80 };

/* As many owners a view may have looked at, for what is its to know: a second's worth, at once. */
static const struct bucket_size looks = {.interval_ns = 5000, .burst = 200000};

_Static_assert((VERBS_ALL & TOLD_SHOWN) == 0, "a bit of its own");

int
views_init(struct views *views, struct broker *broker, uint32_t size, uint32_t n_owners)
{
	*views = (struct views){.broker = broker, .size = size, .n_owners = n_owners};
	views->table = calloc(2UL * size, sizeof *views->table);
	views->told = calloc(2UL * size * n_owners, sizeof *views->told);
	return views->table && views->told ? 0 : -ENOMEM;
}

void
views_fini(struct views *views)
{
	for (struct view *view = NULL; (view = views_next(views, view));)
		child_fini(&view->child);
	free(views->table);
	free(views->told);
	*views = (struct views){.size = 0};
}

struct view *
views_next(const struct views *views, const struct view *after)
{
	for (uint32_t i = after ? (uint32_t)(after - views->table) + 1 : 0; i < 2 * views->size;
		i++)
		if (views->table[i].used)
			return &views->table[i];
	return NULL;
}

struct view *
views_get(struct views *views, uint32_t uid, enum ipc_socket socket)
{
	uint32_t first = socket == IPC_SOCKET_CTL ? views->size : 0;
	uint32_t end =
		first + views->size - (socket == IPC_SOCKET_CTL && uid != 0 && views->size > 1);
	struct view *view = NULL;

	while ((view = views_next(views, view)))
		if (view->uid == uid && view->socket == socket)
			return view;
	for (uint32_t i = first; i < end; i++) {
		view = &views->table[i];
		/* One that cannot be started is kept for its pace, as long as nobody needs the place. */
		if (view->used && (!child_is_absent(&view->child) || view->force.open))
			continue;
		if (view->used)
			child_fini(&view->child);
		*view = (struct view){.used = true,
			.uid = uid,
			.socket = socket,
			.told = views->told + (size_t)i * views->n_owners};
		child_init(&view->child, views->broker, NULL);
		view->child.view = view;
		return view;
	}
	return NULL;
}

static void
forget(struct view *view)
{
	const struct views *views = &view->child.broker->views;

	view->waits = false;
	view->cursor = NULL;
	force_forsake(&view->force);
	memset(view->told, 0, views->n_owners * sizeof *view->told);
}

void
views_child_ended(struct view *view)
{
	forget(view);
}

/* --- owners ------------------------------------------------------------------------------- */

static bool
is_told(const struct view *view, uint32_t index)
{
	return view->told[index] & TOLD_SHOWN;
}

static void
set_told(struct view *view, const struct owner *owner, uint32_t verbs)
{
	uint8_t *told = &view->told[inventories_index(&view->child.broker->inventories, owner)];

	*told &= (uint8_t)~TOLD_SHOWN;
	*told |= (uint8_t)(verbs | (verbs != VERBS_NONE ? TOLD_SHOWN : 0));
}

uint32_t
views_over(const struct view *view, const struct owner *owner, char reason[IPC_REASON_MAX])
{
	if (reason)
		reason[0] = '\0';
	if (owner->dropped)
		return VERBS_NONE;
	return authority_over(
		&view->child.broker->authority, view->uid, view->socket, owner->uid, reason);
}

/* Is it a view's to know that there is this owner? It is told once that it is so no more. */
static bool
is_shown(const struct view *view, const struct owner *owner)
{
	return is_told(view, inventories_index(&view->child.broker->inventories, owner)) ||
	       views_over(view, owner, NULL) != VERBS_NONE;
}

void
views_owner_changed(struct views *views, const struct owner *owner)
{
	for (struct view *view = NULL; (view = views_next(views, view));) {
		if (!view->waits || !is_shown(view, owner))
			continue;
		view->waits = false;
		wishes_inventory_changed(&view->child);
	}
}

void
views_owner_leaves(struct views *views, const struct owner *owner)
{
	uint32_t index = inventories_index(&views->broker->inventories, owner);

	for (struct view *view = NULL; (view = views_next(views, view));) {
		if (is_told(view, index))
			child_violation(&view->child, IPC_INVENTORY_CHANGED,
				"it has not asked what has changed in time");
		view->told[index] = 0;
		if (view->cursor == owner)
			view->cursor = NULL;
	}
}

static bool
worker_runs(const struct broker *broker, uint32_t uid)
{
	const struct user *user = users_find(&broker->users, uid);

	return user && user->child.state == CHILD_SERVING;
}

static int
find_next(struct view *view, uint64_t after, struct ipc_inventory_found *ret, int *ret_fd)
{
	struct broker *broker = view->child.broker;
	struct inventories *inventories = &broker->inventories;
	struct owner *owner = inventories_after(inventories, after, view->cursor);
	uint64_t now_ns = loop_now(&broker->loop);
	char reason[IPC_REASON_MAX];
	uint32_t n = 1;
	int fd;

	if (bucket_ready(&view->looks, now_ns, looks) > now_ns)
		return -EAGAIN;
	for (; owner && !is_shown(view, owner); owner = owner->next)
		n++;
	bucket_charge(&view->looks, now_ns, looks, n);
	if (!owner)
		return -ENOENT;
	*ret = (struct ipc_inventory_found){
		.generation = owner->generation,
		.uid = owner->uid,
		.own = authority_is_own(&broker->authority, view->uid, owner->uid),
		.system = authority_is_system(&broker->authority, owner->uid),
		.worker = worker_runs(broker, owner->uid),
	};
	ret->verbs = views_over(view, owner, reason);
	/* Zero behind its end. */
	(void)snprintf(ret->reason, sizeof ret->reason, "%s", reason);
	(void)snprintf(ret->name, sizeof ret->name, "%s", owner->account.name);
	fd = inventories_open(
		inventories, ret->verbs != VERBS_NONE ? owner : NULL, &ret->n_running);
	if (fd < 0)
		return fd;
	view->cursor = owner;
	set_told(view, owner, ret->verbs);
	*ret_fd = fd;
	return 0;
}

void
views_tell_next(struct view *view, const struct ipc_message *message)
{
	const struct ipc_inventory_next *ask = message->body;
	struct ipc_inventory_found found;
	fd_auto int fd = -1;
	int r = find_next(view, ask->after, &found, &fd);

	view->waits = true;
	wishes_answer_next(&view->child, message->serial, r, &found, fd);
}

/* --- channels ----------------------------------------------------------------------------- */

/* What stands in front of the names, as in view/owners.c. */
static void
name_owner(const struct view *view, const struct owner *owner, char ret[static IPC_LABEL_MAX])
{
	const struct broker *broker = view->child.broker;

	if (authority_is_own(&broker->authority, view->uid, owner->uid))
		ret[0] = '\0';
	else if (authority_is_system(&broker->authority, owner->uid))
		(void)snprintf(ret, IPC_LABEL_MAX, "system");
	else if (account_name_shown(owner->account.name))
		(void)snprintf(ret, IPC_LABEL_MAX, "%s", owner->account.name);
	else
		(void)snprintf(ret, IPC_LABEL_MAX, "%" PRIu32, owner->uid);
}

/* Is there room for one more channel? */
static int
check_room(struct broker *broker, const struct conn *conn)
{
	struct bucket_size size = {
		.interval_ns = LOOP_S(1) / broker->limits.connections_per_second,
		.burst = broker->limits.connections_per_second,
	};

	if (conn->payer->n_channels >= broker->limits.connections)
		return -EDQUOT;
	if (broker->conns.n_used >= broker->max_conns)
		return -ENFILE;
	if (!bucket_take(&conn->payer->channels, loop_now(&broker->loop), size))
		return -EAGAIN;
	return 0;
}

/*
 * Open it: the view's end goes with the answer, the other to the worker. What is sent must fit: a
 * view that does not read is ended, and the channel with it.
 */
static void
open_channel(struct view *view, struct conn *conn, const struct owner *owner, uint32_t verbs,
	const char *reason, uint32_t serial)
{
	struct broker *broker = view->child.broker;
	struct conn *channel;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
		wishes_answer_channel(&view->child, serial, -ENFILE, -1);
		return;
	}
	fd_auto int view_fd = fds[0];
	channel = conns_add_channel(&broker->conns, fds[1], conn, owner->uid);
	if (!channel) {
		fd_close(&fds[1]);
		wishes_answer_channel(&view->child, serial, -ENFILE, -1);
		return;
	}
	channel->pass.verbs = verbs;
	(void)snprintf(channel->pass.reason, sizeof channel->pass.reason, "%s", reason);
	name_owner(view, owner, channel->pass.owner);
	log_debug("channel conn=%" PRIu64 " of conn=%" PRIu64 " uid=%" PRIu32 " to uid=%" PRIu32,
		channel->pass.conn_id, conn->pass.conn_id, conn->pass.uid, owner->uid);
	if (wishes_answer_channel(&view->child, serial, 0, view_fd) != 0)
		conns_remove(&broker->conns, channel);
	else
		route_channel(broker, channel);
}

/* What it was ever told to have over that owner; who is none is nobody's. */
static uint32_t
was_told(const struct view *view, const struct owner *owner)
{
	return owner ? view->told[inventories_index(&view->child.broker->inventories, owner)] &
			       VERBS_ALL
		     : VERBS_NONE;
}

bool
views_was_told(const struct view *view, uint32_t owner_uid)
{
	return was_told(view, inventories_find(&view->child.broker->inventories, owner_uid)) !=
	       VERBS_NONE;
}

bool
views_may_ask(struct view *view, enum ipc_type type, uint64_t conn_id, uint32_t uid, uint32_t verb,
	struct conn **ret_conn, const struct owner **ret_owner)
{
	struct child *child = &view->child;
	struct conn *conn = conns_find(&child->broker->conns, conn_id);
	const struct owner *owner = inventories_find(&child->broker->inventories, uid);

	if (!conn || (conn->list != &child->taken && conn->list != &child->passed)) {
		child_violation(child, (uint16_t)type, "it is for no connection that it serves");
		return false;
	}
	if (!owner || !(view->told[inventories_index(&child->broker->inventories, owner)] & verb)) {
		child_violation(child, (uint16_t)type,
			"it is about an owner whom its connection's ticket does not reach");
		return false;
	}
	*ret_conn = conn;
	*ret_owner = owner;
	return true;
}

static void
note_channel(const struct view *view, const struct conn *conn, const struct owner *owner,
	uint32_t verbs, int err)
{
	struct broker *broker = view->child.broker;
	char text[POLICY_VERBS_MAX], line[POLICY_WHERE_MAX];
	enum audit_verdict verdict = err == 0 ? AUDIT_ALLOWED : AUDIT_REFUSED;

	authority_line(&broker->authority, view->uid, view->socket, owner->uid,
		policy_verb_most(verbs), line);
	audit_record(&broker->audit,
		&(struct audit_event){
			.kind = AUDIT_CHANNEL,
			.verdict = verdict,
			.uid = conn->pass.uid,
			.pid = conn->pass.pid,
			.conn_id = conn->pass.conn_id,
			.label = conn->pass.label,
			.target = owner->account.name,
			.rule = line,
			/* Who only looks at many is not let fill the log with it. */
			.payer = err < 0 || verbs == VERBS_VIEW
					 ? audit_payer(&broker->audit, view->uid)
					 : NULL,
		},
		"uid %" PRIu32 ": %s", owner->uid,
		err == 0 ? policy_verbs_text(verbs, text) : strerror(-err));
}

void
views_open_channel(struct view *view, const struct ipc_message *message)
{
	const struct ipc_channel *ask = message->body;
	struct child *child = &view->child;
	const struct owner *owner;
	struct conn *conn;
	char reason[IPC_REASON_MAX];
	uint32_t verbs;
	int r = 0;

	if (!views_may_ask(view, IPC_CHANNEL, ask->conn_id, ask->uid, VERBS_ALL, &conn, &owner))
		return;
	verbs = views_over(view, owner, reason);
	if (verbs == VERBS_NONE)
		r = -EACCES;
	else if (child->state != CHILD_SERVING)
		r = -ESHUTDOWN;
	else
		r = check_room(child->broker, conn);
	note_channel(view, conn, owner, verbs, r);
	if (r < 0)
		wishes_answer_channel(child, message->serial, r, -1);
	else
		open_channel(view, conn, owner, verbs, reason, message->serial);
}
