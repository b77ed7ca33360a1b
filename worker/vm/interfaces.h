/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interfaces.h: the network interfaces of a VM, as its definition has them: what they need is told
 * to QEMU, to the relay and to passt.
 *
 * Runs in the worker, as the user. Interface N of the definition is port N of the network
 * (network.h). A VM without interfaces has none of all this.
 */
#ifndef WORKER_VM_INTERFACES_H
#define WORKER_VM_INTERFACES_H

#include <stdbool.h>

#include "worker/qemu/command.h"
#include "worker/vm/network.h"
#include "worker/vm/vm.h"

struct vm_interfaces {
	struct vm *vm;
	bool awaited; /* the VM's op waits for a change */
	struct vm_network network;
};

/** What passt is told of an interface. */
void vm_interface_passt(const struct domain_interface *interface, struct passt *ret);

/**
 * Before the start: QEMU's end of each interface into fds, which are in the order of the command's
 * (-1 so far). Returns RPC_DONE, or RPC_FAILED with the error.
 */
int vm_interfaces_open(
	struct vm *vm, const struct qemu_command *command, int *fds, struct rpc_error *error);
/**
 * The VM has its lease: those without a name get one by which monitoring finds them ("vnet7.0", of
 * the domain's id), and what they need is started. Returns 0 or -ENOMEM.
 */
int vm_interfaces_begin(struct vm *vm);
/**
 * How far that is: RPC_LATER when something is still on its way, and the VM's op is woken when it
 * has come; RPC_DONE; or RPC_FAILED with the error.
 */
int vm_interfaces_check(struct vm *vm, struct rpc_error *error);
/** QEMU talks: tell it whose cable is not plugged in. Returns 0 or a negative errno. */
int vm_interfaces_link(struct vm *vm);
/** The VM ran already: reach what its interfaces need, once. */
void vm_interfaces_adopt(struct vm *vm);
/** The VM is being ended, and they with it. */
void vm_interfaces_end(struct vm *vm);
/** Let go of it; it runs on as long as the VM does. */
void vm_interfaces_close(struct vm *vm);

/** What has gone through interface N so far. False when that cannot be told now. */
bool vm_interface_counters(const struct vm *vm, unsigned n, struct net_port_counters *ret);

#endif
