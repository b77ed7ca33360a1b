/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * However much clients send, announce or leave unread, what a worker holds for them is bounded,
 * and nobody's calls are lost.
 */
#include "tests/unit/test.h"

#include <sys/resource.h>

#include "tests/unit/descriptors.h"
#include "tests/unit/worker.h"

enum { CONNECTIONS = 1000 };

static void
test_pipelined(void)
{
	struct rpc_buffer calls;
	struct rpc_connect_get_type_ret ret = {0};
	int sock;

	rig_start();
	sock = rig_open(VERBS_VIEW);
	rpc_buffer_init(&calls, 65536);
	for (uint32_t i = 0; i < 64; i++)
		append_call(&calls, RPC_PROC_CONNECT_GET_TYPE, i, NULL);
	CHECK(send_all(sock, rpc_buffer_front(&calls), rpc_buffer_left(&calls)));
	for (uint32_t i = 0; i < 64; i++) {
		struct rpc_header header = call_header(RPC_PROC_CONNECT_GET_TYPE, i);

		CHECK(read_reply(sock, &header, &ret) == 0);
	}
	rpc_buffer_fini(&calls);
	fd_close(&sock);
	rig_stop();
}

/* Send calls with long answers until the worker takes no more. Returns how many it was sent. */
static uint32_t
fill(int sock, struct rpc_buffer *rest)
{
	char name[1001] = "";
	struct rpc_domain_lookup_by_name_args args = {.name = name};
	uint32_t n = 0;
	unsigned stuck = 0;

	memset(name, 'x', sizeof name - 1);
	while (stuck < 20) {
		ssize_t size;

		if (rpc_buffer_left(rest) == 0)
			append_call(rest, RPC_PROC_DOMAIN_LOOKUP_BY_NAME, n++, &args);
		size = send(sock, rpc_buffer_front(rest), rpc_buffer_left(rest), MSG_NOSIGNAL);
		if (size > 0)
			rpc_buffer_drop(rest, (size_t)size);
		stuck = size > 0 ? 0 : stuck + 1;
		rig_turn(0);
	}
	return n;
}

