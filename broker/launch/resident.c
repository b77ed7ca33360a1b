/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resident.c: the process that everything in a leaf stands and falls with; see resident.h.
 */
#include "broker/launch/resident.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/types.h>
#include <unistd.h>

#include "broker/launch/ledger.h"
#include "lib/take.h"

enum {
	PIDS_MAX = 64, /* those that are looked at; the kernel lists the oldest first */
	PID_TEXT_MAX = 12,
	STATUS_MAX = 8192, /* with as many groups as an account may have */
	TRIES = 8
};

struct pids {
	pid_t pids[PIDS_MAX];
	unsigned n;
};

static int
read_pids(int leaf_fd, struct pids *ret)
{
	char text[PIDS_MAX * PID_TEXT_MAX], *end;
	int r = ledger_read(leaf_fd, "cgroup.procs", text, sizeof(text));

	ret->n = 0;
	if (r < 0)
		return r;
	/* What is cut off at the end of the buffer is no line. */
	for (const char *at = text; ret->n < PIDS_MAX && (end = strchr(at, '\n')); at = end + 1) {
		long pid = strtol(at, NULL, 10);

		/* 0: it is in a pid namespace above ours. */
		if (pid > 0)
			ret->pids[ret->n++] = (pid_t)pid;
	}
	return 0;
}

/* "NSpid:", its pid in each pid namespace that it is in, the innermost last; see proc(5). */
static bool
is_first_of_namespace(pid_t pid)
{
	char path[32], text[STATUS_MAX], *line, *end;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (ledger_read(AT_FDCWD, path, text, sizeof(text)) < 0)
		return false;
	line = strstr(text, "\nNSpid:");
	end = line ? strchr(line + 1, '\n') : NULL;
	return end && end[-1] == '1' && end[-2] == '\t';
}

static pid_t
choose(const struct pids *pids)
{
	for (unsigned i = 0; pids->n > 1 && i < pids->n; i++)
		if (is_first_of_namespace(pids->pids[i]))
			return pids->pids[i];
	return pids->pids[0];
}

/* Returns 1 or 0, or a negative errno. */
static int
is_in(int leaf_fd, pid_t pid)
{
	struct pids pids;
	int r = read_pids(leaf_fd, &pids);

	for (unsigned i = 0; i < pids.n && r == 0; i++)
		r = pids.pids[i] == pid;
	return r;
}

int
resident_find(int leaf_fd, uint32_t *ret_pid, int *ret_pidfd)
{
	for (int i = 0; i < TRIES; i++) {
		fd_auto int pidfd = -1;
		struct pids pids;
		pid_t pid;
		int r = read_pids(leaf_fd, &pids);

		if (r < 0)
			return r;
		if (pids.n == 0)
			return -ENOENT;
		pid = choose(&pids);
		pidfd = pidfd_open(pid, 0);
		if (pidfd < 0 && errno != ESRCH)
			return -errno;
		/* Its number may have become another's before it was opened. */
		r = pidfd < 0 ? 0 : is_in(leaf_fd, pid);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		*ret_pid = (uint32_t)pid;
		*ret_pidfd = take_fd(&pidfd);
		return 0;
	}
	return -EAGAIN;
}

int
resident_count(int leaf_fd)
{
	struct pids pids;
	int r = read_pids(leaf_fd, &pids);

	return r < 0 ? r : (int)pids.n;
}
