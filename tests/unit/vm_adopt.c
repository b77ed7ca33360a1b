/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker that begins has all that runs already, with what is known of it: nothing that runs is
 * shown as shut off, ended because it cannot be reached, or without its sockets.
 * test: timeout=360
 */
#include "tests/unit/test.h"

#include "tests/unit/next_worker.h"

/* --- one VM ------------------------------------------------------------------------------- */

static void
test_with_notes(void)
{
	struct rpc_header destroy;
	uint64_t since;

	stage_run("<devices><serial type='pty'/></devices>");
	since = the_vm()->since;
	the_vm()->since = 12345;
	vm_set_state(the_vm(), DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	CHECK(since > 12345);
	/* Defined anew meanwhile: it is what it was started as. */
	CHECK(farm_define(stage.client, "vm", VM, "<title>new</title>", &stage.dom) == 0);
	fd_close(&qemu.monitor);
	begin_again();
	lists_it();
	CHECK(n_adopted == 0);
	CHECK(the_vm() && farm_domain(VM)->id == ID);
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	qemu_is_reached(VM, "running");
	check_adopted();
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	CHECK(the_vm()->landlock == 7 && the_vm()->since == 12345);
	CHECK(farm_domain(VM)->live->n_serials == 1 && !farm_domain(VM)->live->title);
	CHECK(the_vm()->consoles[0].fd >= 0);
	CHECK(timer_is_set(&rig.estate.vms.trim));
	CHECK_STR(told(), "");
	CHECK(ask_now(RPC_PROC_DOMAIN_CREATE, 0) == VIR_ERR_OPERATION_INVALID);
	destroy = ask(stage.client, RPC_PROC_DOMAIN_DESTROY, 0);
	CHECK(stage.n_stops == 1 && stage.stopped == ID);
	broker_ends(ID);
	CHECK(read_reply(stage.client, &destroy, NULL) == 0);
	CHECK_STR(told(), "stopped 1");
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

static void
test_states(void)
{
	static const struct {
		const char *status;
		enum domain_state state;
		int32_t reason;
	} cases[] = {
		{"running", DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED}, /* as noted */
		{"paused", DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_UNKNOWN},
		{"io-error", DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_IOERROR},
		{"watchdog", DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_WATCHDOG},
		{"something-new", DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_UNKNOWN},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vm_status status;

		stage_adopt("");
		lists_it();
		qemu_is_reached(VM, cases[i].status);
		check_adopted();
		check_state(cases[i].state, cases[i].reason);
		CHECK(vm_status_read(stage.dom.uuid, &status) == 0 &&
			status.state == (int32_t)cases[i].state &&
			status.reason == cases[i].reason);
		CHECK(qemu_is_left_alone() && stage.n_stops == 0);
		(void)told();
		broker_ends(ID);
		check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
		stage_close();
	}
}

/* The worker before knew why it stands still. */
static void
test_paused_with_reason(void)
{
	stage_run("");
	qemu_tells("BLOCK_IO_ERROR", "{\"action\":\"stop\"}");
	qemu_tells("STOP", NULL);
	fd_close(&qemu.monitor);
	begin_again();
	lists_it();
	check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_IOERROR);
	qemu_is_reached(VM, "paused");
	check_adopted();
	check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_IOERROR);
	stage_close();
}

/* By its definition, or because somebody asked the worker before for a reboot. */
static void
test_to_be_restarted(void)
{
	static const char *const more[] = {"<on_poweroff>restart</on_poweroff>", ""};

	for (int i = 0; i < 2; i++) {
		stage_adopt(more[i]);
		lists_it();
		qemu_is_reached(VM, "shutdown");
		qemu_hears("system_reset");
		check_adopted();
		check_state(DOMAIN_STATE_SHUTDOWN, 0);
		qemu_answers("{}");
		qemu_hears("set-action");
		qemu_answers("{}");
		qemu_hears("cont");
		qemu_tells("RESUME", NULL);
		check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_UNPAUSED);
		stage_close();
	}
}

