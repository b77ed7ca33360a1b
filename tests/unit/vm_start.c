/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM starts step by step, or fails at any of them in any way: then its client is told why when
 * nothing of it runs any more, and nothing of it is left.
 * test: timeout=360
 */
#include "tests/unit/test.h"

#include "tests/unit/vm_stage.h"

/* --- as it should be ---------------------------------------------------------------------- */

static void
test_steps(void)
{
	struct rpc_header start;
	struct vm_status status;

	stage_open("");
	start = ask_start(0);
	go_to(AT_LEASE);
	check_state(DOMAIN_STATE_SHUTOFF, DOMAIN_SHUTOFF_UNKNOWN);
	CHECK(stage.lease.memory_kib == 65536 && stage.lease.vcpus == 1); /* and two at most */
	CHECK(memcmp(stage.lease.uuid, stage.dom.uuid, 16) == 0);
	CHECK(n_files() == 1);
	broker_grants(ID);
	check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_STARTING_UP);
	CHECK(farm_domain(VM)->id == ID);
	CHECK(vm_status_read(stage.dom.uuid, &status) == 0 && status.id == ID &&
		status.state == DOMAIN_STATE_PAUSED && status.landlock == -1);
	box_takes();
	CHECK(qemu.plan.program == PLAN_QEMU_X86_64 && qemu.plan.profile == PLAN_VM);
	CHECK(qemu_arg("guest=vm,"));
	box_becomes_qemu();
	qemu_opens(VM, "prelaunch");
	qemu_hears("balloon");
	qemu_answers("{}");
	qemu_hears("cont");
	CHECK_STR(told(), "");
	qemu_tells("RESUME", NULL);
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_UNPAUSED);
	qemu_answers("{}");
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	CHECK(vm_status_read(stage.dom.uuid, &status) == 0 && status.landlock == 7 &&
		status.state == DOMAIN_STATE_RUNNING && status.reason == DOMAIN_RUNNING_BOOTED);
	check_started(&start);
	CHECK_STR(told(), "resumed 0, started 0");
	CHECK(timer_is_set(&rig.estate.vms.trim));
	qemu_ends();
	CHECK(stage.n_stops == 0);
	broker_ends(ID);
	CHECK_STR(told(), "stopped 5");
	check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
	stage_close();
}

static void
test_paused(void)
{
	struct rpc_header start;

	stage_open("");
	start = ask_start(1);
	go_to(AT_STATUS);
	qemu_answers("{\"status\":\"prelaunch\",\"running\":false}");
	qemu_hears("balloon");
	check_started(&start);
	CHECK(qemu_is_left_alone());
	check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_USER);
	CHECK_STR(told(), "started 0, suspended 0");
	/* Its log is kept in its bounds as any other's. */
	CHECK(timer_is_set(&rig.estate.vms.trim));
	stage_close();
}

/* With serial ports, a disk and a kernel: each is where the command line says. */
static void
test_given(void)
{
	char more[512];
	struct rpc_header start;
	struct stat st;
	int port;

	stage_open("");
	(void)snprintf(more, sizeof(more),
		"<devices><disk type='file'><driver name='qemu' type='raw'/><source "
		"file='%s/disk'/>"
		"<target dev='vda'/></disk><serial type='pty'/></devices>",
		farm_root);
	CHECK(system("head -c 4096 /dev/zero >../disk") == 0);
	CHECK(farm_define(stage.client, "vm", VM, more, &stage.dom) == 0);
	CHECK_STR(told(), "defined 1");
	start = ask_start(0);
	go_to(AT_STATUS);
	CHECK(qemu.n_fds == 3);
	CHECK(fstat(qemu.fds[2], &st) == 0 || fstat(qemu.fds[1], &st) == 0);
	qemu_answers("{\"status\":\"prelaunch\",\"running\":false}");
	port = qemu_accepts("charserial0");
	CHECK(port >= 0 && write(port, "hello\n", 6) == 6);
	qemu_hears("balloon");
	qemu_answers("{}");
	qemu_hears("cont");
	qemu_answers("{}");
	CHECK(read_reply(stage.client, &start, &(struct rpc_domain_create_with_flags_ret){0}) == 0);
	CHECK(system("grep -q hello ../.qemud/log/vm.console") == 0);
	CHECK(system("grep -q charserial0 ../.qemud/log/vm.log") == 0);
	(void)told();
	/* What it says last is kept, though the end is told in the same turn. */
	CHECK(write(port, "goodbye\n", 8) == 8);
	broker_ends(ID);
	CHECK(system("grep -q goodbye ../.qemud/log/vm.console") == 0);
	CHECK(system("grep -q 'shutting down, reason=crashed' ../.qemud/log/vm.log") == 0);
	fd_close(&port);
	check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
	stage_close();
}

