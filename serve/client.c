/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.c: one connection of a client; see client.h.
 *
 * A connection is ended in three places only: where its own turn of the loop finds that it is
 * over (client_ready, client_proceed), by its timer, and by the server. In between, functions say
 * so by returning false, and nothing of the client is touched after that.
 */
#include "serve/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/fd.h"
#include "lib/foreign.h"
#include "lib/log.h"
#include "lib/pass.h"
#include "lib/take.h"
#include "protocol/rpc/frame.h"
#include "serve/descriptors.h"
#include "serve/dispatch.h"
#include "serve/server.h"

/* What may wait in either direction. A reader never holds more than one unfinished packet beside
 * what came with one receive; replies stop being made at CLIENT_OUTPUT_ENOUGH, and the last one,
 * and those that were waited for, may be large. */
static const size_t INPUT_MAX = RPC_FRAME_MAX + RPC_FDS_MAX + SERVER_READ_MAX;
static const size_t OUTPUT_MAX = (size_t)2 * RPC_FRAME_MAX;

static bool
may_serve(const struct client *client)
{
	return !client->closing && !client->lost && !client->server->draining &&
	       client->n_later < CLIENT_LATER_MAX && !client->streams.stuck &&
	       rpc_buffer_left(&client->out) < CLIENT_OUTPUT_ENOUGH;
}

/* --- input -------------------------------------------------------------------------------- */

/* The descriptors of a packet that ends before the byte `at` of the stream. */
static bool
take_descriptors(struct client *client, uint64_t at, unsigned n, int *fds)
{
	descriptors_drop(&client->descriptors, at);
	for (unsigned i = 0; i < n; i++) {
		fds[i] = descriptors_take(&client->descriptors, at + i);
		if (fds[i] < 0)
			return false;
	}
	return true;
}

/*
 * Serve one packet of that length, and its descriptors if all of size bytes suffice for them.
 * *ret_used is what it took, 0 when more has to arrive. Returns false when the connection is over.
 */
static bool
serve_packet(
	struct client *client, const uint8_t *data, size_t length, size_t size, size_t *ret_used)
{
	struct rpc_frame frame;
	int fds[RPC_FDS_MAX];
	bool ok;

	rpc_header_read(data + RPC_LENGTH_SIZE, &frame.header);
	/* Nobody asked a client anything: a reply is dropped, and has no descriptors. */
	if (frame.header.type == RPC_REPLY_WITH_FDS) {
		*ret_used = length;
		return true;
	}
	if (rpc_frame_read(data, length, &frame) != 0)
		return false;
	if (frame.n_fds > size - length)
		return true;
	for (unsigned i = 0; i < frame.n_fds; i++)
		fds[i] = -1;
	ok = take_descriptors(client, client->served + length, frame.n_fds, fds) &&
	     dispatch_frame(client, &frame, fds);
	for (unsigned i = 0; i < frame.n_fds; i++)
		fd_close(&fds[i]);
	*ret_used = length + frame.n_fds;
	return ok;
}

/* Serve whole packets as long as the client may be served. Returns false when it is over. */
static bool
serve(struct client *client, const uint8_t *data, size_t size, size_t *ret_used)
{
	size_t used = 0, length, n = 1;

	client->expected = 0;
	while (n > 0 && may_serve(client)) {
		int r = rpc_frame_length(data + used, size - used, &length);

		if (r == RPC_FRAME_E_MORE)
			break;
		if (r != 0)
			return false;
		n = 0;
		if (length <= size - used &&
			!serve_packet(client, data + used, length, size - used, &n))
			return false;
		if (n == 0)
			client->expected = length;
		used += n;
		client->served += n;
	}
	*ret_used = used;
	return true;
}

/* After serving: a large unfinished packet needs a claim, and only that. */
static void
settle_claim(struct client *client)
{
	struct inflow *inflow = &client->server->inflow;

	if (client->claim.state != INFLOW_NONE && client->claim.size != client->expected)
		inflow_release(inflow, &client->claim);
	if (client->claim.state == INFLOW_NONE && client->expected > INFLOW_FREE)
		(void)inflow_ask(inflow, &client->claim, client->expected);
}

/* Serve what was received before. Returns false when the connection is over. */
static bool
serve_waiting(struct client *client)
{
	size_t used;

	if (rpc_buffer_left(&client->in) == 0 || !may_serve(client))
		return true;
	if (!serve(client, rpc_buffer_front(&client->in), rpc_buffer_left(&client->in), &used))
		return false;
	rpc_buffer_drop(&client->in, used);
	if (rpc_buffer_left(&client->in) == 0)
		rpc_buffer_fini(&client->in);
	settle_claim(client);
	return true;
}

