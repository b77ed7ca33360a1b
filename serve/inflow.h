/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inflow.h: the bound on what all clients of a process together make it hold of unfinished packets.
 *
 * Runs in worker and view. A packet of more than INFLOW_FREE bytes needs a claim on its announced
 * length before its connection is read any further; a claim that finds no room waits in line. So
 * whoever has a claim can always finish, and nobody waits for somebody who waits. A holder that
 * sends nothing for INFLOW_STALL_S seconds while others wait is told that it stalls, and is to be
 * closed: announcing much and sending nothing shuts nobody out for longer.
 */
#ifndef SERVE_INFLOW_H
#define SERVE_INFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/loop.h"
#include "protocol/rpc/frame.h"

enum {
	INFLOW_FREE = 64 * 1024, /* bytes that every connection may hold without a claim */
	INFLOW_MAX = 2 * RPC_FRAME_MAX,
	INFLOW_STALL_S = 30
};

enum inflow_state { INFLOW_NONE = 0, INFLOW_WAITING, INFLOW_GRANTED };

/** Embedded in a connection; zeroed is no claim. */
struct inflow_claim {
	TAILQ_ENTRY(inflow_claim) entry;
	size_t size;
	uint64_t heard_ns;
	enum inflow_state state;
};

TAILQ_HEAD(inflow_claims, inflow_claim);

struct inflow_ops {
	/* A claim that waited is granted. */
	void (*granted)(struct inflow_claim *claim);
	/* The holder stalls: to be released, from within if it likes. */
	void (*stalled)(struct inflow_claim *claim);
};

struct inflow {
	struct loop *loop;
	const struct inflow_ops *ops;
	size_t granted; /* bytes */
	struct inflow_claims holders, waiting;
	struct timer watch; /* runs while somebody waits */
};

void inflow_init(struct inflow *inflow, struct loop *loop, const struct inflow_ops *ops);
/**
 * Claim room for a packet of size bytes, at most INFLOW_MAX. Returns whether it is granted now;
 * if not, granted() follows.
 */
bool inflow_ask(struct inflow *inflow, struct inflow_claim *claim, size_t size);
/** Something arrived on the holder's connection. */
static inline void
inflow_heard(struct inflow_claim *claim, uint64_t now_ns)
{
	claim->heard_ns = now_ns;
}
/** Give up a claim, granted or waiting; nothing happens when there is none. */
void inflow_release(struct inflow *inflow, struct inflow_claim *claim);

#endif
