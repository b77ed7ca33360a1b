/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_lookup.c: procedures that find one domain.
 *
 * Runs in the worker. The texts are libvirt's: clients look for pieces of them.
 */
#include <inttypes.h>

#include "protocol/rpc/handlers.h"
#include "worker/rpc/call.h"

int
rpc_domain_lookup_by_name(struct rpc_call *call, const struct rpc_domain_lookup_by_name_args *args,
	struct rpc_domain_lookup_by_name_ret *ret)
{
	(void)ret;
	return rpc_error_set(&call->error, VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU,
		"Domain not found: no domain with matching name '%s'", args->name);
}

int
rpc_domain_lookup_by_uuid(struct rpc_call *call, const struct rpc_domain_lookup_by_uuid_args *args,
	struct rpc_domain_lookup_by_uuid_ret *ret)
{
	const uint8_t *u = args->uuid;

	(void)ret;
	return rpc_error_set(&call->error, VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU,
		"Domain not found: no domain with matching uuid "
		"'%02x%02x%02x%02x-%02x%02x-%02x%02x-"
		"%02x%02x-%02x%02x%02x%02x%02x%02x'",
		u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
		u[13], u[14], u[15]);
}

int
rpc_domain_lookup_by_id(struct rpc_call *call, const struct rpc_domain_lookup_by_id_args *args,
	struct rpc_domain_lookup_by_id_ret *ret)
{
	(void)ret;
	if (args->id < 0)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"id in virDomainLookupByID must be zero or greater");
	return rpc_error_set(&call->error, VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU,
		"Domain not found: no domain with matching id %" PRId32, args->id);
}
