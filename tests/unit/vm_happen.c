/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What QEMU tells of its own accord is told to who asked for it, in libvirt's numbers, with its
 * arguments; what says nothing harms nobody.
 */
#include "tests/unit/test.h"

#include "tests/unit/vm_stage.h"
#include "worker/store/happening.h"

#define DISK                                                                        \
	"<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/>" \
	"<source file='%s/disk'/><target dev='vda' bus='virtio'/></disk>"           \
	"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"          \
	"<source file='%s/other'/><target dev='vdb' bus='virtio'/></disk></devices>"

static int32_t ids[HAPPENED_METADATA_CHANGE + 1];

/* A VM that runs, with the watcher subscribed to everything. */
static void
begin(void)
{
	stage_run("");
	for (int32_t i = 1; i <= HAPPENED_METADATA_CHANGE; i++)
		ids[i] = subscribe(stage.watcher, i, NULL);
}

/* The next event, of this procedure, into msg; the id is that of the subscription. */
static void
receive(int32_t procedure, enum happening_kind kind, void *msg)
{
	const struct rpc_procedure *row = rpc_procedure_find(RPC_PROGRAM_REMOTE, procedure);
	struct rpc_frame frame;
	int32_t id;

	ASSERT(receive_frame(stage.watcher, &frame));
	CHECK(frame.header.type == RPC_MESSAGE && frame.header.procedure == procedure);
	ASSERT(rpc_decode(row->args, frame.payload, frame.size, &rig.arena, msg) == 0);
	memcpy(&id, msg, sizeof(id));
	CHECK(id == ids[kind]);
}

static void
test_reset(void)
{
	struct rpc_domain_event_callback_reboot_msg msg;

	begin();
	qemu_tells("RESET", "{\"guest\":true,\"reason\":\"guest-reset\"}");
	receive(RPC_PROC_DOMAIN_EVENT_CALLBACK_REBOOT, HAPPENED_REBOOT, &msg);
	CHECK_STR(msg.dom.name, "vm");
	CHECK(msg.dom.id == ID && is_silent(stage.watcher));
	stage_close();
}

static void
test_values(void)
{
	struct rpc_domain_event_callback_rtc_change_msg rtc;
	struct rpc_domain_event_callback_balloon_change_msg balloon;

	begin();
	qemu_tells("RTC_CHANGE", "{\"offset\":-78,\"qom-path\":\"/machine\"}");
	receive(RPC_PROC_DOMAIN_EVENT_CALLBACK_RTC_CHANGE, HAPPENED_RTC_CHANGE, &rtc);
	CHECK(rtc.offset == -78);
	qemu_tells("BALLOON_CHANGE", "{\"actual\":41943041}");
	receive(RPC_PROC_DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE, HAPPENED_BALLOON_CHANGE, &balloon);
	CHECK(balloon.actual == 40961 && vm_memory_kib(the_vm()) == 40961);
	/* What says nothing. */
	qemu_tells("BALLOON_CHANGE", NULL);
	qemu_tells("BALLOON_CHANGE", "{\"actual\":-5}");
	qemu_tells("BALLOON_CHANGE", "{\"actual\":\"much\"}");
	qemu_tells("SOMETHING_NEW", "{}");
	CHECK(is_silent(stage.watcher) && vm_memory_kib(the_vm()) == 40961);
	stage_close();
}

static void
test_watchdog(void)
{
	static const char *const actions[] = {
		"none", "pause", "reset", "poweroff", "shutdown", "debug", "inject-nmi", "dance"};
	struct rpc_domain_event_callback_watchdog_msg msg;
	char data[64];

	begin();
	for (int32_t i = 0; i < 8; i++) {
		(void)snprintf(data, sizeof(data), "{\"action\":\"%s\"}", actions[i]);
		qemu_tells("WATCHDOG", data);
		receive(RPC_PROC_DOMAIN_EVENT_CALLBACK_WATCHDOG, HAPPENED_WATCHDOG, &msg);
		CHECK(msg.action == (i < 7 ? i : 0));
	}
	stage_close();
}

/* The same error, as both events tell it. */
static void
check_io_error(
	const char *data, const char *path, const char *alias, int32_t action, const char *reason)
{
	struct rpc_domain_event_callback_io_error_msg msg;
	struct rpc_domain_event_callback_io_error_reason_msg why;

	qemu_tells("BLOCK_IO_ERROR", data);
	receive(RPC_PROC_DOMAIN_EVENT_CALLBACK_IO_ERROR, HAPPENED_IO_ERROR, &msg);
	receive(RPC_PROC_DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON, HAPPENED_IO_ERROR_REASON, &why);
	CHECK(strlen(msg.srcPath) >= strlen(path));
	CHECK_STR(msg.srcPath + strlen(msg.srcPath) - strlen(path), path);
	CHECK_STR(msg.devAlias, alias);
	CHECK_STR(why.srcPath, msg.srcPath);
	CHECK_STR(why.devAlias, alias);
	CHECK_STR(why.reason, reason);
	CHECK(msg.action == action && why.action == action);
}

