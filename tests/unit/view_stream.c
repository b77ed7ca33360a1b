/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stream of a client reaches the worker and comes back through a view: data, its end, finish,
 * abort and failure; who does not read holds the other end back, and nobody else.
 */
#include "tests/unit/view.h"

#include "tests/unit/test.h"

enum { SERIAL = 77, LOT = 200 * 1024 };

static struct {
	struct played *worker;
	uint32_t serial; /* of the stream, at the worker */
	size_t n_data;   /* bytes that came there */
	uint8_t last;
	unsigned n_finished, n_aborted;
} there;

/* A worker that has an end of a stream. */
static bool
streams(struct played *worker, const struct rpc_frame *frame, const void *args)
{
	if (frame->header.type == RPC_CALL) {
		if (frame->header.procedure != RPC_PROC_DOMAIN_OPEN_CONSOLE)
			return false;
		there.worker = worker;
		there.serial = frame->header.serial;
		(void)args;
		play_reply(worker, frame, NULL);
		return true;
	}
	if (frame->header.type != RPC_STREAM || frame->header.serial != there.serial)
		return false;
	if (frame->header.status == RPC_CONTINUE) {
		there.n_data += frame->size;
		there.last = frame->payload[frame->size - 1];
	}
	there.n_finished += frame->header.status == RPC_OK;
	there.n_aborted += frame->header.status == RPC_ERROR;
	return true;
}

static struct rpc_header
stream_header(uint32_t serial, enum rpc_status status)
{
	return (struct rpc_header){.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = RPC_PROC_DOMAIN_OPEN_CONSOLE,
		.type = RPC_STREAM,
		.serial = serial,
		.status = status};
}

/* Send a packet of a stream, serving whatever has to be served for that. */
static void
send_stream(int sock, uint32_t serial, enum rpc_status status, const void *data, size_t size)
{
	struct rpc_header header = stream_header(serial, status);
	struct rpc_buffer out;
	size_t start;

	rpc_buffer_init(&out, RPC_FRAME_MAX);
	ASSERT(rpc_frame_begin(&out, &header, 0, &start) == 0);
	ASSERT(size == 0 || rpc_buffer_append(&out, data, size) == 0);
	ASSERT(rpc_frame_end(&out, start) == 0);
	for (unsigned i = 0; rpc_buffer_left(&out) > 0 && i < TURNS; i++) {
		ssize_t n = send(sock, rpc_buffer_front(&out), rpc_buffer_left(&out), MSG_NOSIGNAL);

		if (n > 0)
			rpc_buffer_drop(&out, (size_t)n);
		rig_turn(n < 0 ? 1 : 0);
	}
	ASSERT(rpc_buffer_left(&out) == 0);
	rpc_buffer_fini(&out);
}

/* What the worker says on the stream. */
static void
say(enum rpc_status status, const char *data)
{
	uint8_t packet[128];
	struct rpc_header header = stream_header(there.serial, status);
	size_t size = data ? strlen(data) : 0;
	uint32_t length = htobe32((uint32_t)(RPC_FRAME_MIN + size));

	memcpy(packet, &length, sizeof(length));
	rpc_header_write(&header, packet + RPC_LENGTH_SIZE);
	if (size > 0)
		memcpy(packet + RPC_FRAME_MIN, data, size);
	play_send(there.worker, packet, RPC_FRAME_MIN + size);
}

static int
open_console(const char *name)
{
	struct rpc_domain_open_console_args args = {.flags = 0};
	int sock;

	memset(&there, 0, sizeof(there));
	rig_start();
	rig.answer = streams;
	sock = rig_open();
	CHECK(look_up(sock, name, &args.dom) == 0);
	args.dom.name = (char *)(uintptr_t)name;
	send_call(sock, RPC_PROC_DOMAIN_OPEN_CONSOLE, &args, SERIAL);
	CHECK(receive_packet(sock) && reply.header.type == RPC_REPLY);
	CHECK(read_reply(RPC_PROC_DOMAIN_OPEN_CONSOLE, NULL) == 0);
	return sock;
}

static void
turns(unsigned n)
{
	while (n-- > 0)
		rig_turn(1);
}

static bool
receive_stream(int sock, enum rpc_status status, const char *data)
{
	return receive_packet(sock) && reply.header.type == RPC_STREAM &&
	       reply.header.serial == SERIAL && reply.header.status == status &&
	       (!data || (reply.size == strlen(data) &&
				 memcmp(reply.payload, data, reply.size) == 0));
}

static void
test_both_ways(void)
{
	int sock = open_console("bob:box");

	send_stream(sock, SERIAL, RPC_CONTINUE, "hello", 5);
	turns(10);
	CHECK(there.n_data == 5 && there.last == 'o');
	say(RPC_CONTINUE, "login:");
	CHECK(receive_stream(sock, RPC_CONTINUE, "login:"));
	say(RPC_CONTINUE, NULL);
	CHECK(receive_stream(sock, RPC_CONTINUE, ""));
	/* There is nothing after the end. */
	say(RPC_CONTINUE, "more");
	say(RPC_CONTINUE, NULL);
	turns(10);
	send_stream(sock, SERIAL, RPC_OK, NULL, 0);
	CHECK(receive_stream(sock, RPC_OK, ""));
	turns(10);
	CHECK(there.n_finished == 1 && there.n_aborted == 0);
	fd_close(&sock);
	rig_stop();
}

