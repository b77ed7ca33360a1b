/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.c: telling the clients that asked for it what has happened to a domain; see event.h.
 *
 * Runs in the worker.
 */
#include "worker/rpc/event.h"

#include <string.h>

#include "protocol/rpc/codec.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/procedure.h"
#include "worker/rpc/server.h"

enum {
	EVENT_ID_LIFECYCLE = 0, /* virDomainEventID */
	EVENT_SERIAL = 1,       /* what libvirtd sends; clients ignore it */
	EVENT_BACKLOG_MAX = 4 * CLIENT_OUTPUT_ENOUGH
};

/* Returns false when the client has to go: it does not read, or there is no memory. */
static bool
send_lifecycle(struct client *client, struct rpc_domain_event_callback_lifecycle_msg *msg)
{
	const struct rpc_procedure *procedure =
		rpc_procedure_find(RPC_PROGRAM_REMOTE, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE);
	struct rpc_header header = {
		.program = RPC_PROGRAM_REMOTE,
		.version = 1,
		.procedure = RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE,
		.type = RPC_MESSAGE,
		.serial = EVENT_SERIAL,
	};

	return rpc_buffer_left(&client->out) <= EVENT_BACKLOG_MAX &&
	       rpc_encode_frame(&header, 0, procedure->args, msg, &client->out) == 0;
}

void
event_lifecycle(struct server *server, const struct rpc_domain *domain, enum event_lifecycle event,
	int32_t detail)
{
	struct rpc_domain_event_callback_lifecycle_msg msg = {
		.dom = *domain,
		.event = (int32_t)event,
		.detail = detail,
	};
	struct client *client;

	LIST_FOREACH (client, &server->clients, entry) {
		const struct subscriptions *wanted = &client->subscriptions;

		for (unsigned i = 0; i < wanted->n; i++) {
			const struct subscription *s = &wanted->list[i];

			if (s->event != EVENT_ID_LIFECYCLE ||
				(s->filtered && memcmp(s->uuid, domain->uuid, 16) != 0))
				continue;
			msg.callbackID = s->id;
			if (!send_lifecycle(client, &msg))
				client->lost = true;
			server_touch(server, client);
		}
	}
}
