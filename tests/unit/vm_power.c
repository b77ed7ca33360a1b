/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM that runs is paused and goes on as its owner asks or QEMU tells, everybody is told once, and
 * what is asked while it is busy waits in line, not for ever.
 */
#include "tests/unit/test.h"

#include <sys/prctl.h>
#include <time.h>

#include "tests/unit/vm_stage.h"
#include "worker/vm/usage.h"

#define RESTART "<on_poweroff>restart</on_poweroff>"

static struct rpc_header
ask_suspend(void)
{
	return ask(stage.client, RPC_PROC_DOMAIN_SUSPEND, 0);
}

static struct rpc_header
ask_resume(void)
{
	return ask(stage.client, RPC_PROC_DOMAIN_RESUME, 0);
}

static void
check_done(const struct rpc_header *header)
{
	CHECK(read_reply(stage.client, header, NULL) == 0);
}

/* Paused by its owner. */
static void
suspend(void)
{
	struct rpc_header header = ask_suspend();

	qemu_hears("stop");
	qemu_tells("STOP", NULL);
	qemu_answers("{}");
	check_done(&header);
	check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_USER);
	CHECK_STR(told(), "suspended 0");
}

static void
test_suspend_resume(void)
{
	struct rpc_header header;
	struct vm_status status;

	stage_run("");
	suspend();
	CHECK(vm_status_read(stage.dom.uuid, &status) == 0 && status.state == DOMAIN_STATE_PAUSED &&
		status.reason == DOMAIN_PAUSED_USER);
	/* What is paused is paused: nothing happens. */
	header = ask_suspend();
	check_done(&header);
	CHECK(qemu_is_left_alone());
	header = ask_resume();
	qemu_hears("cont");
	qemu_tells("RESUME", NULL);
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_UNPAUSED);
	CHECK(is_silent(stage.client));
	qemu_answers("{}");
	check_done(&header);
	CHECK_STR(told(), "resumed 0");
	header = ask_resume();
	check_failed(&header, stage.client, VIR_ERR_OPERATION_INVALID,
		"Requested operation is not valid: domain is already running");
	/* QEMU says that it goes on, which it did before: nobody is told twice. */
	qemu_tells("RESUME", NULL);
	CHECK_STR(told(), "");
	stage_close();
}

static void
test_not_running(void)
{
	static const int32_t procedures[] = {
		RPC_PROC_DOMAIN_SUSPEND, RPC_PROC_DOMAIN_RESUME, RPC_PROC_DOMAIN_DESTROY};

	stage_open("");
	for (size_t i = 0; i < sizeof(procedures) / sizeof(procedures[0]); i++) {
		CHECK(ask_now(procedures[i], 0) == VIR_ERR_OPERATION_INVALID);
		CHECK_STR(call_error.message,
			"Requested operation is not valid: domain is not running");
		CHECK_STR(call_error_kind(), "55/20");
	}
	stage_close();
}

static void
test_refused(void)
{
	struct rpc_header header;

	stage_run("");
	header = ask_suspend();
	qemu_hears("stop");
	qemu_refuses("not \\u001b now");
	check_failed(&header, stage.client, VIR_ERR_INTERNAL_ERROR,
		"internal error: unable to execute QEMU command 'stop': \"not \\x1b now\"");
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	header = ask_suspend();
	qemu_hears("stop");
	no_more_time();
	check_failed(&header, stage.client, VIR_ERR_OPERATION_TIMEOUT,
		"QEMU did not answer 'stop' within 30 seconds");
	/* It does after all: nobody waits, and it is shown. */
	qemu_tells("STOP", NULL);
	qemu_answers("{}");
	check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_USER);
	CHECK_STR(told(), "suspended 0");
	stage_close();
}

