/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_lookup.c: procedures that find one domain, in the owners' inventories.
 *
 * Runs in the view. The texts are libvirt's: clients look for pieces of them.
 */
#include <inttypes.h>

#include "lib/uuid.h"
#include "protocol/rpc/handlers.h"
#include "view/forward.h"
#include "view/viewer.h"

static bool
is_shown(const struct rpc_call *call, const struct owner_vm *vm, const struct owner *owner)
{
	return vm && viewer_shows(viewer_of(call->client), owner);
}

int
rpc_domain_lookup_by_name(struct rpc_call *call, const struct rpc_domain_lookup_by_name_args *args,
	struct rpc_domain_lookup_by_name_ret *ret)
{
	struct viewer *viewer = viewer_of(call->client);
	struct owner *owner;
	const struct owner_vm *vm = owners_find_name(&viewer->host->owners, args->name, &owner);

	if (!is_shown(call, vm, owner))
		return rpc_error_set(&call->error, VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU,
			"Domain not found: no domain with matching name '%s'", args->name);
	ret->dom = forward_shown(vm);
	return RPC_DONE;
}

int
rpc_domain_lookup_by_uuid(struct rpc_call *call, const struct rpc_domain_lookup_by_uuid_args *args,
	struct rpc_domain_lookup_by_uuid_ret *ret)
{
	struct viewer *viewer = viewer_of(call->client);
	struct owner *owner;
	const struct owner_vm *vm = owners_find_uuid(&viewer->host->owners, args->uuid, &owner);
	char uuid[UUID_TEXT_SIZE];

	if (!is_shown(call, vm, owner))
		return rpc_error_set(&call->error, VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU,
			"Domain not found: no domain with matching uuid '%s'",
			uuid_format(args->uuid, uuid));
	ret->dom = forward_shown(vm);
	return RPC_DONE;
}

int
rpc_domain_lookup_by_id(struct rpc_call *call, const struct rpc_domain_lookup_by_id_args *args,
	struct rpc_domain_lookup_by_id_ret *ret)
{
	struct viewer *viewer = viewer_of(call->client);
	struct owner *owner;
	const struct owner_vm *vm;

	if (args->id < 0)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"id in virDomainLookupByID must be zero or greater");
	vm = owners_find_id(&viewer->host->owners, args->id, &owner);
	if (!is_shown(call, vm, owner))
		return rpc_error_set(&call->error, VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU,
			"Domain not found: no domain with matching id %" PRId32, args->id);
	ret->dom = forward_shown(vm);
	return RPC_DONE;
}
