/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power.c: a VM that runs is paused, goes on, is reset, or ends.
 *
 * Runs in the worker, as the user. Ending it waits for nobody and needs no answer of QEMU's.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/log.h"
#include "lib/take.h"
#include "worker/vm/vm.h"
#include "worker/vm/vms.h"

enum { ANSWER_S = 30 };

/* --- one command, one answer -------------------------------------------------------------- */

enum power_step { POWER_BEGIN, POWER_ANSWERED };

/* An op that gives QEMU one command; `check` says whether there is anything to do. */
struct power_kind {
	const struct job_ops ops;
	const char *command;
	/* RPC_LATER: the command is to be given; else what the op ends with. */
	int (*check)(struct vm *vm, struct rpc_error *error);
	/* QEMU has done it; NULL: nothing follows. */
	void (*then)(struct vm *vm);
};

struct power {
	struct vm_op op;
	const struct power_kind *kind;
};

static const struct power_kind *
kind_of(struct job *job)
{
	return container_of(vm_op_of(job), struct power, op)->kind;
}

static int
not_running(struct rpc_error *error)
{
	return rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_DOMAIN,
		"Requested operation is not valid: domain is not running");
}

static void
explain(struct job *job, int step, int err)
{
	bool ends = vm_op_of(job)->vm->stopping && (err == -ECANCELED || err == -EPIPE);

	if (ends && step == POWER_BEGIN)
		(void)not_running(&job->error);
	else if (ends)
		(void)rpc_error_set(&job->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: domain is not running any more");
	else if (err == -ETIMEDOUT)
		(void)rpc_error_set(&job->error, VIR_ERR_OPERATION_TIMEOUT, VIR_FROM_QEMU,
			"Timed out during operation: QEMU did not answer '%s' within %d seconds",
			kind_of(job)->command, ANSWER_S);
	else if (err == -ENOTCONN || err == -EPIPE)
		(void)rpc_error_set(&job->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: the monitor of the domain cannot be reached now; it is "
			"tried again every few seconds, and destroy works");
	else
		(void)rpc_error_set_errno(&job->error, -err, VIR_FROM_QEMU,
			"QEMU cannot be given the command '%s'", kind_of(job)->command);
}

static enum job_verdict
begin(struct job *job)
{
	struct vm_op *op = vm_op_of(job);
	int r = kind_of(job)->check(op->vm, &job->error);
	uint64_t ticket;

	if (r != RPC_LATER)
		return r == RPC_DONE ? JOB_DONE : JOB_FAILED;
	ticket = vm_op_await(op, POWER_ANSWERED, LOOP_S(ANSWER_S));
	r = monitor_ask(&op->vm->monitor, kind_of(job)->command, NULL, ticket);
	if (r == 0)
		return JOB_WAIT;
	explain(job, POWER_BEGIN, r);
	return JOB_FAILED;
}

static enum job_verdict
answered(struct job *job, const struct qmp_reply *reply)
{
	const struct power_kind *kind = kind_of(job);

	if (!reply->value) {
		(void)rpc_error_set(&job->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: unable to execute QEMU command '%s': %s", kind->command,
			log_quote(reply->error_text));
		return JOB_FAILED;
	}
	if (kind->then)
		kind->then(vm_op_of(job)->vm);
	return JOB_DONE;
}

static enum job_verdict
step(struct job *job, int step, const void *body)
{
	return step == POWER_ANSWERED ? answered(job, body) : begin(job);
}

/* --- the kinds ---------------------------------------------------------------------------- */

static int
check_suspend(struct vm *vm, struct rpc_error *error)
{
	if (!vm->started || vm->stopping)
		return not_running(error);
	if (vm->domain->state == DOMAIN_STATE_PAUSED)
		return RPC_DONE;
	vm->pausing = DOMAIN_PAUSED_USER;
	vm->n_changes = 0;
	return RPC_LATER;
}

static int
check_resume(struct vm *vm, struct rpc_error *error)
{
	if (!vm->started || vm->stopping)
		return not_running(error);
	if (vm->domain->state == DOMAIN_STATE_RUNNING)
		return rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
			"Requested operation is not valid: domain is already running");
	vm->n_changes = 0;
	return RPC_LATER;
}

static int
check_restart(struct vm *vm, struct rpc_error *error)
{
	return vm->stopping ? not_running(error) : RPC_LATER;
}

/* The guest has been reset, and stands still. */
static void
go_on(struct vm *vm)
{
	(void)monitor_ask(&vm->monitor, "cont", NULL, 0);
}

#define POWER_OPS(name_)                                                            \
	{                                                                           \
		.name = name_, .step = step, .explain = explain, .done = vm_op_done \
	}

static const struct power_kind suspend = {
	.ops = POWER_OPS("suspend"), .command = "stop", .check = check_suspend};
static const struct power_kind resume = {
	.ops = POWER_OPS("resume"), .command = "cont", .check = check_resume};
static const struct power_kind restart = {.ops = POWER_OPS("restart"),
	.command = "system_reset",
	.check = check_restart,
	.then = go_on};

static int
put(struct vm *vm, const struct power_kind *kind, struct rpc_error *error, vm_done_fn *done,
	void *arg)
{
	struct power *power;

	if (!vm)
		return not_running(error);
	power = calloc(1, sizeof(*power));
	if (!power)
		return rpc_error_set(error, VIR_ERR_NO_MEMORY, VIR_FROM_NONE, "out of memory");
	power->kind = kind;
	vm_op_put(vm, &power->op, &kind->ops, false, done, arg);
	return RPC_LATER;
}

int
vms_suspend(struct domain *domain, struct rpc_error *error, vm_done_fn *done, void *arg)
{
	return put(domain->vm, &suspend, error, done, arg);
}

int
vms_resume(struct domain *domain, struct rpc_error *error, vm_done_fn *done, void *arg)
{
	return put(domain->vm, &resume, error, done, arg);
}

void
vm_restart(struct vm *vm)
{
	struct rpc_error error;

	/* Without memory the guest stays as it has shut down, and can be destroyed. */
	(void)put(vm, &restart, &error, NULL, NULL);
}

/* --- the end ------------------------------------------------------------------------------ */

/* Ask QEMU to end by itself. */
static int
ask_to_quit(struct vm *vm, struct rpc_error *error)
{
	if (monitor_ask(&vm->monitor, "quit", NULL, 0) < 0)
		return rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: QEMU cannot be asked to end: its monitor cannot be "
			"reached now; destroy without --graceful ends it");
	vm->end = VM_END_DESTROYED;
	return RPC_DONE;
}

int
vms_destroy(
	struct domain *domain, bool graceful, struct rpc_error *error, vm_done_fn *done, void *arg)
{
	struct vm *vm = domain->vm;

	if (!vm)
		return not_running(error);
	/* What has not been let go, or ends already, has nothing to put in order. */
	graceful = graceful && vm->started && !vm->stopping;
	if (graceful && ask_to_quit(vm, error) != RPC_DONE)
		return RPC_FAILED;
	if (vm_wait_end(vm, NULL, done, arg) < 0)
		return rpc_error_set(error, VIR_ERR_NO_MEMORY, VIR_FROM_NONE, "out of memory");
	if (!graceful) {
		vm_stop(vm, VM_END_DESTROYED);
		vm_op_fail(vm, -ECANCELED);
	}
	return RPC_LATER;
}
