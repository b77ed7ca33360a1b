/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net_link.h: the worker's end of the control of a relay (worker/net/control.h).
 *
 * Runs in the worker, as the user. Knows what is said, not why; one ask at a time. Sending never
 * waits: descriptors are held only until they are sent.
 */
#ifndef WORKER_QEMU_NET_LINK_H
#define WORKER_QEMU_NET_LINK_H

#include "lib/loop.h"
#include "worker/net/control.h"
#include "worker/net/counters.h"

struct net_link;

struct net_link_ops {
	/*
	 * It is open, with the counters (serial is 0), or an answer has come (serial is not 0), or
	 * something has changed. sides[] is in the struct. Called from the loop.
	 */
	void (*report)(struct net_link *net, const struct net_report *report);
	/*
	 * The connection is over and stopped: the relay has ended, or said what no relay says (why is
	 * NULL in the first case). Called once, from the loop.
	 */
	void (*end)(struct net_link *net, const char *why);
};

struct net_link {
	struct loop *loop; /* NULL: never started */
	const struct net_link_ops *ops;
	struct io io;
	int sock;                            /* owned; -1 when over */
	const struct net_counters *counters; /* NULL until it is open */
	uint8_t sides[NET_PORTS_MAX];        /* as last reported */
	uint32_t last_serial;
	uint32_t asked;    /* serial of the open ask; 0: none */
	uint32_t counting; /* that is for the counters: it is not open yet */
};

/** Serve the connection (taken over, also on failure). Returns 0 or a negative errno. */
int net_link_start(
	struct net_link *net, struct loop *loop, int sock, const struct net_link_ops *ops);
/** Let go of it; the relay goes on. Nothing happens when it is over. */
void net_link_stop(struct net_link *net);

/** Has it been answered what was asked, so that something can be asked? */
bool net_link_is_free(const struct net_link *net);
/**
 * Ask; the descriptors stay the caller's, who closes them. Only when it is free. Returns 0, and
 * report() has the answer; or a negative errno (-EPIPE: end() follows).
 */
int net_link_ask(struct net_link *net, enum net_ask_type type, unsigned port, const int *fds,
	unsigned n_fds);

#endif
