/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client and a guest hear each other until one says that it is over; whatever a client sends
 * costs at most its own connection.
 */
#include "tests/unit/test.h"

#include <poll.h>

#include "tests/unit/descriptors.h"
#include "tests/unit/worker_console.h"

/* --- the life of one stream --------------------------------------------------------------- */

static void
test_both_ways(void)
{
	int sock;

	start();
	sock = connect_client();
	CHECK(open_console(sock, 7, 0, NULL, SAFE) == 0);
	guest_says("login: ");
	check_data(sock, 7, "login: ");
	CHECK(send_stream(sock, 7, RPC_CONTINUE, "root\n"));
	check_guest_hears("root\n");
	CHECK(send_stream(sock, 7, RPC_CONTINUE, NULL));
	CHECK(send_stream(sock, 7, RPC_OK, NULL));
	check_empty(sock, 7, RPC_OK);
	CHECK(!vms[0].consoles[0].client);
	check_alive(sock);
	fd_close(&sock);
	stop();
}

static void
test_reply_first(void)
{
	struct rpc_header header = call_header(RPC_PROC_DOMAIN_OPEN_CONSOLE, 7);
	struct rpc_buffer calls;
	int sock;

	start();
	sock = connect_client();
	rpc_buffer_init(&calls, 4096);
	append_open(&calls, 7, 0, NULL, 0);
	append_stream(&calls, 7, RPC_CONTINUE, "typed ahead");
	ASSERT(send(sock, rpc_buffer_front(&calls), rpc_buffer_left(&calls), 0) > 0);
	rig_turn(0);
	guest_says("at once");
	CHECK(read_reply(sock, &header, NULL) == 0);
	check_data(sock, 7, "at once");
	check_guest_hears("typed ahead");
	rpc_buffer_fini(&calls);
	fd_close(&sock);
	stop();
}

static void
test_abort(void)
{
	int sock;

	start();
	sock = connect_client();
	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	CHECK(send_stream(sock, 7, RPC_ERROR, NULL));
	check_empty(sock, 7, RPC_OK);
	CHECK(!vms[0].consoles[0].client);
	/* What comes too late is dropped, and is never answered. */
	CHECK(send_stream(sock, 7, RPC_CONTINUE, "late"));
	CHECK(send_stream(sock, 7, RPC_OK, NULL));
	CHECK(send_stream(sock, 7, RPC_ERROR, NULL));
	check_alive(sock);
	check_guest_hears("");
	/* A status that there is not is an abort too. */
	CHECK(open_console(sock, 8, 0, NULL, 0) == 0);
	CHECK(send_stream(sock, 8, 77, NULL));
	check_empty(sock, 8, RPC_OK);
	fd_close(&sock);
	stop();
}

static void
test_vm_ends(void)
{
	int sock;

	start();
	sock = connect_client();
	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	ASSERT(write(guest, "halted", 6) == 6);
	end_vm(0);
	check_data(sock, 7, "halted");
	check_empty(sock, 7, RPC_CONTINUE);
	/* Nothing more comes unasked, and what the client says is dropped. */
	CHECK(send_stream(sock, 7, RPC_CONTINUE, "anybody there?"));
	check_alive(sock);
	CHECK(send_stream(sock, 7, RPC_OK, NULL));
	check_empty(sock, 7, RPC_OK);
	check_alive(sock);
	fd_close(&sock);
	stop();
}

/* QEMU's end is lost, which says nothing about the VM: the console is silent. */
static void
test_qemu_lost(void)
{
	int sock;

	start();
	sock = connect_client();
	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	fd_close(&guest);
	rig_turn(10);
	CHECK(vms[0].consoles[0].fd == -1);
	CHECK(send_stream(sock, 7, RPC_CONTINUE, "lost"));
	check_alive(sock);
	connect_guest();
	guest_says("here again");
	check_data(sock, 7, "here again");
	fd_close(&sock);
	stop();
}

static void
test_close_call(void)
{
	int sock;

	start();
	sock = connect_client();
	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	CHECK(call(sock, RPC_PROC_CONNECT_CLOSE, NULL, NULL) == 0);
	CHECK(is_closed(sock));
	CHECK(!vms[0].consoles[0].client);
	fd_close(&sock);
	stop();
}