/* QEMU answers nothing any more: commands are bounded, and each is told so. */
static void
test_full(void)
{
	struct rpc_header header;

	stage_run("");
	for (int i = 0; i < QMP_OPEN_MAX; i++) {
		header = ask_suspend();
		qemu_hears("stop");
		no_more_time();
		CHECK(read_reply(stage.client, &header, NULL) == VIR_ERR_OPERATION_TIMEOUT);
	}
	header = ask_suspend();
	check_failed(&header, stage.client, VIR_ERR_SYSTEM_ERROR,
		"QEMU cannot be given the command 'stop'");
	stage_close();
}

/* --- of QEMU's own accord ----------------------------------------------------------------- */

static void
test_paused_by_itself(void)
{
	static const struct {
		const char *event, *data;
		int32_t reason;
		const char *told;
	} cases[] = {
		{NULL, NULL, DOMAIN_PAUSED_UNKNOWN, "suspended 0"},
		{"BLOCK_IO_ERROR", "{\"device\":\"\",\"action\":\"stop\"}", DOMAIN_PAUSED_IOERROR,
			"suspended 2"},
		{"BLOCK_IO_ERROR", "{\"device\":\"\",\"action\":\"report\"}", DOMAIN_PAUSED_UNKNOWN,
			"suspended 0"},
		{"BLOCK_IO_ERROR", "{\"action\":7}", DOMAIN_PAUSED_UNKNOWN, "suspended 0"},
		{"BLOCK_IO_ERROR", NULL, DOMAIN_PAUSED_UNKNOWN, "suspended 0"},
		{"WATCHDOG", "{\"action\":\"pause\"}", DOMAIN_PAUSED_WATCHDOG, "suspended 3"},
		{"WATCHDOG", "{\"action\":\"none\"}", DOMAIN_PAUSED_UNKNOWN, "suspended 0"},
		{"NO_SUCH_EVENT", "[]", DOMAIN_PAUSED_UNKNOWN, "suspended 0"},
	};

	stage_run("");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].event)
			qemu_tells(cases[i].event, cases[i].data);
		check_state(DOMAIN_STATE_RUNNING,
			i == 0 ? DOMAIN_RUNNING_BOOTED : DOMAIN_RUNNING_UNPAUSED);
		qemu_tells("STOP", NULL);
		check_state(DOMAIN_STATE_PAUSED, cases[i].reason);
		/* Told twice, it has happened once. */
		qemu_tells("STOP", NULL);
		CHECK_STR(told(), cases[i].told);
		qemu_tells("RESUME", NULL);
		CHECK_STR(told(), "resumed 0");
	}
	stage_close();
}

static uint64_t
memory_kib(void)
{
	struct rpc_domain_get_info_args args = {.dom = stage.dom};
	struct rpc_domain_get_info_ret info = {.memory = 0};

	CHECK(call(stage.client, RPC_PROC_DOMAIN_GET_INFO, &args, &info) == 0);
	return info.memory;
}

static void
test_memory(void)
{
	stage_run("");
	CHECK(memory_kib() == 64 * 1024);
	qemu_tells("BALLOON_CHANGE", "{\"actual\":16777216}");
	CHECK(memory_kib() == 16 * 1024);
	qemu_tells("BALLOON_CHANGE", "{\"actual\":-1}");
	qemu_tells("BALLOON_CHANGE", "{\"actual\":\"1\"}");
	qemu_tells("BALLOON_CHANGE", NULL);
	CHECK(memory_kib() == 16 * 1024);
	stage_close();
}

/* The time of this process, whose pid the broker said; its name tries to look like the rest. */
static void
test_processor_time(void)
{
	struct timespec before, now;
	struct usage usage;
	uint64_t ns;

	CHECK(prctl(PR_SET_NAME, ") R 1 1 1 (x)") == 0);
	stage_run("");
	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before) == 0);
	do
		CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
	while (now.tv_sec * 1000 + now.tv_nsec / 1000000 <
		before.tv_sec * 1000 + before.tv_nsec / 1000000 + 50);
	CHECK(usage_read(the_vm()->pid, &usage) == 0);
	ns = usage.user_ns + usage.system_ns;
	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
	/* Counted in ticks of a hundredth of a second, of user's and of system's time. */
	CHECK(ns > LOOP_MS(20));
	CHECK(ns <= (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + LOOP_MS(20));
	CHECK(usage_read(0, &usage) == -ESRCH && usage.user_ns == 0 && usage.rss_kib == 0);
	CHECK(usage_read(UINT32_MAX, &usage) == -ESRCH && usage.system_ns == 0);
	CHECK(prctl(PR_SET_NAME, "vm_power") == 0);
	stage_close();
}

