/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * force.c: acts on a VM that need nothing of its owner's worker; see force.h.
 *
 * Runs in the view.
 */
#include "view/force.h"

#include <errno.h>
#include <stddef.h>

#include "lib/err.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/types.h"

static const struct {
	int32_t number;
	enum force_act act;
} forced[] = {
	{RPC_PROC_DOMAIN_DESTROY, FORCE_STOP},
	{RPC_PROC_DOMAIN_DESTROY_FLAGS, FORCE_STOP},
	{RPC_PROC_DOMAIN_SUSPEND, FORCE_FREEZE},
	{RPC_PROC_DOMAIN_RESUME, FORCE_THAW},
};

bool
force_applies(const struct rpc_procedure *procedure, const void *args, enum force_act *ret)
{
	const struct rpc_domain_destroy_flags_args *destroy = args;

	if (procedure->program != RPC_PROGRAM_REMOTE ||
		(procedure->number == RPC_PROC_DOMAIN_DESTROY_FLAGS && destroy->flags != 0))
		return false;
	for (size_t i = 0; i < sizeof(forced) / sizeof(*forced); i++) {
		if (procedure->number != forced[i].number)
			continue;
		*ret = forced[i].act;
		return true;
	}
	return false;
}

int
force_start(struct forces *forces, struct force *force, struct uplink *uplink, enum force_act act,
	const struct ipc_vm_stop *vm, uint64_t cookie, force_fn *fn)
{
	const struct ipc_vm_freeze freeze = {.vm = *vm, .on = act == FORCE_FREEZE};
	int r;

	if (act == FORCE_STOP)
		r = uplink_ask_stop(uplink, vm, cookie);
	else
		r = uplink_ask_freeze(uplink, &freeze, cookie);
	if (r != 0)
		return r;
	force->cookie = cookie;
	force->fn = fn;
	LIST_INSERT_HEAD(forces, force, entry);
	return 0;
}

static void
finish(struct force *force, int err)
{
	LIST_REMOVE(force, entry);
	force->fn(force, err);
}

void
force_done(struct forces *forces, uint64_t cookie, int err)
{
	struct force *force;

	LIST_FOREACH (force, forces, entry) {
		if (force->cookie != cookie)
			continue;
		finish(force, err);
		return;
	}
}

void
force_fail_all(struct forces *forces)
{
	struct force *force;

	while ((force = LIST_FIRST(forces)))
		finish(force, -EPIPE);
}
