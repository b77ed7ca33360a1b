/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_vcpu.c: procedures that tell how many virtual CPUs a domain has, and what they do.
 *
 * Runs in the worker. All is known without QEMU. Errors are libvirt 9.0.0's (measured).
 */
#include "protocol/rpc/handlers.h"
#include "serve/client.h"
#include "serve/server.h"
#include "worker/estate.h"
#include "worker/rpc/ask.h"
#include "worker/rpc/domain_find.h"
#include "worker/rpc/params.h"
#include "worker/rpc/serving.h"
#include "worker/vm/usage.h"
#include "worker/vm/vm.h"

/* REMOTE_VCPUINFO_MAX, REMOTE_CPUMAPS_MAX, REMOTE_DOMAIN_GET_CPU_STATS_NCPUS_MAX and _MAX. */
enum { VCPUS_MAX = 16384, MAPS_MAX = 8388608, CPUS_MAX = 128, CPU_STATS_MAX = 2048 };

enum { VCPU_RUNNING = 1 /* virVcpuState */ };

/* virDomainVcpuFlags, beside enum affect_flag */
enum vcpu_flag { VCPU_MAXIMUM = 0x4, VCPU_GUEST = 0x8, VCPU_ALL = 0xf };

static uint32_t
smaller(uint32_t one, uint32_t other)
{
	return one < other ? one : other;
}

/* --- what they do ------------------------------------------------------------------------- */

/* May a client have n maps (of what its call says) of that size? */
static int
check_maps(struct rpc_call *call, const char *what, int32_t n, int32_t size)
{
	if (n < 0)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
			"internal error: %s must be non-negative", what);
	if (n > VCPUS_MAX)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
			"internal error: %s > REMOTE_VCPUINFO_MAX", what);
	if (size < 0)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
			"internal error: maplen must be non-negative");
	if ((int64_t)n * size > MAPS_MAX)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
			"internal error: maxinfo * maplen > REMOTE_CPUMAPS_MAX");
	return RPC_DONE;
}

static int
tell_vcpus(struct rpc_call *call, struct vm *vm, uint32_t n, uint32_t maplen,
	struct rpc_domain_get_vcpus_ret *ret)
{
	const struct vcpu_usage *vcpus = vm_vcpus(vm);

	if (!vcpus)
		return call_out_of_memory(call);
	for (uint32_t i = 0; ret->n_info < n; i++) {
		const struct vcpu_usage *vcpu = &vcpus[i];

		if (!vcpu->wanted)
			continue;
		if (!vcpu->tid)
			return rpc_error_set(&call->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
				"Requested operation is not valid: the thread of vCPU %u is not "
				"known",
				i);
		(void)usage_affinity(
			vm->pid, vcpu->tid, ret->cpumaps + (size_t)ret->n_info * maplen, maplen);
		ret->info[ret->n_info++] = (struct rpc_vcpu_info){.number = i,
			.state = VCPU_RUNNING,
			.cpu_time = vcpu->usage.user_ns + vcpu->usage.system_ns,
			.cpu = (int32_t)vcpu->usage.processor};
	}
	return RPC_DONE;
}

int
rpc_domain_get_vcpus(struct rpc_call *call, const struct rpc_domain_get_vcpus_args *args,
	struct rpc_domain_get_vcpus_ret *ret)
{
	uint32_t n, maplen = (uint32_t)args->maplen;
	const struct domain *domain;

	if (check_maps(call, "maxinfo", args->maxinfo, args->maplen) != RPC_DONE)
		return RPC_FAILED;
	if (args->maxinfo == 0)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"info in virDomainGetVcpus must not be NULL");
	domain = call_find_domain(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	if (!domain_is_active(domain) || !domain->vm)
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
			"Requested operation is not valid: cannot retrieve vcpu information for "
			"inactive domain");
	n = smaller(domain->live->current_vcpus, (uint32_t)args->maxinfo);
	/* Room for all that was asked for comes back. */
	ret->n_cpumaps = (uint32_t)args->maxinfo * maplen;
	ret->info = rpc_arena_array(&call->arena, n, sizeof(*ret->info));
	ret->cpumaps = rpc_arena_array(&call->arena, ret->n_cpumaps, 1);
	if (!ret->info || (ret->n_cpumaps > 0 && !ret->cpumaps))
		return call_out_of_memory(call);
	return tell_vcpus(call, domain->vm, n, maplen, ret);
}

/* --- how many ----------------------------------------------------------------------------- */

/* Which the guest itself uses, its agent could tell; no definition can have one. */
static int
ask_guest(struct rpc_call *call, const struct domain *domain)
{
	if (!domain_is_active(domain))
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
			"invalid argument: vCPU count provided by the guest agent can only be "
			"requested for live domains");
	if (domain->state != DOMAIN_STATE_RUNNING)
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
			"Requested operation is not valid: domain is not running");
	return rpc_error_set(&call->error, VIR_ERR_ARGUMENT_UNSUPPORTED, VIR_FROM_QEMU,
		"argument unsupported: QEMU guest agent is not configured");
}

