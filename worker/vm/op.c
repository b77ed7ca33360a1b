/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * op.c: the line of a VM's ops; see op.h.
 *
 * Runs in the worker, as the user. Must never begin one op inside another.
 */
#include "worker/vm/op.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/take.h"
#include "worker/vm/vm.h"
#include "worker/vm/vms.h"

enum { FIRST_STEP = 0 };

static void
free_op(struct deferred *deferred)
{
	struct vm_op *op = container_of(deferred, struct vm_op, freeing);

	if (op->release)
		op->release(op);
	free(op);
}

/* It is over: out of the line, and told. */
static void
leave(struct vm_op *op, enum rpc_handled handled)
{
	struct vm *vm = op->vm;

	timer_stop(&op->patience);
	TAILQ_REMOVE(&vm->ops, op, entry);
	loop_defer(vm->vms->loop, &vm->next_op, vm_op_next);
	loop_defer(vm->vms->loop, &op->freeing, free_op);
	if (op->done)
		op->done(op->arg, handled, &op->job.error);
}

void
vm_op_next(struct deferred *deferred)
{
	struct vm *vm = container_of(deferred, struct vm, next_op);
	struct vm_op *op = TAILQ_FIRST(&vm->ops);

	if (!op || op->job.jobs)
		return;
	/* Nothing is begun for a VM that ends: it would outlive it. */
	if (vm->stopping) {
		vm_op_fail(vm, -ECANCELED);
		return;
	}
	timer_stop(&op->patience);
	job_start(vm->vms->jobs, &op->job, op->ops, FIRST_STEP);
}

static void
too_late(struct timer *timer)
{
	struct vm_op *op = container_of(timer, struct vm_op, patience);

	(void)rpc_error_set(&op->job.error, VIR_ERR_OPERATION_TIMEOUT, VIR_FROM_QEMU,
		"Timed out during operation: cannot acquire state change lock (held by %s)",
		TAILQ_FIRST(&op->vm->ops)->ops->name);
	leave(op, RPC_FAILED);
}

void
vm_op_put(struct vm *vm, struct vm_op *op, const struct job_ops *ops, bool next, vm_done_fn *done,
	void *arg)
{
	struct loop *loop = vm->vms->loop;
	struct vm_op *first = TAILQ_FIRST(&vm->ops);

	op->vm = vm;
	op->ops = ops;
	op->done = done;
	op->arg = arg;
	if (!next || !first)
		TAILQ_INSERT_TAIL(&vm->ops, op, entry);
	else if (first->job.jobs)
		TAILQ_INSERT_AFTER(&vm->ops, first, op, entry);
	else
		TAILQ_INSERT_HEAD(&vm->ops, op, entry);
	timer_set(loop, &op->patience, loop_now(loop) + LOOP_S(VM_OP_PATIENCE_S), too_late);
	loop_defer(loop, &vm->next_op, vm_op_next);
}

uint64_t
vm_op_await(struct vm_op *op, int step, uint64_t timeout_ns)
{
	op->ticket = job_wait(&op->job, step, timeout_ns);
	return op->ticket;
}

void
vm_op_wake(struct vm *vm, int err, const void *body)
{
	const struct vm_op *op = TAILQ_FIRST(&vm->ops);

	if (op && op->job.jobs)
		job_wake(vm->vms->jobs, op->ticket, err, body);
}

void
vm_op_fail(struct vm *vm, int err)
{
	struct vm_op *op = TAILQ_FIRST(&vm->ops);

	if (!op)
		return;
	if (op->job.jobs) {
		vm_op_wake(vm, err, NULL);
		return;
	}
	op->ops->explain(&op->job, FIRST_STEP, err);
	leave(op, RPC_FAILED);
}

void
vm_op_fail_all(struct vm *vm, int err)
{
	while (!TAILQ_EMPTY(&vm->ops))
		vm_op_fail(vm, err);
}

void
vm_op_done(struct job *job, bool ok)
{
	leave(vm_op_of(job), ok ? RPC_DONE : RPC_FAILED);
}
