/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who asked for keepalive is pinged when silent and given up after five pings; nobody else is.
 */
#include "tests/unit/test.h"

#include "tests/unit/worker.h"

static int
connect_armed(void)
{
	struct rpc_connect_supports_feature_args args = {.feature = 10};
	struct rpc_connect_supports_feature_ret ret = {0};
	int sock = rig_connect(VERBS_VIEW);

	CHECK(call(sock, RPC_PROC_CONNECT_SUPPORTS_FEATURE, &args, &ret) == 0 && ret.supported);
	return sock;
}

/* As if the client had been silent for its interval, and the timer fired. */
static void
be_silent(struct client *client)
{
	client->keepalive.due_ns = 1;
	timer_set(&rig.loop, &client->pulse, loop_now(&rig.loop), client->pulse.fn);
	rig_turn(100);
}

static bool
is_pinged(int sock)
{
	struct rpc_frame frame = {.size = 0};

	return receive_frame(sock, &frame) && rpc_keepalive_is(&frame.header) &&
	       frame.header.procedure == RPC_KEEPALIVE_PING && frame.header.serial == 0 &&
	       frame.size == 0;
}

static void
test_not_asked(void)
{
	int sock;

	rig_start();
	sock = rig_open(VERBS_VIEW);
	CHECK(!timer_is_set(&rig_client()->pulse));
	fd_close(&sock);
	rig_stop();
}

static void
test_silent(void)
{
	int sock;

	rig_start();
	sock = connect_armed();
	for (unsigned i = 0; i < RPC_KEEPALIVE_COUNT; i++) {
		be_silent(rig_client());
		CHECK(is_pinged(sock));
	}
	be_silent(rig_client());
	CHECK(rig.server.n_clients == 0);
	CHECK(is_closed(sock));
	fd_close(&sock);
	rig_stop();
}

/* Whatever arrives counts, also a part of a packet. */
static void
test_heard(void)
{
	struct rpc_auth_list_ret ret = {0};
	int sock;

	rig_start();
	sock = connect_armed();
	for (unsigned i = 0; i < 3 * RPC_KEEPALIVE_COUNT; i++) {
		be_silent(rig_client());
		CHECK(is_pinged(sock));
		CHECK(call(sock, RPC_PROC_AUTH_LIST, NULL, &ret) == 0);
		CHECK(rig_client()->keepalive.pings == 0);
	}
	be_silent(rig_client());
	CHECK(rig_client()->keepalive.pings == 1);
	CHECK(send_all(sock, "", 1));
	rig_turn(0);
	CHECK(rig_client()->keepalive.pings == 0);
	fd_close(&sock);
	rig_stop();
}

static void
test_early_timer(void)
{
	struct client *client;
	int sock;

	rig_start();
	sock = connect_armed();
	client = rig_client();
	timer_set(&rig.loop, &client->pulse, loop_now(&rig.loop), client->pulse.fn);
	rig_turn(100);
	CHECK(client->keepalive.pings == 0);
	CHECK(client->pulse.node.key == client->keepalive.due_ns);
	fd_close(&sock);
	rig_stop();
}

/* While the worker does not read a client, it cannot hear it, and waits. */
static void
test_not_read(void)
{
	struct client *client;
	int sock;

	rig_start();
	sock = connect_armed();
	client = rig_client();
	io_set(&client->io, EPOLLOUT);
	io_set(&client->io, 0);
	for (unsigned i = 0; i < 3 * RPC_KEEPALIVE_COUNT; i++)
		be_silent(client);
	CHECK(rig.server.n_clients == 1);
	fd_close(&sock);
	rig_stop();
}

int
main(void)
{
	TEST("who did not ask is not pinged", test_not_asked);
	TEST("who is silent is pinged five times, then closed", test_silent);
	TEST("whatever is heard begins anew", test_heard);
	TEST("a timer that is early does nothing", test_early_timer);
	TEST("who is not read is not given up", test_not_read);
	return TEST_END();
}
