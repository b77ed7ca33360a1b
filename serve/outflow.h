/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * outflow.h: the bound on what all clients of a process together make it hold that they do not read.
 *
 * Runs in worker and view. Each connection says how much waits for it (replies, events, data of streams).
 * Up to OUTFLOW_FREE is everybody's own. Beyond that they share OUTFLOW_MAX; when it is exceeded, the
 * connection has to go that has gone longest without reading all that waited for it at some moment,
 * and so on until the rest fits: who reads nothing, or a byte a second, and not who reads.
 */
#ifndef SERVE_OUTFLOW_H
#define SERVE_OUTFLOW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum {
	OUTFLOW_FREE = 64 * 1024,        /* bytes, of every connection */
	OUTFLOW_MAX = 256 * 1024 * 1024, /* bytes, of all that hold more, together */
	OUTFLOW_DESCRIPTOR = 256 * 1024  /* bytes that a descriptor on its way counts for */
};

/** Embedded in a connection; zeroed holds nothing. */
struct outflow_share {
	TAILQ_ENTRY(outflow_share) entry;
	size_t size;  /* bytes; 0: not more than OUTFLOW_FREE, and in no list */
	uint64_t due; /* when its client has read so far, it has read what waited then */
};

TAILQ_HEAD(outflow_shares, outflow_share);

struct outflow {
	size_t held;                  /* bytes: the sum of all shares */
	struct outflow_shares shares; /* in the order in which `due` was set */
	/* Has to go: it is no share any more, and its owner lets go of what it holds. */
	void (*evicted)(struct outflow_share *share);
};

void outflow_init(struct outflow *outflow, void (*evicted)(struct outflow_share *share));
/**
 * The connection holds that much now, its client has read the first `read` bytes of all that it was
 * ever sent, and `end` bytes are ready. evicted() may be called, for this share too.
 */
void outflow_set(struct outflow *outflow, struct outflow_share *share, size_t size, uint64_t read,
	uint64_t end);
/** It holds nothing any more. */
void outflow_release(struct outflow *outflow, struct outflow_share *share);

#endif
