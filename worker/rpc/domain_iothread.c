/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_iothread.c: the procedure that tells which iothreads a domain has, and where they may run.
 *
 * Runs in the worker. Errors are libvirt 9.0.0's (measured). A definition pins none of them; where one
 * that runs may run is the kernel's to say.
 */
#include <inttypes.h>
#include <stdio.h>

#include "protocol/rpc/handlers.h"
#include "serve/client.h"
#include "serve/server.h"
#include "worker/estate.h"
#include "worker/qemu/iothread_info.h"
#include "worker/rpc/ask.h"
#include "worker/rpc/domain_find.h"
#include "worker/rpc/serving.h"
#include "worker/vm/usage.h"
#include "worker/vm/vm.h"

enum {
	IOTHREADS_MAX = 16384, /* REMOTE_IOTHREAD_INFO_MAX */
	MAP_MAX = 2048         /* bytes: REMOTE_CPUMAP_MAX */
};

/* One more, with a map of MAP_MAX bytes that is then as short as it can be. NULL: no memory. */
static struct rpc_domain_iothread_info *
append(struct rpc_call *call, uint32_t id)
{
	struct rpc_domain_get_iothread_info_ret *ret = call->ret;
	struct rpc_domain_iothread_info *info = &ret->info[ret->n_info];

	*info = (struct rpc_domain_iothread_info){
		.iothread_id = id, .cpumap = rpc_arena_array(&call->arena, MAP_MAX, 1)};
	if (!info->cpumap)
		return NULL;
	ret->ret = ++ret->n_info;
	return info;
}

static void
shorten(struct rpc_domain_iothread_info *info)
{
	info->n_cpumap = MAP_MAX;
	while (info->n_cpumap > 1 && !info->cpumap[info->n_cpumap - 1])
		info->n_cpumap--;
}

static int
make_room(struct rpc_call *call, size_t n)
{
	struct rpc_domain_get_iothread_info_ret *ret = call->ret;

	ret->info = rpc_arena_array(&call->arena, n, sizeof(*ret->info));
	return ret->info ? RPC_DONE : call_out_of_memory(call);
}

/* QEMU numbers its threads in a pid namespace of its own: here they are known by their names. */
static void
map_of(const struct vm *vm, uint32_t id, uint8_t map[static MAP_MAX])
{
	char name[24];
	uint32_t tid;

	(void)snprintf(name, sizeof(name), "IO iothread%" PRIu32, id);
	tid = usage_thread(vm->pid, name);
	(void)usage_affinity(vm->pid, tid ? tid : vm->pid, map, MAP_MAX);
}

static int
tell_running(struct rpc_call *call, const void *args, const struct domain *domain,
	const struct inquiry_answers *answers)
{
	const json_t *all = answers->values[INQUIRY_IOTHREADS];
	uint32_t n = iothread_info_count(all);
	struct iothread_info its;

	(void)args;
	if (!json_is_array(all))
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: QEMU does not say which iothreads it has");
	if (n > IOTHREADS_MAX)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
			"internal error: Too many IOThreads in info: %" PRIu32 " for limit %d", n,
			IOTHREADS_MAX);
	if (make_room(call, n) != RPC_DONE)
		return RPC_FAILED;
	for (size_t i = 0; i < json_array_size(all); i++) {
		struct rpc_domain_iothread_info *info;

		if (!iothread_info_read(all, i, &its))
			continue;
		info = append(call, its.id);
		if (!info)
			return call_out_of_memory(call);
		if (domain->vm)
			map_of(domain->vm, its.id, info->cpumap);
		shorten(info);
	}
	return RPC_DONE;
}

static int
tell_defined(struct rpc_call *call, const struct domain_iothreads *iothreads)
{
	if (make_room(call, iothreads->n) != RPC_DONE)
		return RPC_FAILED;
	for (size_t i = 0; i < iothreads->n; i++) {
		struct rpc_domain_iothread_info *info = append(call, iothreads->threads[i].id);

		if (!info)
			return call_out_of_memory(call);
		host_map(&call_estate(call)->host, info->cpumap, MAP_MAX);
		shorten(info);
	}
	return RPC_DONE;
}

int
rpc_domain_get_iothread_info(struct rpc_call *call,
	const struct rpc_domain_get_iothread_info_args *args,
	struct rpc_domain_get_iothread_info_ret *ret)
{
	const struct domain_def *def =
		call_find_def(call, &args->dom, args->flags, AFFECT_LIVE | AFFECT_CONFIG);
	struct domain *domain = def ? call_find_domain(call, &args->dom) : NULL;

	(void)ret;
	if (!domain)
		return RPC_FAILED;
	if (def->iothreads.n == 0)
		return RPC_DONE;
	if (def == domain->live && domain_is_active(domain))
		return call_ask(call, args, domain, 1U << INQUIRY_IOTHREADS, tell_running);
	return tell_defined(call, &def->iothreads);
}
