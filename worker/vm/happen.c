/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * happen.c: what QEMU tells of its own accord, and what it means for the domain.
 *
 * Runs in the worker, as the user. QEMU's events and their members are as its manual "QEMU QMP
 * Reference" (qemu-qmp-ref) has them; what follows from each is what libvirt 9.0 makes of it.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/take.h"
#include "worker/vm/channels.h"
#include "worker/vm/clock.h"
#include "worker/vm/vcpus.h"
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
	int32_t reason = vm->recovering ? DOMAIN_RUNNING_CRASHED : DOMAIN_RUNNING_UNPAUSED;

	(void)data;
	vm->resetting = false;
	vm->recovering = false;
	if (vm->domain->state == DOMAIN_STATE_RUNNING)
		return;
	vm_set_state(vm, DOMAIN_STATE_RUNNING, reason);
	vm_tell(vm, EVENT_RESUMED, EVENT_RESUMED_UNPAUSED);
}

static void
on_shutdown(struct vm *vm, const json_t *data)
{
	const json_t *guest = json_object_get(data, "guest");
	int32_t detail = EVENT_SHUTDOWN_FINISHED;

	/*
	 * Told twice, when a QEMU that waits in its shutdown is asked to quit; and of one that ends
	 * because its guest has panicked, which clients know.
	 */
	if (!vm->started || vm->domain->state == DOMAIN_STATE_SHUTDOWN ||
		vm->end == VM_END_PANICKED)
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

static const char *
text_of(const json_t *data, const char *key)
{
	const char *text = json_string_value(json_object_get(data, key));

	return text ? text : "";
}

/* The place of a word in a list, 0 when it is not there. */
static unsigned
place_of(const char *word, const char *const *list, unsigned n)
{
	while (--n > 0)
		if (strcmp(list[n], word) == 0)
			break;
	return n;
}

/* The disk whose node it is: libvirt-NUMBER-format. */
static const struct domain_disk *
find_disk(const struct vm *vm, const char *node)
{
	static const char prefix[] = "libvirt-";
	unsigned long number;
	char *end;

	if (strncmp(node, prefix, strlen(prefix)) != 0)
		return NULL;
	number = strtoul(node + strlen(prefix), &end, 10);
	if (end == node + strlen(prefix) || *end != '-' || number > UINT_MAX)
		return NULL;
	return domain_disk_of_node(vm->domain->live, (unsigned)number);
}

static void
on_io_error(struct vm *vm, const json_t *data)
{
	static const char *const actions[] = {[IO_ERROR_NONE] = "ignore",
		[IO_ERROR_PAUSE] = "stop",
		[IO_ERROR_REPORT] = "report"};
	static char none[] = "", enospc[] = "enospc";
	const struct domain_disk *disk = find_disk(vm, text_of(data, "node-name"));
	struct happening what = {.kind = HAPPENED_IO_ERROR,
		.io_error = {
			.path = disk && disk->source.path ? disk->source.path : none,
			.alias = disk ? disk->device.alias : none,
			.action = place_of(text_of(data, "action"), actions, 3),
			.reason = json_is_true(json_object_get(data, "nospace")) ? enospc : none,
		}};

	if (what.io_error.action == IO_ERROR_PAUSE)
		vm->pausing = DOMAIN_PAUSED_IOERROR;
	vm_happened(vm, &what);
	what.kind = HAPPENED_IO_ERROR_REASON;
	vm_happened(vm, &what);
}

/* A drive of the guest's, by its alias; any other has no tray that a definition knows. */
static void
on_tray(struct vm *vm, const json_t *data)
{
	struct domain_disk *disk = domain_disk_find(vm->domain->live, text_of(data, "id"));
	bool open = json_is_true(json_object_get(data, "tray-open"));
	struct happening what = {.kind = HAPPENED_TRAY_CHANGE};

	if (!disk)
		return;
	disk->tray_open = open;
	what.tray.alias = disk->device.alias;
	what.tray.reason = open ? TRAY_OPENED : TRAY_CLOSED;
	vm_happened(vm, &what);
}

static void
on_watchdog(struct vm *vm, const json_t *data)
{
	static const char *const actions[] = {[WATCHDOG_NONE] = "none",
		[WATCHDOG_PAUSE] = "pause",
		[WATCHDOG_RESET] = "reset",
		[WATCHDOG_POWEROFF] = "poweroff",
		[WATCHDOG_SHUTDOWN] = "shutdown",
		[WATCHDOG_DEBUG] = "debug",
		[WATCHDOG_INJECT_NMI] = "inject-nmi"};
	struct happening what = {.kind = HAPPENED_WATCHDOG,
		.watchdog = place_of(
			text_of(data, "action"), actions, sizeof(actions) / sizeof(actions[0]))};

	if (what.watchdog == WATCHDOG_PAUSE)
		vm->pausing = DOMAIN_PAUSED_WATCHDOG;
	vm_happened(vm, &what);
}

/* What it says of why is for the guest's own people. */
static void
on_panic(struct vm *vm, const json_t *data)
{
	(void)data;
	if (!vm->started || vm->domain->state == DOMAIN_STATE_CRASHED)
		return;
	vm_set_state(vm, DOMAIN_STATE_CRASHED, DOMAIN_CRASHED_PANICKED);
	vm_tell(vm, EVENT_CRASHED, EVENT_CRASHED_PANICKED);
	vm_panicked(vm);
}

static void
on_viewer(struct vm *vm, const json_t *data)
{
	vm_graphics_happened(vm, GRAPHICS_CONNECTED, data);
}

static void
on_viewer_let_in(struct vm *vm, const json_t *data)
{
	vm_graphics_happened(vm, GRAPHICS_INITIALIZED, data);
}

static void
on_viewer_gone(struct vm *vm, const json_t *data)
{
	vm_graphics_happened(vm, GRAPHICS_DISCONNECTED, data);
}

static void
on_balloon(struct vm *vm, const json_t *data)
{
	json_int_t bytes = json_integer_value(json_object_get(data, "actual"));
	struct happening what = {.kind = HAPPENED_BALLOON_CHANGE};

	if (bytes <= 0)
		return;
	vm->balloon_kib = what.balloon_kib = ((uint64_t)bytes + 1023) / 1024;
	vm_happened(vm, &what);
}

static void
on_reset(struct vm *vm, const json_t *data)
{
	struct happening what = {.kind = HAPPENED_REBOOT};

	(void)data;
	if (vm->started)
		vm_happened(vm, &what);
}

static void
on_rtc_change(struct vm *vm, const json_t *data)
{
	struct happening what = {.kind = HAPPENED_RTC_CHANGE,
		.rtc_offset = vm_clock_changed(&vm->domain->live->clock,
			json_integer_value(json_object_get(data, "offset")))};

	vm_happened(vm, &what);
}

static void
on_port(struct vm *vm, const json_t *data)
{
	vm_channel_changed(vm, text_of(data, "id"), json_is_true(json_object_get(data, "open")));
}

static void
on_device_deleted(struct vm *vm, const json_t *data)
{
	vm_vcpu_told(vm, text_of(data, "device"), VM_VCPU_GONE);
}

static void
on_device_kept(struct vm *vm, const json_t *data)
{
	vm_vcpu_told(vm, text_of(data, "device"), VM_VCPU_KEPT);
}

/*
 * What a guest's ACPI has made of a request, by the method _OST (ACPI 6.5, 6.3.5): of that to eject a
 * device; 0 is success, 0x84 that it goes on.
 */
static void
on_ost(struct vm *vm, const json_t *data)
{
	enum { EJECT_REQUEST = 3, SUCCESS = 0, PENDING = 0x84 };
	const json_t *info = json_object_get(data, "info");
	const json_t *status = json_object_get(info, "status");

	if (json_integer_value(json_object_get(info, "source")) == EJECT_REQUEST &&
		json_is_integer(status) && json_integer_value(status) != SUCCESS &&
		json_integer_value(status) != PENDING)
		vm_vcpu_told(vm, text_of(info, "device"), VM_VCPU_KEPT);
}

static void
suspended(struct vm *vm, enum happening_kind kind, enum event_pmsuspended detail)
{
	struct happening what = {.kind = kind};

	vm_happened(vm, &what);
	if (!vm->started || vm->domain->state != DOMAIN_STATE_RUNNING)
		return;
	vm_set_state(vm, DOMAIN_STATE_PMSUSPENDED, 0);
	vm_tell(vm, EVENT_PMSUSPENDED, (int32_t)detail);
}

static void
on_suspend(struct vm *vm, const json_t *data)
{
	(void)data;
	suspended(vm, HAPPENED_PMSUSPEND, EVENT_PMSUSPENDED_MEMORY);
}

static void
on_suspend_disk(struct vm *vm, const json_t *data)
{
	(void)data;
	suspended(vm, HAPPENED_PMSUSPEND_DISK, EVENT_PMSUSPENDED_DISK);
}

static void
on_wakeup(struct vm *vm, const json_t *data)
{
	struct happening what = {.kind = HAPPENED_PMWAKEUP};

	(void)data;
	vm_happened(vm, &what);
	if (vm->domain->state != DOMAIN_STATE_PMSUSPENDED)
		return;
	vm_set_state(vm, DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_WAKEUP);
	vm_tell(vm, EVENT_STARTED, EVENT_STARTED_WAKEUP);
}

struct event {
	const char *name;
	void (*fn)(struct vm *vm, const json_t *data);
	bool changes; /* the state: its note is written, and none may be missed */
};

/* A device that tells something of its own has a row here, and a kind in happening.h. */
static const struct event events[] = {
	{"STOP", on_stop, true},
	{"RESUME", on_resume, true},
	{"SHUTDOWN", on_shutdown, true},
	{"GUEST_PANICKED", on_panic, true},
	{"SUSPEND", on_suspend, true},
	{"SUSPEND_DISK", on_suspend_disk, true},
	{"WAKEUP", on_wakeup, true},
	{"VSERPORT_CHANGE", on_port, true},
	{"DEVICE_DELETED", on_device_deleted, true},
	{"DEVICE_UNPLUG_GUEST_ERROR", on_device_kept, false},
	{"ACPI_DEVICE_OST", on_ost, false},
	{"RESET", on_reset, false},
	{"BLOCK_IO_ERROR", on_io_error, false},
	{"DEVICE_TRAY_MOVED", on_tray, false},
	{"VNC_CONNECTED", on_viewer, false},
	{"VNC_INITIALIZED", on_viewer_let_in, false},
	{"VNC_DISCONNECTED", on_viewer_gone, false},
	{"WATCHDOG", on_watchdog, false},
	{"BALLOON_CHANGE", on_balloon, false},
	{"RTC_CHANGE", on_rtc_change, false},
};

/*
 * What a guest can do takes it longer; a QEMU that it has taken over would have us do no more. Of
 * what is no change of the state, the rest of a second is not told.
 */
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
	if (!changes_too_often(vm))
		event->fn(vm, data);
	else if (event->changes)
		/* It is reached again soon, and says then how it is. */
		monitor_lose(monitor, "QEMU changes its state too often");
}