static void
test_ends(void)
{
	int sock = open_console("bob:box");

	send_stream(sock, SERIAL, RPC_ERROR, NULL, 0);
	CHECK(receive_stream(sock, RPC_OK, ""));
	turns(10);
	CHECK(there.n_aborted == 1);
	/* What still comes is of no stream. */
	say(RPC_CONTINUE, "late");
	turns(10);
	CHECK(recv(sock, reply.payload, 1, 0) < 0 && errno == EAGAIN);
	fd_close(&sock);
	rig_stop();

	sock = open_console("bob:box");
	/* The connection goes, and takes it along. */
	fd_close(&sock);
	turns(10);
	CHECK(rig.n_forgotten == 1);
	rig_stop();

	sock = open_console("bob:box");
	/* The worker goes. */
	fd_close(&there.worker->fd);
	CHECK(receive_packet(sock) && reply.header.type == RPC_STREAM &&
		reply.header.status == RPC_ERROR && memmem(reply.payload, reply.size, "bob", 3));
	fd_close(&sock);
	rig_stop();
}

/* A worker that does not read holds its client's stream back, and the client not for ever. */
static void
test_back_pressure(void)
{
	static uint8_t lot[LOT];
	int sock = open_console("bob:box");
	size_t sent = 0;
	struct rpc_header header = stream_header(SERIAL, RPC_CONTINUE);
	uint8_t front[RPC_FRAME_MIN];
	uint32_t length = htobe32(RPC_FRAME_MIN + LOT);

	rig.told[1].mode = WORKER_SLEEPS;
	memcpy(front, &length, sizeof(length));
	rpc_header_write(&header, front + RPC_LENGTH_SIZE);
	for (unsigned i = 0; i < 200; i++) {
		size_t at = sent % (sizeof(front) + LOT);
		ssize_t n = at < sizeof(front)
				    ? send(sock, front + at, sizeof(front) - at, MSG_NOSIGNAL)
				    : send(sock, lot + at - sizeof(front),
					      LOT - (at - sizeof(front)), MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		rig_turn(0);
	}
	/* No more than what the view keeps for a worker, and two sockets. */
	CHECK(sent < 8 * 1024 * 1024);
	/* Finish the packet that was begun, and all arrives. */
	rig.told[1].mode = WORKER_ANSWERS;
	while (sent % (sizeof(front) + LOT) != 0) {
		size_t at = sent % (sizeof(front) + LOT);
		ssize_t n = at < sizeof(front)
				    ? send(sock, front + at, sizeof(front) - at, MSG_NOSIGNAL)
				    : send(sock, lot + at - sizeof(front),
					      LOT - (at - sizeof(front)), MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		rig_turn(1);
	}
	for (unsigned i = 0; i < TURNS && there.n_data < sent / (sizeof(front) + LOT) * LOT; i++)
		rig_turn(1);
	CHECK(there.n_data == sent / (sizeof(front) + LOT) * LOT);
	fd_close(&sock);
	rig_stop();
}

/* A client that does not read holds the worker back; nothing is lost. */
static void
test_slow_client(void)
{
	static uint8_t packet[RPC_FRAME_MIN + 60000];
	int sock = open_console("bob:box");
	struct rpc_header header = stream_header(there.serial, RPC_CONTINUE);
	uint32_t length = htobe32(sizeof(packet));
	size_t sent = 0, got = 0;

	memcpy(packet, &length, sizeof(length));
	rpc_header_write(&header, packet + RPC_LENGTH_SIZE);
	for (unsigned i = 0; i < 500; i++) {
		ssize_t n = send(there.worker->fd, packet + sent % sizeof(packet),
			sizeof(packet) - sent % sizeof(packet), MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		(void)loop_once(&rig.loop, 0);
	}
	CHECK(sent < 8 * 1024 * 1024);
	for (unsigned i = 0; sent % sizeof(packet) != 0 && i < TURNS; i++) {
		uint8_t data[4096];
		ssize_t n = send(there.worker->fd, packet + sent % sizeof(packet),
			sizeof(packet) - sent % sizeof(packet), MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		else if ((n = recv(sock, data, sizeof(data), MSG_PEEK)) > 0)
			break;
		(void)loop_once(&rig.loop, 0);
	}
	while (got < sent / sizeof(packet) * 60000 && receive_packet(sock) &&
		reply.header.status == RPC_CONTINUE)
		got += reply.size;
	CHECK(got == sent / sizeof(packet) * 60000);
	fd_close(&sock);
	rig_stop();
}

int
main(void)
{
	TEST("what either side says comes through, and the end", test_both_ways);
	TEST("either side, the connection or the worker may end it", test_ends);
	TEST("a worker that does not read holds back its client", test_back_pressure);
	TEST("a client that does not read holds back the worker, and loses nothing",
		test_slow_client);
	return TEST_END();
}
