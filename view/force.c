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

enum act { ACT_STOP, ACT_FREEZE, ACT_THAW };

static const struct {
	int32_t number;
	enum act act;
} forced[] = {
	{RPC_PROC_DOMAIN_DESTROY, ACT_STOP},
	{RPC_PROC_DOMAIN_DESTROY_FLAGS, ACT_STOP},
	{RPC_PROC_DOMAIN_SUSPEND, ACT_FREEZE},
	{RPC_PROC_DOMAIN_RESUME, ACT_THAW},
};

static bool
find(const struct rpc_procedure *procedure, enum act *ret)
{
	for (size_t i = 0; i < sizeof(forced) / sizeof(*forced); i++) {
		if (procedure->program != RPC_PROGRAM_REMOTE ||
			procedure->number != forced[i].number)
			continue;
		*ret = forced[i].act;
		return true;
	}
	return false;
}

bool
force_applies(const struct rpc_procedure *procedure)
{
	enum act act;

	return find(procedure, &act);
}

bool
force_ends(const struct rpc_procedure *procedure)
{
	enum act act;

	return find(procedure, &act) && act == ACT_STOP;
}

int
force_start(struct forces *forces, struct force *force, struct uplink *uplink,
	const struct rpc_procedure *procedure, const struct ipc_vm_stop *vm, uint64_t cookie,
	force_fn *fn)
{
	const struct ipc_vm_freeze freeze = {.vm = *vm, .on = 1}, thaw = {.vm = *vm};
	enum act act = ACT_STOP;
	int r;

	ASSERT(find(procedure, &act));
	if (act == ACT_STOP)
		r = uplink_ask_stop(uplink, vm, cookie);
	else
		r = uplink_ask_freeze(uplink, act == ACT_FREEZE ? &freeze : &thaw, cookie);
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