/* What follows a reset: the action of the next shutdown, and the guest. */
static void
goes_on(const char *action)
{
	qemu_hears("set-action");
	CHECK_STR(qemu.action, action);
	qemu_answers("{}");
	qemu_hears("cont");
	qemu_tells("RESUME", NULL);
	qemu_answers("{}");
}

/* --- on_poweroff = restart ---------------------------------------------------------------- */

static void
test_restart(void)
{
	stage_run(RESTART);
	for (int i = 0; i < 2; i++) {
		qemu_tells("SHUTDOWN", "{\"guest\":true}");
		qemu_tells("STOP", NULL);
		check_state(DOMAIN_STATE_SHUTDOWN, 0);
		qemu_hears("system_reset");
		/* Told twice, it is reset once. */
		qemu_tells("SHUTDOWN", "{\"guest\":true}");
		qemu_tells("STOP", NULL);
		qemu_answers("{}");
		goes_on("pause");
		CHECK(qemu_is_left_alone());
		check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_UNPAUSED);
		CHECK_STR(told(), "shutdown 1, resumed 0");
	}
	broker_ends(ID);
	CHECK_STR(told(), "stopped 5");
	check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
	stage_close();
}

/* Whatever QEMU says to it, or not, it can be destroyed. */
static void
test_restart_fails(void)
{
	for (int how = 0; how < 4; how++) {
		stage_run(RESTART);
		qemu_tells("SHUTDOWN", "{\"guest\":true}");
		qemu_tells("STOP", NULL);
		qemu_hears("system_reset");
		if (how == 0) {
			qemu_refuses("no");
		} else if (how == 1) {
			no_more_time();
		} else if (how == 2) {
			qemu_answers("{}");
			qemu_hears("set-action");
			qemu_refuses("no");
			qemu_hears("cont");
			qemu_refuses("no");
		}
		check_state(DOMAIN_STATE_SHUTDOWN, 0);
		if (how < 3) {
			struct rpc_header destroy = ask(stage.client, RPC_PROC_DOMAIN_DESTROY, 0);

			CHECK(stage.n_stops == 1);
			broker_ends(ID);
			check_done(&destroy);
			CHECK_STR(told(), "shutdown 1, stopped 1");
		} else {
			broker_ends(ID);
			CHECK_STR(told(), "shutdown 1, stopped 0");
		}
		stage_close();
	}
}

