/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_find.c: from the domain that a call names to the domain, and back; see domain_find.h.
 *
 * Runs in the worker.
 */
#include "worker/rpc/domain_find.h"

#include <string.h>

#include "lib/uuid.h"
#include "serve/client.h"
#include "serve/server.h"
#include "worker/estate.h"
#include "worker/rpc/serving.h"

struct domains *
call_domains(const struct rpc_call *call)
{
	return &call_estate(call)->domains;
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

static int
not_running(struct rpc_call *call)
{
	return rpc_error_set(&call->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_DOMAIN,
		"Requested operation is not valid: domain is not running");
}

const struct domain_def *
call_find_def(
	struct rpc_call *call, const struct rpc_domain *dom, uint32_t flags, uint32_t supported)
{
	const struct domain *domain;

	if ((flags & AFFECT_LIVE) && (flags & AFFECT_CONFIG)) {
		(void)rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are "
			"mutually exclusive");
		return NULL;
	}
	if (call_check_flags(call, flags, supported) != RPC_DONE)
		return NULL;
	domain = call_find_domain(call, dom);
	if (!domain)
		return NULL;
	if (flags & AFFECT_LIVE && !domain_is_active(domain)) {
		(void)not_running(call);
		return NULL;
	}
	if (flags & AFFECT_CONFIG && !domain->config)
		(void)rpc_error_set(&call->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_DOMAIN,
			"Requested operation is not valid: transient domains do not have any "
			"persistent config");
	return flags & AFFECT_CONFIG ? domain->config : domain_def_now(domain);
}
