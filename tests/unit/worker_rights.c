/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the broker takes from a connection is gone for every later call and for open streams, with
 * the reason; what it gives is there; what the client or its socket gave up never comes back.
 */
#include "tests/unit/test.h"

#include "tests/unit/worker_console.h"

#define WHY "policy gives alice view (policy.conf:3); its administrator can change that"

enum { NO_CONSOLE = VERB_VIEW | VERB_POWER };

/* A procedure that nothing else has a handler for: it waits, and brings a descriptor. */
static struct rpc_call *waiting;

int
rpc_connect_domain_xml_from_native(struct rpc_call *call,
	const struct rpc_connect_domain_xml_from_native_args *args,
	struct rpc_connect_domain_xml_from_native_ret *ret)
{
	(void)ret;
	(void)call_return_string(call, args->nativeFormat, &ret->domainXml);
	waiting = call;
	return RPC_LATER;
}

static struct rpc_header
send_waiting_call(int sock)
{
	struct rpc_header header =
		call_header(RPC_PROC_CONNECT_DOMAIN_XML_FROM_NATIVE, call_serial++);
	char text[] = "x";
	struct rpc_connect_domain_xml_from_native_args args = {
		.nativeFormat = text, .nativeConfig = text};
	struct rpc_buffer buffer;

	rpc_buffer_init(&buffer, 4096);
	append_call(&buffer, RPC_PROC_CONNECT_DOMAIN_XML_FROM_NATIVE, header.serial, &args);
	CHECK(send_all(sock, rpc_buffer_front(&buffer), rpc_buffer_left(&buffer)));
	rpc_buffer_fini(&buffer);
	rig_turn(0);
	ASSERT(waiting);
	return header;
}

/* The broker says so of the connection that was made last. */
static void
change(uint32_t verbs)
{
	struct ipc_ticket_change body = {.conn_id = rig.last_conn, .verbs = verbs};

	if (verbs != VERBS_ALL)
		(void)snprintf(body.reason, sizeof body.reason, "%s", WHY);
	CHECK(server_change(&rig.server, &body) == 0);
	rig_turn(0);
}

/* A call that needs manage, and would say that there is no such domain. */
static int
call_manage(int sock)
{
	struct rpc_domain_undefine_flags_args args = {
		.dom = {.name = rpc_arena_strdup(&rig.arena, "x")}};

	return call(sock, RPC_PROC_DOMAIN_UNDEFINE_FLAGS, &args, NULL);
}

static int
call_power(int sock)
{
	struct rpc_domain_destroy_args args = {.dom = {.name = rpc_arena_strdup(&rig.arena, "x")}};

	return call(sock, RPC_PROC_DOMAIN_DESTROY, &args, NULL);
}

static void
check_policy_refuses(const char *api)
{
	char text[512];

	(void)snprintf(text, sizeof text, "operation forbidden: policy prevents %s: " WHY, api);
	CHECK_STR(call_error_kind(), "29/20");
	CHECK_STR(call_error.message, text);
}

static void
test_calls(void)
{
	int sock;

	start();
	sock = connect_client();
	change(NO_CONSOLE);
	CHECK(call_manage(sock) == VIR_ERR_OPERATION_DENIED);
	check_policy_refuses("virDomainUndefineFlags");
	CHECK(open_console(sock, 7, 0, NULL, 0) == VIR_ERR_OPERATION_DENIED);
	check_policy_refuses("virDomainOpenConsole");
	CHECK(call_power(sock) != VIR_ERR_OPERATION_DENIED);
	change(VERBS_VIEW);
	CHECK(call_power(sock) == VIR_ERR_OPERATION_DENIED);
	check_policy_refuses("virDomainDestroy");
	check_alive(sock);
	/* And it may again. */
	change(VERBS_ALL);
	CHECK(call_manage(sock) != VIR_ERR_OPERATION_DENIED);
	CHECK(open_console(sock, 8, 0, NULL, 0) == 0);
	fd_close(&sock);
	stop();
}

