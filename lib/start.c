/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start.c: how each of our programs begins; see start.h.
 *
 * Runs in every program, root's included.
 */
#include "lib/start.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "lib/err.h"
#include "lib/foreign.h"
#include "lib/log.h"

void
start_program(const char *name)
{
	log_open(name, LEVEL_INFO);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NAME, name, 0, 0, 0) < 0)
		die("prctl: %s", strerror(errno));
	(void)umask(077);
}

void
start_loop(struct loop *loop, int one_more, loop_signal_fn *fn, void *arg)
{
	sigset_t signals;
	int r = loop_init(loop);

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	if (one_more != 0)
		(void)sigaddset(&signals, one_more);
	foreign_prepare();
	if (r == 0 && signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		r = -errno;
	if (r == 0)
		r = loop_signals(loop, &signals, fn, arg);
	if (r < 0)
		die("the event loop cannot be made: %s", strerror(-r));
}
