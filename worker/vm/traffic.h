/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * traffic.h: what went through a VM's network interfaces: the one place to ask.
 *
 * Runs in the worker, as the user.
 */
#ifndef WORKER_VM_TRAFFIC_H
#define WORKER_VM_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;

/* As the guest sees it: what it sends is tx. */
struct traffic {
	const char *name; /* of the interface on the host, borrowed from the VM's definition */
	uint64_t rx_bytes, rx_packets, rx_errs, rx_drop;
	uint64_t tx_bytes, tx_packets, tx_errs, tx_drop;
};

/** How many interfaces it has. */
size_t traffic_count(const struct vm *vm);
/** Of the interface with that index; false when it has no name, or nobody counts. */
bool traffic_read(const struct vm *vm, size_t i, struct traffic *ret);

#endif
