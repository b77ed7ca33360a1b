/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keepalive.h: when to ping a silent client, and when to give it up.
 *
 * Pure; runs in worker and view. A client that asked for feature 10 answers pings; others must
 * never be sent one (a client without an event loop disconnects). After 5 s of silence it is
 * pinged, again after each further 5 s, five times; 5 s after the last it is gone. Anything that
 * arrives starts anew. All that is kept is one deadline: hearing from a client moves the deadline
 * and not the timer, so the owner's timer may find that there is nothing to do yet.
 */
#ifndef PROTOCOL_RPC_KEEPALIVE_H
#define PROTOCOL_RPC_KEEPALIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/rpc/frame.h"

enum { RPC_KEEPALIVE_INTERVAL_S = 5, RPC_KEEPALIVE_COUNT = 5 }; /* libvirtd's defaults */

enum rpc_keepalive_procedure { RPC_KEEPALIVE_PING = 1, RPC_KEEPALIVE_PONG = 2 };

enum rpc_keepalive_action {
	RPC_KEEPALIVE_WAIT = 1,  /* nothing now; come back at due_ns */
	RPC_KEEPALIVE_SEND_PING, /* and come back at due_ns */
	RPC_KEEPALIVE_CLOSE      /* the client is gone */
};

/** Zeroed is not armed. */
struct rpc_keepalive {
	uint64_t due_ns; /* CLOCK_MONOTONIC; 0: not armed */
	uint32_t pings;  /* sent since it was last heard */
};

/** The client has asked for feature 10. Asking again changes nothing. */
void rpc_keepalive_arm(struct rpc_keepalive *keepalive, uint64_t now_ns);
/** A packet has arrived, of any kind. */
void rpc_keepalive_heard(struct rpc_keepalive *keepalive, uint64_t now_ns);
/** The timer that was set for due_ns (of then) has fired; only when armed. */
enum rpc_keepalive_action rpc_keepalive_check(struct rpc_keepalive *keepalive, uint64_t now_ns);

/** Is this a keepalive message (to be taken out before any dispatch)? A call is not one. */
bool rpc_keepalive_is(const struct rpc_header *header);
/** The packet of a ping or pong: serial 0, no payload. */
void rpc_keepalive_frame(enum rpc_keepalive_procedure procedure, uint8_t ret_frame[RPC_FRAME_MIN]);

#endif
