/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * More owners whose workers run than one connection may have ways to: all of them tell their statistics,
 * a way that is being served is not taken for another, and who finds no room is told so.
 */
#include <stdio.h>

#define OWNERS_N  1040
#define WORKERS_N 1040
#include "tests/unit/view_crowd.h"

#include "tests/unit/test.h"

enum { FIRST_USER = 3, USERS = OWNERS - FIRST_USER };

_Static_assert((int)USERS > (int)ROUTES_MAX, "there are more of them than ways");

/* Whose name is the last but n. */
static const char *
name_of(unsigned n)
{
	static char name[32];

	(void)snprintf(name, sizeof(name), "user%04u:box", OWNERS - 1 - n);
	return name;
}

static int
begin(void)
{
	n_registered = 0;
	rig_start();
	rig.answer = play_crowd;
	for (unsigned i = FIRST_USER; i < OWNERS; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "user%04u", i);
		tell(i, 2000 + i, name, VERBS_ALL, "8\t1\t1\tp\t" UUID_A "\tbox\n+0\n")
			->found.worker = 1;
	}
	owners_refresh(&rig.host.owners);
	return rig_open();
}

/* Statistics are asked for: how many tell theirs. */
static unsigned
n_told(int sock)
{
	struct rpc_connect_get_all_domain_stats_args args = {.n_doms = 0};
	struct rpc_connect_get_all_domain_stats_ret ret;

	CHECK(call(sock, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args, &ret) == 0);
	return ret.n_retStats;
}

/* alice, bob, and the system account's two states are there as well. */
enum { ALL_TELL = USERS + 3 };

static void
test_more_than_ways(void)
{
	int sock = begin();

	CHECK(n_told(sock) == ALL_TELL);
	CHECK(n_told(sock) == ALL_TELL);
	fd_close(&sock);
	rig_stop();
}

static int
suspend(int sock, const struct rpc_domain *dom)
{
	struct rpc_domain_suspend_args args = {.dom = *dom};

	return call(sock, RPC_PROC_DOMAIN_SUSPEND, &args, NULL);
}

/* Events take as many as they may, what was done to machines keeps the others. */
static void
test_all_in_use(void)
{
	struct rpc_connect_domain_event_callback_register_any_args args = {.eventID = 0};
	struct rpc_connect_domain_event_callback_register_any_ret ret;
	struct rpc_domain_get_state_args get_state;
	struct rpc_domain dom;
	int sock = begin(), other;
	unsigned n = 0;

	CHECK(call(sock, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, &args, &ret) == 0);
	for (unsigned i = 0; i < TURNS && n_registered < WATCHED_MAX; i++)
		rig_turn(10);
	CHECK(n_registered == WATCHED_MAX);
	/* Statistics are told by the ways that are left. */
	CHECK(n_told(sock) == ALL_TELL);
	for (; n < ROUTES_MAX - WATCHED_MAX; n++) {
		CHECK(look_up(sock, name_of(n), &dom) == 0);
		CHECK(suspend(sock, &dom) == 0);
	}
	CHECK(look_up(sock, name_of(n), &dom) == 0);
	get_state.dom = dom;
	get_state.dom.name = (char *)(uintptr_t) "box";
	CHECK(call(sock, RPC_PROC_DOMAIN_GET_STATE, &get_state, NULL) == VIR_ERR_OPERATION_FAILED);
	CHECK(strstr(reply.message, "as many as may be"));
	/* It is this connection's alone. */
	other = rig_open();
	CHECK(call(other, RPC_PROC_DOMAIN_GET_STATE, &get_state, &(char[64]){0}) == 0);
	fd_close(&other);
	fd_close(&sock);
	rig_stop();
}

int
main(void)
{
	TEST("all tell their statistics, by turns", test_more_than_ways);
	TEST("with all ways in use there is an answer, and events and statistics go on",
		test_all_in_use);
	return TEST_END();
}
