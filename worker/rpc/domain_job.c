/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_job.c: procedures that tell what is being done to a domain: whether it can be spoken to, and
 * how far a save, a dump or a migration is, of which there is none.
 *
 * Runs in the worker. Errors are libvirt 9.0.0's (measured).
 */
#include "protocol/rpc/handlers.h"
#include "worker/rpc/ask.h"
#include "worker/rpc/domain_find.h"
#include "worker/vm/vm.h"

/* virDomainControlState, and virDomainControlErrorReason */
enum { CONTROL_OK = 0, CONTROL_OCCUPIED = 2, CONTROL_ERROR = 3 };
enum { CONTROL_ERROR_NONE = 0, CONTROL_ERROR_MONITOR = 2 };

/* virDomainGetJobStatsFlags */
enum { JOB_STATS_COMPLETED = 1, JOB_STATS_KEEP_COMPLETED = 2 };

int
rpc_domain_get_control_info(struct rpc_call *call,
	const struct rpc_domain_get_control_info_args *args,
	struct rpc_domain_get_control_info_ret *ret)
{
	const struct domain *domain;

	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_running(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	ret->state = CONTROL_OK;
	ret->details = CONTROL_ERROR_NONE;
	if (!domain->vm || domain->vm->control_lost) {
		ret->state = CONTROL_ERROR;
		ret->details = CONTROL_ERROR_MONITOR;
	} else if (!TAILQ_EMPTY(&domain->vm->ops)) {
		ret->state = CONTROL_OCCUPIED;
	}
	return RPC_DONE;
}

/* The result is zeroed: VIR_DOMAIN_JOB_NONE, and no numbers. */
int
rpc_domain_get_job_info(struct rpc_call *call, const struct rpc_domain_get_job_info_args *args,
	struct rpc_domain_get_job_info_ret *ret)
{
	(void)ret;
	return call_find_running(call, &args->dom) ? RPC_DONE : RPC_FAILED;
}

int
rpc_domain_get_job_stats(struct rpc_call *call, const struct rpc_domain_get_job_stats_args *args,
	struct rpc_domain_get_job_stats_ret *ret)
{
	const struct domain *domain;

	(void)ret;
	if (call_check_flags(call, args->flags, JOB_STATS_COMPLETED | JOB_STATS_KEEP_COMPLETED) !=
		RPC_DONE)
		return RPC_FAILED;
	/* What was done last is told of a domain that does not run, too. */
	domain = args->flags & JOB_STATS_COMPLETED ? call_find_domain(call, &args->dom)
						   : call_find_running(call, &args->dom);
	return domain ? RPC_DONE : RPC_FAILED;
}

int
rpc_domain_abort_job(struct rpc_call *call, const struct rpc_domain_abort_job_args *args)
{
	if (!call_find_running(call, &args->dom))
		return RPC_FAILED;
	return rpc_error_set(&call->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
		"Requested operation is not valid: no job is active on the domain");
}
