/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * happen.c: what QEMU tells of its own accord, and what it means for the domain.
 *
 * Runs in the worker, as the user. QEMU's events and their members are as its manual "QEMU QMP
 * Reference" (qemu-qmp-ref) has them; what follows from each is what libvirt 9.0 makes of it.
 */
#include <stdbool.h>
#include <string.h>

#include "lib/take.h"
#include "worker/vm/vm.h"
#include "worker/vm/vms.h"

/* Which event tells clients of a pause for that reason. */
static int32_t
suspended_detail(int32_t reason)
{
	switch (reason) {
	case DOMAIN_PAUSED_IOERROR:
		return EVENT_SUSPENDED_IOERROR;
	case DOMAIN_PAUSED_WATCHDOG:
		return EVENT_SUSPENDED_WATCHDOG;
	default:
		return EVENT_SUSPENDED_PAUSED;
	}
}

static void
on_stop(struct vm *vm, const json_t *data)
{
	int32_t reason = vm->pausing;

	(void)data;
	vm->pausing = DOMAIN_PAUSED_UNKNOWN;
	/* A QEMU that pauses behind a shutdown waits to be reset; any other ends. */
	if (vm->resetting || vm->domain->state == DOMAIN_STATE_SHUTDOWN) {
		if (vm->end == 0)
			vm_restart(vm);
		return;
	}
	/* A pause before the start is known. */
	if (!vm->started || vm->domain->state != DOMAIN_STATE_RUNNING)
		return;
	vm_set_state(vm, DOMAIN_STATE_PAUSED, reason);
	vm_tell(vm, EVENT_SUSPENDED, suspended_detail(reason));
}

static void
on_resume(struct vm *vm, const json_t *data)
{
	(void)data;
	vm->resetting = false;
	if (vm->domain->state == DOMAIN_STATE_RUNNING)
		return;
	vm_set_state(vm, DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_UNPAUSED);
	vm_tell(vm, EVENT_RESUMED, EVENT_RESUMED_UNPAUSED);
}

static void
on_shutdown(struct vm *vm, const json_t *data)
{
	const json_t *guest = json_object_get(data, "guest");
	int32_t detail = EVENT_SHUTDOWN_FINISHED;

	/* Told twice, when a QEMU that waits in its shutdown is asked to quit. */
	if (!vm->started || vm->domain->state == DOMAIN_STATE_SHUTDOWN)
		return;
	/* The shutdown in a reboot is none: neither it nor the pause behind it is told of. */
	vm->resetting = vm->rebooting && vm->end == 0;
	if (vm->resetting)
		return;
	if (json_is_boolean(guest))
		detail = json_is_true(guest) ? EVENT_SHUTDOWN_GUEST : EVENT_SHUTDOWN_HOST;
	vm_set_state(vm, DOMAIN_STATE_SHUTDOWN, 0);
	vm_tell(vm, EVENT_SHUTDOWN, detail);
}

static void
on_io_error(struct vm *vm, const json_t *data)
{
	const char *action = json_string_value(json_object_get(data, "action"));

	if (action && strcmp(action, "stop") == 0)
		vm->pausing = DOMAIN_PAUSED_IOERROR;
}

static void
on_watchdog(struct vm *vm, const json_t *data)
{
	const char *action = json_string_value(json_object_get(data, "action"));

	if (action && strcmp(action, "pause") == 0)
		vm->pausing = DOMAIN_PAUSED_WATCHDOG;
}

static void
on_balloon(struct vm *vm, const json_t *data)
{
	json_int_t bytes = json_integer_value(json_object_get(data, "actual"));

	if (bytes > 0)
		vm->balloon_kib = (uint64_t)bytes / 1024;
}

struct event {
	const char *name;
	void (*fn)(struct vm *vm, const json_t *data);
	bool changes; /* the state: its note is written, and clients are told */
};

static const struct event events[] = {
	{"STOP", on_stop, true},
	{"RESUME", on_resume, true},
	{"SHUTDOWN", on_shutdown, true},
	{"BLOCK_IO_ERROR", on_io_error, false},
	{"WATCHDOG", on_watchdog, false},
	{"BALLOON_CHANGE", on_balloon, false},
};

/* What a guest can do takes it longer; a QEMU that it has taken over would have us do no more. */
static bool
changes_too_often(struct vm *vm)
{
	uint64_t now = loop_now(vm->vms->loop);

	if (now - vm->changes_since >= LOOP_S(1)) {
		vm->changes_since = now;
		vm->n_changes = 0;
	}
	return ++vm->n_changes > VM_CHANGES_MAX;
}

void
vm_monitor_event(struct monitor *monitor, const char *name, const json_t *data)
{
	struct vm *vm = container_of(monitor, struct vm, monitor);
	const struct event *event = events, *end = events + sizeof(events) / sizeof(events[0]);

	while (event < end && strcmp(event->name, name) != 0)
		event++;
	if (event == end)
		return;
	/* It is reached again soon, and says then how it is. */
	if (event->changes && changes_too_often(vm))
		monitor_lose(monitor, "QEMU changes its state too often");
	else
		event->fn(vm, data);
}