/* A guest that is to be restarted, and whose owner wants it to end, ends. */
static void
test_restart_and_quit(void)
{
	struct rpc_header destroy;

	stage_run(RESTART);
	qemu_tells("SHUTDOWN", "{\"guest\":true}");
	qemu_tells("STOP", NULL);
	qemu_hears("system_reset");
	destroy = ask(stage.client, RPC_PROC_DOMAIN_DESTROY_FLAGS, 1);
	qemu_hears("quit");
	json_int_t quit = qemu.id;
	qemu.id = quit - 1;
	qemu_answers("{}");
	qemu_hears("set-action");
	qemu_hears("cont");
	broker_ends(ID);
	check_done(&destroy);
	CHECK_STR(told(), "shutdown 1, stopped 1");
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

/* --- shutdown, reboot, reset -------------------------------------------------------------- */

static void
test_wakeup(void)
{
	struct rpc_header wakeup;

	stage_run("");
	wakeup = ask(stage.client, RPC_PROC_DOMAIN_PM_WAKEUP, 0);
	qemu_hears("system_wakeup");
	qemu_refuses("it is awake");
	CHECK(read_reply(stage.client, &wakeup, NULL) == VIR_ERR_INTERNAL_ERROR);
	CHECK(strstr(call_error.message, "\"it is awake\"") != NULL);
	wakeup = ask(stage.client, RPC_PROC_DOMAIN_PM_WAKEUP, 0);
	qemu_hears("system_wakeup");
	qemu_answers("{}");
	CHECK(read_reply(stage.client, &wakeup, NULL) == 0);
	CHECK(ask_now(RPC_PROC_DOMAIN_PM_WAKEUP, 1) == VIR_ERR_INVALID_ARG);
	stage_close();
}

static void
test_reset(void)
{
	struct rpc_header reset;

	stage_run("");
	reset = ask(stage.client, RPC_PROC_DOMAIN_RESET, 0);
	qemu_hears("system_reset");
	qemu_tells("RESET", "{\"guest\":false}");
	qemu_answers("{}");
	check_done(&reset);
	CHECK_STR(told(), "");
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	CHECK(ask_now(RPC_PROC_DOMAIN_RESET, 1) == VIR_ERR_INVALID_ARG);
	stage_close();
}

/* The guest does it in its time, or never. */
static void
test_shutdown(void)
{
	static const char *const actions[] = {"poweroff", "pause"};

	for (int restarts = 0; restarts < 2; restarts++) {
		struct rpc_header shutdown;

		stage_run(restarts ? RESTART : "");
		shutdown = ask(stage.client, RPC_PROC_DOMAIN_SHUTDOWN_FLAGS, 0);
		qemu_hears("set-action");
		CHECK_STR(qemu.action, actions[restarts]);
		qemu_answers("{}");
		qemu_hears("system_powerdown");
		qemu_answers("{}");
		check_done(&shutdown);
		check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
		if (!restarts) {
			qemu_tells("SHUTDOWN", "{\"guest\":true}");
			broker_ends(ID);
			CHECK_STR(told(), "shutdown 1, stopped 0");
			check_nothing_left(DOMAIN_SHUTOFF_SHUTDOWN);
			CHECK(ask_now(RPC_PROC_DOMAIN_SHUTDOWN_FLAGS, 0) ==
				VIR_ERR_OPERATION_INVALID);
			CHECK(ask_now(RPC_PROC_DOMAIN_REBOOT, 0) == VIR_ERR_OPERATION_INVALID);
		}
		stage_close();
	}
}

/* Nobody is told of the shutdown in it; the one after it is a shutdown. */
static void
test_reboot(void)
{
	struct rpc_header reboot;

	stage_run("");
	reboot = ask(stage.client, RPC_PROC_DOMAIN_REBOOT, 1);
	qemu_hears("set-action");
	CHECK_STR(qemu.action, "pause");
	qemu_answers("{}");
	qemu_hears("system_powerdown");
	qemu_answers("{}");
	check_done(&reboot);
	qemu_tells("SHUTDOWN", "{\"guest\":true}");
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	qemu_tells("STOP", NULL);
	qemu_hears("system_reset");
	qemu_answers("{}");
	goes_on("poweroff");
	CHECK_STR(told(), "");
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	qemu_tells("SHUTDOWN", "{\"guest\":true}");
	broker_ends(ID);
	CHECK_STR(told(), "shutdown 1, stopped 0");
	stage_close();
}

/* What QEMU refuses is told; an agent is none. */
static void
test_power_refused(void)
{
	static const int32_t procedures[] = {
		RPC_PROC_DOMAIN_SHUTDOWN_FLAGS, RPC_PROC_DOMAIN_REBOOT};
	struct rpc_header asked;

	stage_run("");
	for (int i = 0; i < 2; i++) {
		for (int second = 0; second < 2; second++) {
			asked = ask(stage.client, procedures[i], 0);
			qemu_hears("set-action");
			if (second) {
				qemu_answers("{}");
				qemu_hears("system_powerdown");
			}
			qemu_refuses("no");
			CHECK(read_reply(stage.client, &asked, NULL) == VIR_ERR_INTERNAL_ERROR);
		}
		CHECK(ask_now(procedures[i], 2) == VIR_ERR_ARGUMENT_UNSUPPORTED);
		CHECK(ask_now(procedures[i], 4) == VIR_ERR_INVALID_ARG);
	}
	stage_close();
}

/* --- the line ----------------------------------------------------------------------------- */

static void
test_line(void)
{
	struct rpc_header first, second, third;
	int others[2];

	stage_run("");
	others[0] = rig_open(VERBS_ALL);
	others[1] = rig_open(VERBS_ALL);
	first = ask_suspend();
	qemu_hears("stop");
	second = ask(others[0], RPC_PROC_DOMAIN_RESUME, 0);
	third = ask(others[1], RPC_PROC_DOMAIN_SUSPEND, 0);
	CHECK(qemu_is_left_alone());
	qemu_tells("STOP", NULL);
	qemu_answers("{}");
	check_done(&first);
	qemu_hears("cont");
	CHECK(qemu_is_left_alone() && is_silent(others[0]) && is_silent(others[1]));
	qemu_tells("RESUME", NULL);
	qemu_answers("{}");
	CHECK(read_reply(others[0], &second, NULL) == 0);
	qemu_hears("stop");
	qemu_tells("STOP", NULL);
	qemu_answers("{}");
	CHECK(read_reply(others[1], &third, NULL) == 0);
	CHECK_STR(told(), "suspended 0, resumed 0, suspended 0");
	fd_close(&others[0]);
	fd_close(&others[1]);
	stage_close();
}

static void
test_patience(void)
{
	struct rpc_header first, second, third;
	int others[2];

	stage_run("");
	others[0] = rig_open(VERBS_ALL);
	others[1] = rig_open(VERBS_ALL);
	first = ask_suspend();
	qemu_hears("stop");
	second = ask(others[0], RPC_PROC_DOMAIN_RESUME, 0);
	third = ask(others[1], RPC_PROC_DOMAIN_RESUME, 0);
	rig_turn(0);
	pass_time(&TAILQ_NEXT(TAILQ_FIRST(&the_vm()->ops), entry)->patience);
	check_failed(&second, others[0], VIR_ERR_OPERATION_TIMEOUT,
		"Timed out during operation: cannot acquire state change lock (held by suspend)");
	/* The others are where they were; one client has had enough. */
	fd_close(&others[1]);
	rig_wait(3);
	qemu_tells("STOP", NULL);
	qemu_answers("{}");
	check_done(&first);
	qemu_hears("cont");
	qemu_tells("RESUME", NULL);
	qemu_answers("{}");
	(void)third;
	CHECK_STR(told(), "suspended 0, resumed 0");
	fd_close(&others[0]);
	stage_close();
}

/* What is asked while it starts waits for the start, and for its end. */
static void
test_line_behind_a_start(void)
{
	for (int fails = 0; fails < 2; fails++) {
		struct rpc_header start, header;
		int other;

		stage_open("");
		other = rig_open(VERBS_ALL);
		start = ask_start(0);
		go_to(AT_CONT);
		header = ask(other, RPC_PROC_DOMAIN_SUSPEND, 0);
		CHECK(is_silent(other));
		if (fails) {
			qemu_refuses("no");
			check_failed(&header, other, VIR_ERR_OPERATION_INVALID, "is not running");
			broker_ends(ID);
			CHECK(read_reply(stage.client, &start, NULL) == VIR_ERR_INTERNAL_ERROR);
		} else {
			qemu_answers("{}");
			check_started(&start);
			qemu_hears("stop");
			qemu_tells("STOP", NULL);
			qemu_answers("{}");
			CHECK(read_reply(other, &header, NULL) == 0);
		}
		fd_close(&other);
		stage_close();
	}
}

/* --- a monitor that is lost --------------------------------------------------------------- */

static void
test_lost_and_found(void)
{
	struct rpc_header header;

	stage_run("");
	suspend();
	header = ask_resume();
	qemu_hears("cont");
	qemu_says("rubbish\n");
	check_failed(&header, stage.client, VIR_ERR_OPERATION_FAILED,
		"the monitor of the domain cannot be reached now");
	fd_close(&qemu.monitor);
	header = ask_resume();
	check_failed(&header, stage.client, VIR_ERR_OPERATION_FAILED,
		"the monitor of the domain cannot be reached now");
	/* Not ended, and shown as it was. */
	check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_USER);
	CHECK_STR(told(), "");
	qemu_is_reached(VM, "paused");
	check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_USER);
	header = ask_resume();
	qemu_hears("cont");
	qemu_tells("RESUME", NULL);
	qemu_answers("{}");
	check_done(&header);
	CHECK(stage.n_stops == 0);
	stage_close();
}

