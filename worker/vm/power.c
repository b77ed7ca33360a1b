/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power.c: a VM that runs is paused, goes on, is reset, asked to shut down, or ends.
 *
 * Runs in the worker, as the user. Ending it waits for nobody and needs no answer of QEMU's.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/log.h"
#include "lib/take.h"
#include "worker/vm/ask.h"
#include "worker/vm/vm.h"
#include "worker/vm/vms.h"

/* --- one command, one answer -------------------------------------------------------------- */

enum power_step { POWER_BEGIN, POWER_PREPARED, POWER_ANSWERED };

/* What QEMU does when the guest has shut down, set before it is asked to: see command.h. */
enum power_action {
	ACTION_AS_IS,
	ACTION_OF_DEFINITION, /* <on_poweroff> */
	ACTION_PAUSE          /* wait, to be reset */
};

/* An op that gives QEMU one command; `check` says whether there is anything to do. */
struct power_kind {
	const struct job_ops ops;
	enum power_action action;
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

/* What QEMU is to do when the guest has shut down. */
static json_t *
shutdown_action(const struct vm *vm, bool pause)
{
	pause = pause || vm->domain->live->on_poweroff == DOMAIN_RESTART;
	return json_pack("{s:s}", "shutdown", pause ? "pause" : "poweroff");
}

static enum job_verdict
begin(struct job *job)
{
	const struct power_kind *kind = kind_of(job);
	struct vm *vm = vm_op_of(job)->vm;
	int r = kind->check(vm, &job->error);

	if (r != RPC_LATER)
		return r == RPC_DONE ? JOB_DONE : JOB_FAILED;
	if (kind->action == ACTION_AS_IS)
		return vm_ask(job, POWER_ANSWERED, kind->command, NULL, -1);
	return vm_ask(job, POWER_PREPARED, "set-action",
		shutdown_action(vm, kind->action == ACTION_PAUSE), -1);
}

static enum job_verdict
step(struct job *job, int step, const void *body)
{
	const struct power_kind *kind = kind_of(job);
	const struct qmp_reply *reply = body;

	switch ((enum power_step)step) {
	case POWER_BEGIN:
		return begin(job);
	case POWER_PREPARED:
		return reply->value ? vm_ask(job, POWER_ANSWERED, kind->command, NULL, -1)
				    : vm_ask_refused(job, reply);
	case POWER_ANSWERED:
		break;
	}
	if (!reply->value)
		return vm_ask_refused(job, reply);
	if (kind->then)
		kind->then(vm_op_of(job)->vm);
	return JOB_DONE;
}

/* --- the kinds ---------------------------------------------------------------------------- */

/* It wakes itself, or is reset or destroyed. */
static int
pmsuspended(struct rpc_error *error)
{
	return rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
		"Requested operation is not valid: domain is pmsuspended");
}

static int
check_suspend(struct vm *vm, struct rpc_error *error)
{
	if (!vm->started || vm->stopping)
		return vm_not_running(error);
	if (vm->domain->state == DOMAIN_STATE_PMSUSPENDED)
		return pmsuspended(error);
	/* What has crashed stands still already, and stays crashed. */
	if (vm->domain->state == DOMAIN_STATE_PAUSED || vm->domain->state == DOMAIN_STATE_CRASHED)
		return RPC_DONE;
	vm->pausing = DOMAIN_PAUSED_USER;
	vm->n_changes = 0;
	return RPC_LATER;
}

static int
check_resume(struct vm *vm, struct rpc_error *error)
{
	if (!vm->started || vm->stopping)
		return vm_not_running(error);
	if (vm->domain->state == DOMAIN_STATE_PMSUSPENDED)
		return pmsuspended(error);
	if (vm->domain->state == DOMAIN_STATE_RUNNING)
		return rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
			"Requested operation is not valid: domain is already running");
	vm->n_changes = 0;
	return RPC_LATER;
}

static int
check_reset(struct vm *vm, struct rpc_error *error)
{
	return !vm->started || vm->stopping ? vm_not_running(error) : RPC_LATER;
}

static int
check_shutdown(struct vm *vm, struct rpc_error *error)
{
	vm->rebooting = false;
	/* Nobody is there who would do it. */
	return vm->domain->state == DOMAIN_STATE_CRASHED ? vm_not_running(error)
							 : check_reset(vm, error);
}

/* A reboot is a shutdown after which the guest is reset, as libvirt does it. */
static int
check_reboot(struct vm *vm, struct rpc_error *error)
{
	int r = check_reset(vm, error);

	vm->rebooting = r == RPC_LATER;
	return r;
}

static int
check_restart(struct vm *vm, struct rpc_error *error)
{
	return vm->stopping ? vm_not_running(error) : RPC_LATER;
}