static void
test_drain(void)
{
	struct rpc_frame frame;
	struct pollfd seen;
	int sock;

	start();
	sock = connect_client();
	seen = (struct pollfd){.fd = sock, .events = POLLIN | POLLRDHUP};
	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	CHECK(open_console(sock, 8, 1, NULL, 0) == 0);
	end_vm(1);
	check_empty(sock, 8, RPC_CONTINUE);
	guest_says("still running");
	server_drain(&rig.server);
	/* Who sees a hangup would not read what she was told before. */
	CHECK(poll(&seen, 1, 0) == 1 && seen.revents == (POLLIN | POLLRDHUP));
	check_data(sock, 7, "still running");
	check_failed(sock, 7, "about to end");
	/* The other one had ended: there is no more to say of it. */
	CHECK(!receive_frame(sock, &frame));
	CHECK(rig.server.n_clients == 1 && !vms[0].consoles[0].client);
	fd_close(&sock);
	rig_wait(0);
	stop();
}

/* Who has nothing to read is not waited for, nor for long who reads nothing, or goes on talking. */
static void
test_drain_ends(void)
{
	int idle, deaf;

	start();
	idle = connect_client();
	deaf = connect_client();
	CHECK(open_console(deaf, 7, 0, NULL, 0) == 0);
	server_drain(&rig.server);
	CHECK(rig.server.n_clients == 1);
	CHECK(is_closed(idle));
	CHECK(send_stream(deaf, 7, RPC_CONTINUE, "what?"));
	rig_wait(0);
	fd_close(&idle);
	fd_close(&deaf);
	stop();
}

/* --- who may open what -------------------------------------------------------------------- */

static void
test_refusals(void)
{
	static const uint32_t no_console[] = {VERBS_VIEW, VERB_VIEW | VERB_POWER};
	int sock;

	start();
	sock = connect_client();
	CHECK(open_console(sock, 1, 200, NULL, 0) == VIR_ERR_NO_DOMAIN);
	CHECK(open_console(sock, 2, 0, "serial9", 0) == VIR_ERR_INTERNAL_ERROR);
	CHECK_STR(call_error.message, "internal error: cannot find character device serial9");
	CHECK(open_console(sock, 3, 0, NULL, 4) == VIR_ERR_INVALID_ARG);
	CHECK(open_console(sock, 4, 0, "serial1", 0) == 0);
	CHECK(open_console(sock, 5, 0, "serial1", SAFE) == VIR_ERR_OPERATION_FAILED);
	CHECK_STR(call_error_kind(), "9/10");
	CHECK_STR(call_error.message,
		"operation failed: Active console session exists for this domain");
	/* None of them is a stream: nothing for them is answered. */
	for (uint32_t serial = 1; serial <= 5; serial++)
		if (serial != 4)
			CHECK(send_stream(sock, serial, RPC_OK, NULL));
	check_alive(sock);
	domains_find_id(&rig.estate.domains, 2)->id = -1;
	CHECK(open_console(sock, 6, 1, NULL, 0) == VIR_ERR_OPERATION_INVALID);
	CHECK_STR(call_error.message, "Requested operation is not valid: domain is not running");
	fd_close(&sock);
	for (unsigned i = 0; i < 2; i++) {
		sock = rig_open(no_console[i]);
		CHECK(open_console(sock, 7, 0, NULL, FORCE) == VIR_ERR_OPERATION_DENIED);
		CHECK(!vms[0].consoles[0].client);
		fd_close(&sock);
	}
	stop();
}

static void
test_no_serial(void)
{
	struct domain_def *live;
	size_t n;
	int sock;

	start();
	live = domains_find_id(&rig.estate.domains, 1)->live;
	n = live->n_serials;
	live->n_serials = 0;
	sock = connect_client();
	CHECK(open_console(sock, 1, 0, NULL, 0) == VIR_ERR_INTERNAL_ERROR);
	CHECK(strstr(call_error.message, "cannot find character device"));
	live->n_serials = n;
	fd_close(&sock);
	stop();
}

