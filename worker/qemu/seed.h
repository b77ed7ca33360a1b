/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seed.h: the worker's end of a seed: a plan and its descriptors go in, a program runs.
 *
 * Runs in the worker, as the user. A seed is a qemud-box that waits on the other end of a socket
 * which came from the broker; worker/box/plan.h says what is sent and answered. Sending never
 * waits; descriptors are held only until they are sent.
 */
#ifndef WORKER_QEMU_SEED_H
#define WORKER_QEMU_SEED_H

#include "lib/loop.h"
#include "worker/box/plan.h"

struct seed_link;

struct seed_link_ops {
	/*
	 * It is over and stopped. answer->ok: the program runs, and has what it was given. If not,
	 * answer->why says what failed, and nothing runs. Called once, from the loop; the struct
	 * must live until this returns.
	 */
	void (*end)(struct seed_link *seed, const struct plan_answer *answer);
};

struct seed_link {
	struct loop *loop; /* NULL: never started */
	const struct seed_link_ops *ops;
	struct io io;
	int sock;    /* owned; -1 when over */
	int plan_fd; /* owned, as all those that wait to be sent */
	unsigned n_fds, n_sent;
	int fds[PLAN_FDS_MAX + 1]; /* the log first */
	bool said_all;
	struct plan_answer answer; /* ok: the exec is to follow */
};

/**
 * Send a plan over sock with its log and as many descriptors as it has. All of them, and sock, are
 * taken over, also on failure. The struct is zeroed or stopped. There is no deadline here but the
 * box's own; the owner has one.
 * Returns 0, -ENOMEM, another negative errno, or PLAN_E_BAD for a plan that no box would take.
 */
int seed_link_start(struct seed_link *seed, struct loop *loop, int sock, const struct plan *plan,
	int log_fd, const int *fds, const struct seed_link_ops *ops);
/** Let go of it: a box that has not heard all ends by itself. Nothing happens when it is over. */
void seed_link_stop(struct seed_link *seed);

#endif