/* Copied piece by piece, while others are served, and sealed. */
static void
test_kernel(void)
{
	struct rpc_header start = stage_copy();
	struct stat st;

	CHECK(ask_now(RPC_PROC_DOMAIN_CREATE, 0) == VIR_ERR_OPERATION_INVALID);
	go_to(AT_STATUS);
	CHECK(qemu.n_fds == 2 && fstat(qemu.fds[1], &st) == 0 && st.st_size == 64 * 1024 * 1024);
	CHECK(fcntl(qemu.fds[1], F_GET_SEALS) & F_SEAL_WRITE);
	qemu_answers("{\"status\":\"prelaunch\",\"running\":false}");
	/* All of the memory is the guest's: the balloon is not told. */
	qemu_hears("cont");
	qemu_answers("{}");
	check_started(&start);
	stage_close();
}

static void
test_kernel_changes(void)
{
	struct rpc_header start = stage_copy();

	CHECK(system("echo >>../kernel") == 0);
	check_failed(&start, stage.client, VIR_ERR_OPERATION_FAILED, "changed while it was read");
	CHECK(stage.lease_serial == 0);
	check_nothing_left(DOMAIN_SHUTOFF_FAILED);
	stage_close();
}

/* --- before there is anything that runs --------------------------------------------------- */

static void
test_no_file(void)
{
	struct rpc_header start;

	stage_open("<devices><disk type='file'><driver name='qemu' type='raw'/>"
		   "<source file='/nonexistent/disk'/><target dev='vda'/></disk></devices>");
	for (int i = 0; i < 3; i++) {
		start = ask_start(0);
		check_failed(&start, stage.client, VIR_ERR_SYSTEM_ERROR,
			"Cannot access storage file '/nonexistent/disk': No such file");
		check_nothing_left(DOMAIN_SHUTOFF_FAILED);
	}
	CHECK(stage.lease_serial == 0 && stage.n_stops == 0);
	CHECK_STR(told(), "");
	stage_close();
}

/* The name of a socket is taken by what cannot be removed; a log that is no file. */
static void
test_no_room(void)
{
	static const struct {
		const char *make, *unmake, *words;
	} cases[] = {
		{"mkdir 00000000-0000-4000-8000-000000000001.qmp", "rmdir *.qmp",
			"cannot make the socket \"qmp\""},
		{"mkfifo ../.qemud/log/vm.log", "rm ../.qemud/log/vm.log",
			"the logs of domain 'vm' in ~/.qemud/log cannot be opened"},
		{"ln -s vm.log ../.qemud/log/vm.console", "rm ../.qemud/log/vm.console",
			"the logs of domain 'vm'"},
	};

	stage_open("");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rpc_header start;

		CHECK(system("rm -f ../.qemud/log/*") == 0 && system(cases[i].make) == 0);
		start = ask_start(0);
		check_failed(&start, stage.client, VIR_ERR_SYSTEM_ERROR, cases[i].words);
		CHECK(system(cases[i].unmake) == 0);
		check_nothing_left(DOMAIN_SHUTOFF_FAILED);
	}
	stage_close();
}

static void
test_refused(void)
{
	static const struct {
		int err;
		enum vir_error_code code;
		const char *words;
	} cases[] = {
		{-EEXIST, VIR_ERR_OPERATION_INVALID, "what is left of it has not ended yet"},
		{-ESHUTDOWN, VIR_ERR_SYSTEM_ERROR, "no box can be had for the machine"},
		{-EIO, VIR_ERR_SYSTEM_ERROR, "Input/output error"},
		{-ECANCELED, VIR_ERR_OPERATION_ABORTED, "was ended while it started"},
		{-ENOMEM, VIR_ERR_NO_MEMORY, "out of memory"},
		{-ETIMEDOUT, VIR_ERR_SYSTEM_ERROR, "no box can be had for the machine"},
	};

	stage_open("");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rpc_header start = ask_start(0);

		go_to(AT_LEASE);
		broker_refuses(cases[i].err);
		check_failed(&start, stage.client, (int)cases[i].code, cases[i].words);
		check_nothing_left(DOMAIN_SHUTOFF_FAILED);
	}
	/* Those words are of one refusal, and of no other. */
	for (int i = 0; i < 2; i++) {
		struct rpc_header start = ask_start(0);

		go_to(AT_LEASE);
		if (i == 0)
			broker_refuses_because("limit vms 4 (x:1): 4 in use");
		else
			broker_refuses(-EDQUOT);
		check_failed(&start, stage.client, VIR_ERR_OPERATION_FAILED,
			i == 0 ? "operation failed: domain 'vm' may not start now: limit vms 4 "
				 "(x:1): 4 in use"
			       : "may not start now: a limit is reached");
		check_nothing_left(DOMAIN_SHUTOFF_FAILED);
	}
	CHECK(stage.n_stops == 0);
	CHECK_STR(told(), "");
	stage_close();
}

