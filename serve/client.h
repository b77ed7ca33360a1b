/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.h: one connection of a client: bytes in, packets, replies out.
 *
 * Runs in worker and view; the only place that reads a client's socket. What it may do is what the
 * broker says (rights.h); nothing a client sends adds to it.
 *
 * Reading goes in batches: one receive, all whole packets in it, one send. An idle connection
 * holds no buffer. Nothing is read while more than OUTPUT_ENOUGH bytes wait to be sent, while
 * LATER_MAX calls wait for their answer, while a large packet waits for room (inflow.h), or while
 * the other end of a stream does not take what the client sent: a client that does not read, or
 * asks too much at once, waits, and only that client.
 */
#ifndef SERVE_CLIENT_H
#define SERVE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/loop.h"
#include "lib/uplink.h"
#include "protocol/rpc/keepalive.h"
#include "serve/call.h"
#include "serve/inflow.h"
#include "serve/outflow.h"
#include "serve/rights.h"
#include "serve/stream.h"
#include "serve/subscription.h"
#include "serve/wire.h"

struct server;

enum {
	CLIENT_OUTPUT_ENOUGH = 1024 * 1024,
	CLIENT_LATER_MAX = 32,
	CLIENT_FAREWELL_S = 10, /* as long who may do nothing any more can ask why */
	CLIENT_PARTING_S = 1    /* as long who was told that her streams end can read that */
};

struct client {
	struct server *server;
	LIST_ENTRY(client) entry;
	struct uplink_conn conn;
	struct io io;
	struct wire wire;
	uint32_t uid; /* who connected */
	struct rights rights;
	char *uri;     /* that was opened; NULL: none yet */
	char *opening; /* the URI of a CONNECT_OPEN that is not answered yet */
	bool closing;  /* end when all is sent: the client said so, or has been told */
	bool lost;     /* too much waits for it that it does not read: end now */
	bool bereft;   /* its streams have ended with the server's, and it was told */
	bool parting;  /* all is said, and nothing read: it may end the connection itself */

	struct outflow_share share; /* of what waits to be read */
	struct inflow_claim claim;

	struct rpc_keepalive keepalive;
	struct timer pulse;    /* runs when keepalive is armed */
	struct timer farewell; /* runs when the client may do nothing any more, or is parting */

	struct rpc_calls later; /* calls that are answered later */
	unsigned n_later;
	bool touched;
	LIST_ENTRY(client) touched_entry; /* of the server's touched clients */

	struct client_streams streams;
	struct subscriptions subscriptions;
};

LIST_HEAD(clients, client);

/**
 * Serve a connection that the broker passed. fd is owned from here on, also on failure. Returns 0
 * or a negative errno.
 */
int client_start(struct server *server, const struct ipc_conn_pass *pass, int fd);
/** End the connection now. The object lives until the broker has been told. */
void client_end(struct client *client);
/** Release an ended connection. */
void client_free(struct client *client);

/**
 * The broker has decided anew what the client may do. Calls that were begun are finished and
 * answered; but no stream opens and no descriptor goes that the client may not have any more, and
 * open streams of that kind end, with code 29 and the reason, without what was waiting in them. With
 * nothing left it hears of no event any more; calls that wait, and the next one, are answered with
 * code 29 and the reason, and then, or after CLIENT_FAREWELL_S seconds, the connection is closed.
 */
void client_change(struct client *client, const struct ipc_ticket_change *change);

/** Send what is queued, serve what waits, end what is over. Call it outside of any handler. */
void client_proceed(struct client *client);
/**
 * The server drains: its streams end, and so does the connection as soon as nothing is left to be
 * sent; who was told of streams may close it first, for CLIENT_PARTING_S seconds. Call it outside of
 * any handler.
 */
void client_leave(struct client *client);

/** The client asked for keepalive: it answers pings from now on. */
void client_arm_keepalive(struct client *client);
/** This call is answered later: client_answer_later() queues its reply and takes it off again. */
void client_await(struct client *client, struct rpc_call *call);
void client_answer_later(struct client *client, struct rpc_call *call, enum rpc_handled handled);

/** Tell the server how much waits for the client to read it. */
void client_weigh(struct client *client);
/** The owner of a share (outflow.h): too much waits, and its client has read least. */
void client_evicted(struct outflow_share *share);

/** The owner of a claim (inflow.h): it may go on; it stalls. */
void client_claim_granted(struct inflow_claim *claim);
void client_claim_stalled(struct inflow_claim *claim);

#endif
