/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker that leaves, at any moment, ends nothing, removes nothing that the next one needs, and
 * answers whoever waits.
 */
#include "tests/unit/test.h"

#include "tests/unit/next_worker.h"

static void
test_worker_leaves(void)
{
	for (enum at at = AT_LEASE; at <= AT_RUN; at++) {
		struct rpc_header start, suspend = {0};
		unsigned files;

		stage_open("");
		start = ask_start(0);
		go_to(at);
		if (at == AT_RUN) {
			check_started(&start);
			suspend = ask(stage.client, RPC_PROC_DOMAIN_SUSPEND, 0);
			qemu_hears("stop");
		}
		files = n_files();
		vms_fini(&rig.estate.vms);
		CHECK(rig.estate.vms.n == 0 && rig.estate.jobs.n == 0);
		if (at == AT_RUN)
			CHECK(read_reply(stage.client, &suspend, NULL) > 0);
		else
			check_failed(&start, stage.client, VIR_ERR_OPERATION_ABORTED,
				"qemud is being restarted; the domain is left as it is");
		/* Nothing was ended, and what the next worker needs is there. */
		CHECK(stage.n_stops == 0 && n_files() == files && files > 0);
		stage_close();
	}
}

static const struct ipc_lease_gone gone = {.id = ID, .how = IPC_GONE_ENDED};

/* In the turn in which it ends, and in the one in which its start fails. */
static void
test_leaves_at_the_end(void)
{
	for (int turns = 0; turns < 3; turns++) {
		stage_run("");
		vms_lease_gone(&rig.estate.vms, &gone);
		for (int i = 0; i < turns; i++)
			rig_turn(0);
		stage_close();
		stage_open(
			"<devices><disk type='file'><driver name='qemu' type='raw'/>"
			"<source file='/nonexistent/disk'/><target dev='vda'/></disk></devices>");
		(void)ask_start(0);
		for (int i = 0; i < turns; i++)
			rig_turn(0);
		stage_close();
		stage_run("");
		(void)ask(stage.client, RPC_PROC_DOMAIN_DESTROY, 0);
		for (int i = 0; i < turns; i++)
			rig_turn(0);
		stage_close();
	}
}

static void
test_leaves_a_copy(void)
{
	struct rpc_header start;

	start = stage_copy();
	vms_fini(&rig.estate.vms);
	check_failed(&start, stage.client, VIR_ERR_OPERATION_ABORTED, "being restarted");
	stage_close();
}

/* --- while it adopts ---------------------------------------------------------------------- */

/* What runs keeps its sockets, and nobody is told it is open. */
static void
test_leaves_meanwhile(void)
{
	struct rpc_domain second;

	for (int listed = 0; listed < 2; listed++) {
		stage_adopt("");
		CHECK(farm_define(stage.client, "second", 2, "", &second) == 0);
		lists(ID, VM);
		rig_turn(0);
		lists(ID + 1, 2);
		rig_turn(0);
		if (listed)
			lists_no_more(-ENOENT);
		vms_fini(&rig.estate.vms);
		CHECK(n_adopted == 0 && stage.n_stops == 0);
		CHECK(is_there("qmp") && is_there("vm") && is_there("xml"));
		/* An answer that comes afterwards finds nobody. */
		if (!listed) {
			lists(ID + 2, 3);
			rig_turn(0);
			CHECK(rig.estate.vms.n == 0);
		}
		stage_close();
	}
}

/* Let go of in the turn in which it ends. */
static void
test_leaves_at_its_end(void)
{
	for (int turns = 0; turns < 3; turns++) {
		stage_adopt("");
		lists_it();
		vms_lease_gone(&rig.estate.vms, &gone);
		for (int i = 0; i < turns; i++)
			rig_turn(0);
		vms_fini(&rig.estate.vms);
		for (int i = 0; i < 3; i++)
			rig_turn(0);
		CHECK(rig.estate.vms.n == 0 && rig.estate.jobs.n == 0);
		stage_close();
	}
}

int
main(void)
{
	TEST("a worker that leaves ends nothing, and answers everybody", test_worker_leaves);
	TEST("a worker may leave in the turn in which a VM ends", test_leaves_at_the_end);
	TEST("a kernel that is half copied is let go of", test_leaves_a_copy);
	TEST("a worker that leaves meanwhile leaves everything", test_leaves_meanwhile);
	TEST("also in the turn in which a VM ends", test_leaves_at_its_end);
	return TEST_END();
}
