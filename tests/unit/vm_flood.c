/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A QEMU that tells of more than a guest can do harms its own VM alone: it is left for a while, in
 * bounded memory, and shown as what runs.
 */
#include "tests/unit/test.h"
#include "tests/unit/vm_stage.h"

enum { FLOOD = 40 * VM_CHANGES_MAX };

/* Both events, as often, until the worker hangs up; all within one second of its count. */
static void
flood(const char *one, const char *other)
{
	char pair[128];
	size_t size = (size_t)snprintf(
		pair, sizeof(pair), "{\"event\":\"%s\"}\n{\"event\":\"%s\"}\n", one, other);

	for (unsigned i = 0; i < FLOOD / 2 && the_vm()->monitor.state == MONITOR_OPEN; i++) {
		the_vm()->changes_since = loop_clock();
		CHECK(send(qemu.monitor, pair, size, MSG_NOSIGNAL) == (ssize_t)size);
		rig_turn(0);
	}
}

static unsigned
n_told(void)
{
	unsigned n = 0;

	for (; !is_silent(stage.watcher); n++)
		(void)receive_event(stage.watcher);
	return n;
}

static unsigned
n_ops(void)
{
	const struct vm_op *op;
	unsigned n = 0;

	TAILQ_FOREACH (op, &the_vm()->ops, entry)
		n++;
	return n;
}

static void
test_pauses(void)
{
	stage_run("");
	flood("STOP", "RESUME");
	ASSERT(the_vm()->monitor.state == MONITOR_CLOSED && !the_vm()->stopping);
	CHECK(farm_domain(VM)->state != DOMAIN_STATE_SHUTOFF);
	/* It is reached again, and is what it then says. */
	fd_close(&qemu.monitor);
	pass_time(&the_vm()->retry);
	the_vm()->changes_since = 0;
	qemu_is_reached(VM, "running");
	CHECK(the_vm()->monitor.state == MONITOR_OPEN);
	CHECK(farm_domain(VM)->state == DOMAIN_STATE_RUNNING);
	CHECK(n_told() <= VM_CHANGES_MAX + 1);
	qemu_tells("STOP", NULL);
	CHECK_STR(told(), "suspended 0");
	stage_close();
}

static void
test_restarts(void)
{
	stage_run("<on_poweroff>restart</on_poweroff>");
	flood("SHUTDOWN", "STOP");
	CHECK(n_ops() <= VM_CHANGES_MAX && n_told() <= VM_CHANGES_MAX);
	stage_close();
}

/* What clients ask for is never too often. */
static void
test_asked_for(void)
{
	static const struct {
		int32_t procedure;
		const char *command, *event;
	} both[] = {{RPC_PROC_DOMAIN_SUSPEND, "stop", "STOP"},
		{RPC_PROC_DOMAIN_RESUME, "cont", "RESUME"}};
	struct rpc_domain_suspend_args args;

	stage_run("");
	args.dom = stage.dom;
	for (unsigned i = 0; i < 2 * VM_CHANGES_MAX; i++) {
		struct rpc_header header = send_call(stage.client, both[i % 2].procedure, &args);

		rig_turn(0);
		qemu_hears(both[i % 2].command);
		qemu_tells(both[i % 2].event, NULL);
		qemu_answers("{}");
		CHECK(read_reply(stage.client, &header, NULL) == 0);
	}
	CHECK(the_vm()->monitor.state == MONITOR_OPEN);
	stage_close();
}

int
main(void)
{
	TEST("one that pauses and resumes without end is left, and reached again", test_pauses);
	TEST("one that shuts down without end is restarted a bounded number of times",
		test_restarts);
	TEST("what clients ask for is not counted", test_asked_for);
	return TEST_END();
}
