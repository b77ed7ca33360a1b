/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * However its bytes are cut, and wherever a client stops, a connection is served the same and
 * leaves nothing behind.
 */
#include "tests/unit/test.h"

#include "tests/unit/descriptors.h"
#include "tests/unit/worker.h"

static struct rpc_buffer session; /* what a client of libvirt 9.0.0 sends, and a little more */
static uint8_t answers[8192];     /* what it is answered */
static size_t n_answers;

static void
append_ping(void)
{
	uint8_t *ping = rpc_buffer_grow(&session, RPC_FRAME_MIN);

	ASSERT(ping);
	rpc_keepalive_frame(RPC_KEEPALIVE_PING, ping);
}

static void
record_session(void)
{
	char system[] = "qemu:///system", name[] = "nosuch";
	struct rpc_connect_supports_feature_args feature = {.feature = 10};
	struct rpc_connect_open_args open = {.name = system};
	struct rpc_connect_list_all_domains_args list = {.need_results = 1};
	struct rpc_domain_lookup_by_name_args lookup = {.name = name};
	struct rpc_header header = call_header(RPC_PROC_CONNECT_GET_TYPE, 8);
	uint8_t *frame;

	rpc_buffer_init(&session, 65536);
	append_call(&session, RPC_PROC_AUTH_LIST, 0, NULL);
	append_call(&session, RPC_PROC_CONNECT_SUPPORTS_FEATURE, 1, &feature);
	append_call(&session, RPC_PROC_CONNECT_OPEN, 2, &open);
	feature.feature = 14;
	append_call(&session, RPC_PROC_CONNECT_SUPPORTS_FEATURE, 3, &feature);
	append_ping();
	append_call(&session, RPC_PROC_CONNECT_REGISTER_CLOSE_CALLBACK, 4, NULL);
	append_call(&session, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, 5, &list);
	append_call(&session, RPC_PROC_DOMAIN_LOOKUP_BY_NAME, 6, &lookup);
	append_call(&session, RPC_PROC_DOMAIN_CREATE_XML, 7,
		&(struct rpc_domain_create_xml_args){.xml_desc = name});
	/* With a count of descriptors, which is 0. */
	header.type = RPC_CALL_WITH_FDS;
	frame = rpc_buffer_grow(&session, RPC_FRAME_MIN + 4);
	ASSERT(frame && raw_frame(frame, &header, "\0\0\0\0", 4) == RPC_FRAME_MIN + 4);
	append_call(&session, RPC_PROC_CONNECT_CLOSE, 9, NULL);
}

/* Read until the worker closes. Returns the bytes. */
static size_t
read_to_end(int sock, uint8_t *data, size_t max, size_t at_once)
{
	size_t size = 0;

	for (unsigned i = 0; i < TURNS; i++) {
		ssize_t n = recv(sock, data + size, size + at_once > max ? max - size : at_once, 0);

		if (n == 0)
			return size;
		if (n > 0)
			size += (size_t)n;
		else
			rig_turn(10);
	}
	CHECK(false); /* the worker closes */
	return 0;
}

static void
test_at_once(void)
{
	static const uint32_t serials[] = {0, 1, 2, 3, 0, 4, 5, 6, 7, 8, 9};
	struct rpc_frame frame = {.size = 0};
	size_t at = 0, length;
	int sock;

	rig_start();
	sock = rig_connect(VERBS_ALL);
	CHECK(send_all(sock, rpc_buffer_front(&session), rpc_buffer_left(&session)));
	n_answers = read_to_end(sock, answers, sizeof answers, sizeof answers);
	for (size_t i = 0; i < sizeof serials / sizeof *serials; i++) {
		CHECK(rpc_frame_length(answers + at, n_answers - at, &length) == 0);
		CHECK(length <= n_answers - at &&
			rpc_frame_read(answers + at, length, &frame) == 0);
		CHECK(frame.header.serial == serials[i]);
		at += length;
	}
	CHECK(at == n_answers);
	fd_close(&sock);
	rig_stop();
}

static void
test_byte_by_byte(void)
{
	uint8_t got[sizeof answers];
	int sock;

	rig_start();
	sock = rig_connect(VERBS_ALL);
	for (size_t i = 0; i < rpc_buffer_left(&session); i++) {
		CHECK(send_all(sock, rpc_buffer_front(&session) + i, 1));
		rig_turn(0);
	}
	CHECK(read_to_end(sock, got, sizeof got, 1) == n_answers);
	CHECK(memcmp(got, answers, n_answers) == 0);
	fd_close(&sock);
	rig_stop();
}

