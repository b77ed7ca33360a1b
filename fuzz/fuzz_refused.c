/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_refused.c: whatever who is refused sends to the refuser, and however it is cut.
 *
 * Input: a byte for the refusal, one for the size of the pieces, then what the client sends. Oracle:
 * the answers do not depend on the pieces, and are the refusal, or a pong, and nothing else.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/fd.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "lib/uplink.h"
#include "protocol/rpc/arena.h"
#include "protocol/rpc/buffer.h"
#include "protocol/rpc/codec.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/keepalive.h"
#include "protocol/rpc/types.h"
#include "view/refused.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ANSWERS_MAX = 64 << 20, TURNS = 100000 };

static struct loop loop;
static struct uplink uplink;
static struct refuser refuser;
static unsigned n_forgotten;

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static int
pass(struct uplink *self, const struct ipc_conn_pass *body, int fd)
{
	(void)self;
	return refused_start(&refuser, body, fd);
}

static void
forget(struct uplink *self, struct uplink_conn *conn)
{
	(void)self;
	n_forgotten++;
	refused_free(container_of(conn, struct refused, conn));
}

static void
stop(struct uplink *self, enum ipc_fault fault, uint16_t type)
{
	(void)self;
	(void)type;
	require(fault == IPC_OK);
}

static void
emptied(struct refuser *self)
{
	require(self->n == 0);
}

static const struct uplink_ops ops = {.pass = pass, .forget = forget, .stop = stop};

/* A connection that is sent these bytes, at most `piece` at once; its answers. */
static void
converse(
	uint8_t refusal, const uint8_t *data, size_t size, size_t piece, struct rpc_buffer *answers)
{
	struct ipc_conn_pass body = {.conn_id = 1, .refusal = refusal, .reason = "why"};
	static uint8_t got[65536];
	fd_auto int sock = -1;
	size_t at = 0;
	ssize_t n;
	int fds[2];

	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	require(refused_start(&refuser, &body, fds[1]) == 0);
	sock = fds[0];
	for (unsigned i = 0; i < TURNS && refuser.n > 0; i++) {
		if (at < size) {
			n = send(sock, data + at, size - at < piece ? size - at : piece,
				MSG_NOSIGNAL);
			at += n > 0 ? (size_t)n : 0;
		}
		if (at == size)
			(void)shutdown(sock, SHUT_WR);
		require(loop_once(&loop, 0) == 0);
		while ((n = recv(sock, got, sizeof(got), MSG_DONTWAIT)) > 0)
			require(rpc_buffer_append(answers, got, (size_t)n) == 0);
	}
	require(refuser.n == 0);
	while ((n = recv(sock, got, sizeof(got), MSG_DONTWAIT)) > 0)
		require(rpc_buffer_append(answers, got, (size_t)n) == 0);
}

static void
check_answers(const struct rpc_buffer *answers)
{
	size_t left = rpc_buffer_left(answers), length;
	const uint8_t *data = left > 0 ? rpc_buffer_front(answers) : NULL;
	struct rpc_remote_error error;
	struct rpc_frame frame;
	struct rpc_arena arena;

	rpc_arena_init(&arena, 1 << 20);
	for (; left > 0; left -= length, data += length) {
		require(rpc_frame_length(data, left, &length) == 0 && length <= left);
		require(rpc_frame_read(data, length, &frame) == 0);
		if (rpc_keepalive_is(&frame.header)) {
			require(frame.header.procedure == RPC_KEEPALIVE_PONG);
			continue;
		}
		require(frame.header.type == RPC_REPLY && frame.header.status == RPC_ERROR);
		require(rpc_decode(&rpc_shapes[RPC_SHAPE_REMOTE_ERROR], frame.payload, frame.size,
				&arena, &error) == 0);
		require(error.code != 0 && strstr(error.message, "why"));
		rpc_arena_reset(&arena);
	}
	rpc_arena_fini(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_buffer whole, pieces;
	struct packet packet;
	uint8_t refusal;
	int fds[2];

	if (size < 2)
		return 0;
	refusal = (uint8_t)(IPC_REFUSAL_NOBODY + data[0] % IPC_REFUSAL_WORKER);
	n_forgotten = 0;
	require(loop_init(&loop) == 0 && packet_pair(fds) == 0);
	refuser_init(&refuser, &loop, &uplink, emptied);
	require(uplink_start(&uplink, &loop, fds[1], &ops) == 0);
	rpc_buffer_init(&whole, ANSWERS_MAX);
	rpc_buffer_init(&pieces, ANSWERS_MAX);
	converse(refusal, data + 2, size - 2, size, &whole);
	converse(refusal, data + 2, size - 2, 1 + data[1] % 61, &pieces);
	check_answers(&whole);
	require(rpc_buffer_left(&whole) == rpc_buffer_left(&pieces));
	require(rpc_buffer_left(&whole) == 0 ||
		memcmp(rpc_buffer_front(&whole), rpc_buffer_front(&pieces),
			rpc_buffer_left(&whole)) == 0);
	rpc_buffer_fini(&whole);
	rpc_buffer_fini(&pieces);
	refuser_fini(&refuser);
	for (unsigned i = 0; i < 100 && n_forgotten < 2; i++) {
		require(loop_once(&loop, 0) == 0);
		while (packet_recv(fds[0], &packet) == 0)
			packet_fini(&packet);
	}
	require(n_forgotten == 2);
	uplink_fini(&uplink);
	loop_fini(&loop);
	fd_close(&fds[0]);
	return 0;
}
