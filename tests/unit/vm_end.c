/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM is ended at any moment, by its owner, by itself or by nobody's wish: it is shown as ended
 * when nothing of it runs any more, with the right reason, and nothing of it is left. A worker that
 * leaves ends nothing.
 * test: timeout=360
 */
#include "tests/unit/test.h"

#include "tests/unit/vm_stage.h"

#define RESTART "<on_poweroff>restart</on_poweroff>"

/* The answer of a second connection's DESTROY, which is read later. */
static int other;

static struct rpc_header
ask_destroy(uint32_t flags)
{
	other = rig_open(VERBS_ALL);
	return ask(other, RPC_PROC_DOMAIN_DESTROY_FLAGS, flags);
}

static void
check_destroyed(const struct rpc_header *header)
{
	CHECK(read_reply(other, header, NULL) == 0);
	fd_close(&other);
	rig_turn(0);
	rig_turn(0);
}

/* --- destroy ------------------------------------------------------------------------------ */

static void
test_destroy(void)
{
	struct rpc_header destroy;

	stage_run("");
	destroy = ask_destroy(0);
	CHECK(stage.n_stops == 1 && stage.stopped == ID);
	/* QEMU is not asked, and nobody is told before it has happened. */
	CHECK(qemu_is_left_alone() && is_silent(other));
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	CHECK_STR(told(), "");
	broker_ends(ID);
	CHECK_STR(told(), "stopped 1");
	check_destroyed(&destroy);
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	CHECK(ask_now(RPC_PROC_DOMAIN_DESTROY, 0) == VIR_ERR_OPERATION_INVALID);
	stage_close();
}

static void
test_destroy_a_start(void)
{
	for (enum at at = AT_LEASE; at < AT_RUN; at++) {
		struct rpc_header start, destroy, again;

		stage_open("");
		start = ask_start(0);
		go_to(at);
		destroy = ask_destroy(0);
		CHECK(stage.n_stops == (at > AT_LEASE));
		CHECK(is_silent(stage.client) && is_silent(other));
		if (at == AT_LEASE) {
			/* It is granted, and was not wanted any more. */
			broker_grants(ID);
			CHECK(stage.n_stops == 1 && stage.stopped == ID);
		}
		broker_ends(ID);
		check_failed(&start, stage.client, VIR_ERR_OPERATION_ABORTED,
			"operation aborted: domain 'vm' was ended while it started");
		check_destroyed(&destroy);
		CHECK_STR(told(), "");
		check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
		again = ask_start(0);
		go_to(AT_RUN);
		check_started(&again);
		stage_close();
	}
}

