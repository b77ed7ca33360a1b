/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * leaves.h: the broker's asks about VMs' leaves: which are there (LEAF_NEXT), end one (LEAF_END),
 * change what it was granted (LEAF_LIMIT), have it stand still (LEAF_FREEZE).
 *
 * Runs in qemud-launch, as root. A VM may have been started by an earlier starter; its leaf is what
 * finds and ends it. Nobody waits for processes that take their time to end: an ask does, for a
 * second at most.
 */
#ifndef BROKER_LAUNCH_LEAVES_H
#define BROKER_LAUNCH_LEAVES_H

#include <stdbool.h>
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
	enum ipc_gone how;
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
	bool enforce;       /* what cannot be limited is not granted */
	struct sweep *left; /* its VMs from n_told on are still to be told */
	size_t n_told;
	struct leaf_end ends[LINK_ASKS_MAX];
	LIST_HEAD(leaf_stays, leaf_stay) stays;
};

/**
 * Everything is borrowed; left is released when all of it has been told. With enforce a VM is not
 * granted what cannot be limited here.
 */
void leaves_init(struct leaves *leaves, struct loop *loop, struct link *link,
	const struct ledger *ledger, bool enforce, struct sweep *left);

/** Write down what is granted, and hold the new leaf to it. Returns 0 or a negative errno. */
int leaves_grant(const struct leaves *leaves, int leaf_fd, const struct ipc_grant *grant);

/**
 * Answer LEAF_NEXT. Returns 0, or a negative errno to answer with: -ENOENT when all have been told;
 * any other is about resources of the starter's, and the next one is looked at again when asked
 * again.
 */
int leaves_next(struct leaves *leaves, uint32_t serial);

/** Answer LEAF_END, now or later. Returns 0, or a negative errno to answer with. */
int leaves_end(struct leaves *leaves, uint32_t serial, const struct ipc_leaf *vm);

/** Change it. Returns 0, or a negative errno to answer with; the note is the old one then. */
int leaves_limit(struct leaves *leaves, const struct ipc_leaf *vm, const struct ipc_grant *grant);
/** Have it stand still, or go on. Returns 0, or a negative errno to answer with. */
int leaves_freeze(struct leaves *leaves, const struct ipc_leaf *vm, bool on);

/** A process in a leaf has ended, which may be the last: answer those who wait for that. */
void leaves_look(struct leaves *leaves);

#endif
