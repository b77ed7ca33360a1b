/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * relay.h: what a child writes on its stderr, line by line into the log, within a budget.
 *
 * Runs in qemud-launch. The text is a user's process's: it is escaped by the one printer, and
 * stands behind keys that the starter wrote. A line that begins as our own programs' lines do
 * ("qemud-worker: warning: ") keeps its level; any other is a warning. A child that writes more
 * than RELAY_LINES in RELAY_WINDOW is not read until the window is over, and what it could not say
 * is counted. The child's end does not block: whoever floods loses lines, nobody waits.
 */
#ifndef BROKER_LAUNCH_RELAY_H
#define BROKER_LAUNCH_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/log.h"
#include "lib/loop.h"

enum { RELAY_LINES = 64, RELAY_WINDOW_S = 10 };

struct relay {
	struct loop *loop;
	int fd; /* owned; -1 when stopped */
	struct io io;
	struct timer resume; /* set while the budget is used up */
	uint32_t uid;
	pid_t pid;
	const char *name;
	uint64_t window_ns; /* when the present window began */
	unsigned n_lines;   /* printed in it */
	unsigned n_dropped; /* not printed in it */
	size_t n_line;
	char line[LOG_LINE_MAX];
};

/** Make the pipe: ret_fds[0] for relay_start(), ret_fds[1] the child's. 0 or a negative errno. */
int relay_pipe(int ret_fds[2]);

/** Read fd (owned from here on) into the log. Returns 0 or a negative errno (fd is closed then). */
int relay_start(
	struct relay *relay, struct loop *loop, int fd, uint32_t uid, pid_t pid, const char *name);

/** The child has ended: relay what is still in the pipe, say what was dropped, and close. */
void relay_stop(struct relay *relay);

#endif
