/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm.c: one VM, from the wish for it to its end; see vm.h.
 *
 * Runs in the worker, as the user. Must never call a VM ended because its monitor is: only the
 * broker, who watches its process and its leaf, says so.
 */
#include "worker/vm/vm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "lib/uuid.h"
#include "worker/domain/devices.h"
#include "worker/vm/chardev.h"
#include "worker/vm/interfaces.h"
#include "worker/vm/rundir.h"
#include "worker/vm/status.h"
#include "worker/vm/vms.h"

enum { TELL_AGAIN_MS = 100, MONITOR_AGAIN_MS = 200 };

/* How each end looks: to clients, in events, and in the log. */
static const struct {
	int32_t reason, event;
	const char *name;
} ends[] = {
	[VM_END_SHUTDOWN] = {DOMAIN_SHUTOFF_SHUTDOWN, EVENT_STOPPED_SHUTDOWN, "shutdown"},
	[VM_END_DESTROYED] = {DOMAIN_SHUTOFF_DESTROYED, EVENT_STOPPED_DESTROYED, "destroyed"},
	[VM_END_CRASHED] = {DOMAIN_SHUTOFF_CRASHED, EVENT_STOPPED_FAILED, "crashed"},
	[VM_END_PANICKED] = {DOMAIN_SHUTOFF_CRASHED, EVENT_STOPPED_CRASHED, "panicked"},
	[VM_END_FAILED] = {DOMAIN_SHUTOFF_FAILED, EVENT_STOPPED_FAILED, "failed"},
	[VM_END_OUT_OF_MEMORY] = {DOMAIN_SHUTOFF_CRASHED, EVENT_STOPPED_CRASHED, "crashed"},
};

static void release(struct vm *vm);

static void
init_consoles(struct vm *vm)
{
	size_t logged = 0;
	bool is_logged = domain_chardev_default(vm->domain->live, &logged);

	for (size_t i = 0; i < DOMAIN_CHARDEVS_MAX; i++)
		console_init(&vm->consoles[i], vm->vms->loop,
			is_logged && i == logged ? &vm->console_log : NULL);
}

struct vm *
vm_new(struct vms *vms, struct domain *domain)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return NULL;
	vm->vms = vms;
	vm->domain = domain;
	memcpy(vm->uuid, domain->live->uuid, sizeof(vm->uuid));
	vm->landlock = -1;
	vm->seed_sock = -1;
	vm->since = (uint64_t)time(NULL);
	TAILQ_INIT(&vm->waiters);
	TAILQ_INIT(&vm->ops);
	vm_graphics_init(&vm->graphics);
	vm_log_init(&vm->log);
	vm_log_init(&vm->console_log);
	init_consoles(vm);
	domain->vm = vm;
	LIST_INSERT_HEAD(&vms->all, vm, entry);
	vms_watch_logs(vms);
	if (vms->n++ == 0 && vms->occupied)
		vms->occupied(vms, true);
	return vm;
}

/* --- how it is ---------------------------------------------------------------------------- */

void
vm_happened(struct vm *vm, const struct happening *what)
{
	vm->vms->tell(vm->vms, vm->domain, what);
}

void
vm_tell(struct vm *vm, enum event_lifecycle event, int32_t detail)
{
	struct happening what = {
		.kind = HAPPENED_LIFECYCLE, .lifecycle = {.event = event, .detail = detail}};

	vm_happened(vm, &what);
}

void
vm_set_state(struct vm *vm, enum domain_state state, int32_t reason)
{
	struct domain *domain = vm->domain;
	struct vm_status status = {
		.id = domain->id,
		.state = (int32_t)state,
		.reason = reason,
		.landlock = vm->landlock,
		.since = vm->since,
		.autodestroy = vm->autodestroy,
	};
	int r = vm_status_write(vm->uuid, &status);

	domain->state = state;
	domain->reason = reason;
	domains_changed(vm->vms->domains);
	if (r < 0)
		log_warning("dom=%s: the note for the next worker cannot be written: %s",
			log_quote(domain_def_now(domain)->name), strerror(-r));
}

