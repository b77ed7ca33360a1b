/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_lookup.c: procedures that find one domain.
 *
 * Runs in the worker. The texts are libvirt's: clients look for pieces of them.
 */
#include <inttypes.h>

#include "lib/uuid.h"
#include "protocol/rpc/handlers.h"
#include "worker/rpc/domain_find.h"

int
rpc_domain_lookup_by_name(struct rpc_call *call, const struct rpc_domain_lookup_by_name_args *args,
	struct rpc_domain_lookup_by_name_ret *ret)
{
	const struct domain *domain = domains_find_name(call_domains(call), args->name);

	if (!domain)
		return rpc_error_set(&call->error, VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU,
			"Domain not found: no domain with matching name '%s'", args->name);
	ret->dom = call_domain_ret(domain);
	return RPC_DONE;
}

int
rpc_domain_lookup_by_uuid(struct rpc_call *call, const struct rpc_domain_lookup_by_uuid_args *args,
	struct rpc_domain_lookup_by_uuid_ret *ret)
{
	const struct domain *domain = domains_find_uuid(call_domains(call), args->uuid);
	char uuid[UUID_TEXT_SIZE];

	if (!domain)
		return rpc_error_set(&call->error, VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU,
			"Domain not found: no domain with matching uuid '%s'",
			uuid_format(args->uuid, uuid));
	ret->dom = call_domain_ret(domain);
	return RPC_DONE;
}

int
rpc_domain_lookup_by_id(struct rpc_call *call, const struct rpc_domain_lookup_by_id_args *args,
	struct rpc_domain_lookup_by_id_ret *ret)
{
	const struct domain *domain;

	if (args->id < 0)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"id in virDomainLookupByID must be zero or greater");
	domain = domains_find_id(call_domains(call), args->id);
	if (!domain)
		return rpc_error_set(&call->error, VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU,
			"Domain not found: no domain with matching id %" PRId32, args->id);
	ret->dom = call_domain_ret(domain);
	return RPC_DONE;
}
