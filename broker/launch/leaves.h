/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * leaves.h: the broker's asks about VMs' leaves: which are there (LEAF_NEXT), end one (LEAF_END).
 *
 * Runs in qemud-launch, as root. A VM may have been started by an earlier starter; its leaf is what
 * finds and ends it. Nobody waits for processes that take their time to end: an ask does, for a
 * second at most.
 */
#ifndef BROKER_LAUNCH_LEAVES_H
#define BROKER_LAUNCH_LEAVES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "broker/launch/ledger.h"
#include "broker/launch/sweep.h"
#include "lib/link.h"
#include "lib/loop.h"

enum { LEAVES_END_MS = 1000 };

struct leaves;

struct leaf_end {
	struct leaves *leaves;
	uint32_t serial; /* of the ask; 0: unused */
	struct ipc_leaf vm;
	int events_fd; /* cgroup.events of the leaf; owned */
	struct io changed;
	struct timer late;
};

/* A VM that was told without a process: somebody is in its leaf, and it cannot be told who. */
struct leaf_stay {
	LIST_ENTRY(leaf_stay) next;
	int events_fd; /* as above */
	int alive_fd;  /* owned; its other end, the broker's, ends with it */
	struct io changed;
	struct deferred freeing;
};

struct leaves {
	struct loop *loop;
	struct link *link;
	const struct ledger *ledger;
	struct sweep *left; /* its VMs from n_told on are still to be told */
	size_t n_told;
	struct leaf_end ends[LINK_ASKS_MAX];
	LIST_HEAD(leaf_stays, leaf_stay) stays;
};

/** Everything is borrowed; left is released when all of it has been told. */
void leaves_init(struct leaves *leaves, struct loop *loop, struct link *link,
	const struct ledger *ledger, struct sweep *left);

/**
 * Answer LEAF_NEXT. Returns 0, or a negative errno to answer with: -ENOENT when all have been told;
 * any other is about resources of the starter's, and the next one is looked at again when asked
 * again.
 */
int leaves_next(struct leaves *leaves, uint32_t serial);

/** Answer LEAF_END, now or later. Returns 0, or a negative errno to answer with. */
int leaves_end(struct leaves *leaves, uint32_t serial, const struct ipc_leaf *vm);

/** A leaf may have been removed: answer those who wait for that. */
void leaves_look(struct leaves *leaves);

#endif
