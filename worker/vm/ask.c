/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ask.c: what an op says to a VM's QEMU; see ask.h.
 *
 * Runs in the worker, as the user. Whatever QEMU does with what it is asked, the op ends at its
 * deadline.
 */
#include "worker/vm/ask.h"

#include <errno.h>

#include "lib/log.h"
#include "worker/vm/vm.h"

enum { ANSWER_S = 30 };

int
vm_not_running(struct rpc_error *error)
{
	return rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_DOMAIN,
		"Requested operation is not valid: domain is not running");
}

void
vm_ask_explain(struct job *job, int step, int err)
{
	const struct vm_op *op = vm_op_of(job);
	bool ends = op->vm->stopping && (err == -ECANCELED || err == -EPIPE);

	if (ends && step == 0)
		(void)vm_not_running(&job->error);
	else if (ends)
		(void)rpc_error_set(&job->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: domain is not running any more");
	else if (err == -ETIMEDOUT)
		(void)rpc_error_set(&job->error, VIR_ERR_OPERATION_TIMEOUT, VIR_FROM_QEMU,
			"Timed out during operation: QEMU did not answer '%s' within %d seconds",
			op->asked ? op->asked : op->ops->name, ANSWER_S);
	else if (err == -ENOTCONN || err == -EPIPE)
		(void)rpc_error_set(&job->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: the monitor of the domain cannot be reached now; it is "
			"tried again every few seconds, and destroy works");
	else
		(void)rpc_error_set_errno(&job->error, -err, VIR_FROM_QEMU,
			"QEMU cannot be given the command '%s'",
			op->asked ? op->asked : op->ops->name);
}

enum job_verdict
vm_ask(struct job *job, int next, const char *command, json_t *arguments, int fd)
{
	struct vm_op *op = vm_op_of(job);
	uint64_t ticket = vm_op_await(op, next, LOOP_S(ANSWER_S));
	int r;

	op->asked = command;
	r = monitor_ask_fd(&op->vm->monitor, command, arguments, fd, ticket);
	if (r == 0)
		return JOB_WAIT;
	vm_ask_explain(job, 0, r);
	return JOB_FAILED;
}

enum job_verdict
vm_ask_refused(struct job *job, const struct qmp_reply *reply)
{
	(void)rpc_error_set(&job->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
		"internal error: unable to execute QEMU command '%s': %s", vm_op_of(job)->asked,
		log_quote(reply->error_text));
	return JOB_FAILED;
}
