/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * As many streams as one connection may have, through a view: one that has ended makes room for another,
 * also while the others are being sent.
 */
#include "tests/unit/view.h"

#include "tests/unit/test.h"

enum { FIRST = 1000, LAST = 2000, HELD_BACK = CLIENT_STREAM_OUTPUT_MAX / 2, PIECE = 20000 };

static struct {
	struct played *worker;
	uint32_t serials[2 * CLIENT_STREAMS_MAX]; /* of the streams, at the worker */
	unsigned n;
	bool waits; /* the next call is answered later */
	struct rpc_header waiting;
} there;

/* A worker that has ends of streams. */
static bool
streams(struct played *worker, const struct rpc_frame *frame, const void *args)
{
	(void)args;
	if (frame->header.type != RPC_CALL)
		return true;
	if (frame->header.procedure != RPC_PROC_DOMAIN_OPEN_CONSOLE)
		return false;
	there.worker = worker;
	there.serials[there.n++] = frame->header.serial;
	if (there.waits)
		there.waiting = frame->header;
	else
		play_reply(worker, frame, NULL);
	return true;
}

/* A packet of the stream with that number, with size bytes of data: the end without. Returns its size. */
static size_t
packet_of(unsigned number, size_t size, uint8_t *packet)
{
	struct rpc_header header = {.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = RPC_PROC_DOMAIN_OPEN_CONSOLE,
		.type = RPC_STREAM,
		.serial = there.serials[number],
		.status = RPC_CONTINUE};
	uint32_t length = htobe32((uint32_t)(RPC_FRAME_MIN + size));

	memcpy(packet, &length, sizeof(length));
	rpc_header_write(&header, packet + RPC_LENGTH_SIZE);
	memset(packet + RPC_FRAME_MIN, 'x', size);
	return RPC_FRAME_MIN + size;
}

static size_t
reply_of(const struct rpc_header *call, uint8_t *packet)
{
	struct rpc_header header = rpc_header_reply(call, RPC_OK);
	struct rpc_buffer out;
	size_t size;

	rpc_buffer_init(&out, RPC_FRAME_MAX);
	ASSERT(rpc_encode_frame(&header, 0, NULL, NULL, &out) == 0);
	size = rpc_buffer_left(&out);
	memcpy(packet, rpc_buffer_front(&out), size);
	rpc_buffer_fini(&out);
	return size;
}

static const struct client *
served(void)
{
	return LIST_FIRST(&rig.host.server.clients);
}

/* As many as may be, of which the third has ended, and its client leaves it so. */
static int
begin(struct rpc_domain_open_console_args *args)
{
	uint8_t packet[RPC_FRAME_MIN];
	int sock;

	memset(&there, 0, sizeof(there));
	rig_start();
	rig.answer = streams;
	sock = rig_open();
	CHECK(look_up(sock, "bob:box", &args->dom) == 0);
	args->dom.name = (char *)(uintptr_t) "bob:box";
	for (uint32_t i = 0; i < CLIENT_STREAMS_MAX; i++) {
		send_call(sock, RPC_PROC_DOMAIN_OPEN_CONSOLE, args, FIRST + i);
		CHECK(receive_packet(sock) && reply.header.type == RPC_REPLY);
	}
	CHECK(served()->streams.n == CLIENT_STREAMS_MAX);
	play_send(there.worker, packet, packet_of(2, 0, packet));
	CHECK(receive_packet(sock) && reply.header.type == RPC_STREAM && reply.size == 0);
	return sock;
}

static void
end(int sock)
{
	fd_close(&sock);
	for (unsigned i = 0; i < TURNS && rig.n_forgotten == 0; i++)
		rig_turn(10);
	CHECK(rig.n_forgotten == 1);
	rig_stop();
}

static void
test_room(void)
{
	struct rpc_domain_open_console_args args = {.flags = 0};
	int sock = begin(&args);

	send_call(sock, RPC_PROC_DOMAIN_OPEN_CONSOLE, &args, LAST);
	CHECK(receive_packet(sock) && reply.header.type == RPC_REPLY);
	CHECK(read_reply(RPC_PROC_DOMAIN_OPEN_CONSOLE, NULL) == 0);
	CHECK(served()->streams.n == CLIENT_STREAMS_MAX);
	/* None of these has ended. */
	send_call(sock, RPC_PROC_DOMAIN_OPEN_CONSOLE, &args, LAST + 1);
	CHECK(receive_packet(sock) && reply.header.type == RPC_REPLY);
	CHECK(read_reply(RPC_PROC_DOMAIN_OPEN_CONSOLE, NULL) == VIR_ERR_OPERATION_FAILED);
	end(sock);
}