const struct vcpu_usage *
vm_vcpus(struct vm *vm)
{
	const struct domain_def *live = vm->domain->live;

	if (!vm->vcpus)
		vm->vcpus = calloc(live->vcpus, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return NULL;
	for (uint32_t i = 0; i < live->vcpus; i++)
		vm->vcpus[i].wanted = domain_vcpu_enabled(live, i);
	usage_vcpus(vm->pid, vm->vcpus, live->vcpus);
	return vm->vcpus;
}

uint64_t
vm_memory_kib(const struct vm *vm)
{
	/* A guest has all until its driver says that it has given some back. */
	return vm->balloon_kib ? vm->balloon_kib : domain_def_now(vm->domain)->memory_kib;
}

/* --- its end ------------------------------------------------------------------------------ */

static void
free_waiter(struct vm_waiter *waiter, enum rpc_handled handled)
{
	timer_stop(&waiter->late);
	TAILQ_REMOVE(&waiter->vm->waiters, waiter, entry);
	waiter->done(waiter->arg, handled, &waiter->error);
	free(waiter);
}

static void
end_is_late(struct timer *timer)
{
	struct vm_waiter *waiter = container_of(timer, struct vm_waiter, late);

	if (!waiter->failed && waiter->vm->stopping)
		(void)rpc_error_set_errno(&waiter->error, EBUSY, VIR_FROM_NONE,
			"Failed to terminate process %" PRIu32 " with SIGKILL", waiter->vm->pid);
	else if (!waiter->failed)
		(void)rpc_error_set(&waiter->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: failed to terminate QEMU gracefully; destroy without "
			"--graceful ends it");
	free_waiter(waiter, RPC_FAILED);
}

int
vm_wait_end(struct vm *vm, const struct rpc_error *error, vm_done_fn *done, void *arg)
{
	struct vm_waiter *waiter = calloc(1, sizeof(*waiter));
	struct loop *loop = vm->vms->loop;

	if (!waiter)
		return -ENOMEM;
	waiter->vm = vm;
	waiter->done = done;
	waiter->arg = arg;
	waiter->failed = error != NULL;
	if (error)
		waiter->error = *error;
	TAILQ_INSERT_TAIL(&vm->waiters, waiter, entry);
	timer_set(loop, &waiter->late, loop_now(loop) + LOOP_S(VM_END_PATIENCE_S), end_is_late);
	return 0;
}

static void
disconnect(struct vm *vm, bool ended)
{
	timer_stop(&vm->retry);
	timer_stop(&vm->settling);
	monitor_close(&vm->monitor);
	vm_interfaces_close(vm);
	for (size_t i = 0; i < DOMAIN_CHARDEVS_MAX; i++)
		console_close(&vm->consoles[i]);
	vm_graphics_close(vm, ended);
}

static enum vm_end
why_ended(const struct vm *vm)
{
	if (vm->end != 0)
		return vm->end;
	return vm->domain->state == DOMAIN_STATE_SHUTDOWN ? VM_END_SHUTDOWN : VM_END_CRASHED;
}

/* At the end of a turn of the loop, when nothing of it runs. */
static void
ended(struct deferred *deferred)
{
	struct vm *vm = container_of(deferred, struct vm, ending);
	struct domain *domain = vm->domain;
	enum vm_end end;

	/* This worker has let go of it meanwhile. */
	if (!domain)
		return;
	vm_op_fail_all(vm, -EPIPE);
	end = why_ended(vm);
	disconnect(vm, true);
	vm_chardev_remove(domain->live);
	vms_keep_chains(vm->vms, domain, domain->live);
	rundir_remove(vm->uuid);
	vm_log_note(&vm->log, "shutting down, reason=%s", ends[end].name);
	domain->id = -1;
	domain->state = DOMAIN_STATE_SHUTOFF;
	domain->reason = ends[end].reason;
	domains_changed(vm->vms->domains);
	inquiries_fail(vm, -EPIPE);
	if (vm->started) {
		log_info("dom=%s has ended: %s", log_quote(domain_def_now(domain)->name),
			ends[end].name);
		vm_tell(vm, EVENT_STOPPED, ends[end].event);
	}
	while (!TAILQ_EMPTY(&vm->waiters)) {
		struct vm_waiter *waiter = TAILQ_FIRST(&vm->waiters);

		free_waiter(waiter, waiter->failed ? RPC_FAILED : RPC_DONE);
	}
	release(vm);
}

/* What the broker knows of an end that nobody here has asked for. */
static void
take_end(struct vm *vm, enum ipc_gone how, uint64_t limit_kib)
{
	if (how == IPC_GONE_ENDED || vm->end != 0)
		return;
	vm->end = how == IPC_GONE_STOPPED ? VM_END_DESTROYED : VM_END_OUT_OF_MEMORY;
	if (how == IPC_GONE_MEMORY)
		vm_log_note(&vm->log,
			"out of memory: ended by the kernel at the limit of its control group, "
			"memory.max %" PRIu64 " KiB: the guest's memory, and what QEMU may have",
			limit_kib);
	else if (how == IPC_GONE_HOST_MEMORY)
		vm_log_note(&vm->log,
			"out of memory: ended by the kernel because the host had no more");
	else
		vm_log_note(&vm->log, "ended by somebody who administers this host");
}

void
vm_gone(struct vm *vm, enum ipc_gone how, uint64_t limit_kib)
{
	take_end(vm, how, limit_kib);
	vm->lease = VM_LEASE_NONE;
	vm->stopping = true;
	loop_defer(vm->vms->loop, &vm->ending, ended);
}

static void stop_lease(struct vm *vm);

static void
stop_again(struct timer *timer)
{
	stop_lease(container_of(timer, struct vm, retry));
}

static void
stop_lease(struct vm *vm)
{
	struct vms *vms = vm->vms;

	/* A broker that has gone ends nothing: the next worker finds out. */
	if (uplink_stop_lease(vms->uplink, (uint32_t)vm->domain->id) == LINK_E_FULL)
		timer_set(vms->loop, &vm->retry, loop_now(vms->loop) + LOOP_MS(TELL_AGAIN_MS),
			stop_again);
}

void
vm_stop(struct vm *vm, enum vm_end end)
{
	if (vm->end == 0)
		vm->end = end;
	if (vm->stopping)
		return;
	vm->stopping = true;
	vm_interfaces_end(vm);
	if (vm->lease == VM_LEASE_HELD)
		stop_lease(vm);
	else if (vm->lease == VM_LEASE_NONE)
		loop_defer(vm->vms->loop, &vm->ending, ended);
}

void
vm_leased(struct vm *vm, int err, const struct ipc_leased *leased, int fd)
{
	vm->lease = err == 0 ? VM_LEASE_HELD : VM_LEASE_NONE;
	vm->seed_sock = fd;
	if (err == 0) {
		vm->domain->id = (int32_t)leased->id;
		domains_changed(vm->vms->domains);
		vm->pid = leased->pid;
	}
	if (!vm->stopping) {
		/* Not now: whoever asked looks at the lease, and asks again. */
		vm_op_wake(vm, err == -EAGAIN ? 0 : err, NULL);
	} else {
		/* There is something to be ended now, or there never will be. */
		vm->stopping = false;
		vm_stop(vm, VM_END_FAILED);
	}
	fd_close(&vm->seed_sock);
}

/* --- its sockets -------------------------------------------------------------------------- */

void
vm_reach_again(struct timer *timer)
{
	struct vm *vm = container_of(timer, struct vm, retry);

	if (vm->stopping || vm->monitor.state != MONITOR_CLOSED)
		return;
	if (vm_adopt(vm, NULL, NULL) < 0)
		timer_set(timer->loop, timer, loop_now(timer->loop) + LOOP_MS(MONITOR_AGAIN_MS),
			vm_reach_again);
}

static void
monitor_lost(struct monitor *monitor, const char *why)
{
	struct vm *vm = container_of(monitor, struct vm, monitor);
	struct loop *loop = vm->vms->loop;

	log_debug("dom=%s: %s", log_quote(domain_def_now(vm->domain)->name), why);
	/* Most often it is about to end, which the broker tells; else it is reached again. */
	if (vm->started && !vm->stopping)
		timer_set(loop, &vm->retry, loop_now(loop) + LOOP_MS(MONITOR_AGAIN_MS),
			vm_reach_again);
	vm_op_wake(vm, -EPIPE, NULL);
	inquiries_fail(vm, -EPIPE);
}

static void
monitor_opened(struct monitor *monitor, const char *status)
{
	vm_op_wake(container_of(monitor, struct vm, monitor), 0, status);
}

static void
monitor_reply(struct monitor *monitor, uint64_t cookie, const struct qmp_reply *reply)
{
	struct vm *vm = container_of(monitor, struct vm, monitor);

	if (cookie & INQUIRY_COOKIE)
		inquiry_reply(vm, cookie, reply);
	else
		job_wake(vm->vms->jobs, cookie, 0, reply);
}

int
vm_open_monitor(struct vm *vm)
{
	static const struct monitor_ops ops = {.opened = monitor_opened,
		.reply = monitor_reply,
		.event = vm_monitor_event,
		.lost = monitor_lost};
	int fd, r = rundir_connect(vm->uuid, "qmp", SOCK_STREAM, &fd);

	monitor_close(&vm->monitor);
	return r < 0 ? r : monitor_open(&vm->monitor, vm->vms->loop, fd, vm->uuid, &ops);
}

void
vm_open_consoles(struct vm *vm)
{
	struct domain_cursor at = {0};
	const struct domain_chardev *chardev;

	for (unsigned i = 0; (chardev = domain_chardev_next(vm->domain->live, &at)); i++) {
		struct console *console = &vm->consoles[i];
		char kind[RUNDIR_KIND_MAX + 1];
		int fd, r;

		if (console->fd >= 0 || chardev->type != DOMAIN_CHARDEV_PTY)
			continue;
		vm_chardev_kind(i, kind);
		r = rundir_connect(vm->uuid, kind, SOCK_STREAM, &fd);
		if (r == 0)
			r = console_connect(console, fd);
		if (r < 0)
			log_warning("dom=%s: %s cannot be reached: %s",
				log_quote(vm->domain->live->name), kind, strerror(-r));
	}
}

int
vm_open_channel(
	struct vm *vm, size_t index, const struct domain_chardev *chardev, struct rpc_error *error)
{
	struct console *console = &vm->consoles[index];
	int fd, r;

	if (console->fd >= 0 || chardev->type != DOMAIN_CHARDEV_UNIX)
		return RPC_DONE;
	r = vm_chardev_connect(chardev, error, &fd);
	if (r != RPC_DONE)
		return r;
	console->on_demand = true;
	r = console_connect(console, fd);
	return r < 0 ? rpc_error_set_errno(error, -r, VIR_FROM_QEMU, "cannot talk to a channel")
		     : RPC_DONE;
}

/* --- the end of the struct ---------------------------------------------------------------- */

static void
free_vm(struct deferred *deferred)
{
	free(container_of(deferred, struct vm, freeing));
}

/* Nothing of it is left but the struct, which may be in use in this turn of the loop. */
static void
release(struct vm *vm)
{
	struct vms *vms = vm->vms;

	vm_log_close(&vm->log);
	vm_log_close(&vm->console_log);
	free(take_ptr(vm->vcpus));
	vm->domain->vm = NULL;
	domains_settle(vms->domains, vm->domain);
	vm->domain = NULL;
	LIST_REMOVE(vm, entry);
	if (vm->owner)
		LIST_REMOVE(vm, owned);
	loop_defer(vms->loop, &vm->freeing, free_vm);
	if (--vms->n == 0 && vms->occupied)
		vms->occupied(vms, false);
}

void
vm_abandon(struct vm *vm)
{
	struct rpc_error leaving = {0};

	(void)rpc_error_set(&leaving, VIR_ERR_OPERATION_ABORTED, VIR_FROM_QEMU,
		"operation aborted: qemud is being restarted; the domain is left as it is");
	vm->stopping = true; /* so that nothing is begun for it */
	vm_op_fail_all(vm, -ESHUTDOWN);
	inquiries_fail(vm, -ESHUTDOWN);
	while (!TAILQ_EMPTY(&vm->waiters)) {
		TAILQ_FIRST(&vm->waiters)->error = leaving;
		free_waiter(TAILQ_FIRST(&vm->waiters), RPC_FAILED);
	}
	disconnect(vm, false);
	release(vm);
}