static void
test_destroy_a_copy(void)
{
	struct rpc_header start = stage_copy(), destroy = ask_destroy(0);

	check_failed(&start, stage.client, VIR_ERR_OPERATION_ABORTED, "was ended");
	check_destroyed(&destroy);
	CHECK(stage.lease_serial == 0 && stage.n_stops == 0);
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

/* The broker reads nothing for a while; it is told in the end. */
static void
test_full_link(void)
{
	struct rpc_header destroy;
	unsigned n = 0;

	stage_run("");
	while (uplink_stop_lease(&rig.uplink, ID + 1) == 0)
		n++;
	CHECK(n > 10);
	other = rig_open(VERBS_ALL);
	while (uplink_stop_lease(&rig.uplink, ID + 1) == 0)
		n++;
	vm_stop(the_vm(), VM_END_DESTROYED);
	for (int i = 0; i < 3; i++)
		rig_turn(0);
	CHECK(stage.n_stops == n && stage.stopped == ID + 1);
	destroy = ask(other, RPC_PROC_DOMAIN_DESTROY, 0);
	pass_time(&the_vm()->retry);
	CHECK(stage.n_stops == n + 1 && stage.stopped == ID);
	broker_ends(ID);
	check_destroyed(&destroy);
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

/* The lease that a destroyed start waits for is refused. */
static void
test_destroy_without_lease(void)
{
	struct rpc_header start, destroy;

	stage_open("");
	start = ask_start(0);
	go_to(AT_LEASE);
	destroy = ask_destroy(0);
	broker_refuses(-EAGAIN);
	check_failed(&start, stage.client, VIR_ERR_OPERATION_ABORTED, "was ended");
	check_destroyed(&destroy);
	CHECK(stage.n_stops == 0);
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

/* Two calls of one packet each, in one write: they are served in one turn of the loop. */
static void
test_destroy_in_the_turn_of_the_start(void)
{
	struct rpc_domain_create_with_flags_args args;
	struct rpc_header start = call_header(RPC_PROC_DOMAIN_CREATE_WITH_FLAGS, 500);
	struct rpc_header destroy = call_header(RPC_PROC_DOMAIN_DESTROY_FLAGS, 501);
	struct rpc_buffer buffer;

	stage_open("");
	args = (struct rpc_domain_create_with_flags_args){.dom = stage.dom};
	rpc_buffer_init(&buffer, RPC_FRAME_MAX);
	append_call(&buffer, start.procedure, start.serial, &args);
	append_call(&buffer, destroy.procedure, destroy.serial, &args);
	CHECK(send_all(stage.client, rpc_buffer_front(&buffer), rpc_buffer_left(&buffer)));
	rpc_buffer_fini(&buffer);
	CHECK(read_reply(stage.client, &destroy, NULL) == 0);
	check_failed(&start, stage.client, VIR_ERR_OPERATION_ABORTED, "was ended while it started");
	CHECK(stage.lease_serial == 0 && stage.n_stops == 0);
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

static void
test_destroy_twice(void)
{
	struct rpc_header destroy, second;

	stage_run("");
	destroy = ask_destroy(0);
	second = ask(stage.client, RPC_PROC_DOMAIN_DESTROY, 0);
	CHECK(stage.n_stops == 1);
	broker_ends(ID);
	check_destroyed(&destroy);
	CHECK(read_reply(stage.client, &second, NULL) == 0);
	CHECK_STR(told(), "stopped 1");
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

static void
test_destroy_while_suspend_waits(void)
{
	struct rpc_header suspend, resume, destroy;
	int third;

	stage_run("");
	third = rig_open(VERBS_ALL);
	suspend = ask(stage.client, RPC_PROC_DOMAIN_SUSPEND, 0);
	qemu_hears("stop");
	resume = ask(third, RPC_PROC_DOMAIN_RESUME, 0);
	destroy = ask_destroy(0);
	/* The one that is at QEMU, and the one in line. */
	check_failed(&suspend, stage.client, VIR_ERR_OPERATION_FAILED,
		"operation failed: domain is not running any more");
	check_failed(&resume, third, VIR_ERR_OPERATION_INVALID, "domain is not running");
	/* Its answer finds nobody. */
	qemu_answers("{}");
	broker_ends(ID);
	check_destroyed(&destroy);
	fd_close(&third);
	CHECK_STR(told(), "stopped 1");
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

static void
test_does_not_end(void)
{
	struct rpc_header destroy;

	stage_run("");
	destroy = ask_destroy(0);
	pass_time(&TAILQ_FIRST(&the_vm()->waiters)->late);
	check_failed(&destroy, other, VIR_ERR_SYSTEM_ERROR, "Failed to terminate process ");
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	fd_close(&other);
	broker_ends(ID);
	CHECK_STR(told(), "stopped 1");
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

/* Who asked to have it destroyed does not wait for it. */
static void
test_client_goes(void)
{
	stage_run("");
	(void)ask_destroy(0);
	fd_close(&other);
	rig_wait(2);
	broker_ends(ID);
	CHECK_STR(told(), "stopped 1");
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

/* --- gracefully --------------------------------------------------------------------------- */

static void
test_graceful(void)
{
	struct rpc_header destroy;

	stage_run(RESTART);
	destroy = ask_destroy(1);
	qemu_hears("quit");
	qemu_answers("{}");
	qemu_tells("SHUTDOWN", "{\"guest\":false,\"reason\":\"host-qmp-quit\"}");
	CHECK_STR(told(), "shutdown 2");
	/* It was not the guest that wanted to end: it is not reset. */
	CHECK(qemu_is_left_alone() && stage.n_stops == 0);
	broker_ends(ID);
	CHECK_STR(told(), "stopped 1");
	check_destroyed(&destroy);
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

static void
test_graceful_in_vain(void)
{
	struct rpc_header destroy, forced;

	stage_run("");
	destroy = ask_destroy(1);
	qemu_hears("quit");
	pass_time(&TAILQ_FIRST(&the_vm()->waiters)->late);
	check_failed(&destroy, other, VIR_ERR_OPERATION_FAILED,
		"failed to terminate QEMU gracefully; destroy without --graceful ends it");
	CHECK(stage.n_stops == 0);
	fd_close(&other);
	forced = ask_destroy(0);
	CHECK(stage.n_stops == 1);
	broker_ends(ID);
	check_destroyed(&forced);
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

/* It is not forced because nobody can ask it. */
static void
test_graceful_without_monitor(void)
{
	struct rpc_header destroy;

	stage_run("");
	qemu_says("rubbish\n");
	rig_turn(0);
	destroy = ask_destroy(1);
	check_failed(&destroy, other, VIR_ERR_OPERATION_FAILED,
		"its monitor cannot be reached now; destroy without --graceful ends it");
	CHECK(stage.n_stops == 0);
	fd_close(&other);
	stage_close();
}

/* A start has no guest that could put anything in order. */
static void
test_graceful_start(void)
{
	struct rpc_header start, destroy;

	stage_open("");
	start = ask_start(0);
	go_to(AT_CONT);
	destroy = ask_destroy(1);
	CHECK(stage.n_stops == 1);
	broker_ends(ID);
	check_failed(&start, stage.client, VIR_ERR_OPERATION_ABORTED, "was ended");
	check_destroyed(&destroy);
	stage_close();
}

/* --- by itself ---------------------------------------------------------------------------- */

static void
test_shutdown(void)
{
	static const struct {
		const char *data;
		const char *told;
	} cases[] = {
		{"{\"guest\":true,\"reason\":\"guest-shutdown\"}", "shutdown 1"},
		{"{\"guest\":false,\"reason\":\"host-signal\"}", "shutdown 2"},
		{"{\"guest\":7}", "shutdown 0"},
		{NULL, "shutdown 0"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stage_run("");
		qemu_tells("SHUTDOWN", cases[i].data);
		check_state(DOMAIN_STATE_SHUTDOWN, 0);
		/* The pause behind it is none, and it is told once. */
		qemu_tells("STOP", NULL);
		qemu_tells("SHUTDOWN", cases[i].data);
		check_state(DOMAIN_STATE_SHUTDOWN, 0);
		CHECK_STR(told(), cases[i].told);
		broker_ends(ID);
		CHECK_STR(told(), "stopped 0");
		CHECK(stage.n_stops == 0);
		check_nothing_left(DOMAIN_SHUTOFF_SHUTDOWN);
		stage_close();
	}
}

/* All in one turn of the loop: the broker's word is the first that is read. */
static void
test_last_words(void)
{
	stage_run("");
	CHECK(write(qemu.monitor, "{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true}}\n", 44) ==
		44);
	qemu_ends();
	broker_says_gone(ID);
	for (int i = 0; i < 4; i++)
		rig_turn(0);
	CHECK_STR(told(), "shutdown 1, stopped 0");
	check_nothing_left(DOMAIN_SHUTOFF_SHUTDOWN);
	stage_close();
}

static void
test_crash(void)
{
	struct rpc_header suspend;

	stage_run("");
	suspend = ask(stage.client, RPC_PROC_DOMAIN_SUSPEND, 0);
	qemu_hears("stop");
	broker_ends(ID);
	check_failed(&suspend, stage.client, VIR_ERR_OPERATION_FAILED, "not running any more");
	CHECK_STR(told(), "stopped 5");
	check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
	stage_close();
}

/* The broker knows why, when nobody here does. */
static void
test_told_why(void)
{
	static const struct {
		enum ipc_gone how;
		int32_t reason;
		const char *event, *words;
	} cases[] = {
		{IPC_GONE_MEMORY, DOMAIN_SHUTOFF_CRASHED, "stopped 2", "memory.max 345678 KiB"},
		{IPC_GONE_HOST_MEMORY, DOMAIN_SHUTOFF_CRASHED, "stopped 2",
			"because the host had no more"},
		{IPC_GONE_STOPPED, DOMAIN_SHUTOFF_DESTROYED, "stopped 1",
			"ended by somebody who administers this host"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		free_auto char *log = NULL;
		size_t size = 0;
		fd_auto int fd = -1;

		stage_run("");
		qemu_ends();
		broker_says_gone_how(ID, cases[i].how);
		for (int n = 0; n < 4; n++)
			rig_turn(0);
		CHECK_STR(told(), cases[i].event);
		check_nothing_left(cases[i].reason);
		fd = openat(rig.estate.home.folder_fd[HOME_LOG], "vm.log", O_RDONLY | O_CLOEXEC);
		CHECK(fd >= 0 && fd_read_all(fd, 1 << 20, &log, &size) == 0);
		CHECK(log && strstr(log, cases[i].words));
		stage_close();
	}
	/* Who has ended it here knows better. */
	stage_run("");
	(void)ask(stage.client, RPC_PROC_DOMAIN_DESTROY, 0);
	rig_turn(10);
	qemu_ends();
	broker_says_gone_how(ID, IPC_GONE_MEMORY);
	for (int n = 0; n < 4; n++)
		rig_turn(0);
	CHECK_STR(told(), "stopped 1");
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

/* What is asked for in the turn in which it ends. */
static void
test_asked_too_late(void)
{
	struct rpc_header suspend = call_header(RPC_PROC_DOMAIN_SUSPEND, 600);
	struct rpc_domain_suspend_args args;
	struct rpc_buffer buffer;

	stage_run("");
	args = (struct rpc_domain_suspend_args){.dom = stage.dom};
	rpc_buffer_init(&buffer, RPC_FRAME_MAX);
	append_call(&buffer, suspend.procedure, suspend.serial, &args);
	broker_says_gone(ID);
	CHECK(send_all(stage.client, rpc_buffer_front(&buffer), rpc_buffer_left(&buffer)));
	rpc_buffer_fini(&buffer);
	check_failed(&suspend, stage.client, VIR_ERR_OPERATION_INVALID, "domain is not running");
	check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
	stage_close();
}

static void
test_unknown_ids(void)
{
	stage_run("");
	broker_says_gone(ID + 1);
	broker_says_gone(INT32_MAX);
	for (int i = 0; i < 3; i++)
		rig_turn(0);
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	broker_says_gone(ID);
	broker_says_gone(ID);
	broker_ends(ID);
	CHECK_STR(told(), "stopped 5");
	check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
	stage_close();
}

/* --- without a definition ----------------------------------------------------------------- */

static void
test_undefined(void)
{
	struct rpc_domain_is_persistent_ret persistent = {.persistent = 7};
	struct rpc_domain_is_persistent_args args;

	stage_run("");
	CHECK(ask_now(RPC_PROC_DOMAIN_UNDEFINE, 0) == 0);
	CHECK_STR(told(), "undefined 0");
	args.dom = stage.dom;
	CHECK(call(stage.client, RPC_PROC_DOMAIN_IS_PERSISTENT, &args, &persistent) == 0);
	CHECK(persistent.persistent == 0);
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	CHECK(ask_now(RPC_PROC_DOMAIN_CREATE, 0) == VIR_ERR_OPERATION_INVALID);
	broker_ends(ID);
	CHECK_STR(told(), "stopped 5");
	CHECK(!farm_domain(VM) && n_files() == 0 && rig.estate.vms.n == 0);
	CHECK(ask_now(RPC_PROC_DOMAIN_CREATE, 0) == VIR_ERR_NO_DOMAIN);
	stage_close();
}

static void
test_undefined_while_it_starts(void)
{
	for (enum at at = AT_LEASE; at < AT_RUN; at++) {
		struct rpc_header start;

		stage_open("");
		start = ask_start(0);
		go_to(at);
		CHECK(ask_now(RPC_PROC_DOMAIN_UNDEFINE, 0) == 0);
		if (at == AT_LEASE) {
			broker_refuses(-EIO);
		} else {
			broker_ends(ID);
		}
		CHECK(read_reply(stage.client, &start, NULL) > 0);
		CHECK(!farm_domain(VM) && n_files() == 0 && rig.estate.vms.n == 0);
		stage_close();
	}
}

int
main(void)
{
	TEST("destroy waits for nobody but the broker", test_destroy);
	TEST("a start is destroyed at any of its steps", test_destroy_a_start);
	TEST("also while its kernel is copied", test_destroy_a_copy);
	TEST("a broker that does not read is told in the end", test_full_link);
	TEST("a destroyed start whose lease is refused is over", test_destroy_without_lease);
	TEST("a start and its end in one turn: it is never begun",
		test_destroy_in_the_turn_of_the_start);
	TEST("who destroys what is being destroyed is told the same", test_destroy_twice);
	TEST("destroy ends what waits", test_destroy_while_suspend_waits);
	TEST("what does not end is told in the end", test_does_not_end);
	TEST("a client that goes changes nothing of it", test_client_goes);
	TEST("gracefully: QEMU is asked, and ends", test_graceful);
	TEST("gracefully: what does not end is told, and forced when that is asked",
		test_graceful_in_vain);
	TEST("gracefully: what cannot be asked is not forced", test_graceful_without_monitor);
	TEST("gracefully: a start is ended as it is", test_graceful_start);
	TEST("a guest that shuts down is shown so, once, and then as shut off", test_shutdown);
	TEST("its last words count, though its end is read first", test_last_words);
	TEST("a QEMU that ends by itself has crashed", test_crash);
	TEST("why the kernel or somebody else has ended it is shown, and logged", test_told_why);
	TEST("who asks while it ends is answered", test_asked_too_late);
	TEST("the end of what is not there is nothing", test_unknown_ids);
	TEST("without a definition it runs on, and is gone when it ends", test_undefined);
	TEST("a start that fails without a definition leaves nothing",
		test_undefined_while_it_starts);
	return TEST_END();
}
