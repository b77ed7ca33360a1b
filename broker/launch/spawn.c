/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spawn.c: the parent's half of one new process; see spawn.h.
 */
#include "broker/launch/spawn.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "broker/launch/descent.h"
#include "lib/err.h"

int
spawn_start(const struct spawn *spawn, int *ret_pidfd, pid_t *ret_pid)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | spawn->namespaces,
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	sigset_t all, before;
	long pid;
	int err;

	ASSERT(spawn->uid != 0 && spawn->uid != (uint32_t)-1);
	ASSERT(spawn->gid != (uint32_t)-1);
	if (spawn->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)spawn->cgroup_fd;
	}

	/* No signal may find the child while it still is the starter. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	err = errno;
	if (pid == 0)
		descent_go(spawn);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return -err;
	*ret_pidfd = pidfd;
	*ret_pid = (pid_t)pid;
	return 0;
}
