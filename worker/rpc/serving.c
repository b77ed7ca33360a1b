/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serving.c: what the worker serves its clients with; see serving.h.
 */
#include "worker/rpc/serving.h"

#include <string.h>
#include <unistd.h>

#include "worker/vm/vms.h"

_Static_assert(offsetof(struct serving, client) == 0, "it is freed as a client");

static int
handle(struct rpc_call *call, const void *args)
{
	return call->procedure->call(call, args, call->ret);
}

static void
started(struct client *client, const struct ipc_conn_pass *pass)
{
	struct serving *serving = serving_of(client);

	if (pass->owner[0] == '\0')
		return;
	memcpy(serving->owner, pass->owner, sizeof(serving->owner));
	serving->guise = (struct guise){.owner = serving->owner, .uid = geteuid()};
}

const struct guise *
call_guise(const struct rpc_call *call)
{
	const struct serving *serving = call->client ? serving_of(call->client) : NULL;

	return serving && serving->guise.owner ? &serving->guise : NULL;
}

static void
ended(struct client *client)
{
	(void)vms_disown(&serving_of(client)->owned, NULL, NULL);
}

static const struct server_ops ops = {.client_size = sizeof(struct serving),
	.serves = rpc_procedure_is_implemented,
	.handle = handle,
	.started = started,
	.ended = ended};

void
serving_init(struct server *server, struct loop *loop, struct uplink *uplink,
	void (*occupied)(struct server *server, bool occupied), struct estate *estate)
{
	server_init(server, loop, uplink, &ops, occupied);
	server->site = estate;
}
