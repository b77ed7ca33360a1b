/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.h: telling the clients that asked for it what has happened to a domain.
 *
 * Runs in the worker. An event is queued before the reply of the call that caused it. A client
 * that does not read loses its connection when too much waits for it, not the worker its memory.
 */
#ifndef WORKER_RPC_EVENT_H
#define WORKER_RPC_EVENT_H

#include <stdint.h>

#include "protocol/rpc/types.h"
#include "worker/store/happening.h"

struct server;

/** What has happened to this domain, to every connection that subscribed to its kind. */
void event_tell(
	struct server *server, const struct rpc_domain *domain, const struct happening *what);
/** The same of a lifecycle event. */
void event_lifecycle(struct server *server, const struct rpc_domain *domain,
	enum event_lifecycle event, int32_t detail);

#endif