/* It shut down while nobody was there, and ends before it is reached. */
static void
test_ends_meanwhile(void)
{
	stage_run("");
	qemu_tells("SHUTDOWN", "{\"guest\":true}");
	fd_close(&qemu.monitor);
	begin_again();
	lists_it();
	CHECK(n_adopted == 0);
	broker_ends(ID);
	check_adopted();
	check_nothing_left(DOMAIN_SHUTOFF_SHUTDOWN);
	CHECK_STR(told(), "stopped 0");
	stage_close();
}

/* Found, and gone, in one turn of the loop. */
static void
test_gone_at_once(void)
{
	stage_adopt("");
	lists(ID, VM);
	broker_says_gone(ID);
	rig_turn(0);
	rig_turn(0);
	lists_no_more(-ENOENT);
	check_adopted();
	check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
	stage_close();
}

/* The worker before has gone in the middle of its start, at whatever step. */
static void
test_start_without_worker(void)
{
	for (enum at at = AT_SEED; at < AT_RUN; at++) {
		stage_open("");
		(void)ask_start(0);
		go_to(at);
		if (at == AT_GREETING)
			qemu.monitor = qemu_accepts("charmonitor");
		fd_close(&qemu.monitor);
		fd_close(&stage.client);
		rig_wait(1);
		begin_again();
		lists_it();
		check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_STARTING_UP);
		if (at >= AT_GREETING)
			qemu_opens(VM, "prelaunch");
		else
			qemu_ends();
		/* Nobody is there who would let it go. */
		for (int i = 0; i < 100 && stage.n_stops == 0; i++)
			rig_turn(10);
		CHECK(stage.n_stops == 1 && stage.stopped == ID && n_adopted == 0);
		broker_ends(ID);
		check_adopted();
		CHECK(n_files() == 0 && rig.estate.vms.n == 0);
		check_state(DOMAIN_STATE_SHUTOFF, DOMAIN_SHUTOFF_FAILED);
		stage_close();
	}
}

/* The guest was let go, and the worker did not live to write it down. */
static void
test_let_go(void)
{
	stage_open("");
	(void)ask_start(0);
	go_to(AT_CONT);
	fd_close(&qemu.monitor);
	fd_close(&stage.client);
	rig_wait(1);
	begin_again();
	lists_it();
	qemu_is_reached(VM, "running");
	check_adopted();
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_UNKNOWN);
	CHECK(stage.n_stops == 0);
	stage_close();
}

/* --- what cannot be reached --------------------------------------------------------------- */

static void
check_not_reached(void)
{
	check_adopted();
	CHECK(the_vm() && stage.n_stops == 0 && is_there("qmp"));
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	CHECK(ask_now(RPC_PROC_DOMAIN_CREATE, 0) == VIR_ERR_OPERATION_INVALID);
	CHECK(ask_now(RPC_PROC_DOMAIN_SUSPEND, 0) == VIR_ERR_OPERATION_FAILED);
	CHECK(timer_is_set(&the_vm()->retry));
}

static void
test_another(void)
{
	stage_adopt("");
	lists_it();
	qemu_greets();
	qemu_hears("qmp_capabilities");
	qemu_answers("{}");
	qemu_hears("query-uuid");
	qemu_answers("{\"UUID\":\"00000000-0000-4000-8000-000000000002\"}");
	check_not_reached();
	fd_close(&qemu.monitor);
	/* It is tried again, and found. */
	pass_time(&the_vm()->retry);
	qemu_is_reached(VM, "running");
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	CHECK(the_vm()->monitor.state == MONITOR_OPEN);
	stage_close();
}

static void
test_silent(void)
{
	stage_adopt("");
	lists_it();
	qemu_greets();
	no_more_time();
	check_not_reached();
	CHECK(the_vm()->monitor.state == MONITOR_CLOSED);
	stage_close();
}

