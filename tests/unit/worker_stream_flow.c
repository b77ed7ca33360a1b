/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * However much a guest or a client says at once, nothing of it is lost where the other side takes
 * it, and where it does not, that costs this one stream.
 */
#include "tests/unit/test.h"

#include "tests/unit/descriptors.h"
#include "tests/unit/worker_console.h"

enum { PASTE = 2 * 1024 * 1024, FLOOD = 8 * 1024 * 1024 };

/* --- what a guest says -------------------------------------------------------------------- */

/* The guest says size bytes as fast as the worker takes them, and is heard. */
static void
flood(size_t size)
{
	static const char noise[64 * 1024] = "noise";
	char next;

	for (unsigned i = 0; size > 0 && i < TURNS; i++) {
		ssize_t n = write(guest, noise, size < sizeof(noise) ? size : sizeof(noise));

		size -= n > 0 ? (size_t)n : 0;
		rig_turn(0);
	}
	CHECK(size == 0);
	while (recv(vms[0].consoles[0].fd, &next, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		rig_turn(0);
}

static void
test_client_does_not_read(void)
{
	struct rpc_frame frame = {.header = {.status = RPC_CONTINUE}};
	struct rpc_header header = call_header(RPC_PROC_CONNECT_GET_TYPE, 50);
	struct rpc_connect_get_type_ret type = {0};
	const struct client *client;
	size_t n = 0;
	int sock;

	start();
	sock = connect_client();
	client = rig_client();
	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	CHECK(open_console(sock, 8, 1, NULL, 0) == 0);
	flood(FLOOD);
	CHECK(!vms[0].consoles[0].client);
	CHECK(rpc_buffer_left(&client->wire.out) <= 2 * CLIENT_STREAM_PACKET_MAX);
	CHECK(send_raw(sock, &header, NULL, 0));
	while (frame.header.status == RPC_CONTINUE && frame.header.type != RPC_REPLY) {
		if (!receive_frame(sock, &frame))
			break;
		CHECK(frame.header.type == RPC_REPLY || frame.size <= CLIENT_STREAM_PACKET_MAX);
		n += frame.size;
	}
	CHECK(n > CLIENT_STREAM_PACKET_MAX && n < FLOOD);
	/* The call was answered before or after the stream was given up. */
	if (frame.header.type == RPC_REPLY) {
		check_failed(sock, 7, "too much waited");
	} else {
		check_error(&frame, "too much waited");
		CHECK(read_reply(sock, &header, &type) == 0);
	}
	/* The other stream is as it was. */
	CHECK(vms[1].consoles[0].client);
	end_vm(1);
	check_empty(sock, 8, RPC_CONTINUE);
	/* And it may come again. */
	CHECK(open_console(sock, 9, 0, NULL, 0) == 0);
	guest_says("again");
	check_data(sock, 9, "again");
	fd_close(&sock);
	stop();
}

/* A client that reads what it can loses nothing of a flood, and what comes is in order. */
static void
test_client_reads(void)
{
	static uint8_t heard[PASTE];
	uint8_t piece[4096];
	size_t n_said = 0, n_heard = 0, n_right = 0;
	int sock;

	start();
	sock = connect_client();
	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	while (n_heard < sizeof(heard)) {
		struct rpc_frame frame;

		for (unsigned i = 0; i < 16 && n_said < sizeof(heard); i++) {
			ssize_t n;

			for (size_t j = 0; j < sizeof(piece); j++)
				piece[j] = (uint8_t)((n_said + j) * 7 + (n_said + j) / 251);
			n = write(guest, piece, sizeof(piece));
			n_said += n > 0 ? (size_t)n : 0;
		}
		frame = receive_stream(sock, 7, RPC_CONTINUE);
		ASSERT(frame.size > 0 && frame.size <= sizeof(heard) - n_heard);
		memcpy(heard + n_heard, frame.payload, frame.size);
		n_heard += frame.size;
	}
	for (size_t i = 0; i < sizeof(heard) && n_right == i; i++)
		n_right += heard[i] == (uint8_t)(i * 7 + i / 251);
	CHECK(n_right == sizeof(heard));
	check_alive(sock);
	fd_close(&sock);
	stop();
}

/* What was said before the end comes before the end, in packets of a sane size. */
static void
test_much_and_end(void)
{
	const size_t much = 768 * 1024;
	struct rpc_frame frame;
	size_t n = 0, largest = 0;
	int sock;

	start();
	sock = connect_client();
	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	flood(much);
	end_vm(0);
	do {
		frame = receive_stream(sock, 7, RPC_CONTINUE);
		largest = frame.size > largest ? frame.size : largest;
		n += frame.size;
	} while (frame.size > 0);
	CHECK(n == much && largest == CLIENT_STREAM_PACKET_MAX);
	check_alive(sock);
	fd_close(&sock);
	stop();
}

/* --- what a client says ------------------------------------------------------------------- */

static uint8_t paste[PASTE];

/* Packets of the size that libvirt's client makes, or one. */
static void
append_paste(struct rpc_buffer *calls, uint32_t serial, size_t piece)
{
	struct rpc_header header = stream_header(serial, RPC_CONTINUE);

	for (size_t i = 0; i < sizeof(paste); i++)
		paste[i] = (uint8_t)(i * 11 + i / 253);
	for (size_t at = 0, n; at < sizeof(paste); at += n) {
		uint8_t *to;

		n = sizeof(paste) - at < piece ? sizeof(paste) - at : piece;
		to = rpc_buffer_grow(calls, RPC_FRAME_MIN + n);
		ASSERT(to);
		(void)raw_frame(to, &header, paste + at, n);
	}
}

/* Send what the worker takes now, until it has served all that it serves. */
static void
send_some(int sock, struct rpc_buffer *calls)
{
	for (unsigned idle = 0; idle < 10; idle++) {
		size_t left = rpc_buffer_left(calls);
		ssize_t n = left > 0 ? send(sock, rpc_buffer_front(calls), left, MSG_NOSIGNAL) : 0;

		if (n > 0) {
			rpc_buffer_drop(calls, (size_t)n);
			idle = 0;
		}
		rig_turn(0);
	}
}

static void
paste_in_pieces_of(size_t piece)
{
	static uint8_t told[PASTE];
	struct rpc_buffer calls;
	const struct client *client;
	size_t n_told = 0;
	int sock;

	start();
	sock = connect_client();
	client = rig_client();
	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	rpc_buffer_init(&calls, 2 * PASTE);
	append_paste(&calls, 7, piece);
	append_stream(&calls, 7, RPC_OK, NULL);
	send_some(sock, &calls);
	/* The guest takes nothing: the client is not read, and a packet is kept of it. */
	CHECK(client->streams.stuck && client->io.events == 0);
	CHECK(rpc_buffer_left(&client->streams.stuck->rest) <= piece);
	CHECK(vms[0].consoles[0].n_input == CONSOLE_INPUT_MAX);
	for (unsigned i = 0; n_told < sizeof(told) && i < TURNS; i++) {
		ssize_t n = read(guest, told + n_told, sizeof(told) - n_told);

		n_told += n > 0 ? (size_t)n : 0;
		send_some(sock, &calls);
		rig_turn(n > 0 ? 0 : 10);
	}
	CHECK(n_told == sizeof(told) && memcmp(told, paste, sizeof(told)) == 0);
	check_empty(sock, 7, RPC_OK);
	CHECK(client->io.events == EPOLLIN && !client->streams.stuck);
	check_alive(sock);
	rpc_buffer_fini(&calls);
	fd_close(&sock);
	stop();
}

static void
test_paste(void)
{
	paste_in_pieces_of(RPC_STREAM_DATA_MAX);
	paste_in_pieces_of(PASTE);
}

/* A client of which a packet is kept, because the guest takes nothing. */
static int
connect_stuck(struct rpc_buffer *calls)
{
	int sock = connect_client();

	CHECK(open_console(sock, 7, 0, NULL, 0) == 0);
	rpc_buffer_init(calls, 2 * PASTE);
	append_paste(calls, 7, RPC_STREAM_DATA_MAX);
	send_some(sock, calls);
	CHECK(rig_client()->streams.stuck);
	return sock;
}

static void
test_patience(void)
{
	struct console *console = &vms[0].consoles[0];
	struct rpc_buffer calls;
	int sock;

	start();
	sock = connect_stuck(&calls);
	append_stream(&calls, 7, RPC_OK, NULL);
	/* As if the guest had taken nothing for so long. */
	timer_set(&rig.loop, &console->patience, loop_now(&rig.loop), console->patience.fn);
	rig_turn(100);
	CHECK(!rig_client()->streams.stuck);
	CHECK(send_all(sock, rpc_buffer_front(&calls), rpc_buffer_left(&calls)));
	check_empty(sock, 7, RPC_OK);
	CHECK(!console->input && !console->client);
	rpc_buffer_fini(&calls);
	fd_close(&sock);
	stop();
}

static void
test_stuck_and_gone(void)
{
	struct rpc_buffer calls;
	int sock;

	start();
	sock = connect_stuck(&calls);
	fd_close(&sock);
	rig_wait(0);
	CHECK(!vms[0].consoles[0].client);
	rpc_buffer_fini(&calls);
	stop();
}

static void
test_stuck_and_displaced(void)
{
	struct rpc_buffer calls;
	int sock, other;

	start();
	other = connect_client();
	sock = connect_stuck(&calls);
	CHECK(open_console(other, 7, 0, NULL, FORCE) == 0);
	CHECK(send_all(sock, rpc_buffer_front(&calls), rpc_buffer_left(&calls)));
	check_failed(sock, 7, "another client");
	check_alive(sock);
	rpc_buffer_fini(&calls);
	fd_close(&sock);
	fd_close(&other);
	stop();
}

static void
test_stuck_and_vm_ends(void)
{
	struct rpc_buffer calls;
	int sock;

	start();
	sock = connect_stuck(&calls);
	end_vm(0);
	CHECK(send_all(sock, rpc_buffer_front(&calls), rpc_buffer_left(&calls)));
	check_empty(sock, 7, RPC_CONTINUE);
	check_alive(sock);
	rpc_buffer_fini(&calls);
	fd_close(&sock);
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
	TEST("a client that does not read loses that stream only", test_client_does_not_read);
	TEST("a client that reads loses nothing", test_client_reads);
	TEST("what a guest said comes before its end", test_much_and_end);
	TEST("what is pasted waits for the guest, and all of it arrives", test_paste);
	TEST("a guest that takes nothing does not hold a client for ever", test_patience);
	TEST("a client that waits for a guest is seen to go", test_stuck_and_gone);
	TEST("a client that waits for a guest may be displaced", test_stuck_and_displaced);
	TEST("a client that waits for a guest is told its end", test_stuck_and_vm_ends);
	TEST("no descriptor is left", test_nothing_left);
	return TEST_END();
}
