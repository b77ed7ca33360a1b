/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filtered.h: a test run a second time as the worker runs: in a process of its own, behind the
 * worker's system call list.
 */
#ifndef TESTS_UNIT_FILTERED_H
#define TESTS_UNIT_FILTERED_H

#include <sys/wait.h>
#include <unistd.h>

#include "confine/filter.h"
#include "tests/unit/test.h"

/** All checks of fn hold there, and it makes no call that is not in the list. */
static inline void
filtered(void (*fn)(void))
{
	int status = -1;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		/* libc asks what stdout is when it is first written to. */
		(void)setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
		test_this_failed = filter_load(&filter_worker) != 0;
		if (!test_this_failed)
			fn();
		(void)fflush(stdout);
		_exit(test_this_failed ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#endif
