/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * relay.h: streams of a client that an owner's worker has the other end of.
 *
 * Runs in the view. What either says is passed on as it comes, and held back where the other does
 * not read; a stream ends with either of its sides.
 */
#ifndef VIEW_RELAY_H
#define VIEW_RELAY_H

#include <stdbool.h>
#include <sys/queue.h>

#include "protocol/rpc/error.h"
#include "serve/call.h"
#include "serve/stream.h"

struct channel;
struct relay;

LIST_HEAD(relays, relay);

/**
 * The stream that this call opened, which the worker has answered with the serial of its own;
 * relays is the channel's list. Returns RPC_DONE, or RPC_FAILED with the call's error: then the
 * worker is told to end it.
 */
int relay_open(
	struct rpc_call *call, struct channel *channel, struct relays *relays, uint32_t serial);
/** A packet of a stream from the worker; one of none is dropped. */
void relays_serve(struct relays *relays, const struct rpc_frame *frame);
/** The worker takes more. */
void relays_writable(struct relays *relays);
/** May more come from the worker? */
bool relays_may_take(const struct relays *relays);
/** The channel is over: so are they. */
void relays_fail(struct relays *relays, const struct rpc_error *why);

#endif
