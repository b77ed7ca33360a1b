/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.h: the events that a connection hears of, from every worker that runs.
 *
 * Runs in the view. A kind that the client wants is asked for once of each worker, of all its
 * machines; what comes is told with the view's handles to whom of the connection's subscriptions it
 * is for. An event that a worker makes up is of its own user's machines.
 */
#ifndef VIEW_WATCH_H
#define VIEW_WATCH_H

#include "protocol/rpc/frame.h"
#include "protocol/rpc/types.h"
#include "serve/domain_event.h"
#include "view/channel.h"

struct route;
struct owner;
struct viewer;

enum watch_state { WATCH_NONE = 0, WATCH_ASKED, WATCH_HELD };

/* One kind of events, asked of one worker. */
struct watch {
	struct channel_call call;
	struct rpc_connect_domain_event_callback_register_any_args args;
	enum watch_state state;
	int32_t id; /* the worker's, of its events */
};

/** Ask all workers that run for what this connection wants and has not asked them for. */
void watch_all(struct viewer *viewer);
/** The same, of one owner's. */
void watch_owner(struct viewer *viewer, const struct owner *owner);
/** The channel has failed: nothing is asked for any more. */
void watch_lost(struct route *route);
/** A message of the worker's; what is none that was asked for is dropped. */
void watch_message(struct route *route, const struct rpc_frame *frame);

#endif
