/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What starts with the host is started once while that runs, one after the other; what cannot be
 * started holds up none behind it.
 */
#include <sys/stat.h>

#include "tests/unit/test.h"

#include "tests/unit/next_worker.h"

static void
set_autostart(const struct rpc_domain *dom)
{
	struct rpc_domain_set_autostart_args args = {.dom = *dom, .autostart = 1};

	CHECK(call(stage.client, RPC_PROC_DOMAIN_SET_AUTOSTART, &args, NULL) == 0);
}

/* A worker begins; a while passes. */
static void
begins(void)
{
	vms_autostart(&rig.estate.vms);
	for (int i = 0; i < 5; i++)
		rig_turn(0);
}

static void
test_once(void)
{
	stage_open("");
	set_autostart(&stage.dom);
	begins();
	CHECK(the_vm() && the_vm()->owner == NULL);
	go_to(AT_RUN);
	CHECK_STR(told(), "resumed 0, started 0");
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	CHECK(!rig.estate.vms.autostarting);
	broker_ends(ID);
	(void)told();
	/* The next worker finds that it has been. */
	begins();
	CHECK(!the_vm() && rig.estate.vms.n == 0);
	ASSERT(unlink("autostarted") == 0);
	check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
	stage_close();
}

/* Nothing to start then, which is not made up for later. */
static void
test_none(void)
{
	stage_open("");
	begins();
	CHECK(!the_vm() && access("autostarted", F_OK) == 0);
	set_autostart(&stage.dom);
	begins();
	CHECK(!the_vm());
	stage_close();
}

static void
test_one_fails(void)
{
	struct rpc_domain second, third;

	stage_open("");
	CHECK(farm_define(stage.client, "second", 2, "", &second) == 0);
	CHECK(farm_define(stage.client, "third", 3, "", &third) == 0);
	set_autostart(&stage.dom);
	set_autostart(&third);
	fd_close(&stage.watcher);
	begins();
	/* One at a time. */
	CHECK(the_vm() && rig.estate.vms.n == 1 && stage.lease_serial != 0);
	broker_refuses(-EIO);
	for (int i = 0; i < 5; i++)
		rig_turn(0);
	check_state(DOMAIN_STATE_SHUTOFF, DOMAIN_SHUTOFF_FAILED);
	CHECK(farm_domain(3)->vm && !farm_domain(2)->vm && rig.estate.vms.autostarting);
	CHECK(stage.lease_serial != 0);
	stage_close();
	CHECK(!rig.estate.vms.autostarting);
}

/* Somebody is faster, or does not want it any more. */
static void
test_overtaken(void)
{
	struct rpc_domain_set_autostart_args off = {.autostart = 0};
	struct rpc_domain second;
	struct rpc_header header;

	stage_open("");
	CHECK(farm_define(stage.client, "second", 2, "", &second) == 0);
	set_autostart(&stage.dom);
	set_autostart(&second);
	begins();
	off.dom = second;
	CHECK(call(stage.client, RPC_PROC_DOMAIN_SET_AUTOSTART, &off, NULL) == 0);
	/* The one that starts is destroyed. */
	header = ask(stage.client, RPC_PROC_DOMAIN_DESTROY, 0);
	broker_refuses(-EIO);
	for (int i = 0; i < 5; i++)
		rig_turn(0);
	CHECK(read_reply(stage.client, &header, NULL) == 0);
	CHECK(!the_vm() && !farm_domain(2)->vm && !rig.estate.vms.autostarting);
	stage_close();
}

/* Where that cannot be noted, nothing starts: it would again and again. */
static void
test_no_mark(void)
{
	stage_open("");
	set_autostart(&stage.dom);
	ASSERT(mkdir("autostarted", 0700) == 0);
	begins();
	CHECK(!the_vm());
	stage_close();
}

int
main(void)
{
	TEST("once", test_once);
	TEST("nothing to start is not made up for", test_none);
	TEST("one that fails holds up none", test_one_fails);
	TEST("who is faster, or changes her mind", test_overtaken);
	TEST("without a mark nothing starts", test_no_mark);
	return TEST_END();
}
