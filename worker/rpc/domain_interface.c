/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_interface.c: the procedure that tells what went through a domain's network interface.
 *
 * Runs in the worker.
 */
#include <string.h>

#include "protocol/rpc/handlers.h"
#include "worker/rpc/ask.h"
#include "worker/vm/traffic.h"

int
rpc_domain_interface_stats(struct rpc_call *call,
	const struct rpc_domain_interface_stats_args *args,
	struct rpc_domain_interface_stats_ret *ret)
{
	const struct domain *domain = call_find_running(call, &args->dom);
	struct traffic traffic;

	if (!domain)
		return RPC_FAILED;
	for (size_t i = 0; domain->vm && i < traffic_count(domain->vm); i++) {
		if (!traffic_read(domain->vm, i, &traffic) ||
			strcmp(traffic.name, args->device) != 0)
			continue;
		ret->rx_bytes = (int64_t)traffic.rx_bytes;
		ret->rx_packets = (int64_t)traffic.rx_packets;
		ret->rx_errs = (int64_t)traffic.rx_errs;
		ret->rx_drop = (int64_t)traffic.rx_drop;
		ret->tx_bytes = (int64_t)traffic.tx_bytes;
		ret->tx_packets = (int64_t)traffic.tx_packets;
		ret->tx_errs = (int64_t)traffic.tx_errs;
		ret->tx_drop = (int64_t)traffic.tx_drop;
		return RPC_DONE;
	}
	return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
		"invalid argument: '%s' is not a known interface", args->device);
}
