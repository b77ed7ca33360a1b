/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interfaces.c: the network interfaces of a VM; see interfaces.h.
 *
 * Runs in the worker, as the user.
 */
#include "worker/vm/interfaces.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "worker/vm/vms.h"

_Static_assert((int)DOMAIN_INTERFACES_MAX == (int)NET_PORTS_MAX &&
		       (int)DOMAIN_FORWARDS_MAX == (int)PASST_FORWARDS_MAX &&
		       (int)DOMAIN_RANGES_MAX == (int)PASST_RANGES_MAX,
	"whatever a definition has, passt is told");

/* --- what passt is told ------------------------------------------------------------------- */

/* A text of a definition, whose length was checked there, or none. */
static void
put(char *to, size_t size, const char *text)
{
	(void)snprintf(to, size, "%s", text ? text : "");
}

static void
put_address(struct passt *passt, const struct domain_ip *ip)
{
	struct passt_address *address = &passt->addresses[passt->n_addresses];

	if (!ip->address)
		return;
	put(address->address, sizeof(address->address), ip->address);
	address->prefix = ip->prefix;
	passt->n_addresses++;
}

static void
put_forward(struct passt_forward *to, const struct domain_forward *forward)
{
	to->protocol = forward->protocol == DOMAIN_UDP ? PASST_UDP : PASST_TCP;
	put(to->address, sizeof(to->address), forward->address);
	put(to->device, sizeof(to->device), forward->device);
	for (size_t i = 0; i < forward->n_ranges; i++) {
		const struct domain_range *range = &forward->ranges[i];

		to->ranges[to->n_ranges++] = (struct passt_range){.start = range->start,
			.end = range->end,
			.to = range->to,
			.exclude = range->excluded == DOMAIN_ON};
	}
}

void
vm_interface_passt(const struct domain_interface *interface, struct passt *ret)
{
	memset(ret, 0, sizeof(*ret));
	put(ret->device, sizeof(ret->device), interface->source);
	put_address(ret, &interface->ipv4);
	put_address(ret, &interface->ipv6);
	for (size_t i = 0; i < interface->n_forwards; i++)
		put_forward(&ret->forwards[ret->n_forwards++], &interface->forwards[i]);
}

/* --- begin -------------------------------------------------------------------------------- */

static void
changed(struct vm_network *network, unsigned port)
{
	struct vm_interfaces *interfaces = container_of(network, struct vm_interfaces, network);

	(void)port;
	if (interfaces->awaited && !interfaces->vm->stopping) {
		interfaces->awaited = false;
		vm_op_wake(interfaces->vm, 0, NULL);
	}
}

static struct vm_interfaces *
interfaces_new(struct vm *vm)
{
	static const struct vm_network_ops ops = {.changed = changed};
	struct vm_interfaces *interfaces = calloc(1, sizeof(*interfaces));

	if (!interfaces)
		return NULL;
	interfaces->vm = vm;
	vm_network_init(&interfaces->network, vm->vms->loop, vm->vms->uplink, &vm->log,
		(unsigned)vm->vms->port_min, &ops);
	vm->interfaces = interfaces;
	return interfaces;
}

static int
open_one(struct vm *vm, unsigned n, int *ret_fd, struct rpc_error *error)
{
	const struct domain_interface *interface = &vm->domain->live->interfaces[n];
	free_auto struct passt *passt = malloc(sizeof(*passt));
	char why[PLAN_WHY_MAX];
	fd_auto int qemu_fd = -1;
	int relay_fd = -1;
	int r;

	if (!passt)
		return rpc_error_set(error, VIR_ERR_NO_MEMORY, VIR_FROM_NONE, "out of memory");
	vm_interface_passt(interface, passt);
	if (passt_check(passt, (unsigned)vm->vms->port_min, why) != 0)
		return rpc_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
			"unsupported configuration: interface %u: %s", n, why);
	r = vm_network_pair(&qemu_fd, &relay_fd);
	if (r == 0)
		r = vm_network_add(&vm->interfaces->network, n, passt, relay_fd);
	if (r == -ENOPKG)
		return rpc_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
			"unsupported configuration: <interface type='user'> needs " PASST_PATH
			": have the package '" PASST_PACKAGE "' installed");
	if (r < 0)
		return rpc_error_set_errno(
			error, -r, VIR_FROM_QEMU, "interface %u cannot be made", n);
	*ret_fd = take_fd(&qemu_fd);
	return RPC_DONE;
}

