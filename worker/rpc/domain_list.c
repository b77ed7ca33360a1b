/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_list.c: procedures that list domains.
 *
 * Runs in the worker.
 */
#include "protocol/rpc/handlers.h"
#include "worker/rpc/call.h"

/* The sixteen filters of virConnectListAllDomainsFlags, from ACTIVE to NO_CHECKPOINT. */
enum { LIST_DOMAINS_FILTERS = 0xffff };

int
rpc_connect_list_all_domains(struct rpc_call *call,
	const struct rpc_connect_list_all_domains_args *args,
	struct rpc_connect_list_all_domains_ret *ret)
{
	ret->n_domains = ret->ret = 0;
	return call_check_flags(call, args->flags, LIST_DOMAINS_FILTERS);
}