/* In its time, and not at once. */
static void
asks_again(void)
{
	rig_turn(0);
	CHECK(stage.lease_serial == 0);
	for (int i = 0; stage.lease_serial == 0 && i < 500; i++)
		rig_turn(10);
}

/* Many are started at once: who is not granted one now asks again, and may be ended meanwhile. */
static void
test_not_now(void)
{
	struct rpc_header start, destroy;

	stage_open("");
	start = ask_start(0);
	go_to(AT_LEASE);
	for (int i = 0; i < 2; i++) {
		broker_refuses(-EAGAIN);
		CHECK(is_silent(stage.client));
		asks_again();
	}
	go_to(AT_RUN);
	check_started(&start);
	destroy = ask(stage.client, RPC_PROC_DOMAIN_DESTROY, 0);
	broker_ends(ID);
	CHECK(read_reply(stage.client, &destroy, NULL) == 0);
	stage_close();

	stage_open("");
	start = ask_start(0);
	go_to(AT_LEASE);
	broker_refuses(-EAGAIN);
	CHECK(ask_now(RPC_PROC_DOMAIN_DESTROY, 0) == 0);
	check_failed(&start, stage.client, VIR_ERR_OPERATION_ABORTED, "was ended");
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

/* The broker does not answer in time, then it does: what it granted is ended. */
static void
test_late_lease(void)
{
	struct rpc_header start;

	for (int granted = 0; granted < 2; granted++) {
		stage_open("");
		start = ask_start(0);
		go_to(AT_LEASE);
		no_more_time();
		CHECK(is_silent(stage.client));
		CHECK(ask_now(RPC_PROC_DOMAIN_CREATE, 0) == VIR_ERR_OPERATION_INVALID);
		if (granted) {
			broker_grants(ID);
			CHECK(stage.n_stops == 1 && stage.stopped == ID);
			CHECK(is_silent(stage.client));
			broker_ends(ID);
		} else {
			broker_refuses(-EIO);
		}
		check_failed(&start, stage.client, VIR_ERR_SYSTEM_ERROR, "Connection timed out");
		check_nothing_left(DOMAIN_SHUTOFF_FAILED);
		stage_close();
	}
}

/* The broker goes in the middle of it; what needs no broker goes on. */
static void
test_broker_goes(void)
{
	struct rpc_header start;

	stage_open("");
	start = ask_start(0);
	go_to(AT_LEASE);
	vms_leased(&rig.estate.vms, (uintptr_t)the_vm(), -EPIPE, NULL, -1);
	check_failed(&start, stage.client, VIR_ERR_SYSTEM_ERROR, "no box can be had");
	check_nothing_left(DOMAIN_SHUTOFF_FAILED);
	stage_close();
}

/* --- a box that does not become QEMU, a QEMU that does not talk --------------------------- */

/* What goes wrong, at a step of the start. */
struct fault {
	enum at at;
	void (*happens)(void);
	enum vir_error_code code;
	const char *words;
};

static void
box_refuses(void)
{
	box_says("failed exec: /usr/bin/qemu-system-x86_64: \033 is not there");
}

static void
box_lies(void)
{
	box_says("hello");
}

static void
all_end(void)
{
	CHECK(qemu.log < 0 || write(qemu.log, "qemu: no\n\033way\n", 13) == 13);
	qemu_ends();
	rig_turn(0);
	rig_turn(0);
}

/* In the same turn as its own end. */
static void
gone_at_once(void)
{
	all_end();
	broker_says_gone(ID);
	rig_turn(0);
}

static void
gone_before_it_ends(void)
{
	broker_says_gone(ID);
	rig_turn(0);
}

/* The last word of a box, and its end, in one turn of the loop. */
static void
refused_and_gone(void)
{
	CHECK(packet_send(qemu.seed, "failed fds: too many", 20, NULL, 0) == 0);
	broker_says_gone(ID);
	rig_turn(0);
	rig_turn(0);
}

static void
rubbish(void)
{
	if (qemu.monitor < 0)
		qemu.monitor = qemu_accepts("charmonitor");
	qemu_says("rubbish\n");
	rig_turn(0);
}

static void
refuses(void)
{
	qemu_refuses("not \\u001b today");
	rig_turn(0);
}

static void
another_uuid(void)
{
	qemu_answers("{\"UUID\":\"00000000-0000-4000-8000-000000000002\"}");
}

static void
no_answer_at_all(void)
{
	qemu_answers("[]");
}

static void
listener_closed(void)
{
	for (unsigned i = 0; i < qemu.n_fds; i++)
		fd_close(&qemu.fds[i]);
	box_becomes_qemu();
}

static void
socket_removed(void)
{
	CHECK(system("rm *.qmp") == 0);
	box_becomes_qemu();
}

#define LAST_WORDS ": qemu: no\n\\x1bway"

static const struct fault faults[] = {
	{AT_SEED, box_refuses, VIR_ERR_INTERNAL_ERROR,
		"the box did not become QEMU: \"exec: /usr/bin/qemu-system-x86_64: \\x1b is not "
		"there\""},
	{AT_SEED, box_lies, VIR_ERR_INTERNAL_ERROR, "answered what no box says"},
	{AT_SEED, all_end, VIR_ERR_INTERNAL_ERROR, "the box ended without an answer"},
	{AT_SEED, no_more_time, VIR_ERR_INTERNAL_ERROR, "the box did not become QEMU in time"},
	{AT_SEED, gone_before_it_ends, VIR_ERR_INTERNAL_ERROR,
		"process exited while connecting to monitor"},
	{AT_SEED, refused_and_gone, VIR_ERR_INTERNAL_ERROR, "fds: too many"},
	{AT_EXEC, box_refuses, VIR_ERR_INTERNAL_ERROR, "did not become QEMU: \"exec:"},
	{AT_EXEC, no_more_time, VIR_ERR_INTERNAL_ERROR, "the box did not become QEMU in time"},
	{AT_EXEC, all_end, VIR_ERR_INTERNAL_ERROR,
		"process exited while connecting to monitor" LAST_WORDS},
	{AT_SEED, listener_closed, VIR_ERR_INTERNAL_ERROR,
		"process exited while connecting to monitor"},
	{AT_SEED, socket_removed, VIR_ERR_SYSTEM_ERROR,
		"domain 'vm' cannot be started: No such file"},
	{AT_GREETING, no_more_time, VIR_ERR_INTERNAL_ERROR, "QEMU did not answer in time"},
	{AT_GREETING, rubbish, VIR_ERR_INTERNAL_ERROR, "while connecting to monitor"},
	{AT_GREETING, all_end, VIR_ERR_INTERNAL_ERROR,
		"process exited while connecting to monitor" LAST_WORDS},
	{AT_GREETING, gone_at_once, VIR_ERR_INTERNAL_ERROR,
		"process exited while connecting to monitor" LAST_WORDS},
	{AT_CAPABILITIES, refuses, VIR_ERR_INTERNAL_ERROR, "while connecting to monitor"},
	{AT_CAPABILITIES, gone_before_it_ends, VIR_ERR_INTERNAL_ERROR, "while connecting"},
	{AT_UUID, another_uuid, VIR_ERR_INTERNAL_ERROR, "while connecting to monitor"},
	{AT_UUID, no_answer_at_all, VIR_ERR_INTERNAL_ERROR, "while connecting to monitor"},
	{AT_UUID, refuses, VIR_ERR_INTERNAL_ERROR, "while connecting to monitor"},
	{AT_STATUS, no_answer_at_all, VIR_ERR_INTERNAL_ERROR, "while connecting to monitor"},
	{AT_STATUS, no_more_time, VIR_ERR_INTERNAL_ERROR, "QEMU did not answer in time"},
	{AT_STATUS, all_end, VIR_ERR_INTERNAL_ERROR, "while connecting to monitor" LAST_WORDS},
	{AT_CONT, refuses, VIR_ERR_INTERNAL_ERROR,
		"unable to execute QEMU command 'cont': \"not \\x1b today\""},
	{AT_CONT, rubbish, VIR_ERR_INTERNAL_ERROR, "qemu unexpectedly closed the monitor"},
	{AT_CONT, all_end, VIR_ERR_INTERNAL_ERROR,
		"qemu unexpectedly closed the monitor" LAST_WORDS},
	{AT_CONT, gone_at_once, VIR_ERR_INTERNAL_ERROR, "qemu unexpectedly closed the monitor"},
	{AT_CONT, gone_before_it_ends, VIR_ERR_INTERNAL_ERROR,
		"qemu unexpectedly closed the monitor"},
	{AT_CONT, no_more_time, VIR_ERR_INTERNAL_ERROR, "QEMU did not answer in time"},
};

static void
test_faults(void)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct rpc_header start;

		stage_open("");
		start = ask_start(0);
		go_to(faults[i].at);
		faults[i].happens();
		rig_turn(0);
		/* It is ended, and the client is told when it has. */
		if (the_vm()) {
			CHECK(stage.n_stops == 1 && stage.stopped == ID);
			CHECK(is_silent(stage.client));
			CHECK(ask_now(RPC_PROC_DOMAIN_CREATE, 0) == VIR_ERR_OPERATION_INVALID);
			broker_ends(ID);
		}
		check_failed(&start, stage.client, (int)faults[i].code, faults[i].words);
		CHECK_STR(told(), "");
		check_nothing_left(DOMAIN_SHUTOFF_FAILED);
		/* The way is free. */
		start = ask_start(0);
		go_to(AT_RUN);
		check_started(&start);
		stage_close();
		if (test_this_failed) {
			printf("# fault %zu\n", i);
			break;
		}
	}
}

