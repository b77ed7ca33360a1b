/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * As many owners as there are, all their workers running: each is heard, and tells its statistics, by
 * ways that the broker is asked for a few at a time, and asked for again when it has none just now.
 */
#include <stdio.h>

#define OWNERS_N  128
#define WORKERS_N 512
#include "tests/unit/view_crowd.h"

#include "tests/unit/test.h"

enum { FIRST = 2000 };

static unsigned n_refused, most_asked;

/* The first ones of each hundred are told that there is none just now. */
static bool
give(unsigned n_asked_now)
{
	static unsigned n;

	if (n_asked_now > most_asked)
		most_asked = n_asked_now;
	if (n++ % 100 >= 5)
		return true;
	n_refused++;
	return false;
}

static int
begin(void)
{
	n_registered = n_refused = most_asked = 0;
	rig_start();
	rig.answer = play_crowd;
	rig.give = give;
	for (unsigned i = 3; i < OWNERS; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "user%u", i);
		tell(i, FIRST + i, name, VERBS_ALL, "8\t1\t1\tp\t" UUID_A "\tbox\n+0\n")
			->found.worker = 1;
	}
	owners_refresh(&rig.host.owners);
	return rig_open();
}

static int32_t
n_told(int sock)
{
	struct rpc_connect_get_all_domain_stats_args args = {.n_doms = 0};
	struct rpc_connect_get_all_domain_stats_ret ret;

	CHECK(call(sock, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args, &ret) == 0);
	return (int32_t)ret.n_retStats;
}

static void
want_events(int sock)
{
	struct rpc_connect_domain_event_callback_register_any_args args = {.eventID = 0};
	struct rpc_connect_domain_event_callback_register_any_ret ret;

	CHECK(call(sock, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, &args, &ret) == 0);
}

static void
test_stats(void)
{
	int sock = begin();

	/* alice, bob, and the system account's two states are there as well. */
	CHECK(n_told(sock) == OWNERS);
	CHECK(n_refused > 0 && most_asked == ASKS_SENT_MAX);
	CHECK(rig.n_channels == OWNERS - 1);
	/* By the same ways. */
	CHECK(n_told(sock) == OWNERS && rig.n_channels == OWNERS - 1);
	fd_close(&sock);
	rig_stop();
}

static void
test_events(void)
{
	int socks[3] = {begin(), rig_open(), rig_open()};

	for (unsigned i = 0; i < 3; i++)
		want_events(socks[i]);
	for (unsigned i = 0; i < TURNS && n_registered < 3 * (OWNERS - 3); i++)
		rig_turn(10);
	CHECK(n_registered == 3 * (OWNERS - 3));
	CHECK(n_refused > 0 && most_asked == ASKS_SENT_MAX);
	CHECK(n_told(socks[0]) == OWNERS);
	for (unsigned i = 0; i < 3; i++)
		fd_close(&socks[i]);
	rig_stop();
}

/* What ends while its ways are asked for leaves nothing behind, and others get theirs. */
static void
test_ends_while_asked(void)
{
	int sock = begin(), other = rig_open();

	want_events(sock);
	CHECK(rig.host.asks.n_sent > 0);
	fd_close(&sock);
	CHECK(n_told(other) == OWNERS);
	CHECK(TAILQ_EMPTY(&rig.host.asks.waiting) && TAILQ_EMPTY(&rig.host.asks.sent));
	fd_close(&other);
	rig_stop();
}

int
main(void)
{
	TEST("statistics of all", test_stats);
	TEST("events of all, on several connections", test_events);
	TEST("a connection that ends while its ways are asked for", test_ends_while_asked);
	return TEST_END();
}
