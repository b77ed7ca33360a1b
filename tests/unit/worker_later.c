/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A call that has to wait is answered when it can be, with all it came with, or not at all when its
 * client has gone; what is still owed when the worker leaves is paid.
 */
#include "tests/unit/test.h"

#include "tests/unit/worker.h"

enum { WAITING_MAX = 64 };

static struct {
	struct rpc_call *call;
	const struct rpc_connect_domain_xml_from_native_args *args;
	struct rpc_connect_domain_xml_from_native_ret *ret;
} waiting[WAITING_MAX];
static unsigned n_waiting;

/* A procedure that nothing else has a handler for: it waits. */
int
rpc_connect_domain_xml_from_native(struct rpc_call *call,
	const struct rpc_connect_domain_xml_from_native_args *args,
	struct rpc_connect_domain_xml_from_native_ret *ret)
{
	ASSERT(n_waiting < WAITING_MAX);
	waiting[n_waiting].call = call;
	waiting[n_waiting].args = args;
	waiting[n_waiting++].ret = ret;
	return RPC_LATER;
}

/* Answer the one that waits longest, with its first argument; or the one at i. */
static void
answer(unsigned i)
{
	struct rpc_call *call = waiting[i].call;

	(void)call_return_string(call, waiting[i].args->nativeFormat, &waiting[i].ret->domainXml);
	call_answer(call, RPC_DONE);
	n_waiting--;
	memmove(&waiting[i], &waiting[i + 1], (n_waiting - i) * sizeof waiting[0]);
}

static void
send_waiting_call(int sock, uint32_t serial)
{
	struct rpc_connect_domain_xml_from_native_args args;
	struct rpc_buffer buffer;
	char text[32];

	(void)snprintf(text, sizeof text, "call %u", serial);
	args = (struct rpc_connect_domain_xml_from_native_args){
		.nativeFormat = text, .nativeConfig = text};
	rpc_buffer_init(&buffer, 4096);
	append_call(&buffer, RPC_PROC_CONNECT_DOMAIN_XML_FROM_NATIVE, serial, &args);
	CHECK(send_all(sock, rpc_buffer_front(&buffer), rpc_buffer_left(&buffer)));
	rpc_buffer_fini(&buffer);
	rig_turn(0);
}

static void
check_answer(int sock, uint32_t serial)
{
	struct rpc_header header = call_header(RPC_PROC_CONNECT_DOMAIN_XML_FROM_NATIVE, serial);
	struct rpc_connect_domain_xml_from_native_ret ret = {0};
	char text[32];

	(void)snprintf(text, sizeof text, "call %u", serial);
	CHECK(read_reply(sock, &header, &ret) == 0);
	CHECK_STR(ret.domainXml, text);
}

