/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_list.c: procedures that list domains, from the owners' inventories.
 *
 * Runs in the view.
 */
#include "protocol/rpc/handlers.h"
#include "serve/listed.h"
#include "view/forward.h"
#include "view/shown.h"
#include "view/viewer.h"

int
rpc_connect_list_all_domains(struct rpc_call *call,
	const struct rpc_connect_list_all_domains_args *args,
	struct rpc_connect_list_all_domains_ret *ret)
{
	struct shown_vms shown = shown_begin(viewer_of(call->client), args->flags);
	const struct owner_vm *vm;
	uint32_t n = 0;

	if (call_check_flags(call, args->flags, LISTED_ALL) != RPC_DONE)
		return RPC_FAILED;
	while (shown_next(&shown))
		n++;
	ret->ret = n;
	if (!args->need_results)
		return RPC_DONE;
	ret->domains = rpc_arena_array(&call->arena, n, sizeof(*ret->domains));
	if (!ret->domains)
		return call_out_of_memory(call);
	shown = shown_begin(viewer_of(call->client), args->flags);
	while ((vm = shown_next(&shown)))
		ret->domains[ret->n_domains++] = forward_shown(vm);
	return RPC_DONE;
}

/* --- the older procedures: how many, then ids of those that run and names of the others --------- */

enum { LIST_ACTIVE = 0x1, LIST_INACTIVE = 0x2 };

static int32_t
count(struct rpc_call *call, uint32_t flags)
{
	struct shown_vms shown = shown_begin(viewer_of(call->client), flags);
	int32_t n = 0;

	while (shown_next(&shown))
		n++;
	return n;
}

int
rpc_connect_num_of_domains(struct rpc_call *call, struct rpc_connect_num_of_domains_ret *ret)
{
	ret->num = count(call, LIST_ACTIVE);
	return RPC_DONE;
}

int
rpc_connect_num_of_defined_domains(
	struct rpc_call *call, struct rpc_connect_num_of_defined_domains_ret *ret)
{
	ret->num = count(call, LIST_INACTIVE);
	return RPC_DONE;
}

int
rpc_connect_list_domains(struct rpc_call *call, const struct rpc_connect_list_domains_args *args,
	struct rpc_connect_list_domains_ret *ret)
{
	struct shown_vms shown = shown_begin(viewer_of(call->client), LIST_ACTIVE);
	const struct owner_vm *vm;

	if (listed_check_most(call, "maxids", args->maxids) != RPC_DONE)
		return RPC_FAILED;
	ret->ids = rpc_arena_array(&call->arena, (size_t)args->maxids, sizeof(*ret->ids));
	if (!ret->ids)
		return call_out_of_memory(call);
	while (ret->n_ids < (uint32_t)args->maxids && (vm = shown_next(&shown)))
		ret->ids[ret->n_ids++] = vm->id;
	return RPC_DONE;
}

int
rpc_connect_list_defined_domains(struct rpc_call *call,
	const struct rpc_connect_list_defined_domains_args *args,
	struct rpc_connect_list_defined_domains_ret *ret)
{
	struct shown_vms shown = shown_begin(viewer_of(call->client), LIST_INACTIVE);
	const struct owner_vm *vm;

	if (listed_check_most(call, "maxnames", args->maxnames) != RPC_DONE)
		return RPC_FAILED;
	ret->names = rpc_arena_array(&call->arena, (size_t)args->maxnames, sizeof(*ret->names));
	if (!ret->names)
		return call_out_of_memory(call);
	while (ret->n_names < (uint32_t)args->maxnames && (vm = shown_next(&shown)))
		ret->names[ret->n_names++] = vm->name;
	return RPC_DONE;
}