/* It has changed meanwhile. */
static void
test_found_changed(void)
{
	stage_run(RESTART);
	qemu_says("rubbish\n");
	fd_close(&qemu.monitor);
	qemu_is_reached(VM, "io-error");
	check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_IOERROR);
	CHECK_STR(told(), "suspended 2");
	qemu_says("rubbish\n");
	fd_close(&qemu.monitor);
	qemu_is_reached(VM, "running");
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_UNKNOWN);
	CHECK_STR(told(), "resumed 0");
	qemu_says("rubbish\n");
	fd_close(&qemu.monitor);
	qemu_is_reached(VM, "shutdown");
	CHECK_STR(told(), "shutdown 0");
	qemu_hears("system_reset");
	stage_close();
}

/* Another VM's QEMU is no QEMU of this one, and not for ever. */
static void
test_found_another(void)
{
	stage_run("");
	qemu_says("rubbish\n");
	fd_close(&qemu.monitor);
	for (int i = 0; i < 3; i++) {
		qemu_greets();
		qemu_hears("qmp_capabilities");
		qemu_answers("{}");
		qemu_hears("query-uuid");
		qemu_answers("{\"UUID\":\"00000000-0000-4000-8000-000000000009\"}");
		rig_turn(0);
		check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
		fd_close(&qemu.monitor);
		pass_time(&the_vm()->retry);
	}
	qemu_is_reached(VM, "running");
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	CHECK(the_vm()->monitor.state == MONITOR_OPEN && stage.n_stops == 0);
	stage_close();
}

