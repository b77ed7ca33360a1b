/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dispatch.h: from a client's packet to its handler, and from the handler to the reply.
 *
 * Runs in worker and view. The order of checks is fixed, so that no answer says more than the
 * connection may know: what is no procedure of the table is unknown; a verb that the connection
 * lacks is refused, implemented or not; what is not implemented is unknown, in the words that
 * every client takes for that; then come arguments that do not decode, a connection that is not
 * open, a verb that the arguments ask for; then the handler.
 */
#ifndef SERVE_DISPATCH_H
#define SERVE_DISPATCH_H

#include <stdbool.h>

#include "protocol/rpc/frame.h"
#include "protocol/rpc/procedure.h"

struct client;
struct rpc_call;

/**
 * Serve one packet; what is to be sent is in the client's output when this returns. fds are the
 * frame's n_fds descriptors; those that are taken are set to -1. Packets that are neither calls,
 * nor keepalive, nor of an open stream are dropped, as libvirtd does. Returns false when the
 * connection cannot go on.
 */
bool dispatch_frame(struct client *client, const struct rpc_frame *frame, int *fds);

/**
 * Queue the reply of a call that was handled: RPC_DONE or RPC_FAILED. A result that does not fit
 * into a packet becomes an error. Returns false when not even that can be queued.
 */
bool dispatch_reply(struct client *client, struct rpc_call *call, int handled);

#endif