static void
test_unread_replies(void)
{
	struct rpc_connect_get_type_ret type = {0};
	struct rpc_buffer rest;
	const struct client *client;
	uint32_t n;
	int sock, other;

	rig_start();
	other = rig_open(VERBS_VIEW);
	sock = rig_open(VERBS_VIEW);
	client = rig_client();
	rpc_buffer_init(&rest, 65536);
	n = fill(sock, &rest);
	/* It is not read any more, and holds what was asked for, a receive, and no more. */
	CHECK(!(client->io.events & EPOLLIN) && (client->io.events & EPOLLOUT));
	CHECK(rpc_buffer_left(&client->wire.out) >= CLIENT_OUTPUT_ENOUGH);
	CHECK(rpc_buffer_left(&client->wire.out) < CLIENT_OUTPUT_ENOUGH + 8192);
	CHECK(rpc_buffer_left(&client->wire.in) <= SERVER_READ_MAX + 8192);
	/* Others notice nothing. */
	CHECK(call(other, RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
	for (uint32_t i = 0; i < n; i++) {
		struct rpc_header header = call_header(RPC_PROC_DOMAIN_LOOKUP_BY_NAME, i);

		if (i == n - 1)
			CHECK(send_all(sock, rpc_buffer_front(&rest), rpc_buffer_left(&rest)));
		CHECK(read_reply(sock, &header, NULL) == VIR_ERR_NO_DOMAIN);
	}
	CHECK(client->io.events == EPOLLIN);
	CHECK(!client->wire.in.data && !client->wire.out.data);
	rpc_buffer_fini(&rest);
	fd_close(&sock);
	fd_close(&other);
	rig_stop();
}

static void
test_unread_and_gone(void)
{
	struct rpc_buffer rest;
	int sock;

	rig_start();
	sock = rig_open(VERBS_VIEW);
	rpc_buffer_init(&rest, 65536);
	(void)fill(sock, &rest);
	fd_close(&sock);
	rig_wait(0);
	rpc_buffer_fini(&rest);
	rig_stop();
}

/* CONNECT_CLOSE behind replies that are not read: they are all sent first. */
static void
test_unread_and_closing(void)
{
	enum { CALLS = 20000 };
	struct rpc_header header = call_header(RPC_PROC_CONNECT_CLOSE, CALLS);
	struct rpc_buffer calls;
	int sock;

	rig_start();
	sock = rig_open(VERBS_VIEW);
	rpc_buffer_init(&calls, 4 << 20);
	for (uint32_t i = 0; i < CALLS; i++)
		append_call(&calls, RPC_PROC_CONNECT_GET_HOSTNAME, i, NULL);
	append_call(&calls, RPC_PROC_CONNECT_CLOSE, CALLS, NULL);
	append_call(&calls, RPC_PROC_CONNECT_GET_TYPE, CALLS + 1, NULL);
	CHECK(send_all(sock, rpc_buffer_front(&calls), rpc_buffer_left(&calls)));
	rpc_buffer_fini(&calls);
	for (uint32_t i = 0; i < CALLS; i++) {
		struct rpc_connect_get_hostname_ret ret = {0};
		struct rpc_header call = call_header(RPC_PROC_CONNECT_GET_HOSTNAME, i);

		CHECK(read_reply(sock, &call, &ret) == 0);
	}
	CHECK(read_reply(sock, &header, NULL) == 0);
	/* What came after it is not answered. */
	CHECK(!receive_frame(sock, &(struct rpc_frame){.size = 0}));
	fd_close(&sock);
	rig_stop();
}

/* The largest packet, which decodes to nothing, and its memory. */
static void
test_largest_packet(void)
{
	struct rpc_header header = call_header(RPC_PROC_DOMAIN_LOOKUP_BY_NAME, 5);
	struct rpc_connect_get_type_ret type = {0};
	uint8_t front[RPC_FRAME_MIN + 4];
	static uint8_t zeros[1 << 20];
	size_t left = RPC_FRAME_MAX - sizeof front;
	int sock;

	rig_start();
	sock = rig_open(VERBS_VIEW);
	(void)raw_frame(front, &header, "\177\0\0\0", 4);
	front[0] = 2; /* 33554436 */
	front[1] = front[2] = 0;
	front[3] = 4;
	CHECK(send_all(sock, front, sizeof front));
	while (left > 0) {
		size_t n = left < sizeof zeros ? left : sizeof zeros;

		CHECK(send_all(sock, zeros, n));
		left -= n;
	}
	CHECK(read_reply(sock, &header, NULL) == VIR_ERR_RPC);
	CHECK(!rig_client()->wire.in.data && rig.server.inflow.granted == 0);
	CHECK(call(sock, RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
	fd_close(&sock);
	rig_stop();
}

/* Announce the largest packet and send a little of it. */
static int
announce(void)
{
	static const uint8_t word[100] = {2, 0, 0, 4};
	int sock = rig_connect(VERBS_VIEW);

	CHECK(send_all(sock, word, sizeof word));
	rig_turn(0);
	return sock;
}

static void
test_announced_packets(void)
{
	const struct client *clients[4];
	int socks[4];

	rig_start();
	for (unsigned i = 0; i < 4; i++) {
		socks[i] = announce();
		clients[i] = rig_client();
	}
	/* Memory grows with what is sent, not with what is announced. */
	for (unsigned i = 0; i < 4; i++)
		CHECK(clients[i]->wire.in.capacity <= 1024);
	CHECK(clients[0]->claim.state == INFLOW_GRANTED && clients[0]->io.events == EPOLLIN);
	CHECK(clients[1]->claim.state == INFLOW_GRANTED && clients[1]->io.events == EPOLLIN);
	CHECK(clients[2]->claim.state == INFLOW_WAITING && clients[2]->io.events == 0);
	CHECK(clients[3]->claim.state == INFLOW_WAITING && clients[3]->io.events == 0);
	/* One that waits goes; one that holds goes: the next is read again. */
	fd_close(&socks[2]);
	fd_close(&socks[0]);
	rig_wait(2);
	CHECK(clients[3]->claim.state == INFLOW_GRANTED && clients[3]->io.events == EPOLLIN);
	fd_close(&socks[1]);
	fd_close(&socks[3]);
	rig_stop();
}

/* Who announces a packet and sends none of it is closed when others wait for its place. */
static void
test_stalled_packet(void)
{
	struct client *holder, *waits;
	int socks[3];

	rig_start();
	socks[0] = announce();
	holder = rig_client();
	socks[1] = announce();
	socks[2] = announce();
	waits = rig_client();
	CHECK(waits->claim.state == INFLOW_WAITING);
	holder->claim.heard_ns -= LOOP_S(INFLOW_STALL_S);
	timer_set(&rig.loop, &rig.server.inflow.watch, loop_now(&rig.loop),
		rig.server.inflow.watch.fn);
	CHECK(is_closed(socks[0]));
	CHECK(waits->claim.state == INFLOW_GRANTED);
	CHECK(rig.server.n_clients == 2);
	for (unsigned i = 0; i < 3; i++)
		fd_close(&socks[i]);
	rig_stop();
}

static void
test_many_connections(void)
{
	static int socks[CONNECTIONS];
	struct rpc_connect_get_type_ret type = {0};

	rig_start();
	for (unsigned i = 0; i < CONNECTIONS; i++)
		socks[i] = rig_open(VERBS_VIEW);
	CHECK(rig.server.n_clients == CONNECTIONS);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		CHECK(call(socks[i], RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
	for (unsigned i = 0; i < CONNECTIONS; i += 2)
		fd_close(&socks[i]);
	for (unsigned i = 1; i < CONNECTIONS; i += 2) {
		CHECK(call(socks[i], RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
		fd_close(&socks[i]);
	}
	rig_wait(0);
	rig_stop();
}

/* What all connections hold of output, counted here. */
static size_t
held_output(void)
{
	const struct client *client;
	size_t held = 0;

	LIST_FOREACH (client, &rig.server.clients, entry)
		held += client->wire.out.capacity;
	return held;
}

/* Nobody of them reads: those who have not read for longest go, and who reads is served on. */
static void
test_many_unread(void)
{
	enum { READER = 0, FIRST = 1, UNREAD = 150 /* of at least 2 MiB each */ };
	static int socks[UNREAD];
	struct rpc_connect_get_type_ret type = {0};
	size_t most = 0;

	rig_start();
	socks[READER] = rig_open(VERBS_VIEW);
	for (unsigned i = FIRST; i < UNREAD; i++) {
		struct rpc_buffer rest;

		socks[i] = rig_open(VERBS_VIEW);
		rpc_buffer_init(&rest, 65536);
		(void)fill(socks[i], &rest);
		rpc_buffer_fini(&rest);
		most = held_output() > most ? held_output() : most;
		CHECK(call(socks[READER], RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
	}
	CHECK(most <= OUTFLOW_MAX + UNREAD * (size_t)OUTFLOW_FREE);
	CHECK(rig.server.outflow.held <= OUTFLOW_MAX);
	CHECK(rig.server.n_clients > UNREAD / 2 && rig.server.n_clients < UNREAD);
	for (unsigned i = 0; i < UNREAD; i++)
		fd_close(&socks[i]);
	rig_wait(0);
	CHECK(rig.server.outflow.held == 0);
	rig_stop();
}

static unsigned n_at_start;

static void
test_nothing_left(void)
{
	CHECK(n_descriptors() == n_at_start);
}

int
main(void)
{
	struct rlimit limit;

	n_at_start = n_descriptors();
	ASSERT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	TEST("64 calls in flight are answered in order", test_pipelined);
	TEST("a client that does not read is not read, and loses nothing", test_unread_replies);
	TEST("a client that did not read may go", test_unread_and_gone);
	TEST("what is queued is sent before CONNECT_CLOSE ends a connection",
		test_unread_and_closing);
	TEST("the largest packet is taken", test_largest_packet);
	TEST("announced packets wait for their turn", test_announced_packets);
	TEST("a packet that stalls others is given up", test_stalled_packet);
	TEST("unread output of all connections together is bounded", test_many_unread);
	if (fd_limit_raise(CONNECTIONS * 2 + 100) == 0)
		TEST("1000 connections", test_many_connections);
	else
		printf("ok %d - 1000 connections # SKIP this process may open %ju descriptors\n",
			++test_n, (uintmax_t)limit.rlim_max);
	TEST("no descriptor is left", test_nothing_left);
	return TEST_END();
}