/* The first holds back what its worker says, and with it the answer that opens another. */
static void
test_room_while_sending(void)
{
	static uint8_t packet[4 * PIECE], got[64 * 1024];
	struct rpc_domain_open_console_args args = {.flags = 0};
	int sock = begin(&args);
	const struct client_stream *first = TAILQ_FIRST(&served()->streams.all);
	size_t size;

	there.waits = true;
	send_call(sock, RPC_PROC_DOMAIN_OPEN_CONSOLE, &args, LAST);
	for (unsigned i = 0; i < TURNS && there.n == CLIENT_STREAMS_MAX; i++)
		rig_turn(10);
	ASSERT(there.n == CLIENT_STREAMS_MAX + 1);
	for (unsigned i = 0; i < TURNS && rpc_buffer_left(&first->out) + 3 * PIECE / 2 < HELD_BACK;
		i++) {
		play_send(there.worker, packet, packet_of(0, PIECE, packet));
		(void)loop_once(&rig.loop, 10);
	}
	size = packet_of(0, 2 * PIECE, packet);
	size += reply_of(&there.waiting, packet + size);
	play_send(there.worker, packet, size);
	for (unsigned i = 0; i < TURNS && rpc_buffer_left(&first->out) <= HELD_BACK; i++)
		(void)loop_once(&rig.loop, 10);
	CHECK(served()->n_later == 1);
	/* The client reads again. */
	for (unsigned i = 0; i < TURNS && served()->n_later > 0; i++) {
		while (recv(sock, got, sizeof(got), 0) > 0)
			;
		(void)loop_once(&rig.loop, 10);
	}
	CHECK(served()->n_later == 0 && served()->streams.n == CLIENT_STREAMS_MAX);
	end(sock);
}

/* All that the worker has in its socket, of streams, is counted. */
static void
hear(size_t *heard)
{
	static uint8_t data[1024 * 1024];
	ssize_t n;

	while ((n = recv(there.worker->fd, data, sizeof(data), MSG_DONTWAIT)) > 0)
		*heard += (size_t)n;
}

/* Its way is full, and takes all at once when the client speaks next, before it was seen to have room. */
static void
test_room_at_once(void)
{
	static uint8_t packet[RPC_FRAME_MIN + PIECE];
	struct rpc_domain_open_console_args args = {.flags = 0};
	int sock = begin(&args), room = 16 * 1024 * 1024;
	size_t size = packet_of(0, PIECE, packet), heard = 0, said = 0;
	struct client *client = LIST_FIRST(&rig.host.server.clients);
	const struct route *route = LIST_FIRST(&viewer_of(client)->routes);
	const struct client_stream *first = TAILQ_FIRST(&client->streams.all);
	struct rpc_header header = {.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = RPC_PROC_DOMAIN_OPEN_CONSOLE,
		.type = RPC_STREAM,
		.serial = FIRST,
		.status = RPC_CONTINUE};

	/* What was said on the way here. */
	hear(&heard);
	heard = 0;
	rpc_header_write(&header, packet + RPC_LENGTH_SIZE);
	while (rpc_buffer_left(&route->channel.wire.out) < CHANNEL_OUT_MAX) {
		ASSERT(send(sock, packet, size, 0) == (ssize_t)size);
		said += size;
		(void)loop_once(&rig.loop, 10);
	}
	CHECK(rpc_buffer_left(&first->rest) == 0);
	if (setsockopt(route->channel.wire.fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) ==
		0) {
		ASSERT(send(sock, packet, size, 0) == (ssize_t)size);
		said += size;
		(void)loop_once(&rig.loop, 10);
		hear(&heard);
		CHECK(heard == said);
	}
	CHECK(rpc_buffer_left(&first->rest) == 0);
	for (unsigned i = 0; i < TURNS && heard < said; i++) {
		hear(&heard);
		(void)loop_once(&rig.loop, 10);
	}
	CHECK(heard == said);
	end(sock);
}

int
main(void)
{
	TEST("a stream that has ended makes room for another, and one that has not does not",
		test_room);
	TEST("it does so while others are being sent", test_room_while_sending);
	TEST("what waits for a worker goes to it once, and without another's help",
		test_room_at_once);
	return TEST_END();
}
