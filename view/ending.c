/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ending.c: those who wait until nothing of a virtual machine runs any more; see ending.h.
 *
 * Runs in the view.
 */
#include "view/ending.h"

#include "lib/take.h"

static void
finish(struct ending *ending, enum ending_result result)
{
	LIST_REMOVE(ending, entry);
	timer_stop(&ending->late);
	ending->fn(ending, result);
}

static void
late_due(struct timer *timer)
{
	finish(container_of(timer, struct ending, late), ENDING_LATE);
}

void
ending_wait(struct endings *endings, struct loop *loop, struct ending *ending, uint32_t uid,
	uint32_t id, ending_fn *fn)
{
	ending->uid = uid;
	ending->id = id;
	ending->fn = fn;
	LIST_INSERT_HEAD(endings, ending, entry);
	timer_set(loop, &ending->late, loop_now(loop) + LOOP_S(ENDING_S), late_due);
}

void
endings_check(struct endings *endings, const struct rows *rows)
{
	struct ending *ending = LIST_FIRST(endings), *next;

	for (; ending; ending = next) {
		next = LIST_NEXT(ending, entry);
		if (ending->uid == rows->uid && !rows_runs(rows, ending->id))
			finish(ending, ENDING_OVER);
	}
}

void
endings_fail(struct endings *endings, uint32_t uid)
{
	struct ending *ending = LIST_FIRST(endings), *next;

	for (; ending; ending = next) {
		next = LIST_NEXT(ending, entry);
		if (ending->uid == uid)
			finish(ending, ENDING_UNKNOWN);
	}
}

void
endings_fail_all(struct endings *endings)
{
	while (!LIST_EMPTY(endings))
		finish(LIST_FIRST(endings), ENDING_UNKNOWN);
}
