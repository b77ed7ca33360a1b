/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpus.h: a VM that runs gets more virtual CPUs, or has to do with fewer, and so does its lease.
 *
 * Runs in the worker, as the user. The broker never counts fewer than QEMU has: it is asked before the
 * first one is plugged, and told after the last one has gone. Where that was broken off, by whomever,
 * QEMU is asked how many there are, and the lease is made equal to that.
 */
#ifndef WORKER_VM_VCPUS_H
#define WORKER_VM_VCPUS_H

#include <jansson.h>
#include <stdint.h>

#include "worker/store/domains.h"
#include "worker/vm/op.h"

#define VM_VCPUS_QUESTION "query-hotpluggable-cpus"

struct vm;

/* What the guest, or QEMU, has made of the wish that a virtual CPU go. */
enum vm_vcpu_end {
	VM_VCPU_GONE = 1, /* it is not there any more */
	VM_VCPU_KEPT      /* the guest does not let it go */
};

/**
 * Have it run with n virtual CPUs, 1 to domain->live->vcpus (the caller has checked that, with the texts
 * of its own call). Waits for its turn in the line of the VM's ops. When it is over, also when it has
 * failed half-way, domain->live->current_vcpus is as many as there are.
 * Returns RPC_LATER, and done is called from the loop; or RPC_FAILED with the error, and done is not
 * called. Errors and their texts are libvirt's: VIR_ERR_OPERATION_INVALID when it does not run,
 * VIR_ERR_OPERATION_FAILED with the rule when a limit is against it, VIR_ERR_OPERATION_TIMEOUT when the
 * guest does not let one go.
 */
int vms_set_vcpus(
	struct domain *domain, uint32_t n, struct rpc_error *error, vm_done_fn *done, void *arg);

/**
 * QEMU's answer to VM_VCPUS_QUESTION, asked when it is reached: as many as there are is what the domain
 * has; the lease follows. What is no answer (NULL: it was refused) changes nothing.
 */
void vm_vcpus_take(struct vm *vm, const json_t *answer);
/** QEMU says so of a device; of one that is no virtual CPU nothing follows. */
void vm_vcpu_told(struct vm *vm, const char *alias, enum vm_vcpu_end end);
/** The broker's answer to the ask for so many (lib/uplink.h). */
void vm_lease_changed(struct vm *vm, uint32_t vcpus, int err);
/** The timer's call that asks QEMU and the broker again: vm->settling. */
timer_fn vm_vcpus_settle_again;

#endif