/* The guest has been reset, and stands still; its next shutdown is one again. */
static void
go_on(struct vm *vm)
{
	vm->rebooting = false;
	vm->recovering = vm->domain->state == DOMAIN_STATE_CRASHED;
	(void)monitor_ask(&vm->monitor, "set-action", shutdown_action(vm, false), 0);
	(void)monitor_ask(&vm->monitor, "cont", NULL, 0);
}

/* Nothing is left of what has crashed; it goes on when it is resumed. */
static void
forget_crash(struct vm *vm)
{
	if (vm->domain->state == DOMAIN_STATE_CRASHED)
		vm_set_state(vm, DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_CRASHED);
}

#define POWER_OPS(name_)                                                                   \
	{                                                                                  \
		.name = name_, .step = step, .explain = vm_ask_explain, .done = vm_op_done \
	}

static const struct power_kind suspend = {
	.ops = POWER_OPS("suspend"), .command = "stop", .check = check_suspend};
static const struct power_kind resume = {
	.ops = POWER_OPS("resume"), .command = "cont", .check = check_resume};
static const struct power_kind reset = {.ops = POWER_OPS("reset"),
	.command = "system_reset",
	.check = check_reset,
	.then = forget_crash};
static const struct power_kind wakeup = {
	.ops = POWER_OPS("wakeup"), .command = "system_wakeup", .check = check_reset};
static const struct power_kind shutdown = {.ops = POWER_OPS("shutdown"),
	.action = ACTION_OF_DEFINITION,
	.command = "system_powerdown",
	.check = check_shutdown};
static const struct power_kind reboot = {.ops = POWER_OPS("reboot"),
	.action = ACTION_PAUSE,
	.command = "system_powerdown",
	.check = check_reboot};
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
		return vm_not_running(error);
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

int
vms_reset(struct domain *domain, struct rpc_error *error, vm_done_fn *done, void *arg)
{
	return put(domain->vm, &reset, error, done, arg);
}

int
vms_wakeup(struct domain *domain, struct rpc_error *error, vm_done_fn *done, void *arg)
{
	return put(domain->vm, &wakeup, error, done, arg);
}

int
vms_shutdown(struct domain *domain, struct rpc_error *error, vm_done_fn *done, void *arg)
{
	return put(domain->vm, &shutdown, error, done, arg);
}

int
vms_reboot(struct domain *domain, struct rpc_error *error, vm_done_fn *done, void *arg)
{
	return put(domain->vm, &reboot, error, done, arg);
}

void
vm_restart(struct vm *vm)
{
	const struct vm_op *op;
	struct rpc_error error;

	TAILQ_FOREACH (op, &vm->ops, entry) {
		if (op->ops == &restart.ops)
			return;
	}
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

void
vm_panicked(struct vm *vm)
{
	switch (vm->domain->live->on_crash) {
	case DOMAIN_DESTROY:
		/*
		 * Most often QEMU ends by itself (command.c): not while it waits behind a shutdown. If it
		 * cannot be asked, its monitor is lost, and this is done when it is reached again.
		 */
		if (vm->end == 0)
			vm->end = VM_END_PANICKED;
		(void)monitor_ask(&vm->monitor, "quit", NULL, 0);
		break;
	case DOMAIN_RESTART:
		vm_restart(vm);
		break;
	case DOMAIN_PRESERVE:
		break;
	}
}

/* Now; whatever is done to it fails. */
static void
end_now(struct vm *vm)
{
	vm_stop(vm, VM_END_DESTROYED);
	vm_op_fail(vm, -ECANCELED);
}

unsigned
vms_disown(struct vm_owned *owned, vm_done_fn *done, void *arg)
{
	struct vm *vm;
	unsigned n = 0;

	while ((vm = LIST_FIRST(owned)) != NULL) {
		LIST_REMOVE(vm, owned);
		vm->owner = NULL;
		log_info("dom=%s ends with the connection that started it",
			log_quote(domain_def_now(vm->domain)->name));
		n += done && vm_wait_end(vm, NULL, done, arg) == 0;
		end_now(vm);
	}
	return n;
}

int
vms_destroy(
	struct domain *domain, bool graceful, struct rpc_error *error, vm_done_fn *done, void *arg)
{
	struct vm *vm = domain->vm;

	if (!vm)
		return vm_not_running(error);
	/* What has not been let go, or ends already, has nothing to put in order. */
	graceful = graceful && vm->started && !vm->stopping;
	if (graceful && ask_to_quit(vm, error) != RPC_DONE)
		return RPC_FAILED;
	if (vm_wait_end(vm, NULL, done, arg) < 0)
		return rpc_error_set(error, VIR_ERR_NO_MEMORY, VIR_FROM_NONE, "out of memory");
	if (!graceful)
		end_now(vm);
	return RPC_LATER;
}
