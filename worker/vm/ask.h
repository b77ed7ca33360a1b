/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ask.h: what an op says to a VM's QEMU, and what it makes of the answer.
 *
 * Runs in the worker, as the user. To be used inside the steps of an op (worker/vm/op.h) of a VM
 * that runs. Texts are libvirt's.
 */
#ifndef WORKER_VM_ASK_H
#define WORKER_VM_ASK_H

#include <jansson.h>

#include "worker/job/job.h"
#include "worker/qemu/qmp.h"

/** Sets the error "domain is not running". Returns RPC_FAILED. */
int vm_not_running(struct rpc_error *error);

/**
 * Give QEMU a command, and enter `next` with its answer (struct qmp_reply). arguments and fd (NULL,
 * -1: none) are taken over. Returns what the step returns.
 */
enum job_verdict vm_ask(struct job *job, int next, const char *command, json_t *arguments, int fd);
/** QEMU has refused what was asked last. Returns what the step returns. */
enum job_verdict vm_ask_refused(struct job *job, const struct qmp_reply *reply);
/** To be the op's job_ops.explain; step 0 is the one before anything was asked. */
void vm_ask_explain(struct job *job, int step, int err);

#endif
