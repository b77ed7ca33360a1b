/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ending.h: those who wait until nothing of a virtual machine runs any more.
 *
 * Runs in the view. That it is being ended, and that it is over, is the broker's word (rows.h); nobody's
 * worker is asked.
 */
#ifndef VIEW_ENDING_H
#define VIEW_ENDING_H

#include <stdint.h>
#include <sys/queue.h>

#include "lib/loop.h"
#include "view/rows.h"

/* So long after its SIGKILL a process may be there: as long as libvirt waits, and workers do. */
enum { ENDING_S = 30 };

enum ending_result {
	ENDING_OVER,   /* nothing of it runs */
	ENDING_LATE,   /* not within ENDING_S */
	ENDING_UNKNOWN /* its owner is shown no more, or the broker has gone */
};

struct ending;
typedef void ending_fn(struct ending *ending, enum ending_result result);

/** Embedded in what waits, and kept by it. */
struct ending {
	LIST_ENTRY(ending) entry;
	uint32_t uid, id; /* of the owner, and of the VM */
	struct timer late;
	ending_fn *fn;
};

LIST_HEAD(endings, ending);

/** Wait for the end of that VM, which is known to run or to be ended. fn is called once, later. */
void ending_wait(struct endings *endings, struct loop *loop, struct ending *ending, uint32_t uid,
	uint32_t id, ending_fn *fn);
/** The broker has said what runs of that owner. */
void endings_check(struct endings *endings, const struct rows *rows);
/** Of that owner nothing more will be said. */
void endings_fail(struct endings *endings, uint32_t uid);
/** Nor of anybody. */
void endings_fail_all(struct endings *endings);

#endif
