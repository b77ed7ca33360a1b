/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * adopt.c: a VM that runs already is reached: by the next worker, or again after its monitor broke
 * off.
 *
 * Runs in the worker, as the user. Must never end a VM because it cannot be reached: it is tried
 * again and again, and it can be destroyed meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/take.h"
#include "worker/vm/channels.h"
#include "worker/vm/interfaces.h"
#include "worker/vm/vcpus.h"
#include "worker/vm/vm.h"
#include "worker/vm/vms.h"

enum { OPEN_S = 5, AGAIN_S = 2, SETTLE_MS = 200 };

enum adopt_step { ADOPT_BEGIN, ADOPT_OPENED, ADOPT_BALLOON, ADOPT_VCPUS, ADOPT_CHANNELS };

struct adopt {
	struct vm_op op;
	vm_done_fn *done;
	void *arg;
	bool again; /* nobody listened: one that is about to end has had time for it */
	struct timer settled;
};

static struct adopt *
adopt_of(struct vm_op *op)
{
	return container_of(op, struct adopt, op);
}

/* What QEMU's RunState means when nobody has seen how it came, and what clients are told of it. */
struct seen {
	const char *status;
	enum domain_state state;
	int32_t reason;
	enum event_lifecycle event;
	int32_t detail;
};

static const struct seen states[] = {
	{"running", DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_UNKNOWN, EVENT_RESUMED,
		EVENT_RESUMED_UNPAUSED},
	{"prelaunch", DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_STARTING_UP, EVENT_SUSPENDED,
		EVENT_SUSPENDED_PAUSED},
	{"io-error", DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_IOERROR, EVENT_SUSPENDED,
		EVENT_SUSPENDED_IOERROR},
	{"watchdog", DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_WATCHDOG, EVENT_SUSPENDED,
		EVENT_SUSPENDED_WATCHDOG},
	{"guest-panicked", DOMAIN_STATE_CRASHED, DOMAIN_CRASHED_PANICKED, EVENT_CRASHED,
		EVENT_CRASHED_PANICKED},
	{"suspended", DOMAIN_STATE_PMSUSPENDED, 0, EVENT_PMSUSPENDED, EVENT_PMSUSPENDED_MEMORY},
	{"shutdown", DOMAIN_STATE_SHUTDOWN, 0, EVENT_SHUTDOWN, EVENT_SHUTDOWN_FINISHED},
	/* "paused", and what stands still for other reasons. */
	{NULL, DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_UNKNOWN, EVENT_SUSPENDED, EVENT_SUSPENDED_PAUSED},
};

/* It has shut down or crashed, and whoever was to restart it has reset it and gone. */
static bool
is_half_restarted(const struct domain *domain, const struct seen *seen)
{
	return seen->reason == DOMAIN_PAUSED_STARTING_UP &&
	       (domain->state == DOMAIN_STATE_SHUTDOWN || domain->state == DOMAIN_STATE_CRASHED);
}

static void
take_status(struct vm *vm, const char *status)
{
	const struct domain *domain = vm->domain;
	const struct seen *seen = states;

	while (seen->status && strcmp(seen->status, status) != 0)
		seen++;
	if (is_half_restarted(domain, seen))
		return;
	/*
	 * Whoever saw it change knows more: this worker, or the one before by its note. But whether
	 * it was ever let go is QEMU's to say.
	 */
	if (seen->state == domain->state && (domain->reason != DOMAIN_PAUSED_STARTING_UP ||
						    seen->reason == DOMAIN_PAUSED_STARTING_UP)) {
		vm_set_state(vm, seen->state, domain->reason);
		return;
	}
	vm_set_state(vm, seen->state, seen->reason);
	vm_tell(vm, seen->event, seen->detail);
}

/* What QEMU has said of its own accord was told to somebody else. */
static enum job_verdict
ask(struct vm_op *op, enum adopt_step next, const char *command)
{
	uint64_t ticket = vm_op_await(op, (int)next, LOOP_S(OPEN_S));

	return monitor_ask(&op->vm->monitor, command, NULL, ticket) < 0 ? JOB_DONE : JOB_WAIT;
}

static enum job_verdict
ask_channels(struct vm_op *op)
{
	return op->vm->domain->live->n_channels > 0 ? ask(op, ADOPT_CHANNELS, "query-chardev")
						    : JOB_DONE;
}

/* More may have been plugged, or some have gone, since anybody noted it. */
static enum job_verdict
ask_vcpus(struct vm_op *op)
{
	return op->vm->domain->live->vcpus > 1 ? ask(op, ADOPT_VCPUS, VM_VCPUS_QUESTION)
					       : ask_channels(op);
}

static enum job_verdict
opened(struct vm_op *op, const char *status)
{
	struct vm *vm = op->vm;
	const struct domain *domain = vm->domain;

	vm->control_lost = false;
	take_status(vm, status);
	vm_open_consoles(vm);
	vm_interfaces_adopt(vm);
	/* Nobody is there any more who would let it go: its start has failed. */
	if (domain->state == DOMAIN_STATE_PAUSED && domain->reason == DOMAIN_PAUSED_STARTING_UP)
		vm_stop(vm, VM_END_FAILED);
	else if (domain->state == DOMAIN_STATE_CRASHED)
		vm_panicked(vm);
	else if (domain->state == DOMAIN_STATE_SHUTDOWN)
		/* It waits for nothing else: <on_poweroff> says so, or somebody who asked for a
		 * reboot. */
		vm_restart(vm);
	if (vm->stopping)
		return JOB_DONE;
	return domain->live->memballoon.virtio ? ask(op, ADOPT_BALLOON, "query-balloon")
					       : ask_vcpus(op);
}

