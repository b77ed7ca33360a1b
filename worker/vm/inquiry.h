/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inquiry.h: what somebody wants to know of a VM that only its QEMU can tell.
 *
 * Runs in the worker, as the user. An inquiry changes nothing, so it is no op and waits in no line:
 * not behind a start, not behind a shutdown that takes its time. QEMU is asked in rounds, one at a
 * time: whoever comes while one is open shares the next, so that many clients cost QEMU no more
 * than two, and the commands that may be open for it are never used up. Every inquiry has its
 * deadline; a QEMU that has not answered for that long is not asked again until it has, and who
 * wants to know is told so at once.
 */
#ifndef WORKER_VM_INQUIRY_H
#define WORKER_VM_INQUIRY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/loop.h"

struct vm;
struct qmp_reply;

enum { INQUIRY_PATIENCE_S = 5, INQUIRY_NODES_KEPT_S = 10 };

/* The questions; a set of them has the bits 1 << question. */
enum inquiry_question {
	INQUIRY_BLOCK_STATS, /* query-blockstats */
	INQUIRY_BLOCK_NODES, /* query-named-block-nodes, flat */
	INQUIRY_BLOCK_STATE, /* query-block */
	INQUIRY_BALLOON,     /* query-balloon */
	INQUIRY_GUEST_STATS, /* qom-get of the balloon's guest-stats; only where there is a balloon */
	INQUIRY_IOTHREADS,   /* query-iothreads */
	INQUIRY_N_QUESTIONS
};

/* What QEMU has said to each, borrowed; NULL for what it was not asked, or did not answer. */
struct inquiry_answers {
	json_t *values[INQUIRY_N_QUESTIONS];
};

struct inquiry;

/**
 * Called once, from the loop. err: 0; -ETIMEDOUT, -EPIPE when its monitor or the VM is gone, or
 * -ESHUTDOWN when this worker leaves; then there are no answers. The VM may be gone when it returns.
 */
typedef void inquiry_fn(struct inquiry *inquiry, int err, const struct inquiry_answers *answers);

/* One who wants to know; its owner keeps it until it has been told. */
struct inquiry {
	LIST_ENTRY(inquiry) entry;
	unsigned questions;
	struct timer late;
	inquiry_fn *done;
};

LIST_HEAD(inquiry_list, inquiry);

/* Those of one VM: a member of struct vm, zeroed at first. */
struct inquiries {
	struct inquiry_list asked; /* of the round that is open */
	struct inquiry_list next;  /* of the one after it */
	unsigned open;             /* questions of the round that QEMU has not answered */
	uint64_t since;            /* when the round began */
	struct inquiry_answers answers;

	/*
	 * How large media are changes when a guest writes, and costs QEMU most: the last answer is
	 * used again while nothing was written, up to INQUIRY_NODES_KEPT_S (a file system of the
	 * host's may take up room later than it is written to).
	 */
	json_t *nodes;        /* NULL: none is kept */
	uint64_t nodes_sum;   /* what had been written when it came: block_stats_sum() */
	uint64_t nodes_since; /* when it came */
	bool nodes_wanted;    /* in this round, if something was written */

	/*
	 * A guest that stands still does nothing to its disks: what QEMU said of them holds until
	 * anything but a question passes between QEMU and here.
	 */
	json_t *stats;        /* NULL: none is kept */
	uint64_t stats_since; /* monitor.n_doings when QEMU was asked */
};

/* Set in the cookie of each command of an inquiry; no ticket of a job comes so far. */
#define INQUIRY_COOKIE (UINT64_C(1) << 63)

/**
 * Ask the QEMU of a VM. inquiry is zeroed. no_wait: only if nobody else is at it: no op goes on and
 * no round is open. Returns 0, and done will be called; else done will not be: -EBUSY (no_wait),
 * -ENOTCONN when its monitor is not open, -ETIMEDOUT when QEMU does not answer these days, or as
 * qmp_command().
 */
int inquiry_start(
	struct vm *vm, struct inquiry *inquiry, unsigned wanted, bool no_wait, inquiry_fn *done);
/**
 * What is known without asking: of a guest that is paused. Returns false when it has to be asked; else
 * *ret, borrowed until the next turn of the loop.
 */
bool inquiry_known(const struct vm *vm, unsigned wanted, struct inquiry_answers *ret);
/** An answer has come; for the monitor's owner. */
void inquiry_reply(struct vm *vm, uint64_t cookie, const struct qmp_reply *reply);
/** No answer will come any more: all are told that error. */
void inquiries_fail(struct vm *vm, int err);

#endif
