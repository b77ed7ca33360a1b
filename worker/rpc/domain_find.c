/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_find.c: from the domain that a call names to the domain, and back; see domain_find.h.
 *
 * Runs in the worker.
 */
#include "worker/rpc/domain_find.h"

#include <string.h>

#include "lib/uuid.h"
#include "worker/estate.h"
#include "worker/rpc/client.h"
#include "worker/rpc/server.h"

struct domains *
call_domains(const struct rpc_call *call)
{
	return &call->client->server->estate->domains;
}

struct domain *
call_find_domain(struct rpc_call *call, const struct rpc_domain *dom)
{
	struct domain *domain = domains_find_uuid(call_domains(call), dom->uuid);
	char uuid[UUID_TEXT_SIZE];

	if (!domain)
		(void)rpc_error_set(&call->error, VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU,
			"Domain not found: no domain with matching uuid '%s' (%s)",
			uuid_format(dom->uuid, uuid), dom->name);
	return domain;
}

struct rpc_domain
call_domain_ret(const struct domain *domain)
{
	const struct domain_def *def = domain_def_now(domain);
	struct rpc_domain ret = {.name = def->name, .id = domain->id};

	memcpy(ret.uuid, def->uuid, sizeof(ret.uuid));
	return ret;
}
