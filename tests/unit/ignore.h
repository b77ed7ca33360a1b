/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ignore.h: a parent that ignores every signal there is, as whoever starts our programs may.
 */
#ifndef TESTS_UNIT_IGNORE_H
#define TESTS_UNIT_IGNORE_H

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* For a child that is about to execute a program: also 32 and 33, which glibc does not let go. */
static inline void
ignore_all(void)
{
	const uintptr_t action[16] = {1}; /* SIG_IGN, as the kernel's struct sigaction has it */

	for (int signo = 1; signo <= 64; signo++)
		(void)syscall(SYS_rt_sigaction, signo, action, NULL, 8);
}

#endif
