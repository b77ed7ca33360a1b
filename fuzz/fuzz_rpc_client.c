/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whatever bytes a client sends, and however they are cut, a worker's connection answers the same:
 * whole packets, each the reply to a call or a pong, and leaves nothing behind.
 *
 * Input: one byte for the verbs, one for the size of the pieces, then what the client sends.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/packet.h"
#include "lib/take.h"
#include "lib/uplink.h"
#include "protocol/rpc/buffer.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/handlers.h"
#include "protocol/rpc/keepalive.h"
#include "protocol/verb.h"
#include "worker/estate.h"
#include "worker/rpc/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A handler is found by its name and needs nobody to refer to it: here are those that are served.
 */
__attribute__((used)) static void (*const served[])(void) = {
	(void (*)(void))rpc_auth_list,
	(void (*)(void))rpc_connect_open,
	(void (*)(void))rpc_connect_list_all_domains,
	(void (*)(void))rpc_domain_lookup_by_name,
	(void (*)(void))rpc_connect_domain_event_callback_register_any,
};

enum { ANSWERS_MAX = 64 << 20, TURNS = 100000 };

static struct loop loop;
static struct uplink uplink;
static struct server server;
static struct estate estate; /* open, without a folder or a VM */
static unsigned n_forgotten;

static void
require(int holds)
{
	if (!holds)
		abort();
}

static void
occupied(struct server *self, bool is)
{
	require(is == (self->n_clients > 0));
}

static int
pass(struct uplink *self, const struct ipc_conn_pass *body, int fd)
{
	(void)self;
	return client_start(&server, body, fd);
}

static void
forget(struct uplink *self, struct uplink_conn *conn)
{
	(void)self;
	n_forgotten++;
	client_free(container_of(conn, struct client, conn));
}

static void
stop(struct uplink *self, enum ipc_fault fault, uint16_t type)
{
	(void)self;
	(void)type;
	require(fault == IPC_OK);
}

static const struct uplink_ops ops = {.pass = pass, .forget = forget, .stop = stop};

/* Read what there is. Returns false when the worker has closed. */
static bool
read_answers(int sock, struct rpc_buffer *answers)
{
	static uint8_t data[65536];

	for (;;) {
		ssize_t n = recv(sock, data, sizeof data, MSG_DONTWAIT);

		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		require(rpc_buffer_append(answers, data, (size_t)n) == 0);
	}
}

/* A connection that is sent these bytes, at most `piece` at once; its answers. */
static void
converse(uint32_t verbs, const uint8_t *data, size_t size, size_t piece, struct rpc_buffer *answers)
{
	struct ipc_conn_pass body = {.conn_id = 1, .uid = 1000, .verbs = verbs};
	int fds[2];
	size_t at = 0;
	bool open = true;

	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	require(client_start(&server, &body, fds[1]) == 0);
	for (unsigned i = 0; open && i < TURNS; i++) {
		if (at < size) {
			ssize_t n = send(fds[0], data + at, size - at < piece ? size - at : piece,
				MSG_NOSIGNAL);

			require(n > 0 || errno == EAGAIN || errno == EPIPE);
			at += n > 0 ? (size_t)n : 0;
			/* Not before all is read: what is unread is lost with its reader. */
			if (at == size)
				require(shutdown(fds[0], SHUT_WR) == 0);
		} else if (size == 0) {
			(void)shutdown(fds[0], SHUT_WR);
		}
		require(loop_once(&loop, 0) == 0);
		open = read_answers(fds[0], answers);
	}
	require(!open);
	(void)close(fds[0]);
}

static void
check_answers(const struct rpc_buffer *answers)
{
	size_t size = rpc_buffer_left(answers), length;
	const uint8_t *data = size > 0 ? rpc_buffer_front(answers) : NULL;

	for (; size > 0; size -= length, data += length) {
		struct rpc_frame frame;

		require(rpc_frame_length(data, size, &length) == 0 && length <= size);
		require(rpc_frame_read(data, length, &frame) == 0);
		if (frame.header.type == RPC_REPLY)
			require(frame.header.status == RPC_OK || frame.header.status == RPC_ERROR);
		else
			require(rpc_keepalive_is(&frame.header) &&
				frame.header.procedure == RPC_KEEPALIVE_PONG);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t verbs[] = {
		VERBS_VIEW, VERBS_ALL, VERB_VIEW | VERB_POWER, VERB_VIEW | VERB_CONSOLE};
	struct rpc_buffer whole, pieces;
	int fds[2];

	if (size < 2)
		return 0;
	n_forgotten = 0;
	require(loop_init(&loop) == 0 && packet_pair(fds) == 0);
	server_init(&server, &loop, &uplink, occupied);
	estate_init(&estate, &loop, &uplink);
	estate.state = ESTATE_OPEN;
	server.estate = &estate;
	require(uplink_start(&uplink, &loop, fds[1], &ops) == 0);
	rpc_buffer_init(&whole, ANSWERS_MAX);
	rpc_buffer_init(&pieces, ANSWERS_MAX);
	converse(verbs[data[0] % 4], data + 2, size - 2, size, &whole);
	converse(verbs[data[0] % 4], data + 2, size - 2, 1 + data[1] % 61, &pieces);
	check_answers(&whole);
	require(rpc_buffer_left(&whole) == rpc_buffer_left(&pieces));
	require(rpc_buffer_left(&whole) == 0 ||
		memcmp(rpc_buffer_front(&whole), rpc_buffer_front(&pieces),
			rpc_buffer_left(&whole)) == 0);
	rpc_buffer_fini(&whole);
	rpc_buffer_fini(&pieces);
	server_fini(&server);
	uplink_fini(&uplink);
	require(n_forgotten == 2 && server.inflow.granted == 0);
	loop_fini(&loop);
	(void)close(fds[0]);
	return 0;
}
