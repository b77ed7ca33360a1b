/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * marks.h: whose machines start with the host, as the workers say it, on its way to the registry.
 *
 * Runs in the broker, as root. A worker may change its mind as often as it likes: what it says last
 * is written, a few times at once and then once in ten seconds, because each time waits for the
 * disk, and with it everybody.
 */
#ifndef BROKER_MARKS_H
#define BROKER_MARKS_H

#include <stdbool.h>

#include "broker/bucket.h"
#include "lib/loop.h"
#include "protocol/ipc/ipc.h"

struct user;

struct marks_share {
	enum ipc_autostart_state said; /* by the worker that runs; 0: nothing */
	bool due, autostart;           /* what is to be written */
	struct bucket writes;
	struct timer timer;
};

/** The user's worker says that. False: it has said so before. */
bool marks_hear(struct user *user, enum ipc_autostart_state state);
/** The next one has said nothing yet. */
void marks_worker_gone(struct user *user);
/** Is nothing of what was said still to be written? */
bool marks_are_written(const struct user *user);
/** The broker ends: write it now. */
void marks_fini(struct user *user);

#endif