static enum job_verdict
ballooned(struct vm_op *op, const struct qmp_reply *reply)
{
	struct vm *vm = op->vm;
	json_int_t bytes = json_integer_value(json_object_get(reply->value, "actual"));

	if (bytes > 0)
		vm->balloon_kib = ((uint64_t)bytes + 1023) / 1024;
	return ask_vcpus(op);
}

static void
explain(struct job *job, int step, int err)
{
	(void)step;
	(void)rpc_error_set_errno(&job->error, -err, VIR_FROM_QEMU, "the domain cannot be reached");
}

static void
settled(struct timer *timer)
{
	vm_op_wake(container_of(timer, struct adopt, settled)->op.vm, 0, NULL);
}

static enum job_verdict
begin(struct adopt *adopt)
{
	struct vm_op *op = &adopt->op;
	struct loop *loop = op->vm->vms->loop;
	int r;

	(void)vm_op_await(op, ADOPT_OPENED, LOOP_S(OPEN_S));
	r = vm_open_monitor(op->vm);
	if (r == 0)
		return JOB_WAIT;
	if (adopt->again || (r != -ECONNREFUSED && r != -ENOENT)) {
		explain(&op->job, ADOPT_BEGIN, r);
		return JOB_FAILED;
	}
	adopt->again = true;
	(void)vm_op_await(op, ADOPT_BEGIN, LOOP_S(OPEN_S));
	timer_set(loop, &adopt->settled, loop_now(loop) + LOOP_MS(SETTLE_MS), settled);
	return JOB_WAIT;
}

static enum job_verdict
step(struct job *job, int step, const void *body)
{
	struct vm_op *op = vm_op_of(job);

	switch ((enum adopt_step)step) {
	case ADOPT_BEGIN:
		break;
	case ADOPT_OPENED:
		return opened(op, body);
	case ADOPT_BALLOON:
		return ballooned(op, body);
	case ADOPT_VCPUS:
		vm_vcpus_take(op->vm, ((const struct qmp_reply *)body)->value);
		return ask_channels(op);
	case ADOPT_CHANNELS:
		vm_channels_take(op->vm, ((const struct qmp_reply *)body)->value);
		return JOB_DONE;
	}
	return begin(adopt_of(op));
}

static void
release(struct vm_op *op)
{
	timer_stop(&adopt_of(op)->settled);
}

static void
fail(struct vm *vm, const struct rpc_error *error)
{
	const struct domain *domain = vm->domain;
	struct happening lost = {.kind = HAPPENED_CONTROL_ERROR};
	struct loop *loop = vm->vms->loop;

	log_debug("dom=%s: %s", log_quote(domain_def_now(domain)->name), log_quote(error->message));
	if (vm->started && !vm->control_lost)
		vm_happened(vm, &lost);
	vm->control_lost = true;
	monitor_close(&vm->monitor);
	/* It never ran, and nobody is there who would make it. */
	if (domain->state == DOMAIN_STATE_PAUSED && domain->reason == DOMAIN_PAUSED_STARTING_UP)
		vm_stop(vm, VM_END_FAILED);
	else
		timer_set(loop, &vm->retry, loop_now(loop) + LOOP_S(AGAIN_S), vm_reach_again);
}

static void
over(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	struct adopt *adopt = arg;
	struct vm *vm = adopt->op.vm;

	timer_stop(&adopt->settled);
	if (handled == RPC_FAILED && !vm->stopping)
		fail(vm, error);
	if (!adopt->done)
		return;
	/* What is ending is told when it has: it is neither there nor not. */
	if (!vm->stopping || vm_wait_end(vm, NULL, adopt->done, adopt->arg) < 0)
		adopt->done(adopt->arg, handled, error);
}

static const struct job_ops adopt_ops = {
	.name = "adopt", .step = step, .explain = explain, .done = vm_op_done};

int
vm_adopt(struct vm *vm, vm_done_fn *done, void *arg)
{
	struct adopt *adopt = calloc(1, sizeof(*adopt));
	int log_dir = vm->vms->home->folder_fd[HOME_LOG];

	if (!adopt)
		return -ENOMEM;
	adopt->done = done;
	adopt->arg = arg;
	adopt->op.release = release;
	if (vm->log.fd < 0) {
		/* Without a log the VM is managed all the same. */
		(void)vm_log_open(&vm->log, log_dir, vm->domain->live->name, "log");
		(void)vm_log_open(&vm->console_log, log_dir, vm->domain->live->name, "console");
		vm_log_note(&vm->console_log, "what was said while no worker ran is not here");
	}
	vm_op_put(vm, &adopt->op, &adopt_ops, true, over, adopt);
	return 0;
}
