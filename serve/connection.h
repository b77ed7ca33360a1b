/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connection.h: opening a connection: what its URI means, and what it may be then.
 *
 * Runs in worker and view. Beside it, connection.c has the handlers of what every program answers
 * about a connection in the same way.
 */
#ifndef SERVE_CONNECTION_H
#define SERVE_CONNECTION_H

#include <stdbool.h>

#include "protocol/rpc/types.h"
#include "serve/call.h"

struct client;

/**
 * Judge a CONNECT_OPEN. Returns RPC_DONE, and the connection is about to open (*ret_session: as
 * qemu:///session): connection_end() follows; or RPC_FAILED with the call's error.
 */
int connection_begin(
	struct rpc_call *call, const struct rpc_connect_open_args *args, bool *ret_session);
/** It is open, or (ok is false) is not, and may be opened again. */
void connection_end(struct client *client, bool ok);

#endif