static int
count_vcpus(struct rpc_call *call, const struct rpc_domain *dom, uint32_t flags, int32_t *ret)
{
	const struct domain_def *def = call_find_def(call, dom, flags, VCPU_ALL);

	if (!def)
		return RPC_FAILED;
	if (flags & VCPU_GUEST)
		return ask_guest(call, call_find_domain(call, dom));
	*ret = (int32_t)(flags & VCPU_MAXIMUM ? def->vcpus : def->current_vcpus);
	return RPC_DONE;
}

int
rpc_domain_get_vcpus_flags(struct rpc_call *call,
	const struct rpc_domain_get_vcpus_flags_args *args,
	struct rpc_domain_get_vcpus_flags_ret *ret)
{
	return count_vcpus(call, &args->dom, args->flags, &ret->num);
}

int
rpc_domain_get_max_vcpus(struct rpc_call *call, const struct rpc_domain_get_max_vcpus_args *args,
	struct rpc_domain_get_max_vcpus_ret *ret)
{
	return count_vcpus(call, &args->dom, AFFECT_LIVE | VCPU_MAXIMUM, &ret->num);
}

/* A definition pins none of them: each may run on all processors of the host. */
int
rpc_domain_get_vcpu_pin_info(struct rpc_call *call,
	const struct rpc_domain_get_vcpu_pin_info_args *args,
	struct rpc_domain_get_vcpu_pin_info_ret *ret)
{
	const struct domain_def *def;
	uint32_t n, maplen = (uint32_t)args->maplen;

	if (check_maps(call, "ncpumaps", args->ncpumaps, args->maplen) != RPC_DONE)
		return RPC_FAILED;
	if (args->ncpumaps == 0 || args->maplen == 0)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN, "%s",
			args->ncpumaps == 0
				? "ncpumaps in virDomainGetVcpuPinInfo must be greater than zero"
				: "cpumaps in virDomainGetVcpuPinInfo must not be NULL");
	def = call_find_def(call, &args->dom, args->flags, AFFECT_LIVE | AFFECT_CONFIG);
	if (!def)
		return RPC_FAILED;
	n = smaller(def->vcpus, (uint32_t)args->ncpumaps);
	/* Room for all that was asked for comes back. */
	ret->n_cpumaps = (uint32_t)args->ncpumaps * maplen;
	ret->cpumaps = rpc_arena_array(&call->arena, ret->n_cpumaps, 1);
	if (!ret->cpumaps)
		return call_out_of_memory(call);
	for (uint32_t i = 0; i < n; i++)
		host_map(&call_estate(call)->host, ret->cpumaps + (size_t)i * maplen, maplen);
	ret->num = (int32_t)n;
	return RPC_DONE;
}

/* --- all of its processor time ------------------------------------------------------------ */

/* Those of the whole domain; no kernel here says how they are shared among processors. */
enum { N_TOTALS = 3, ALL_CPUS = -1 };

static int
check_cpu_stats(struct rpc_call *call, const struct rpc_domain_get_cpu_stats_args *args)
{
	if (args->nparams > CPU_STATS_MAX)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
			"internal error: nparams too large");
	if (args->ncpus > CPUS_MAX)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
			"internal error: ncpus too large");
	if (args->start_cpu < ALL_CPUS)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"start_cpu in virDomainGetCPUStats must be zero or greater");
	if (args->start_cpu == ALL_CPUS && args->ncpus != 1)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"ncpus in virDomainGetCPUStats must be 1 when start_cpu is -1");
	return call_check_flags(call, args->flags & ~(uint32_t)TYPED_PARAM_STRING_OKAY, 0);
}

int
rpc_domain_get_cpu_stats(struct rpc_call *call, const struct rpc_domain_get_cpu_stats_args *args,
	struct rpc_domain_get_cpu_stats_ret *ret)
{
	struct params params = {.arena = &call->arena};
	const struct domain *domain;
	struct usage usage;

	if (check_cpu_stats(call, args) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_running(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	if (args->start_cpu != ALL_CPUS)
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
			"Requested operation is not valid: cgroup CPUACCT controller is not "
			"mounted");
	ret->nparams = N_TOTALS;
	if (args->nparams == 0)
		return RPC_DONE;
	(void)usage_read(domain->vm ? domain->vm->pid : 0, &usage);
	params_ullong(&params, usage.user_ns + usage.system_ns, "cpu_time");
	params_ullong(&params, usage.user_ns, "user_time");
	params_ullong(&params, usage.system_ns, "system_time");
	if (params.failed)
		return call_out_of_memory(call);
	ret->params = params.list;
	ret->n_params = smaller(params.n, args->nparams);
	ret->nparams = (int32_t)ret->n_params;
	return RPC_DONE;
}
