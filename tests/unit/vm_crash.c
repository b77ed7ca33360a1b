/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that panics is shown and told as crashed, and what <on_crash> says is done: also by a
 * worker that was not there when it happened, and one that finds it half done.
 */
#include "tests/unit/test.h"

#include "tests/unit/next_worker.h"
#include "tests/unit/vm_stage.h"

#define PANIC "{\"action\":\"pause\"}"

/* It ends by itself; a shutdown is no news of it. */
static void
test_destroy(void)
{
	stage_run("");
	qemu_tells("GUEST_PANICKED", "{\"action\":\"poweroff\"}");
	check_state(DOMAIN_STATE_CRASHED, DOMAIN_CRASHED_PANICKED);
	qemu_tells("STOP", NULL);
	qemu_tells("SHUTDOWN", "{\"guest\":true,\"reason\":\"guest-panic\"}");
	qemu_hears("quit");
	CHECK_STR(told(), "crashed 0");
	CHECK(stage.n_stops == 0);
	broker_ends(ID);
	CHECK_STR(told(), "stopped 2");
	check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
	stage_close();
}

static void
is_restarted(void)
{
	qemu_hears("system_reset");
	qemu_tells("RESET", "{\"guest\":false}");
	qemu_answers("{}");
	qemu_hears("set-action");
	qemu_answers("{}");
	qemu_hears("cont");
	qemu_tells("RESUME", NULL);
	qemu_answers("{}");
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_CRASHED);
}

static void
test_restart(void)
{
	stage_run("<on_crash>restart</on_crash>");
	for (int i = 0; i < 2; i++) {
		qemu_tells("GUEST_PANICKED", PANIC);
		check_state(DOMAIN_STATE_CRASHED, DOMAIN_CRASHED_PANICKED);
		qemu_tells("STOP", NULL);
		is_restarted();
		CHECK_STR(told(), "crashed 0, resumed 0");
	}
	/* A pause after it is one as any other. */
	qemu_tells("STOP", NULL);
	qemu_tells("RESUME", NULL);
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_UNPAUSED);
	stage_close();
}

static void
panic_preserved(void)
{
	qemu_tells("GUEST_PANICKED", PANIC);
	qemu_tells("STOP", NULL);
	check_state(DOMAIN_STATE_CRASHED, DOMAIN_CRASHED_PANICKED);
	CHECK(qemu_is_left_alone());
	CHECK_STR(told(), "crashed 0");
}

/* A command of a client's that QEMU does. */
static void
client_does(int32_t procedure, const char *command)
{
	struct rpc_header header = ask(stage.client, procedure, 0);

	qemu_hears(command);
	if (strcmp(command, "cont") == 0)
		qemu_tells("RESUME", NULL);
	qemu_answers("{}");
	CHECK(read_reply(stage.client, &header, NULL) == 0);
}

/* It stands as it is, for whoever looks at it; and goes on, is reset or paused when she says so. */
static void
test_preserve(void)
{
	struct rpc_header destroy;

	stage_run("<on_crash>preserve</on_crash>");
	panic_preserved();
	client_does(RPC_PROC_DOMAIN_RESUME, "cont");
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_UNPAUSED);
	CHECK_STR(told(), "resumed 0");
	panic_preserved();
	client_does(RPC_PROC_DOMAIN_RESET, "system_reset");
	check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_CRASHED);
	client_does(RPC_PROC_DOMAIN_RESUME, "cont");
	CHECK_STR(told(), "resumed 0");
	panic_preserved();
	CHECK(ask_now(RPC_PROC_DOMAIN_SUSPEND, 0) == 0);
	CHECK(ask_now(RPC_PROC_DOMAIN_SHUTDOWN, 0) == VIR_ERR_OPERATION_INVALID);
	CHECK(qemu_is_left_alone());
	check_state(DOMAIN_STATE_CRASHED, DOMAIN_CRASHED_PANICKED);
	client_does(RPC_PROC_DOMAIN_RESUME, "cont");
	CHECK_STR(told(), "resumed 0");
	panic_preserved();
	destroy = ask(stage.client, RPC_PROC_DOMAIN_DESTROY, 0);
	broker_ends(ID);
	CHECK(read_reply(stage.client, &destroy, NULL) == 0);
	CHECK_STR(told(), "stopped 1");
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

/* The worker goes, and the next one is told that it stands, or what has become of it. */
static void
next_worker_finds(const char *status)
{
	fd_close(&qemu.monitor);
	begin_again();
	lists_it();
	qemu_opens(VM, status);
	if (farm_domain(VM)->live->on_crash == DOMAIN_DESTROY) {
		qemu_hears("quit");
		qemu_answers("{}");
	}
	qemu_hears("query-balloon");
	qemu_answers("{\"actual\":41943040}");
	qemu_says_vcpus(1);
}

static void
test_without_worker(void)
{
	static const char *const actions[] = {"destroy", "restart", "preserve"};
	char more[64];

	for (int i = 0; i < 3; i++) {
		(void)snprintf(more, sizeof(more), "<on_crash>%s</on_crash>", actions[i]);
		stage_run(more);
		next_worker_finds("guest-panicked");
		check_state(DOMAIN_STATE_CRASHED, DOMAIN_CRASHED_PANICKED);
		CHECK_STR(told(), "crashed 0");
		if (i == 0) {
			broker_ends(ID);
			CHECK_STR(told(), "stopped 2");
			check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
		} else if (i == 1) {
			is_restarted();
		} else {
			CHECK(qemu_is_left_alone());
		}
		stage_close();
	}
}

/* Seen by the worker before, which has gone in the middle of the restart. */
static void
test_half_restarted(void)
{
	static const char *const statuses[] = {"guest-panicked", "prelaunch"};

	for (int i = 0; i < 2; i++) {
		stage_run("<on_crash>restart</on_crash>");
		qemu_tells("GUEST_PANICKED", PANIC);
		qemu_hears("system_reset");
		next_worker_finds(statuses[i]);
		CHECK_STR(told(), "");
		is_restarted();
		CHECK_STR(told(), "resumed 0");
		stage_close();
	}
	/* What was reset by hand waits for her. */
	stage_run("<on_crash>preserve</on_crash>");
	panic_preserved();
	client_does(RPC_PROC_DOMAIN_RESET, "system_reset");
	next_worker_finds("prelaunch");
	check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_CRASHED);
	CHECK(qemu_is_left_alone() && stage.n_stops == 0);
	stage_close();
}

int
main(void)
{
	TEST("a machine that is not kept ends when its guest panics", test_destroy);
	TEST("a guest that panics is reset and goes on", test_restart);
	TEST("a machine is kept as its guest has left it", test_preserve);
	TEST("it panics while no worker is there", test_without_worker);
	TEST("it panics, and its worker goes while it is reset", test_half_restarted);
	return TEST_END();
}
