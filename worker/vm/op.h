/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * op.h: one thing that is done to a VM and takes time; a VM has one at a time, others wait in line.
 *
 * Runs in the worker, as the user. An op is a job (worker/job/job.h) with a place in its VM's line
 * and somebody who is told how it went. Starting, stopping and resuming are ops; ending a VM is
 * not: it waits for nobody (vm_stop()).
 */
#ifndef WORKER_VM_OP_H
#define WORKER_VM_OP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/loop.h"
#include "lib/take.h"
#include "protocol/rpc/error.h"
#include "protocol/rpc/procedure.h"
#include "worker/job/job.h"

struct vm;

enum { VM_OP_PATIENCE_S = 30 /* as long as libvirt waits for a domain's job */ };

/** How it went; error is filled in with RPC_FAILED. Called once, from the loop. */
typedef void vm_done_fn(void *arg, enum rpc_handled handled, const struct rpc_error *error);

struct vm_op {
	TAILQ_ENTRY(vm_op) entry;
	struct vm *vm;
	struct job job;
	const struct job_ops *ops;
	int first_step;
	struct timer patience; /* while it waits for its turn */
	uint64_t ticket;       /* of the job's open wait */
	const char *asked;     /* the command that QEMU was given last (ask.h); NULL: none */
	vm_done_fn *done;      /* NULL: nobody wants to know */
	void *arg;
	void (*release)(struct vm_op *op); /* closes and frees what the op's kind added; or NULL */
	struct deferred freeing;
};

TAILQ_HEAD(vm_ops, vm_op);

/**
 * Put a heap op (taken over, zeroed but for what its kind added and `release`) at the end of its
 * VM's line, or with next at its front; it begins when it is its turn, from the loop.
 */
void vm_op_put(struct vm *vm, struct vm_op *op, const struct job_ops *ops, bool next,
	vm_done_fn *done, void *arg);
/** From inside a step: wait for what vm_op_wake() or a QMP reply brings. Returns the ticket. */
uint64_t vm_op_await(struct vm_op *op, int step, uint64_t timeout_ns);
/** Bring it to the op whose turn it is; nothing happens when it waits for nothing. */
void vm_op_wake(struct vm *vm, int err, const void *body);
/** The op whose turn it is fails, also when it has not begun; if there is one. */
void vm_op_fail(struct vm *vm, int err);
/** All of them fail. */
void vm_op_fail_all(struct vm *vm, int err);
/** To be every op's job_ops.done. */
void vm_op_done(struct job *job, bool ok);
static inline struct vm_op *
vm_op_of(struct job *job)
{
	return container_of(job, struct vm_op, job);
}

#endif