/* Of a drive that is not the VM's, nobody is told. */
static void
tray_moves(bool open)
{
	struct rpc_domain_event_callback_tray_change_msg msg;

	qemu_tells(
		"DEVICE_TRAY_MOVED", "{\"device\": \"\", \"id\": \"other\", \"tray-open\": true}");
	qemu_tells("DEVICE_TRAY_MOVED",
		open ? "{\"device\": \"\", \"id\": \"virtio-disk0\", \"tray-open\": true}"
		     : "{\"device\": \"\", \"id\": \"virtio-disk0\", \"tray-open\": false}");
	receive(RPC_PROC_DOMAIN_EVENT_CALLBACK_TRAY_CHANGE, HAPPENED_TRAY_CHANGE, &msg);
	CHECK_STR(msg.devAlias, "virtio-disk0");
	CHECK(msg.reason == (open ? TRAY_OPENED : TRAY_CLOSED));
}

/* A start that finds no medium tells of it, whatever becomes of it then. */
static void
test_missing(void)
{
	static const char devices[] =
		"<devices><disk type='file' device='cdrom'><driver name='qemu' type='raw'/>"
		"<source file='/nonexistent/cd' startupPolicy='optional'/>"
		"<target dev='hda' bus='ide'/></disk>"
		"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
		"<source file='/nonexistent/d' startupPolicy='optional'/>"
		"<target dev='vda' bus='virtio'/></disk></devices>";
	struct rpc_domain_event_callback_disk_change_msg msg;

	stage_open("");
	CHECK(farm_define(stage.client, "vm", VM, devices, &stage.dom) == 0);
	(void)told();
	ids[HAPPENED_DISK_CHANGE] = subscribe(stage.watcher, HAPPENED_DISK_CHANGE, NULL);
	(void)ask_start(0);
	receive(RPC_PROC_DOMAIN_EVENT_CALLBACK_DISK_CHANGE, HAPPENED_DISK_CHANGE, &msg);
	CHECK(msg.oldSrcPath && !msg.newSrcPath && msg.reason == DISK_DROPPED);
	CHECK_STR(msg.oldSrcPath, "/nonexistent/d");
	CHECK_STR(msg.devAlias, "virtio-disk0");
	receive(RPC_PROC_DOMAIN_EVENT_CALLBACK_DISK_CHANGE, HAPPENED_DISK_CHANGE, &msg);
	CHECK(msg.oldSrcPath && !msg.newSrcPath && msg.reason == DISK_EMPTIED);
	CHECK_STR(msg.oldSrcPath, "/nonexistent/cd");
	CHECK_STR(msg.devAlias, "ide0-0-0");
	CHECK(is_silent(stage.watcher));
	go_to(AT_RUN);
	stage_close();
}

static void
test_io_error(void)
{
	char devices[1024];
	struct rpc_domain_event_callback_lifecycle_msg paused;

	stage_open("");
	ASSERT(system("truncate -s 1M ../disk ../other") == 0);
	(void)snprintf(devices, sizeof(devices), DISK, farm_root, farm_root);
	CHECK(farm_define(stage.client, "vm", VM, devices, &stage.dom) == 0);
	(void)told();
	(void)ask_start(0);
	go_to(AT_RUN);
	(void)told();
	for (int32_t i = 1; i <= HAPPENED_METADATA_CHANGE; i++)
		ids[i] = subscribe(stage.watcher, i, NULL);
	check_io_error("{\"node-name\":\"libvirt-2-format\",\"action\":\"report\"}", "/disk",
		"virtio-disk0", IO_ERROR_REPORT, "");
	tray_moves(true);
	tray_moves(false);
	check_io_error("{\"node-name\":\"libvirt-1-format\",\"action\":\"ignore\"}", "/other",
		"virtio-disk1", IO_ERROR_NONE, "");
	check_io_error("{\"node-name\":\"libvirt-3-format\",\"action\":\"?\"}", "", "", 0, "");
	check_io_error("{\"node-name\":\"libvirt-0-format\"}", "", "", 0, "");
	check_io_error("{\"node-name\":7,\"nospace\":1}", "", "", 0, "");
	check_io_error("{\"node-name\":\"libvirt-1-format\",\"action\":\"stop\",\"nospace\":true}",
		"/other", "virtio-disk1", IO_ERROR_PAUSE, "enospc");
	qemu_tells("STOP", NULL);
	paused = receive_event(stage.watcher);
	CHECK(paused.event == EVENT_SUSPENDED && paused.detail == EVENT_SUSPENDED_IOERROR);
	check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_IOERROR);
	stage_close();
}

