/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * marks.c: the broker is told whether something of the user's starts with the host; see marks.h.
 *
 * Runs in the worker, as the user; never as root.
 */
#include "worker/marks.h"

#include <string.h>

#include "lib/link.h"
#include "lib/take.h"

enum { PACE_MS = 100 };

static void timer_due(struct timer *timer);

static void
say(struct marks *marks, enum ipc_autostart_state state)
{
	uint64_t now_ns = loop_now(marks->loop);

	if (state == marks->said)
		return;
	if (uplink_say_autostart(marks->uplink, state) == 0)
		marks->said = state;
	else if (marks->open)
		timer_set(marks->loop, &marks->timer, now_ns + LOOP_MS(PACE_MS), timer_due);
	marks->next_ns = now_ns + LOOP_MS(PACE_MS);
}

static void
timer_due(struct timer *timer)
{
	struct marks *marks = container_of(timer, struct marks, timer);

	say(marks, marks->domains->n_autostart > 0 ? IPC_AUTOSTART_SOME : IPC_AUTOSTART_NONE);
}

static void
changed(void *arg)
{
	struct marks *marks = arg;

	if (marks->open)
		timer_set(marks->loop, &marks->timer, marks->next_ns, timer_due);
}

void
marks_init(struct marks *marks, struct loop *loop, struct uplink *uplink, struct domains *domains)
{
	memset(marks, 0, sizeof(*marks));
	marks->loop = loop;
	marks->uplink = uplink;
	marks->domains = domains;
	domains->marked = changed;
	domains->marked_arg = marks;
}

void
marks_begin(struct marks *marks)
{
	marks->open = true;
	timer_due(&marks->timer);
}

void
marks_end(struct marks *marks)
{
	if (timer_is_set(&marks->timer))
		timer_due(&marks->timer);
	marks->open = false;
	timer_stop(&marks->timer);
}

void
marks_say_unknown(struct marks *marks)
{
	if (marks->said == 0)
		say(marks, IPC_AUTOSTART_UNKNOWN);
}