/* QEMU does not end though it was told to; the client is not left waiting for ever. */
static void
test_does_not_end(void)
{
	struct rpc_header start;

	stage_open("");
	start = ask_start(0);
	go_to(AT_SEED);
	box_refuses();
	pass_time(&TAILQ_FIRST(&the_vm()->waiters)->late);
	check_failed(&start, stage.client, VIR_ERR_INTERNAL_ERROR, "did not become QEMU");
	CHECK(the_vm());
	CHECK(ask_now(RPC_PROC_DOMAIN_CREATE, 0) == VIR_ERR_OPERATION_INVALID);
	broker_ends(ID);
	check_nothing_left(DOMAIN_SHUTOFF_FAILED);
	stage_close();
}

/* What QEMU says of itself before it was let go is not the guest's doing. */
static void
test_killed_before_it_runs(void)
{
	struct rpc_header start;

	stage_open("<on_poweroff>restart</on_poweroff>");
	start = ask_start(0);
	go_to(AT_CONT);
	qemu_tells("SHUTDOWN", "{\"guest\":false,\"reason\":\"host-signal\"}");
	all_end();
	broker_ends(ID);
	check_failed(&start, stage.client, VIR_ERR_INTERNAL_ERROR, "unexpectedly closed");
	CHECK_STR(told(), "");
	check_nothing_left(DOMAIN_SHUTOFF_FAILED);
	stage_close();
}

