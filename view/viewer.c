/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * viewer.c: one connection of the view's principal, and its channels; see viewer.h.
 */
#include "view/viewer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/take.h"
#include "protocol/verb.h"
#include "view/forward.h"

enum { RETRY_MS = 50 /* behind a failed channel's rest, or without one */ };

_Static_assert(offsetof(struct viewer, client) == 0, "it is freed as a client");

/* --- what it may do ----------------------------------------------------------------------- */

bool
viewer_shows(const struct viewer *viewer, const struct owner *owner)
{
	return viewer_verbs(viewer, owner) != 0 && (owner->own || !viewer->session);
}

uint32_t
viewer_verbs(const struct viewer *viewer, const struct owner *owner)
{
	return owner->verbs & viewer->client.rights.verbs;
}

/* --- channels ----------------------------------------------------------------------------- */

static struct route *
route_of(struct channel *channel)
{
	return container_of(channel, struct route, channel);
}

static void
retry_due(struct timer *timer)
{
	struct view_host *host = container_of(timer, struct view_host, retry);
	struct client *client;

	LIST_FOREACH (client, &host->server.clients, entry)
		watch_all(viewer_of(client));
}

static void
retry_in(struct view_host *host, uint64_t ns)
{
	uint64_t due = loop_now(host->loop) + ns;

	if (!timer_is_set(&host->retry) || host->retry.node.key > due)
		timer_set(host->loop, &host->retry, due, retry_due);
}

static void
ask_answered(struct ask *ask, int err, int fd)
{
	channel_opened(&container_of(ask, struct route, ask)->channel, err, fd);
}

static void
route_ask(struct channel *channel)
{
	struct route *route = route_of(channel);

	route->ask.conn_id = route->viewer->client.conn.id;
	route->ask.uid = channel->uid;
	route->ask.answer = ask_answered;
	asks_want(&route->viewer->host->asks, &route->ask);
}

static bool
route_may_take(struct channel *channel)
{
	const struct route *route = route_of(channel);

	return rpc_buffer_left(&route->viewer->client.wire.out) < CLIENT_OUTPUT_ENOUGH &&
	       relays_may_take(&route->relays);
}

static bool
route_message(struct channel *channel, const struct rpc_frame *frame)
{
	if (frame->header.type == RPC_MESSAGE)
		watch_message(route_of(channel), frame);
	else
		relays_serve(&route_of(channel)->relays, frame);
	return true;
}

static void
route_settled(struct channel *channel)
{
	struct route *route = route_of(channel);

	if (channel->state == CHANNEL_READY)
		return;
	relays_fail(&route->relays, &channel->error);
	watch_lost(route);
	if (route->watches)
		retry_in(route->viewer->host,
			LOOP_MS(RETRY_MS) +
				(channel->state == CHANNEL_FAILED ? LOOP_S(CHANNEL_REST_S) : 0));
}

static void
route_writable(struct channel *channel)
{
	relays_writable(&route_of(channel)->relays);
}

static const struct channel_ops route_ops = {.ask = route_ask,
	.may_take = route_may_take,
	.message = route_message,
	.settled = route_settled,
	.writable = route_writable};

static void
drop(struct route *route)
{
	LIST_REMOVE(route, entry);
	route->viewer->n_routes--;
	route->viewer->n_watched -= route->watches != NULL;
	asks_stop(&route->viewer->host->asks, &route->ask);
	channel_fini(&route->channel);
	free(route->watches);
	free(route);
}

static bool
is_in_use(const struct route *route)
{
	return channel_is_in_use(&route->channel) || !LIST_EMPTY(&route->relays) ||
	       route->watches || route->kept;
}

/* Is there a place for one more? One that nothing goes through makes room. */
static bool
make_room(struct viewer *viewer)
{
	struct route *route;

	if (viewer->n_routes < ROUTES_MAX)
		return true;
	LIST_FOREACH (route, &viewer->routes, entry) {
		if (is_in_use(route))
			continue;
		drop(route);
		return true;
	}
	return false;
}

