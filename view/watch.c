/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.c: the events that a connection hears of; see watch.h.
 */
#include "view/watch.h"

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/take.h"
#include "protocol/rpc/arena.h"
#include "protocol/rpc/types.h"
#include "view/handles.h"
#include "view/viewer.h"

/* Which message a kind comes with: a client reads each as what its kind has. */
static const int32_t procedures[DOMAIN_EVENTS] = {
	RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_REBOOT,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_RTC_CHANGE,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_WATCHDOG,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_IO_ERROR,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_GRAPHICS,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_CONTROL_ERROR,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_BLOCK_JOB,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_DISK_CHANGE,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_TRAY_CHANGE,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_PMWAKEUP,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED,
	RPC_PROC_DOMAIN_EVENT_BLOCK_JOB_2,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_TUNABLE,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_ADDED,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_JOB_COMPLETED,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED,
	RPC_PROC_DOMAIN_EVENT_CALLBACK_METADATA_CHANGE,
	RPC_PROC_DOMAIN_EVENT_BLOCK_THRESHOLD,
	RPC_PROC_DOMAIN_EVENT_MEMORY_FAILURE,
	RPC_PROC_DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE,
};

enum { EVENT_ARENA_MAX = 5 * CHANNEL_PACKET_MAX };

/* --- asking ------------------------------------------------------------------------------- */

static void
held(struct channel_call *call, const struct rpc_frame *reply, int *fds,
	const struct rpc_error *error)
{
	struct watch *watch = container_of(call, struct watch, call);
	struct rpc_connect_domain_event_callback_register_any_ret ret;
	struct rpc_arena arena;

	(void)fds;
	(void)error;
	watch->state = WATCH_NONE;
	rpc_arena_init(&arena, EVENT_ARENA_MAX);
	if (reply && reply->header.status == RPC_OK &&
		rpc_decode(call->procedure->ret, reply->payload, reply->size, &arena, &ret) == 0) {
		watch->state = WATCH_HELD;
		watch->id = ret.callbackID;
	}
	rpc_arena_fini(&arena);
}

static void
ask(struct route *route, int32_t event)
{
	struct watch *watch = &route->watches[event];
	struct rpc_error error;

	if (watch->state != WATCH_NONE)
		return;
	watch->call =
		(struct channel_call){.procedure = rpc_procedure_find(RPC_PROGRAM_REMOTE,
					      RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY),
			.args = &watch->args,
			.only_looks = true,
			.answer = held};
	watch->args.eventID = event;
	watch->state = WATCH_ASKED;
	if (channel_call(&route->channel, &watch->call, &error) != RPC_LATER)
		watch->state = WATCH_NONE;
}

/* The way to that owner, for events; NULL: there is none. */
static struct route *
watched_route(struct viewer *viewer, const struct owner *owner)
{
	struct rpc_error error;
	struct route *route = viewer_route(viewer, owner, &error);

	if (!route || route->watches)
		return route;
	if (viewer->n_watched < WATCHED_MAX)
		route->watches = calloc(DOMAIN_EVENTS, sizeof(*route->watches));
	if (!route->watches)
		return NULL;
	viewer->n_watched++;
	return route;
}

void
watch_owner(struct viewer *viewer, const struct owner *owner)
{
	const struct subscriptions *wanted = &viewer->client.subscriptions;
	struct route *route;

	if (wanted->n == 0 || !owner->worker || !viewer_shows(viewer, owner))
		return;
	route = watched_route(viewer, owner);
	if (!route && !viewer->told_full)
		log_warning("there is no room for events of %s on one connection, and perhaps of "
			    "others",
			owner->label);
	viewer->told_full = !route;
	for (unsigned i = 0; route && i < wanted->n; i++)
		ask(route, wanted->list[i].event);
}

void
watch_all(struct viewer *viewer)
{
	const struct owner *owner;

	if (viewer->client.subscriptions.n == 0)
		return;
	TAILQ_FOREACH (owner, &viewer->host->owners.all, entry)
		watch_owner(viewer, owner);
}

void
watch_lost(struct route *route)
{
	for (unsigned i = 0; route->watches && i < DOMAIN_EVENTS; i++)
		if (route->watches[i].state == WATCH_HELD)
			route->watches[i].state = WATCH_NONE;
}

/* --- telling ------------------------------------------------------------------------------ */

/* The kind of a message with that id, or -1. */
static int
kind_of(const struct route *route, int32_t procedure, int32_t id)
{
	for (int i = 0; route->watches && i < DOMAIN_EVENTS; i++)
		if (route->watches[i].state == WATCH_HELD && route->watches[i].id == id &&
			procedures[i] == procedure)
			return i;
	return -1;
}

struct told {
	const struct owner *owner;
	struct rpc_arena *arena;
	struct rpc_domain *dom; /* the one that it is about */
};

static int
show_one(struct rpc_domain *dom, void *arg)
{
	struct told *told = arg;

	told->dom = dom;
	return owner_show(told->owner, dom, told->arena) ? 0 : -1;
}

/* To whom of the connection's subscriptions it is for; msg begins with the subscription's id. */
static void
tell(struct client *client, int kind, int32_t procedure, const struct rpc_domain *dom, int32_t *msg)
{
	const struct subscriptions *wanted = &client->subscriptions;

	for (unsigned i = 0; i < wanted->n; i++) {
		const struct subscription *s = &wanted->list[i];

		if (s->event != kind || (s->filtered && memcmp(s->uuid, dom->uuid, UUID_SIZE) != 0))
			continue;
		*msg = s->id;
		if (!domain_event_send(client, procedure, msg))
			client->lost = true;
		server_touch(client->server, client);
	}
}

static void
tell_message(struct route *route, const struct rpc_frame *frame, const struct rpc_procedure *row,
	struct rpc_arena *arena)
{
	struct viewer *viewer = route->viewer;
	struct told told = {
		.owner = owners_find(&viewer->host->owners, route->channel.uid), .arena = arena};
	/* Each begins with the id. */
	int32_t *msg = rpc_arena_array(arena, 1, row->args->size);
	int kind;

	if (!msg || !told.owner || !viewer_shows(viewer, told.owner) ||
		rpc_decode(row->args, frame->payload, frame->size, arena, msg) != 0)
		return;
	kind = kind_of(route, frame->header.procedure, *msg);
	if (kind >= 0 && handles_each(row->args, msg, show_one, &told) == 0 && told.dom)
		tell(&viewer->client, kind, frame->header.procedure, told.dom, msg);
}

void
watch_message(struct route *route, const struct rpc_frame *frame)
{
	const struct rpc_procedure *row =
		rpc_procedure_find(frame->header.program, frame->header.procedure);
	struct rpc_arena arena;

	if (!row || !row->is_event || !row->args || frame->header.program != RPC_PROGRAM_REMOTE)
		return;
	rpc_arena_init(&arena, EVENT_ARENA_MAX);
	tell_message(route, frame, row, &arena);
	rpc_arena_fini(&arena);
}
