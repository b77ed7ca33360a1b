/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker_error.h: the error that a worker answered with.
 *
 * Runs in the view; pure. Codes and texts pass, in so far as they cannot be taken for something
 * else: a worker cannot make a client believe that it lost its connection, nor write to a terminal.
 */
#ifndef VIEW_WORKER_ERROR_H
#define VIEW_WORKER_ERROR_H

#include "protocol/rpc/error.h"
#include "protocol/rpc/frame.h"

/** Read it from a reply, or a packet of a stream, whose status is RPC_ERROR. */
void worker_error(const struct rpc_frame *frame, struct rpc_error *ret);

#endif
