/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_count.c: the older procedures that list domains: ids of those that run, names of the others.
 *
 * Runs in the worker. A client asks how many there are, then for at most that many.
 */
#include "protocol/rpc/handlers.h"
#include "worker/rpc/domain_find.h"

enum { DOMAINS_LISTED_MAX = 16384 /* REMOTE_DOMAIN_LIST_MAX */ };

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

/* libvirt's own words (remote_daemon_dispatch.c). */
static int
check_most(struct rpc_call *call, const char *what, int32_t most)
{
	if (most >= 0 && most <= DOMAINS_LISTED_MAX)
		return RPC_DONE;
	return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
		"internal error: %s > REMOTE_DOMAIN_LIST_MAX", what);
}

int
rpc_connect_list_domains(struct rpc_call *call, const struct rpc_connect_list_domains_args *args,
	struct rpc_connect_list_domains_ret *ret)
{
	const struct domains *domains = call_domains(call);
	const struct domain *domain;

	if (check_most(call, "maxids", args->maxids) != RPC_DONE)
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

	if (check_most(call, "maxnames", args->maxnames) != RPC_DONE)
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
