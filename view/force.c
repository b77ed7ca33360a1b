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
force_applies(const struct rpc_procedure *procedure, enum force_act *ret)
{
	for (size_t i = 0; i < sizeof(forced) / sizeof(*forced); i++) {
		if (procedure->program != RPC_PROGRAM_REMOTE ||
			procedure->number != forced[i].number)
			continue;
		if (ret)
			*ret = forced[i].act;
		return true;
	}
	return false;
}

int
force_start(struct forces *forces, struct force *force, struct uplink *uplink,
	const struct rpc_procedure *procedure, const struct ipc_vm_stop *vm, uint64_t cookie,
	force_fn *fn)
{
	const struct ipc_vm_freeze freeze = {.vm = *vm, .on = 1}, thaw = {.vm = *vm};
	enum force_act act = FORCE_STOP;
	int r;

	ASSERT(force_applies(procedure, &act));
	if (act == FORCE_STOP)
		r = uplink_ask_stop(uplink, vm, cookie);
	else
		r = uplink_ask_freeze(uplink, act == FORCE_FREEZE ? &freeze : &thaw, cookie);
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
