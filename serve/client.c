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
#include <sys/socket.h>

#include "lib/fd.h"
#include "lib/foreign.h"
#include "lib/log.h"
#include "lib/take.h"
#include "protocol/rpc/frame.h"
#include "serve/dispatch.h"
#include "serve/server.h"

/* What may wait in either direction. A reader never holds more than one unfinished packet beside
 * what came with one receive; replies stop being made at CLIENT_OUTPUT_ENOUGH, and the last one,
 * and those that were waited for, may be large. */
static const size_t OUTPUT_MAX = (size_t)2 * RPC_FRAME_MAX;

static bool
may_serve(const struct client *client)
{
	return !client->closing && !client->lost && !client->server->draining &&
	       client->n_later < CLIENT_LATER_MAX && !client->streams.stuck &&
	       rpc_buffer_left(&client->wire.out) < CLIENT_OUTPUT_ENOUGH;
}

/* --- input -------------------------------------------------------------------------------- */

static bool
wire_may_serve(struct wire *wire)
{
	return may_serve(container_of(wire, struct client, wire));
}

static bool
wire_serve(struct wire *wire, const struct rpc_frame *frame, int *fds)
{
	return dispatch_frame(container_of(wire, struct client, wire), frame, fds);
}

/* Nobody asked a client anything: replies are dropped. */
static const struct wire_ops wire_ops = {
	.may_serve = wire_may_serve, .serve = wire_serve, .with_fds = RPC_CALL_WITH_FDS};

/* After serving: a large unfinished packet needs a claim, and only that. */
static void
settle_claim(struct client *client)
{
	struct inflow *inflow = &client->server->inflow;

	if (client->claim.state != INFLOW_NONE && client->claim.size != client->wire.expected)
		inflow_release(inflow, &client->claim);
	if (client->claim.state == INFLOW_NONE && client->wire.expected > INFLOW_FREE)
		(void)inflow_ask(inflow, &client->claim, client->wire.expected);
}

/* Serve what was received before. Returns false when the connection is over. */
static bool
serve_waiting(struct client *client)
{
	if (!wire_serve_waiting(&client->wire))
		return false;
	settle_claim(client);
	return true;
}

/* Receive once, and serve. Returns false when the connection is over. */
static bool
receive(struct client *client)
{
	uint64_t now = loop_now(client->server->loop);
	bool heard;

	if (!wire_receive(&client->wire, client->server->input, SERVER_READ_MAX, &heard))
		return false;
	if (heard) {
		rpc_keepalive_heard(&client->keepalive, now);
		inflow_heard(&client->claim, now);
	}
	settle_claim(client);
	return true;
}

/* --- output ------------------------------------------------------------------------------- */

/* Is there nothing left to be done for a connection that is to be closed? */
static bool
is_over(const struct client *client)
{
	bool leaving = client->closing || (client->server->draining && client->n_later == 0);

	return client->lost || (leaving && rpc_buffer_left(&client->wire.out) == 0);
}

/* Watch for what can be served now. */
static void
watch(struct client *client)
{
	const struct server_ops *ops = client->server->ops;

	if (ops->room && rpc_buffer_left(&client->wire.out) < CLIENT_OUTPUT_ENOUGH)
		ops->room(client);
	client_weigh(client);
	bool in = may_serve(client) && client->claim.state != INFLOW_WAITING;
	bool out = rpc_buffer_left(&client->wire.out) > 0;

	io_set(&client->io, (in ? EPOLLIN : 0u) | (out ? EPOLLOUT : 0u));
}

/* Send and serve in turns, until the socket is full or the input is used up. */
static bool
proceed(struct client *client)
{
	for (;;) {
		if (!wire_flush(&client->wire))
			return false;
		if (rpc_buffer_left(&client->wire.out) > 0)
			break;
		if (!serve_waiting(client))
			return false;
		client_streams_send(client);
		if (rpc_buffer_left(&client->wire.out) == 0)
			break;
	}
	return !is_over(client);
}

/* The connection is over; what was served before that is still told. */
static void
finish(struct client *client)
{
	(void)wire_flush(&client->wire);
	client_end(client);
}