/* It is the one connection that was named; one that has gone, or never was, is told apart. */
static void
test_which(void)
{
	struct ipc_ticket_change body = {.verbs = VERBS_VIEW, .reason = WHY};
	int first, second;

	start();
	first = connect_client();
	second = connect_client();
	body.conn_id = rig.last_conn - 1;
	CHECK(server_change(&rig.server, &body) == 0);
	CHECK(call_power(first) == VIR_ERR_OPERATION_DENIED);
	CHECK(call_power(second) != VIR_ERR_OPERATION_DENIED);
	fd_close(&first);
	rig_wait(1);
	CHECK(server_change(&rig.server, &body) == -ENOENT);
	body.conn_id = 77;
	CHECK(server_change(&rig.server, &body) == -ENOENT);
	fd_close(&second);
	stop();
}

static void
test_given_up(void)
{
	struct rpc_connect_open_args args = {.flags = 1};
	int flag, socket;

	start();
	flag = rig_connect(VERBS_ALL);
	args.name = rpc_arena_strdup(&rig.arena, "qemu:///system");
	CHECK(call(flag, RPC_PROC_CONNECT_OPEN, &args, NULL) == 0);
	for (unsigned i = 0; i < 2; i++) {
		/* libvirt's words: it is the client's own doing. */
		CHECK(call_power(flag) == VIR_ERR_OPERATION_DENIED);
		CHECK(strstr(call_error.message, "read only access prevents"));
		change(i == 0 ? NO_CONSOLE : VERBS_ALL);
	}
	socket = rig_open(VERBS_VIEW);
	change(VERBS_ALL);
	CHECK(call_power(socket) == VIR_ERR_OPERATION_DENIED);
	CHECK(strstr(call_error.message, "read only access prevents"));
	check_alive(socket);
	fd_close(&flag);
	fd_close(&socket);
	stop();
}

static void
check_forbidden(int sock, uint32_t serial, const char *words)
{
	struct rpc_frame frame = receive_stream(sock, serial, RPC_ERROR);
	struct rpc_remote_error error = {.code = 0};

	CHECK(rpc_decode(&rpc_shapes[RPC_SHAPE_REMOTE_ERROR], frame.payload, frame.size, &rig.arena,
		      &error) == 0);
	CHECK(error.code == VIR_ERR_OPERATION_DENIED && error.message &&
		strstr(error.message, words) && strstr(error.message, "policy.conf:3"));
}

static void
test_streams(void)
{
	int sock, other;

	start();
	sock = connect_client();
	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	CHECK(open_console(sock, 8, 1, NULL, 0) == 0);
	guest_says("login: ");
	check_data(sock, 7, "login: ");
	/* More than it loses is not lost. */
	change(VERB_VIEW | VERB_CONSOLE);
	guest_says("still here");
	check_data(sock, 7, "still here");
	/* What the guest has said, and is not sent, is not sent any more. */
	ASSERT(write(guest, "secret", 6) == 6);
	change(NO_CONSOLE);
	check_forbidden(sock, 7, "this stream");
	check_forbidden(sock, 8, "this stream");
	CHECK(!vms[0].consoles[0].client && !vms[1].consoles[0].client);
	CHECK(send_stream(sock, 7, RPC_CONTINUE, "rm -r /"));
	CHECK(send_stream(sock, 7, RPC_ERROR, NULL));
	check_alive(sock);
	/* Somebody else who may, can. */
	other = connect_client();
	CHECK(open_console(other, 9, 0, NULL, 0) == 0);
	CHECK(send_stream(other, 9, RPC_CONTINUE, "root"));
	check_guest_hears("root");
	fd_close(&other);
	fd_close(&sock);
	stop();
}

