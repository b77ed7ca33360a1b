/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_list.c: procedures that list domains.
 *
 * Runs in the worker.
 */
#include "protocol/rpc/handlers.h"
#include "serve/listed.h"
#include "worker/rpc/domain_filter.h"
#include "worker/rpc/domain_find.h"

int
rpc_connect_list_all_domains(struct rpc_call *call,
	const struct rpc_connect_list_all_domains_args *args,
	struct rpc_connect_list_all_domains_ret *ret)
{
	const struct domains *domains = call_domains(call);
	const struct domain *domain;
	uint32_t n = 0;

	if (call_check_flags(call, args->flags, LISTED_ALL) != RPC_DONE)
		return RPC_FAILED;
	if (args->need_results) {
		ret->domains = rpc_arena_array(&call->arena, domains->n, sizeof(*ret->domains));
		if (!ret->domains)
			return call_out_of_memory(call);
	}
	TAILQ_FOREACH (domain, &domains->all, entry) {
		if (!domain_filter_passes(domain, args->flags))
			continue;
		if (args->need_results)
			ret->domains[n] = call_domain_ret(domain);
		n++;
	}
	if (args->need_results && listed_check_n(call, n) != RPC_DONE)
		return RPC_FAILED;
	ret->n_domains = args->need_results ? n : 0;
	ret->ret = n;
	return RPC_DONE;
}

/* --- the older procedures: how many, then ids of those that run and names of the others --------- */

static int32_t
count(const struct rpc_call *call, bool active)
{
	const struct domains *domains = call_domains(call);
	const struct domain *domain;
	int32_t n = 0;

	TAILQ_FOREACH (domain, &domains->all, entry) {
		if (domain_is_active(domain) == active)
			n++;
	}
	return n;
}

int
rpc_connect_num_of_domains(struct rpc_call *call, struct rpc_connect_num_of_domains_ret *ret)
{
	ret->num = count(call, true);
	return RPC_DONE;
}

int
rpc_connect_num_of_defined_domains(
	struct rpc_call *call, struct rpc_connect_num_of_defined_domains_ret *ret)
{
	ret->num = count(call, false);
	return RPC_DONE;
}

int
rpc_connect_list_domains(struct rpc_call *call, const struct rpc_connect_list_domains_args *args,
	struct rpc_connect_list_domains_ret *ret)
{
	const struct domains *domains = call_domains(call);
	const struct domain *domain;

	if (listed_check_most(call, "maxids", args->maxids) != RPC_DONE)
		return RPC_FAILED;
	ret->ids = rpc_arena_array(&call->arena, (size_t)args->maxids, sizeof(*ret->ids));
	if (!ret->ids)
		return call_out_of_memory(call);
	TAILQ_FOREACH (domain, &domains->all, entry) {
		if (domain_is_active(domain) && ret->n_ids < (uint32_t)args->maxids)
			ret->ids[ret->n_ids++] = domain->id;
	}
	return RPC_DONE;
}

int
rpc_connect_list_defined_domains(struct rpc_call *call,
	const struct rpc_connect_list_defined_domains_args *args,
	struct rpc_connect_list_defined_domains_ret *ret)
{
	const struct domains *domains = call_domains(call);
	const struct domain *domain;

	if (listed_check_most(call, "maxnames", args->maxnames) != RPC_DONE)
		return RPC_FAILED;
	ret->names = rpc_arena_array(&call->arena, (size_t)args->maxnames, sizeof(*ret->names));
	if (!ret->names)
		return call_out_of_memory(call);
	TAILQ_FOREACH (domain, &domains->all, entry) {
		if (!domain_is_active(domain) && ret->n_names < (uint32_t)args->maxnames)
			ret->names[ret->n_names++] = domain_def_now(domain)->name;
	}
	return RPC_DONE;
}
