/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * marks.c: whose machines start with the host, on its way to the registry; see marks.h.
 *
 * Runs in the broker, as root, also while it is boxed.
 */
#include "broker/marks.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "broker/broker.h"
#include "broker/registry.h"
#include "broker/users.h"
#include "lib/log.h"
#include "lib/take.h"

static const struct bucket_size pace = {.interval_ns = LOOP_S(10), .burst = 4};

static void
write_now(struct user *user)
{
	const struct broker *broker = user->child.broker;
	struct marks_share *share = &user->marks;
	int r = registry_mark(
		broker->places.registry_fd, &user->account, (uint64_t)time(NULL), share->autostart);

	timer_stop(&share->timer);
	share->due = false;
	log_debug("uid=%" PRIu32 " autostart=%s", user->uid, share->autostart ? "yes" : "no");
	/* Her next worker says it again. */
	if (r < 0)
		log_warning("uid=%" PRIu32 ": whether its machines start with the host cannot be "
			    "registered: %s",
			user->uid, strerror(-r));
}

static void
timer_due(struct timer *timer)
{
	struct user *user = container_of(timer, struct user, marks.timer);
	struct loop *loop = &user->child.broker->loop;

	if (bucket_take(&user->marks.writes, loop_now(loop), pace))
		write_now(user);
	else
		timer_set(loop, timer, bucket_ready(&user->marks.writes, loop_now(loop), pace),
			timer_due);
}

bool
marks_hear(struct user *user, enum ipc_autostart_state state)
{
	struct marks_share *share = &user->marks;

	if (share->said == state)
		return false;
	share->said = state;
	if (state == IPC_AUTOSTART_UNKNOWN)
		return true;
	share->autostart = state == IPC_AUTOSTART_SOME;
	share->due = true;
	timer_due(&share->timer);
	return true;
}

void
marks_worker_gone(struct user *user)
{
	user->marks.said = 0;
}

bool
marks_are_written(const struct user *user)
{
	return !user->marks.due;
}

void
marks_fini(struct user *user)
{
	if (user->marks.due)
		write_now(user);
}