/* What the client said and the guest has not taken is not given to it either. */
static void
test_stuck_stream(void)
{
	char much[3000];
	int sock;

	start();
	sock = connect_client();
	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	memset(much, 'x', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	for (unsigned i = 0; i < 1000 && !rig_client()->streams.stuck; i++)
		CHECK(send_stream(sock, 7, RPC_CONTINUE, much));
	CHECK(rig_client()->streams.stuck);
	change(NO_CONSOLE);
	CHECK(!rig_client()->streams.stuck && rig_client()->streams.n == 0);
	check_forbidden(sock, 7, "this stream");
	check_alive(sock);
	fd_close(&sock);
	stop();
}

static void
test_begun_calls(void)
{
	struct rpc_connect_domain_xml_from_native_ret ret = {0};
	struct rpc_header header;
	int sock;

	start();
	sock = connect_client();
	/* What was begun is finished and answered ... */
	header = send_waiting_call(sock);
	waiting->verbs = VERBS_ALL;
	change(VERBS_VIEW);
	call_answer(take_ptr(waiting), RPC_DONE);
	CHECK(read_reply(sock, &header, &ret) == 0);
	/* ... but brings no descriptor that the connection may not have any more. */
	change(VERBS_ALL);
	header = send_waiting_call(sock);
	waiting->verbs = VERB_CONSOLE;
	waiting->reply_fd = dup(sock);
	change(NO_CONSOLE);
	call_answer(take_ptr(waiting), RPC_DONE);
	CHECK(read_reply(sock, &header, &ret) == VIR_ERR_OPERATION_DENIED);
	CHECK(strstr(call_error.message, "policy prevents virConnectDomainXMLFromNative"));
	CHECK(strstr(call_error.message, WHY));
	fd_close(&sock);
	stop();
}

static void
test_farewell(void)
{
	struct rpc_connect_domain_event_callback_register_any_args any = {.eventID = 0};
	struct rpc_connect_domain_event_callback_register_any_ret id = {0};
	struct rpc_header header;
	int sock;

	start();
	sock = connect_client();
	CHECK(call(sock, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, &any, &id) == 0);
	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	header = send_waiting_call(sock);
	change(0);
	CHECK(rig_client()->subscriptions.n == 0);
	check_forbidden(sock, 7, WHY);
	CHECK(read_reply(sock, &header, NULL) == VIR_ERR_OPERATION_DENIED);
	CHECK_STR(call_error.message, "operation forbidden: " WHY);
	call_answer(take_ptr(waiting), RPC_DONE);
	/* The next call, though anybody may make it, is the last. */
	CHECK(call(sock, RPC_PROC_CONNECT_GET_LIB_VERSION, NULL, NULL) == VIR_ERR_OPERATION_DENIED);
	CHECK_STR(call_error.message, "operation forbidden: " WHY);
	CHECK(is_closed(sock));
	CHECK(rig.server.n_clients == 0);
	fd_close(&sock);
	stop();
}

static void
test_farewell_is_bounded(void)
{
	int sock;

	start();
	sock = connect_client();
	change(0);
	CHECK(timer_is_set(&rig_client()->farewell));
	/* Keepalive is answered meanwhile, and no reason to stay. */
	change(0);
	timer_set(&rig.loop, &rig_client()->farewell, 0, rig_client()->farewell.fn);
	rig_turn(0);
	CHECK(rig.server.n_clients == 0 && is_closed(sock));
	fd_close(&sock);
	stop();
}

int
main(void)
{
	TEST("what is lost is refused with the reason, what is given is there", test_calls);
	TEST("it is the connection that was named, and no other", test_which);
	TEST("what the client or its socket gave up does not come back", test_given_up);
	TEST("streams that need what is lost end, with what waits in them", test_streams);
	TEST("a stream whose other end does not read ends as well", test_stuck_stream);
	TEST("begun calls are answered, without descriptors that need what is lost",
		test_begun_calls);
	TEST("with nothing left, whoever waits and the next call are told why", test_farewell);
	TEST("with nothing left, who says nothing is closed", test_farewell_is_bounded);
	return TEST_END();
}