static void
test_force(void)
{
	int first, second;

	start();
	first = connect_client();
	second = connect_client();
	CHECK(open_console(first, 7, 0, NULL, 0) == 0);
	guest_says("for the first");
	CHECK(open_console(second, 7, 0, "serial0", FORCE) == 0);
	check_data(first, 7, "for the first");
	check_failed(first, 7, "another client");
	guest_says("for the second");
	check_data(second, 7, "for the second");
	CHECK(send_stream(first, 7, RPC_CONTINUE, "mine!"));
	check_alive(first);
	CHECK(send_stream(second, 7, RPC_CONTINUE, "yours"));
	check_guest_hears("yours");
	/* It may take it back, and a client may displace itself. */
	CHECK(open_console(first, 8, 0, NULL, FORCE) == 0);
	check_failed(second, 7, "another client");
	CHECK(open_console(first, 9, 0, NULL, FORCE) == 0);
	check_failed(first, 8, "another client");
	guest_says("again");
	check_data(first, 9, "again");
	fd_close(&first);
	fd_close(&second);
	stop();
}

/* Displaced, and finished by the client before it has read that. */
static void
test_force_and_finish(void)
{
	int first, second;

	start();
	first = connect_client();
	second = connect_client();
	CHECK(open_console(first, 7, 0, NULL, 0) == 0);
	CHECK(open_console(second, 7, 0, NULL, FORCE) == 0);
	CHECK(send_stream(first, 7, RPC_OK, NULL));
	check_failed(first, 7, "another client");
	check_alive(first);
	fd_close(&first);
	fd_close(&second);
	stop();
}

static void
test_several(void)
{
	int sock;

	start();
	sock = connect_client();
	for (uint32_t i = 0; i < CLIENT_STREAMS_MAX; i++)
		CHECK(open_console(sock, i, i / 4,
			      (const char *[]){"serial0", "serial1", "serial2", "serial3"}[i % 4],
			      0) == 0);
	CHECK(open_console(sock, 99, 4, NULL, 0) == VIR_ERR_OPERATION_FAILED);
	CHECK(strstr(call_error.message, "16 streams") && !vms[4].consoles[0].client);
	guest_says("to the first");
	check_data(sock, 0, "to the first");
	CHECK(send_stream(sock, 15, RPC_OK, NULL));
	check_empty(sock, 15, RPC_OK);
	/* The number of a stream that is open means that stream. */
	CHECK(open_console(sock, 3, 4, NULL, 0) == VIR_ERR_RPC);
	CHECK(open_console(sock, 15, 4, NULL, 0) == 0);
	fd_close(&sock);
	stop();
}

/* Some clients read the end of data and never finish: they may go on opening streams. */
static void
test_never_finished(void)
{
	int sock;

	start();
	sock = connect_client();
	for (uint32_t i = 0; i < 3 * CLIENT_STREAMS_MAX; i++) {
		CHECK(open_console(sock, i, 0, NULL, 0) == 0);
		end_vm(0);
		check_empty(sock, i, RPC_CONTINUE);
	}
	CHECK(rig_client()->streams.n == CLIENT_STREAMS_MAX);
	/* All of them can still be finished, though the first ones are forgotten. */
	CHECK(send_stream(sock, 0, RPC_OK, NULL));
	check_empty(sock, 0, RPC_OK);
	CHECK(send_stream(sock, 1, RPC_ERROR, NULL));
	check_empty(sock, 1, RPC_OK);
	CHECK(send_stream(sock, 3 * CLIENT_STREAMS_MAX - 1, RPC_OK, NULL));
	check_empty(sock, 3 * CLIENT_STREAMS_MAX - 1, RPC_OK);
	fd_close(&sock);
	stop();
}

/* --- packets that make no sense ----------------------------------------------------------- */

static void
test_unknown_stream(void)
{
	struct rpc_header header;
	int sock;

	start();
	sock = connect_client();
	CHECK(send_stream(sock, 7, RPC_CONTINUE, "x"));
	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	CHECK(send_stream(sock, 8, RPC_CONTINUE, "x"));
	header = stream_header(7, RPC_CONTINUE);
	header.procedure = RPC_PROC_STORAGE_VOL_UPLOAD;
	CHECK(send_raw(sock, &header, "x", 1));
	header = stream_header(7, RPC_CONTINUE);
	header.program = RPC_PROGRAM_QEMU;
	CHECK(send_raw(sock, &header, "x", 1));
	header = stream_header(8, RPC_CONTINUE);
	header.type = RPC_STREAM_HOLE;
	CHECK(send_raw(sock, &header, "\0\0\0\0\0\0\0\1\0\0\0\0", 12));
	check_alive(sock);
	CHECK(send_stream(sock, 7, RPC_CONTINUE, "y"));
	check_guest_hears("y");
	fd_close(&sock);
	stop();
}