/* The way to her that there is. One on which she has another name goes when nothing uses it. */
static struct route *
find_route(const struct viewer *viewer, const struct owner *owner)
{
	struct route *route;

	LIST_FOREACH (route, &viewer->routes, entry)
		if (route->channel.uid == owner->uid)
			break;
	if (!route || strcmp(route->channel.label, owner->label) == 0 || is_in_use(route))
		return route;
	drop(route);
	return NULL;
}

struct route *
viewer_route(struct viewer *viewer, const struct owner *owner, struct rpc_error *error)
{
	struct route *route = find_route(viewer, owner);

	if (route)
		return route;
	if (!make_room(viewer)) {
		(void)rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: this connection uses ways to the workers of %d users, "
			"which is as many as may be: use another for those of %s",
			ROUTES_MAX, owner->label);
		return NULL;
	}
	route = calloc(1, sizeof(*route));
	if (!route) {
		(void)rpc_error_set(error, VIR_ERR_NO_MEMORY, VIR_FROM_RPC, "out of memory");
		return NULL;
	}
	viewer->n_routes++;
	route->viewer = viewer;
	LIST_INIT(&route->relays);
	channel_init(&route->channel, viewer->host->loop, &route_ops, owner,
		viewer->client.rights.read_only);
	LIST_INSERT_HEAD(&viewer->routes, route, entry);
	return route;
}

void
view_host_channel(struct view_host *host, uint64_t cookie, int err, int fd)
{
	asks_answered(&host->asks, cookie, err, fd);
}

/* --- the server --------------------------------------------------------------------------- */

/* What has no handler here is the workers' to answer, and to refuse. */
static bool
serves(const struct rpc_procedure *procedure)
{
	return !procedure->is_event;
}

static int
handle(struct rpc_call *call, const void *args)
{
	if (rpc_procedure_is_implemented(call->procedure))
		return call->procedure->call(call, args, call->ret);
	return forward_call(call, args);
}

static void
started(struct client *client, const struct ipc_conn_pass *pass)
{
	struct viewer *viewer = viewer_of(client);

	(void)pass;
	viewer->host = client->server->site;
	LIST_INIT(&viewer->routes);
	LIST_INIT(&viewer->screens);
}

static void
changed(struct client *client)
{
	screens_check(viewer_of(client));
}

static void
subscribed(struct client *client)
{
	watch_all(viewer_of(client));
}

static void
room(struct client *client)
{
	struct route *route;

	LIST_FOREACH (route, &viewer_of(client)->routes, entry)
		channel_resume(&route->channel);
}

static void
ended(struct client *client)
{
	struct viewer *viewer = viewer_of(client);
	struct route *route;

	screens_end(viewer);
	while ((route = LIST_FIRST(&viewer->routes)))
		drop(route);
}

static const struct server_ops server_ops = {.client_size = sizeof(struct viewer),
	.serves = serves,
	.handle = handle,
	.started = started,
	.changed = changed,
	.subscribed = subscribed,
	.room = room,
	.ended = ended};

static void
owner_changed(struct owners *owners, struct owner *owner)
{
	struct view_host *host = container_of(owners, struct view_host, owners);
	struct client *client;

	if (owner && owner->verbs == 0)
		asks_refuse(&host->asks, owner->uid);
	LIST_FOREACH (client, &host->server.clients, entry)
		screens_check(viewer_of(client));
	if (!owner || owner->verbs == 0 || !owner->worker)
		return;
	LIST_FOREACH (client, &host->server.clients, entry)
		watch_owner(viewer_of(client), owner);
}

void
view_host_init(struct view_host *host, struct loop *loop, struct uplink *uplink,
	void (*occupied)(struct server *server, bool occupied))
{
	server_init(&host->server, loop, uplink, &server_ops, occupied);
	host->server.site = host;
	host->loop = loop;
	host->uplink = uplink;
	LIST_INIT(&host->forces);
	asks_init(&host->asks, loop, uplink);
	owners_init(&host->owners, loop, uplink, owner_changed);
}

void
view_host_fini(struct view_host *host)
{
	force_fail_all(&host->forces);
	server_fini(&host->server);
	owners_fini(&host->owners);
	asks_fini(&host->asks);
	timer_stop(&host->retry);
}
