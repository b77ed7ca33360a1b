/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spawn.h: one new process, from clone3 to exec.
 *
 * Runs in qemud-launch, as root. The parent's half (spawn.c) makes the process with its namespaces
 * and in its control group in one system call; the child's half (descent.h) takes everything away
 * that the program may not have, reads back that it is gone (readback.h), and only then executes
 * it.
 */
#ifndef BROKER_LAUNCH_SPAWN_H
#define BROKER_LAUNCH_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "broker/launch/tree.h"

enum { SPAWN_LINK_FD = 3 };

/* What a program in a UTS namespace of its own takes for the name of its host. */
#define SPAWN_HOST_NAME "qemud"

struct spawn_limit {
	int resource; /* RLIMIT_... */
	rlim_t value; /* soft and hard; no higher than the hard limit where that cannot be raised */
};

/* Everything about the process; whatever is not in here it does not get. */
struct spawn {
	int program_fd;
	char *const *argv, *const *envp;

	uint32_t uid, gid; /* never 0, never (uint32_t)-1 */
	const uint32_t *groups;
	unsigned n_groups;

	uint64_t namespaces; /* CLONE_NEW... */
	int cgroup_fd;       /* its leaf; -1: the starter's own */
	/* Other than TREE_HOST: with CLONE_NEWNS, put together on the existing folder tree_at. */
	enum tree_kind tree;
	const char *tree_at;
	int starter_fd; /* its pidfd: SIGKILL when it ends, however it does; -1: it may be outlived */

	int null_fd;   /* becomes 0, and 1 where output_fd is -1 */
	int output_fd; /* becomes 1 */
	int errors_fd; /* becomes 2 */
	int link_fd;   /* becomes SPAWN_LINK_FD; -1: none */

	const struct spawn_limit *limits;
	unsigned n_limits;
};

/**
 * Start it. All descriptors stay the caller's and are above SPAWN_LINK_FD. What fails before the
 * program runs is told on errors_fd, and the process ends with status 127. Returns 0 with the
 * pidfd (the caller's, close-on-exec) and the pid, or a negative errno.
 */
int spawn_start(const struct spawn *spawn, int *ret_pidfd, pid_t *ret_pid);

#endif
