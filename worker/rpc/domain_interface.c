/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_interface.c: procedures that tell what went through a domain's network interfaces, and
 * their addresses.
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

/*
 * virDomainInterfaceAddressesSource. Leases are of networks, and what answers ARP is on bridges of the
 * host: a machine has neither.
 */
enum { ADDRESSES_LEASE = 0, ADDRESSES_AGENT = 1, ADDRESSES_ARP = 2 };

int
rpc_domain_interface_addresses(struct rpc_call *call,
	const struct rpc_domain_interface_addresses_args *args,
	struct rpc_domain_interface_addresses_ret *ret)
{
	const struct domain *domain;

	(void)ret; /* zeroed: none */
	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_running(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	if (args->source == ADDRESSES_AGENT)
		return call_without_agent(call, domain);
	if (args->source != ADDRESSES_LEASE && args->source != ADDRESSES_ARP)
		return rpc_error_set(&call->error, VIR_ERR_ARGUMENT_UNSUPPORTED, VIR_FROM_QEMU,
			"argument unsupported: Unknown IP address data source %u", args->source);
	return RPC_DONE;
}