/* The client stops after any number of bytes, reading its answers or not. */
static void
test_end_at_every_byte(void)
{
	rig_start();
	for (size_t i = 0; i <= rpc_buffer_left(&session); i++) {
		int reads = rig_connect(VERBS_ALL), closes = rig_connect(VERBS_ALL);
		uint8_t got[sizeof answers];

		CHECK(send_all(reads, rpc_buffer_front(&session), i));
		CHECK(send_all(closes, rpc_buffer_front(&session), i));
		CHECK(shutdown(reads, SHUT_WR) == 0);
		fd_close(&closes);
		CHECK(memcmp(got, answers, read_to_end(reads, got, sizeof got, sizeof got)) == 0);
		fd_close(&reads);
		rig_wait(0);
	}
	rig_stop();
}

static void
test_length_words(void)
{
	static const struct {
		uint32_t length;
		bool closed;
	} cases[] = {
		{0, true},
		{3, true},
		{4, true},
		{27, true},
		{28, false},
		{RPC_FRAME_MAX, false},
		{RPC_FRAME_MAX + 1, true},
		{0x80000000, true},
		{UINT32_MAX, true},
	};

	rig_start();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t n = cases[i].length;
		uint8_t word[] = {
			(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
		int sock = rig_connect(VERBS_ALL);

		CHECK(send_all(sock, word, sizeof word));
		rig_turn(0);
		CHECK((rig.server.n_clients == 0) == cases[i].closed);
		fd_close(&sock);
		rig_turn(100);
	}
	rig_stop();
}

/* Junk is answered by the end of its connection; the next one finds everything in order. */
static void
test_junk(void)
{
	struct rpc_auth_list_ret ret = {0};
	uint8_t junk[4096];
	int other, sock;

	rig_start();
	other = rig_connect(VERBS_VIEW);
	memset(junk, 0xff, sizeof junk);
	sock = rig_connect(VERBS_VIEW);
	(void)send_all(sock, junk, sizeof junk);
	CHECK(is_closed(sock));
	CHECK(call(other, RPC_PROC_AUTH_LIST, NULL, &ret) == 0);
	fd_close(&sock);
	fd_close(&other);
	rig_stop();
}

/* What was asked before the junk is answered. */
static void
test_junk_behind_calls(void)
{
	struct rpc_header header = call_header(RPC_PROC_CONNECT_GET_TYPE, 3);
	uint8_t data[2 * RPC_FRAME_MIN] = {0};
	int sock;

	rig_start();
	sock = rig_connect(VERBS_VIEW);
	(void)raw_frame(data, &header, NULL, 0);
	CHECK(send_all(sock, data, sizeof data));
	CHECK(read_reply(sock, &header, NULL) == VIR_ERR_INTERNAL_ERROR);
	CHECK(is_closed(sock));
	fd_close(&sock);
	rig_stop();
}

/* Without unfinished business a connection holds its object alone. */
static void
test_idle_memory(void)
{
	const struct client *client;
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	client = rig_client();
	CHECK(send_all(sock, rpc_buffer_front(&session), 10));
	CHECK(client->wire.in.data);
	CHECK(send_all(sock, rpc_buffer_front(&session) + 10, rpc_buffer_left(&session) - 38));
	rig_turn(0);
	CHECK(!client->wire.in.data && !client->wire.out.data && !client->wire.descriptors);
	CHECK(!client->subscriptions.list);
	CHECK(sizeof *client <= 1024);
	fd_close(&sock);
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

	n_at_start = n_descriptors();
	record_session();
	TEST("calls in one write are answered in order", test_at_once);
	TEST("calls and answers byte by byte are the same", test_byte_by_byte);
	TEST("a client may stop after any byte", test_end_at_every_byte);
	TEST("length words below 28 and above the maximum end the connection", test_length_words);
	TEST("junk costs only its sender", test_junk);
	TEST("calls before the junk are answered", test_junk_behind_calls);
	TEST("an idle connection holds no buffer", test_idle_memory);
	TEST("no descriptor is left", test_nothing_left);
	rpc_buffer_fini(&session);
	return TEST_END();
}