static void
test_nobody_listens(void)
{
	struct rpc_header destroy;

	stage_adopt("");
	for (unsigned i = 0; i < qemu.n_fds; i++)
		fd_close(&qemu.fds[i]);
	lists_it();
	check_not_reached();
	pass_time(&the_vm()->retry);
	destroy = ask(stage.client, RPC_PROC_DOMAIN_DESTROY, 0);
	CHECK(stage.n_stops == 1);
	broker_ends(ID);
	CHECK(read_reply(stage.client, &destroy, NULL) == 0);
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

/* Destroyed while it is being reached. */
static void
test_destroyed_meanwhile(void)
{
	struct rpc_header destroy;

	stage_adopt("");
	lists_it();
	rig.estate.state = ESTATE_OPEN;
	destroy = ask(stage.client, RPC_PROC_DOMAIN_DESTROY, 0);
	CHECK(stage.n_stops == 1 && n_adopted == 0);
	broker_ends(ID);
	check_adopted();
	CHECK(read_reply(stage.client, &destroy, NULL) == 0);
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

/* --- several ------------------------------------------------------------------------------ */

static void
test_none(void)
{
	stage_run("");
	fd_close(&qemu.monitor);
	qemu_ends();
	begin_again();
	CHECK(system("touch keep 00000000-0000-4000-8000-00000000000f.qmp") == 0);
	lists_no_more(-ENOENT);
	check_adopted();
	/* What ended while nobody was there is swept away; what is not ours is not. */
	CHECK(n_files() == 1 && rig.estate.vms.n == 0);
	CHECK(unlink("keep") == 0);
	check_state(DOMAIN_STATE_SHUTOFF, DOMAIN_SHUTOFF_UNKNOWN);
	stage_close();
}

static void
test_two(void)
{
	struct rpc_domain second;

	stage_adopt("");
	CHECK(farm_define(stage.client, "second", 2, "", &second) == 0);
	lists(ID, VM);
	rig_turn(0);
	lists(ID + 1, 2);
	rig_turn(0);
	/* Two leases of one VM: a broker does not say that, and nothing is lost by it. */
	lists(ID + 2, VM);
	rig_turn(0);
	lists_no_more(-ENOENT);
	CHECK(rig.estate.vms.n == 2 && n_adopted == 0);
	qemu_is_reached(VM, "running");
	CHECK(the_vm()->monitor.state == MONITOR_OPEN);
	/* Nobody listens for the second. */
	check_adopted();
	CHECK(farm_domain(2)->vm && farm_domain(2)->id == ID + 1 && farm_domain(VM)->id == ID);
	broker_ends(ID + 1);
	CHECK(!farm_domain(2)->vm && the_vm());
	broker_ends(ID);
	check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
	stage_close();
}

static void
test_broker_fails(void)
{
	for (int first = 0; first < 2; first++) {
		stage_adopt("");
		if (first) {
			lists(ID, VM);
			rig_turn(0);
		}
		lists_no_more(-EPIPE);
		CHECK(n_adopted == 1 && adopted_err == -EPIPE);
		CHECK(is_there("qmp") && stage.n_stops == 0);
		stage_close();
	}
}

int
main(void)
{
	TEST("a VM is as the worker before knew it", test_with_notes);
	TEST("its state is QEMU's", test_states);
	TEST("why it stands still is known from before", test_paused_with_reason);
	TEST("a guest that is to be restarted is, by the next worker", test_to_be_restarted);
	TEST("what ends before it is reached ended as it had begun to", test_ends_meanwhile);
	TEST("what is gone as soon as it is found is not there", test_gone_at_once);
	TEST("a start that nobody carries on has failed", test_start_without_worker);
	TEST("a guest that was let go runs, whatever was noted", test_let_go);
	TEST("another VM behind its socket is not taken for it, nor ended", test_another);
	TEST("a silent QEMU is not ended, and tried again", test_silent);
	TEST("one that cannot be reached can be destroyed", test_nobody_listens);
	TEST("so can one that is being reached", test_destroyed_meanwhile);
	TEST("what does not run any more is swept away", test_none);
	TEST("of several each is its own", test_two);
	TEST("a broker that does not say what runs is told", test_broker_fails);
	return TEST_END();
}