static void
farewell_due(struct timer *timer)
{
	client_end(container_of(timer, struct client, farewell));
}

/*
 * It was told that its streams have ended, and reads that before it hears that the connection has:
 * libvirt's client drops unread what came before a hangup (virNetClientIncomingEvent), and a console
 * would then wait for what never comes. Returns false when there is nobody to wait for.
 */
static bool
part(struct client *client)
{
	struct loop *loop = client->server->loop;

	if (client->parting)
		return true;
	if (!client->bereft || client->lost || rpc_buffer_left(&client->wire.out) > 0 ||
		shutdown(client->wire.fd, SHUT_WR) < 0)
		return false;
	client->parting = true;
	/* Its end alone is heard. */
	io_set(&client->io, 0);
	timer_set(loop, &client->farewell, loop_now(loop) + LOOP_S(CLIENT_PARTING_S), farewell_due);
	return true;
}

void
client_proceed(struct client *client)
{
	if (proceed(client))
		watch(client);
	else if (!part(client))
		finish(client);
}

void
client_leave(struct client *client)
{
	client->bereft = client_streams_leave(&client->streams);
	client_proceed(client);
}

static void
client_ready(struct io *io, uint32_t events)
{
	struct client *client = container_of(io, struct client, io);

	/* That the peer has gone is seen by reading to the end, also when it was not to be read. */
	if (client->parting)
		client_end(client);
	else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !receive(client))
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
		ping = rpc_buffer_grow(&client->wire.out, RPC_FRAME_MIN);
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
	size_t size = client->wire.out.capacity + client_streams_weight(&client->streams) +
		      client->wire.departing.n * (size_t)OUTFLOW_DESCRIPTOR;

	outflow_set(&client->server->outflow, &client->share, client->lost ? 0 : size,
		client->wire.sent, client->wire.sent + rpc_buffer_left(&client->wire.out));
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
	rpc_buffer_fini(&client->wire.out);
	departing_fini(&client->wire.departing);
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

/* --- what it may do ----------------------------------------------------------------------- */

/* Nothing is left: whoever waits is answered. */
static void
dismiss(struct client *client)
{
	struct loop *loop = client->server->loop;
	struct rpc_call *call;

	subscriptions_fini(&client->subscriptions);
	while ((call = LIST_FIRST(&client->later))) {
		LIST_REMOVE(call, entry);
		client->n_later--;
		call->client = NULL;
		(void)rights_refuse_all(&client->rights, &call->error);
		if (rpc_error_reply(&call->error, &call->header, &client->wire.out) != 0)
			client->lost = true;
	}
	timer_set(
		loop, &client->farewell, loop_now(loop) + LOOP_S(CLIENT_FAREWELL_S), farewell_due);
}

void
client_change(struct client *client, const struct ipc_ticket_change *change)
{
	rights_change(&client->rights, change);
	client_streams_forbid(client);
	if (client->server->ops->changed)
		client->server->ops->changed(client);
	if (client->rights.verbs == 0 && !timer_is_set(&client->farewell))
		dismiss(client);
	server_touch(client->server, client);
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
	wire_init(&client->wire, &wire_ops, fd, RPC_FRAME_MAX, SERVER_READ_MAX, OUTPUT_MAX);
	/* The broker let none wait in the queue of what it accepts; here they are read. */
	foreign_allow(fd);
	client->uid = pass->uid;
	rights_init(&client->rights, pass);
	LIST_INIT(&client->later);
	client_streams_init(&client->streams);
	LIST_INSERT_HEAD(&server->clients, client, entry);
	if (server->ops->started)
		server->ops->started(client, pass);
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
	timer_stop(&client->farewell);
	io_stop(&client->io);
	wire_fini(&client->wire);
	subscriptions_fini(&client->subscriptions);
	free(take_ptr(client->uri));
	free(take_ptr(client->opening));
	/* First what may be taken from it: to give its claim to another may take from who holds most. */
	outflow_release(&server->outflow, &client->share);
	inflow_release(&server->inflow, &client->claim);
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