/* Serve what has just been received; what stays is kept. Returns false when it is over. */
static bool
serve_received(struct client *client, const uint8_t *data, size_t size)
{
	bool waiting = rpc_buffer_left(&client->in) > 0;
	size_t used = 0;
	uint8_t *kept;

	if (!waiting && !serve(client, data, size, &used))
		return false;
	if (used < size) {
		kept = rpc_buffer_grow(&client->in, size - used);
		if (!kept)
			return false;
		memcpy(kept, data + used, size - used);
	}
	if (waiting)
		return serve_waiting(client);
	settle_claim(client);
	return true;
}

static void
heard(struct client *client)
{
	uint64_t now = loop_now(client->server->loop);

	rpc_keepalive_heard(&client->keepalive, now);
	inflow_heard(&client->claim, now);
}

/* Receive once, and serve. Returns false when the connection is over. */
static bool
receive(struct client *client)
{
	uint8_t *data = client->server->input;
	uint64_t first = client->served + rpc_buffer_left(&client->in);
	int fd;
	ssize_t n = descriptors_recv(client->fd, data, SERVER_READ_MAX, &fd);

	if (n == -EAGAIN || n == -EINTR)
		return true;
	if (n <= 0)
		return false;
	if (fd >= 0 &&
		descriptors_put(&client->descriptors, first, first + (uint64_t)n - 1, fd) != 0)
		return false;
	heard(client);
	return serve_received(client, data, (size_t)n);
}

/* --- output ------------------------------------------------------------------------------- */

/* Send what is queued, as far as the socket takes it. Returns false when the peer has gone. */
static bool
flush(struct client *client)
{
	size_t left, size;
	ssize_t n;
	int fd;

	while ((left = rpc_buffer_left(&client->out)) > 0) {
		const uint8_t *data = rpc_buffer_front(&client->out);

		size = departing_next(&client->departing, client->sent, left, &fd);
		n = fd >= 0 ? pass_fd(client->fd, data, size, fd)
			    : send(client->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		/* Too many on their way, of this user's: they are read, or she is not served. */
		if (n < 0 && fd >= 0)
			return n == -EAGAIN;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (fd >= 0)
			departing_gone(&client->departing);
		client->sent += (size_t)n;
		rpc_buffer_drop(&client->out, (size_t)n);
		if ((size_t)n < size)
			return true;
	}
	rpc_buffer_fini(&client->out);
	return true;
}

/* Is there nothing left to be done for a connection that is to be closed? */
static bool
is_over(const struct client *client)
{
	bool leaving = client->closing || (client->server->draining && client->n_later == 0);

	return client->lost || (leaving && rpc_buffer_left(&client->out) == 0);
}

/* Watch for what can be served now. */
static void
watch(struct client *client)
{
	client_weigh(client);
	bool in = may_serve(client) && client->claim.state != INFLOW_WAITING;
	bool out = rpc_buffer_left(&client->out) > 0;

	io_set(&client->io, (in ? EPOLLIN : 0u) | (out ? EPOLLOUT : 0u));
}

/* Send and serve in turns, until the socket is full or the input is used up. */
static bool
proceed(struct client *client)
{
	for (;;) {
		if (!flush(client))
			return false;
		if (rpc_buffer_left(&client->out) > 0)
			break;
		if (!serve_waiting(client))
			return false;
		client_streams_send(client);
		if (rpc_buffer_left(&client->out) == 0)
			break;
	}
	return !is_over(client);
}

/* The connection is over; what was served before that is still told. */
static void
finish(struct client *client)
{
	(void)flush(client);
	client_end(client);
}

void
client_proceed(struct client *client)
{
	if (proceed(client))
		watch(client);
	else
		finish(client);
}

static void
client_ready(struct io *io, uint32_t events)
{
	struct client *client = container_of(io, struct client, io);

	/* That the peer has gone is seen by reading to the end, also when it was not to be read. */
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !receive(client))
		finish(client);
	else
		client_proceed(client);
}

/* --- keepalive ---------------------------------------------------------------------------- */

static void
pulse(struct timer *timer)
{
	struct client *client = container_of(timer, struct client, pulse);
	struct loop *loop = client->server->loop;
	uint8_t *ping;

	/* Who is not read cannot be heard. */
	if (!(client->io.events & EPOLLIN))
		rpc_keepalive_heard(&client->keepalive, loop_now(loop));
	switch (rpc_keepalive_check(&client->keepalive, loop_now(loop))) {
	case RPC_KEEPALIVE_WAIT:
		break;
	case RPC_KEEPALIVE_SEND_PING:
		ping = rpc_buffer_grow(&client->out, RPC_FRAME_MIN);
		if (ping)
			rpc_keepalive_frame(RPC_KEEPALIVE_PING, ping);
		server_touch(client->server, client);
		break;
	case RPC_KEEPALIVE_CLOSE:
		log_debug("conn=%" PRIu64 " uid=%" PRIu32 " answers no ping", client->conn.id,
			client->uid);
		client_end(client);
		return;
	}
	timer_set(loop, timer, client->keepalive.due_ns, pulse);
}

