/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * marks.h: the broker is told whether something of the user's starts with the host.
 *
 * Runs in the worker, as the user. The broker keeps the answer where the user's home is not needed
 * to read it, and starts a worker for her when the host begins (IPC_AUTOSTART, protocol/ipc/ipc.h).
 * Said when all is open, so that what it holds heals itself, and when the answer changes, however
 * that came about; at most ten times a second, and never twice the same.
 */
#ifndef WORKER_MARKS_H
#define WORKER_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"
#include "lib/uplink.h"
#include "worker/store/domains.h"

struct marks {
	struct loop *loop;
	struct uplink *uplink;
	struct domains *domains;
	bool open; /* the domains are all that there are */
	struct timer timer;
	uint64_t next_ns;              /* not before */
	enum ipc_autostart_state said; /* 0: nothing yet */
};

/** domains is initialised already. */
void marks_init(
	struct marks *marks, struct loop *loop, struct uplink *uplink, struct domains *domains);
/** All definitions are read: say what there is, from now on. */
void marks_begin(struct marks *marks);
/** The domains are about to be forgotten, which is no change. What was one before is said. */
void marks_end(struct marks *marks);
/** What the user has cannot be opened. Said only before anything else was. */
void marks_say_unknown(struct marks *marks);

#endif