int
vm_interfaces_open(
	struct vm *vm, const struct qemu_command *command, int *fds, struct rpc_error *error)
{
	int r = RPC_DONE;

	if (vm->domain->live->n_interfaces == 0)
		return RPC_DONE;
	if (!interfaces_new(vm))
		return rpc_error_set(error, VIR_ERR_NO_MEMORY, VIR_FROM_NONE, "out of memory");
	for (unsigned i = 0; i < command->n_fds && r == RPC_DONE; i++)
		if (command->fds[i].file == QEMU_FILE_INTERFACE)
			r = open_one(vm, command->fds[i].index, &fds[i], error);
	return r;
}

int
vm_interfaces_begin(struct vm *vm)
{
	struct domain_def *live = vm->domain->live;

	for (size_t i = 0; i < live->n_interfaces; i++)
		if (!live->interfaces[i].target && asprintf(&live->interfaces[i].target,
							   "vnet%d.%zu", vm->domain->id, i) < 0) {
			live->interfaces[i].target = NULL;
			return -ENOMEM;
		}
	if (vm->interfaces)
		vm_network_begin(&vm->interfaces->network, vm->uuid, (uint32_t)vm->domain->id);
	return 0;
}

int
vm_interfaces_check(struct vm *vm, struct rpc_error *error)
{
	for (unsigned i = 0; i < vm->domain->live->n_interfaces && vm->interfaces; i++) {
		const struct vm_port *port = &vm->interfaces->network.ports[i];

		if (port->state == VM_PORT_BEGINS) {
			vm->interfaces->awaited = true;
			return RPC_LATER;
		}
		if (port->state == VM_PORT_DOWN)
			return rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
				"operation failed: Could not start 'passt': %s",
				log_quote(port->why));
	}
	return RPC_DONE;
}

int
vm_interfaces_link(struct vm *vm)
{
	const struct domain_def *live = vm->domain->live;
	int r = 0;

	for (size_t i = 0; i < live->n_interfaces && r == 0; i++)
		if (live->interfaces[i].link == DOMAIN_LINK_DOWN)
			r = monitor_ask(&vm->monitor, "set_link",
				json_pack("{ss sb}", "name", live->interfaces[i].device.alias, "up",
					false),
				0);
	return r;
}

/* --- afterwards --------------------------------------------------------------------------- */

void
vm_interfaces_adopt(struct vm *vm)
{
	const struct domain_def *live = vm->domain->live;
	free_auto struct passt *passts = NULL;
	const struct passt *wanted[NET_PORTS_MAX] = {NULL};

	/* After a monitor that was lost, it is there already. */
	if (live->n_interfaces == 0 || vm->interfaces)
		return;
	passts = calloc(live->n_interfaces, sizeof(*passts));
	if (!passts || !interfaces_new(vm)) {
		log_warning(
			"dom=%s: out of memory: its network is not watched", log_quote(live->name));
		return;
	}
	for (size_t i = 0; i < live->n_interfaces; i++) {
		vm_interface_passt(&live->interfaces[i], &passts[i]);
		wanted[i] = &passts[i];
	}
	vm_network_adopt(&vm->interfaces->network, vm->uuid, (uint32_t)vm->domain->id, wanted);
}

void
vm_interfaces_end(struct vm *vm)
{
	if (vm->interfaces)
		vm_network_ends(&vm->interfaces->network);
}

void
vm_interfaces_close(struct vm *vm)
{
	if (!vm->interfaces)
		return;
	vm_network_stop(&vm->interfaces->network);
	free(vm->interfaces);
	vm->interfaces = NULL;
}

bool
vm_interface_counters(const struct vm *vm, unsigned n, struct net_port_counters *ret)
{
	return vm->interfaces && vm_network_counters(&vm->interfaces->network, n, ret);
}
