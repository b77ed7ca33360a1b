/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_info.c: procedures that tell how a domain is.
 *
 * Runs in the worker.
 */
#include "protocol/rpc/handlers.h"
#include "worker/rpc/domain_find.h"
#include "worker/vm/usage.h"
#include "worker/vm/vm.h"

int
rpc_domain_get_info(struct rpc_call *call, const struct rpc_domain_get_info_args *args,
	struct rpc_domain_get_info_ret *ret)
{
	const struct domain *domain = call_find_domain(call, &args->dom);
	const struct domain_def *def;
	struct usage usage;

	if (!domain)
		return RPC_FAILED;
	def = domain_def_now(domain);
	/* What cannot be told is 0. */
	(void)usage_read(domain->vm ? domain->vm->pid : 0, &usage);
	ret->state = (uint8_t)domain->state;
	ret->maxMem = def->memory_kib;
	ret->memory = domain->vm ? vm_memory_kib(domain->vm) : def->current_memory_kib;
	ret->nrVirtCpu = (uint16_t)def->current_vcpus;
	ret->cpuTime = usage.user_ns + usage.system_ns;
	return RPC_DONE;
}

int
rpc_domain_get_state(struct rpc_call *call, const struct rpc_domain_get_state_args *args,
	struct rpc_domain_get_state_ret *ret)
{
	const struct domain *domain;

	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_domain(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	ret->state = (int32_t)domain->state;
	ret->reason = domain->reason;
	return RPC_DONE;
}

int
rpc_domain_is_active(struct rpc_call *call, const struct rpc_domain_is_active_args *args,
	struct rpc_domain_is_active_ret *ret)
{
	const struct domain *domain = call_find_domain(call, &args->dom);

	if (!domain)
		return RPC_FAILED;
	ret->active = domain_is_active(domain);
	return RPC_DONE;
}

int
rpc_domain_is_persistent(struct rpc_call *call, const struct rpc_domain_is_persistent_args *args,
	struct rpc_domain_is_persistent_ret *ret)
{
	const struct domain *domain = call_find_domain(call, &args->dom);

	if (!domain)
		return RPC_FAILED;
	ret->persistent = domain->config != NULL;
	return RPC_DONE;
}

int
rpc_domain_get_os_type(struct rpc_call *call, const struct rpc_domain_get_os_type_args *args,
	struct rpc_domain_get_os_type_ret *ret)
{
	if (!call_find_domain(call, &args->dom))
		return RPC_FAILED;
	/* The one kind that a definition can have. */
	return call_return_string(call, "hvm", &ret->type);
}

int
rpc_domain_has_managed_save_image(struct rpc_call *call,
	const struct rpc_domain_has_managed_save_image_args *args,
	struct rpc_domain_has_managed_save_image_ret *ret)
{
	(void)ret;
	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	return call_find_domain(call, &args->dom) ? RPC_DONE : RPC_FAILED;
}

/* virDomainSnapshotListFlags: every filter gives none of none. */
enum { SNAPSHOT_LIST_ALL = 0x7ff };

int
rpc_domain_snapshot_num(struct rpc_call *call, const struct rpc_domain_snapshot_num_args *args,
	struct rpc_domain_snapshot_num_ret *ret)
{
	(void)ret;
	if (call_check_flags(call, args->flags, SNAPSHOT_LIST_ALL) != RPC_DONE)
		return RPC_FAILED;
	return call_find_domain(call, &args->dom) ? RPC_DONE : RPC_FAILED;
}

/* virDomainMessageType: deprecation and tainting, neither of which is there to tell of. */
enum { MESSAGES_ALL = 0x3 };

int
rpc_domain_get_messages(struct rpc_call *call, const struct rpc_domain_get_messages_args *args,
	struct rpc_domain_get_messages_ret *ret)
{
	(void)ret;
	if (call_check_flags(call, args->flags, MESSAGES_ALL) != RPC_DONE)
		return RPC_FAILED;
	return call_find_domain(call, &args->dom) ? RPC_DONE : RPC_FAILED;
}