static void
test_out_of_order(void)
{
	struct rpc_connect_get_type_ret type = {0};
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	for (uint32_t i = 0; i < 3; i++)
		send_waiting_call(sock, i);
	CHECK(n_waiting == 3);
	/* Others are answered in between. */
	CHECK(call(sock, RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
	answer(1);
	check_answer(sock, 1);
	answer(1);
	answer(0);
	check_answer(sock, 2);
	check_answer(sock, 0);
	fd_close(&sock);
	rig_stop();
}

static void
test_error(void)
{
	struct rpc_header header = call_header(RPC_PROC_CONNECT_DOMAIN_XML_FROM_NATIVE, 6);
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	send_waiting_call(sock, 6);
	(void)rpc_error_set(&waiting[0].call->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
		"operation failed: told later");
	call_answer(waiting[0].call, RPC_FAILED);
	n_waiting = 0;
	CHECK(read_reply(sock, &header, NULL) == VIR_ERR_OPERATION_FAILED);
	CHECK_STR(call_error.message, "operation failed: told later");
	fd_close(&sock);
	rig_stop();
}

static void
test_client_gone(void)
{
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	send_waiting_call(sock, 0);
	send_waiting_call(sock, 1);
	fd_close(&sock);
	rig_wait(0);
	CHECK(rig.n_forgotten == 1);
	CHECK(!waiting[0].call->client && !waiting[1].call->client);
	answer(1);
	answer(0);
	rig_stop();
}

/* The answer is queued, and the client ends before its turn. */
static void
test_client_ends(void)
{
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	send_waiting_call(sock, 0);
	answer(0);
	CHECK(LIST_FIRST(&rig.server.touched) == rig_client());
	client_end(rig_client());
	CHECK(LIST_EMPTY(&rig.server.touched));
	rig_turn(0);
	fd_close(&sock);
	rig_stop();
}

/* A result larger than a packet. */
static void
test_too_large(void)
{
	struct rpc_header header = call_header(RPC_PROC_CONNECT_DOMAIN_XML_FROM_NATIVE, 3);
	struct rpc_connect_get_type_ret type = {0};
	size_t size = RPC_STRING_MAX + 1;
	char *text;
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	send_waiting_call(sock, 3);
	text = rpc_arena_bytes(&waiting[0].call->arena, size + 1);
	ASSERT(text);
	memset(text, 'x', size);
	text[size] = '\0';
	waiting[0].ret->domainXml = text;
	call_answer(waiting[0].call, RPC_DONE);
	n_waiting = 0;
	CHECK(read_reply(sock, &header, NULL) == VIR_ERR_RPC);
	CHECK_STR(call_error.message, "Unable to encode message payload");
	CHECK(call(sock, RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
	fd_close(&sock);
	rig_stop();
}

/* So many wait that the client is not read any more, until one is answered. */
static void
test_many(void)
{
	struct rpc_connect_get_type_ret type = {0};
	struct rpc_header header = call_header(RPC_PROC_CONNECT_GET_TYPE, 100);
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	for (uint32_t i = 0; i < CLIENT_LATER_MAX + 4; i++)
		send_waiting_call(sock, i);
	CHECK(n_waiting == CLIENT_LATER_MAX);
	CHECK(!(rig_client()->io.events & EPOLLIN));
	CHECK(send_raw(sock, &header, NULL, 0));
	for (uint32_t i = 0; i < CLIENT_LATER_MAX + 4; i++) {
		answer(0);
		check_answer(sock, i);
		/* The last of the calls that wait has been read: so is what is behind it. */
		if (i == 4)
			CHECK(read_reply(sock, &header, &type) == 0);
	}
	CHECK(n_waiting == 0);
	CHECK(rig_client()->io.events == EPOLLIN);
	fd_close(&sock);
	rig_stop();
}

/* A client that waits for an answer and is not read may still be seen to go. */
static void
test_many_and_gone(void)
{
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	for (uint32_t i = 0; i < CLIENT_LATER_MAX; i++)
		send_waiting_call(sock, i);
	fd_close(&sock);
	rig_wait(0);
	while (n_waiting > 0)
		answer(0);
	rig_stop();
}

static void
test_drain(void)
{
	struct rpc_header header = call_header(RPC_PROC_CONNECT_GET_TYPE, 100);
	struct rpc_frame frame = {.size = 0};
	int idle, waits;

	rig_start();
	idle = rig_open(VERBS_ALL);
	waits = rig_open(VERBS_ALL);
	send_waiting_call(waits, 0);
	server_drain(&rig.server);
	CHECK(is_closed(idle));
	CHECK(rig.server.n_clients == 1);
	/* A new call is not served any more; the old one is answered. */
	CHECK(send_raw(waits, &header, NULL, 0));
	rig_turn(0);
	answer(0);
	check_answer(waits, 0);
	CHECK(!receive_frame(waits, &frame));
	CHECK(rig.server.n_clients == 0);
	fd_close(&idle);
	fd_close(&waits);
	rig_stop();
}

int
main(void)
{
	TEST("answers come in the order in which they are ready", test_out_of_order);
	TEST("an answer may be an error", test_error);
	TEST("nobody is answered whose client has gone", test_client_gone);
	TEST("a client may end with an answer queued", test_client_ends);
	TEST("an answer that does not fit becomes an error", test_too_large);
	TEST("a client has so many calls at once, and no more is read", test_many);
	TEST("a client that is not read is seen to go", test_many_and_gone);
	TEST("a worker that leaves answers what it has begun", test_drain);
	return TEST_END();
}
