/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * signals.c: what happens at a signal, as a new program is to find it; see signals.h.
 *
 * Runs in every program that executes another, in the child.
 */
#include "lib/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's struct sigaction begins with the handler everywhere; this is more than all of it. */
struct action {
	uintptr_t handler;
	uintptr_t rest[15];
};

enum { KERNEL_SET_SIZE = 8, N_SIGNALS = 64 };

static long
change(int signo, const struct action *action, struct action *ret_before)
{
	return syscall(SYS_rt_sigaction, signo, action, ret_before, KERNEL_SET_SIZE);
}

int
signals_reset(void)
{
	static const struct action by_default;
	const uint64_t none = 0;

	for (int signo = 1; signo <= N_SIGNALS; signo++)
		if (signo != SIGKILL && signo != SIGSTOP && change(signo, &by_default, NULL) < 0)
			return -errno;
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SET_SIZE) < 0 ? -errno
											  : 0;
}

bool
signals_are_reset(void)
{
	uint64_t blocked = UINT64_MAX;

	for (int signo = 1; signo <= N_SIGNALS; signo++) {
		struct action action = {.handler = 1};

		if (change(signo, NULL, &action) < 0 || action.handler != 0)
			return false;
	}
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &blocked, KERNEL_SET_SIZE) == 0 &&
	       blocked == 0;
}