/* As libvirtd: a console has no holes, and whoever sends one is closed. */
static void
test_hole(void)
{
	struct rpc_header header = stream_header(7, RPC_CONTINUE);
	int sock;

	start();
	sock = connect_client();
	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	header.type = RPC_STREAM_HOLE;
	CHECK(send_raw(sock, &header, "\0\0\0\0\0\0\0\1\0\0\0\0", 12));
	CHECK(is_closed(sock));
	CHECK(!vms[0].consoles[0].client);
	fd_close(&sock);
	stop();
}

/* --- however the bytes come --------------------------------------------------------------- */

/* A console opened, spoken to, and finished. */
static void
append_session(struct rpc_buffer *calls)
{
	struct rpc_connect_open_args args = {
		.name = rpc_arena_strdup(&rig.arena, "qemu:///system")};

	append_call(calls, RPC_PROC_CONNECT_OPEN, 0, &args);
	append_open(calls, 1, 0, NULL, 0);
	append_stream(calls, 1, RPC_CONTINUE, "uptime\n");
	append_stream(calls, 1, RPC_OK, NULL);
}

static void
test_byte_by_byte(void)
{
	struct rpc_header header = call_header(RPC_PROC_CONNECT_OPEN, 0);
	struct rpc_buffer calls;
	int sock;

	start();
	sock = rig_connect(VERBS_ALL);
	rpc_buffer_init(&calls, 4096);
	append_session(&calls);
	while (rpc_buffer_left(&calls) > 0) {
		CHECK(send_all(sock, rpc_buffer_front(&calls), 1));
		rpc_buffer_drop(&calls, 1);
	}
	CHECK(read_reply(sock, &header, NULL) == 0);
	header = call_header(RPC_PROC_DOMAIN_OPEN_CONSOLE, 1);
	CHECK(read_reply(sock, &header, NULL) == 0);
	check_empty(sock, 1, RPC_OK);
	check_guest_hears("uptime\n");
	rpc_buffer_fini(&calls);
	fd_close(&sock);
	stop();
}

static void
test_cut_anywhere(void)
{
	struct rpc_buffer calls;

	start();
	rpc_buffer_init(&calls, 4096);
	append_session(&calls);
	for (size_t n = 0; n <= rpc_buffer_left(&calls); n++) {
		int sock = rig_connect(VERBS_ALL);

		CHECK(n == 0 || send_all(sock, rpc_buffer_front(&calls), n));
		ASSERT(write(guest, "x", 1) == 1);
		if (n % 2 == 0)
			rig_turn(0);
		fd_close(&sock);
		rig_wait(0);
		CHECK(!vms[0].consoles[0].client && vms[0].consoles[0].fd >= 0);
	}
	rpc_buffer_fini(&calls);
	stop();
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
	TEST("a client and a guest hear each other until the client finishes", test_both_ways);
	TEST("the reply comes before what the guest says", test_reply_first);
	TEST("an abort is confirmed, and what comes later is dropped", test_abort);
	TEST("when the VM ends, so does the data, and the client may finish", test_vm_ends);
	TEST("a console without QEMU is silent", test_qemu_lost);
	TEST("CONNECT_CLOSE ends a stream", test_close_call);
	TEST("a worker that leaves says so on every open stream, and it can be read", test_drain);
	TEST("a worker that leaves waits for nobody for long", test_drain_ends);
	TEST("what cannot be opened is refused in libvirt's words", test_refusals);
	TEST("a VM without a serial port has no console", test_no_serial);
	TEST("force displaces, and who is displaced is told after all it was to hear", test_force);
	TEST("a finish that crosses a failure is dropped", test_force_and_finish);
	TEST("a connection has 16 streams, each with a number of its own", test_several);
	TEST("streams that ended and are never finished make room", test_never_finished);
	TEST("packets for no stream are dropped", test_unknown_stream);
	TEST("a hole in a console ends the connection", test_hole);
	TEST("packets may come byte by byte", test_byte_by_byte);
	TEST("a connection may be cut anywhere", test_cut_anywhere);
	TEST("no descriptor is left", test_nothing_left);
	return TEST_END();
}