void
client_arm_keepalive(struct client *client)
{
	struct loop *loop = client->server->loop;

	rpc_keepalive_arm(&client->keepalive, loop_now(loop));
	if (!timer_is_set(&client->pulse))
		timer_set(loop, &client->pulse, client->keepalive.due_ns, pulse);
}

/* --- answers that wait, claims ------------------------------------------------------------ */

void
client_await(struct client *client, struct rpc_call *call)
{
	LIST_INSERT_HEAD(&client->later, call, entry);
	client->n_later++;
	call_wait(call, client->server);
}

void
client_answer_later(struct client *client, struct rpc_call *call, enum rpc_handled handled)
{
	LIST_REMOVE(call, entry);
	client->n_later--;
	if (!dispatch_reply(client, call, (int)handled))
		client->closing = true;
	server_touch(client->server, client);
}

void
client_weigh(struct client *client)
{
	size_t size = client->out.capacity + client_streams_weight(&client->streams) +
		      client->departing.n * (size_t)OUTFLOW_DESCRIPTOR;

	outflow_set(&client->server->outflow, &client->share, client->lost ? 0 : size, client->sent,
		client->sent + rpc_buffer_left(&client->out));
}

void
client_evicted(struct outflow_share *share)
{
	struct client *client = container_of(share, struct client, share);

	log_warning("conn=%" PRIu64 " uid=%" PRIu32
		    " does not read what waits for it, and all connections together hold "
		    "more than %d MiB: closed",
		client->conn.id, client->uid, OUTFLOW_MAX / (1024 * 1024));
	client->lost = true;
	rpc_buffer_fini(&client->out);
	departing_fini(&client->departing);
	server_touch(client->server, client);
}

void
client_claim_granted(struct inflow_claim *claim)
{
	watch(container_of(claim, struct client, claim));
}

void
client_claim_stalled(struct inflow_claim *claim)
{
	struct client *client = container_of(claim, struct client, claim);

	log_warning("conn=%" PRIu64 " uid=%" PRIu32
		    " announced a packet of %zu bytes, sent none of "
		    "it for %d s, and others wait for the room: closed",
		client->conn.id, client->uid, claim->size, INFLOW_STALL_S);
	client_end(client);
}

/* --- begin and end ------------------------------------------------------------------------ */

int
client_start(struct server *server, const struct ipc_conn_pass *pass, int fd)
{
	struct client *client = calloc(1, server->ops->client_size);
	int r = client ? 0 : -ENOMEM;

	if (r == 0)
		r = io_start(server->loop, &client->io, fd, EPOLLIN, 0, client_ready);
	if (r < 0) {
		free(client);
		fd_close(&fd);
		return r;
	}
	client->server = server;
	client->conn.id = pass->conn_id;
	client->fd = fd;
	/* The broker let none wait in the queue of what it accepts; here they are read. */
	foreign_allow(fd);
	client->uid = pass->uid;
	client->verbs = pass->verbs;
	rpc_buffer_init(&client->in, INPUT_MAX);
	rpc_buffer_init(&client->out, OUTPUT_MAX);
	LIST_INIT(&client->later);
	client_streams_init(&client->streams);
	LIST_INSERT_HEAD(&server->clients, client, entry);
	if (server->n_clients++ == 0)
		server->occupied(server, true);
	log_debug("conn=%" PRIu64 " uid=%" PRIu32 " pid=%" PRIu32 " is served", client->conn.id,
		client->uid, pass->pid);
	return 0;
}

void
client_end(struct client *client)
{
	struct server *server = client->server;
	struct rpc_call *call;

	/* Whoever works for the client goes on, and answers nobody. */
	while ((call = LIST_FIRST(&client->later))) {
		LIST_REMOVE(call, entry);
		call->client = NULL;
	}
	client_streams_fini(&client->streams);
	server->ops->ended(client);
	if (client->touched)
		LIST_REMOVE(client, touched_entry);
	timer_stop(&client->pulse);
	io_stop(&client->io);
	fd_close(&client->fd);
	descriptors_drop(&client->descriptors, UINT64_MAX);
	departing_fini(&client->departing);
	rpc_buffer_fini(&client->in);
	rpc_buffer_fini(&client->out);
	subscriptions_fini(&client->subscriptions);
	free(take_ptr(client->uri));
	free(take_ptr(client->opening));
	inflow_release(&server->inflow, &client->claim);
	outflow_release(&server->outflow, &client->share);
	LIST_REMOVE(client, entry);
	log_debug("conn=%" PRIu64 " uid=%" PRIu32 " has ended", client->conn.id, client->uid);
	uplink_gone(server->uplink, &client->conn);
	if (--server->n_clients == 0)
		server->occupied(server, false);
}

void
client_free(struct client *client)
{
	free(client);
}
