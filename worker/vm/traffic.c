/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * traffic.c: what went through a VM's network interfaces; see traffic.h.
 *
 * Runs in the worker, as the user. Nobody counts yet what goes through a VM's interfaces.
 */
#include "worker/vm/traffic.h"

#include "worker/vm/vm.h"

size_t
traffic_count(const struct vm *vm)
{
	return vm->domain->live->n_interfaces;
}

bool
traffic_read(const struct vm *vm, size_t i, struct traffic *ret)
{
	*ret = (struct traffic){.name = vm->domain->live->interfaces[i].target};
	return false;
}