static void
test_client_goes(void)
{
	for (enum at at = AT_BEGIN; at < AT_RUN; at++) {
		stage_open("");
		(void)ask_start(0);
		if (at > AT_BEGIN)
			rig_turn(0);
		fd_close(&stage.client);
		rig_wait(1);
		go_to(AT_RUN);
		CHECK_STR(told(), "resumed 0, started 0");
		check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
		stage_close();
	}
}

int
main(void)
{
	TEST("a start goes step by step, and is shown as what it is at each", test_steps);
	TEST("a VM that is to start paused has not been let go", test_paused);
	TEST("QEMU is given its disk and its serial port", test_given);
	TEST("a kernel is copied in turns of the loop", test_kernel);
	TEST("a kernel that changes meanwhile ends it", test_kernel_changes);
	TEST("a file that is not there ends it before anybody is asked", test_no_file);
	TEST("so do sockets and logs that cannot be made", test_no_room);
	TEST("a lease that is refused is told, in words", test_refused);
	TEST("a lease that is not to be had now is asked for again", test_not_now);
	TEST("a lease that comes too late is ended", test_late_lease);
	TEST("a broker that goes ends a start that waits for it", test_broker_goes);
	TEST("any fault of box and QEMU at any step ends it, is told, and leaves nothing",
		test_faults);
	TEST("who waits for what does not end is answered all the same", test_does_not_end);
	TEST("a QEMU that is killed before the guest runs has failed to start",
		test_killed_before_it_runs);
	TEST("a client that goes changes nothing of it", test_client_goes);
	return TEST_END();
}