/* One of the three about the guest's own suspend, and the lifecycle event behind it, if any. */
static void
check_power(int32_t procedure, enum happening_kind kind, int32_t event, int32_t detail)
{
	struct rpc_domain_event_callback_pmsuspend_msg msg;
	struct rpc_domain_event_callback_lifecycle_msg state;

	receive(procedure, kind, &msg);
	CHECK_STR(msg.dom.name, "vm");
	CHECK(msg.reason == 0);
	if (event >= 0) {
		state = receive_event(stage.watcher);
		CHECK(state.event == event && state.detail == detail);
	}
	CHECK(is_silent(stage.watcher));
}

static void
test_suspend(void)
{
	struct rpc_header header;

	begin();
	qemu_tells("WAKEUP", NULL);
	check_power(RPC_PROC_DOMAIN_EVENT_CALLBACK_PMWAKEUP, HAPPENED_PMWAKEUP, -1, 0);
	qemu_tells("SUSPEND", NULL);
	check_power(RPC_PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND, HAPPENED_PMSUSPEND, EVENT_PMSUSPENDED,
		EVENT_PMSUSPENDED_MEMORY);
	check_state(DOMAIN_STATE_PMSUSPENDED, 0);
	for (int i = 0; i < 2; i++) {
		header = ask(stage.client, i ? RPC_PROC_DOMAIN_RESUME : RPC_PROC_DOMAIN_SUSPEND, 0);
		check_failed(&header, stage.client, VIR_ERR_OPERATION_INVALID,
			"Requested operation is not valid: domain is pmsuspended");
	}
	qemu_tells("WAKEUP", NULL);
	check_power(RPC_PROC_DOMAIN_EVENT_CALLBACK_PMWAKEUP, HAPPENED_PMWAKEUP, EVENT_STARTED,
		EVENT_STARTED_WAKEUP);
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_WAKEUP);
	qemu_tells("SUSPEND_DISK", NULL);
	check_power(RPC_PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK, HAPPENED_PMSUSPEND_DISK,
		EVENT_PMSUSPENDED, EVENT_PMSUSPENDED_DISK);
	stage_close();
}

/* More than a guest can do: the rest of that second is not told, and the monitor stays. */
static void
test_flood(void)
{
	struct rpc_domain_event_callback_reboot_msg msg;
	unsigned n = 0;

	begin();
	the_vm()->changes_since = loop_now(&rig.loop) + LOOP_S(3600);
	the_vm()->n_changes = 0;
	for (unsigned i = 0; i < 3 * VM_CHANGES_MAX; i++)
		qemu_tells("RESET", NULL);
	the_vm()->changes_since = 0;
	for (; !is_silent(stage.watcher); n++)
		receive(RPC_PROC_DOMAIN_EVENT_CALLBACK_REBOOT, HAPPENED_REBOOT, &msg);
	CHECK(n > 0 && n <= VM_CHANGES_MAX && the_vm()->monitor.state == MONITOR_OPEN);
	stage_close();
}

/* A monitor that does not come back is told of, once. */
static void
test_control_error(void)
{
	struct rpc_domain_event_callback_control_error_msg msg;

	begin();
	fd_close(&qemu.monitor);
	for (unsigned i = 0; i < 3; i++) {
		for (int j = 0; j < 3; j++)
			rig_turn(0);
		pass_time(&the_vm()->retry);
		qemu_greets();
		CHECK(is_silent(stage.watcher));
		fd_close(&qemu.monitor);
		for (int j = 0; j < 3; j++)
			rig_turn(0);
		if (i == 0)
			receive(RPC_PROC_DOMAIN_EVENT_CALLBACK_CONTROL_ERROR,
				HAPPENED_CONTROL_ERROR, &msg);
		CHECK(is_silent(stage.watcher));
	}
	pass_time(&the_vm()->retry);
	qemu_is_reached(VM, "running");
	CHECK(!the_vm()->control_lost && vm_memory_kib(the_vm()) == 40960);
	CHECK(is_silent(stage.watcher));
	stage_close();
}

int
main(void)
{
	TEST("a reset is told as a reboot", test_reset);
	TEST("the clock and the memory", test_values);
	TEST("what the watchdog does", test_watchdog);
	TEST("an error of a disk: which, what follows, why", test_io_error);
	TEST("a medium that is not there when it starts", test_missing);
	TEST("a guest that suspends itself and wakes up", test_suspend);
	TEST("a flood ends at what a guest can do", test_flood);
	TEST("a monitor that does not come back", test_control_error);
	return TEST_END();
}
