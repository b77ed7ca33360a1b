/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * viewer.h: one connection of the view's principal, and its channels to owners' workers.
 *
 * Runs in the view. What it may do with an owner's VMs is what the broker says of that owner, less
 * what the connection gave up when it opened; the broker checks each channel again.
 */
#ifndef VIEW_VIEWER_H
#define VIEW_VIEWER_H

#include "lib/take.h"
#include "serve/client.h"
#include "serve/server.h"
#include "view/asks.h"
#include "view/channel.h"
#include "view/force.h"
#include "view/owners.h"
#include "view/relay.h"
#include "view/screen.h"
#include "view/watch.h"

struct viewer;

enum {
	ROUTES_MAX = 1000,            /* of one connection */
	WATCHED_MAX = ROUTES_MAX - 32 /* of these may be for events: calls have room too */
};

/* A view of the host: of one principal, on one kind of socket. */
struct view_host {
	struct loop *loop;
	struct uplink *uplink;
	struct server server;
	struct owners owners;
	struct asks asks; /* for channels */
	uint64_t last_cookie;
	struct forces forces;
	struct timer retry; /* of channels that failed and are watched */
};

struct route {
	LIST_ENTRY(route) entry; /* of the viewer's */
	struct viewer *viewer;
	struct channel channel;
	struct relays relays;  /* that its worker has an end of */
	bool kept;             /* what the worker did may end with it */
	struct watch *watches; /* of all kinds of events; NULL: none was wanted */
	struct ask ask;        /* for the channel */
};

LIST_HEAD(routes, route);

struct viewer {
	struct client client; /* first: it is freed as such */
	struct view_host *host;
	struct routes routes;
	unsigned n_routes, n_watched;
	struct screens screens;
	unsigned n_screens;
	bool told_full; /* that it does not hear of everybody */
	bool session;   /* qemu:///session was opened: the principal's own VMs are all */
};

void view_host_init(struct view_host *host, struct loop *loop, struct uplink *uplink,
	void (*occupied)(struct server *server, bool occupied));
void view_host_fini(struct view_host *host);
/** The broker's answer to an ask for a channel. */
void view_host_channel(struct view_host *host, uint64_t cookie, int err, int fd);

static inline struct viewer *
viewer_of(struct client *client)
{
	return container_of(client, struct viewer, client);
}

/** Is this owner's part of what the connection shows? */
bool viewer_shows(const struct viewer *viewer, const struct owner *owner);
/**
 * The verbs of the connection over that owner's VMs: what the broker says of the owner, and not beyond
 * what it says of the connection (all that there are over anybody's).
 */
uint32_t viewer_verbs(const struct viewer *viewer, const struct owner *owner);
/**
 * The connection's way to that owner's worker, which lives until the next one is asked for, and as long
 * as it is used. NULL, with the error: no memory, or as many as may be are in use.
 */
struct route *viewer_route(
	struct viewer *viewer, const struct owner *owner, struct rpc_error *error);

#endif
