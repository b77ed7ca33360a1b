/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * traffic.c: what went through a VM's network interfaces; see traffic.h.
 *
 * Runs in the worker, as the user. An interface is the port of its index of the VM's relay, which
 * counts.
 */
#include "worker/vm/traffic.h"

#include "worker/vm/interfaces.h"

size_t
traffic_count(const struct vm *vm)
{
	return vm->domain->live->n_interfaces;
}

bool
traffic_read(const struct vm *vm, size_t i, struct traffic *ret)
{
	struct net_port_counters counters;

	*ret = (struct traffic){.name = vm->domain->live->interfaces[i].target};
	/* It has a name from the moment on that it has a lease. */
	if (!ret->name || !vm_interface_counters(vm, (unsigned)i, &counters))
		return false;
	ret->rx_bytes = counters.rx.bytes;
	ret->rx_packets = counters.rx.packets;
	ret->rx_errs = counters.rx.errors;
	ret->rx_drop = counters.rx.drops;
	ret->tx_bytes = counters.tx.bytes;
	ret->tx_packets = counters.tx.packets;
	ret->tx_errs = counters.tx.errors;
	ret->tx_drop = counters.tx.drops;
	return true;
}