int
main(void)
{
	TEST("suspend and resume are answered when it has happened", test_suspend_resume);
	TEST("what does not run can be neither suspended, resumed nor destroyed", test_not_running);
	TEST("what QEMU refuses, or does not answer, is told", test_refused);
	TEST("a QEMU that answers nothing is not asked for ever", test_full);
	TEST("a guest that stops is shown with the reason", test_paused_by_itself);
	TEST("memory is what the balloon says", test_memory);
	TEST("processor time is what the kernel says", test_processor_time);
	TEST("a guest that is to be restarted is reset and goes on", test_restart);
	TEST("a reset that fails leaves it as it is", test_restart_fails);
	TEST("its owner's wish to end it comes first", test_restart_and_quit);
	TEST("who is to wake up is told to, or why not", test_wakeup);
	TEST("a reset is QEMU's to do, and changes no state", test_reset);
	TEST("a shutdown is the guest's to do", test_shutdown);
	TEST("a reboot is a shutdown and a reset, and told as neither", test_reboot);
	TEST("what QEMU refuses is told", test_power_refused);
	TEST("one thing at a time, in the order in which they were asked", test_line);
	TEST("who waits in line is told after a while by what it is held up", test_patience);
	TEST("what is asked while it starts waits for that", test_line_behind_a_start);
	TEST("a monitor that is lost is reached again, and nothing ends", test_lost_and_found);
	TEST("what has changed while it was lost is told", test_found_changed);
	TEST("another VM behind its socket is not taken for it", test_found_another);
	return TEST_END();
}
