/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spawn.c: one new process of one's own; see spawn.h.
 *
 * Runs in qemud-session, as the user; never as root. The child's half, up to the exec, calls the
 * kernel and nothing that could wait or allocate.
 */
#include "session/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/signals.h"
#include "lib/take.h"

enum { EXIT_NOT_RUN = 127 };

static const uint64_t all_namespaces =
	CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
static bool has_namespaces;

static uint64_t
namespaces_of(const struct spawn *spawn)
{
	if (spawn->room == SPAWN_WITH_US || !has_namespaces)
		return 0;
	return spawn->room == SPAWN_APART ? all_namespaces
					  : all_namespaces & ~(uint64_t)CLONE_NEWNET;
}

/* --- the child's half --------------------------------------------------------------------- */

static int
put(const char *path, const char *text)
{
	fd_auto int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

/* In the new namespace she has the ids that she had, and there are no others. */
static int
map_ids(uid_t uid, gid_t gid)
{
	char text[64];
	int r;

	/* The files below belong to root for whom others may not look into. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return -errno;
	r = put("/proc/self/setgroups", "deny");
	(void)snprintf(text, sizeof(text), "%u %u 1\n", (unsigned)gid, (unsigned)gid);
	if (r == 0)
		r = put("/proc/self/gid_map", text);
	(void)snprintf(text, sizeof(text), "%u %u 1\n", (unsigned)uid, (unsigned)uid);
	if (r == 0)
		r = put("/proc/self/uid_map", text);
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 && r == 0 ? -errno : r;
}

static bool
place(const struct spawn *spawn)
{
	int lock = spawn->lock_fd, link = spawn->link_fd;
	int first_other = lock >= 0 ? SPAWN_LOCK_FD + 1 : SPAWN_LINK_FD + 1;

	/* Away from the numbers that are about to be given. */
	link = fcntl(link, F_DUPFD_CLOEXEC, SPAWN_LOCK_FD + 1);
	if (lock >= 0)
		lock = fcntl(lock, F_DUPFD_CLOEXEC, SPAWN_LOCK_FD + 1);
	return link >= 0 && dup2(spawn->null_fd, 0) == 0 && dup2(spawn->null_fd, 1) == 1 &&
	       dup2(link, SPAWN_LINK_FD) == SPAWN_LINK_FD &&
	       (spawn->lock_fd < 0 || dup2(lock, SPAWN_LOCK_FD) == SPAWN_LOCK_FD) &&
	       close_range((unsigned)first_other, ~0u, CLOSE_RANGE_CLOEXEC) == 0;
}

static _Noreturn void
child(const struct spawn *spawn, uid_t uid, gid_t gid, pid_t parent)
{
	bool apart = namespaces_of(spawn) != 0;

	if (apart && map_ids(uid, gid) < 0)
		_exit(EXIT_NOT_RUN);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setsid() < 0)
		_exit(EXIT_NOT_RUN);
	if (spawn->ends_with_us && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		_exit(EXIT_NOT_RUN);
	/* Where processes have names of their own, the parent's is 0. */
	if (spawn->ends_with_us && getppid() != (apart ? 0 : parent))
		_exit(EXIT_NOT_RUN);
	/* The parent's would be the program's. */
	if (signals_reset() == 0 && place(spawn))
		(void)syscall(SYS_execveat, spawn->program_fd, "", spawn->argv, spawn->envp,
			AT_EMPTY_PATH);
	_exit(EXIT_NOT_RUN);
}

/* --- the parent's ------------------------------------------------------------------------- */

static long
clone_process(uint64_t flags, int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | flags, .pidfd = (uintptr_t)pidfd, .exit_signal = SIGCHLD};

	return syscall(SYS_clone3, &args, sizeof(args));
}

int
session_try_namespaces(void)
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	siginfo_t info = {0};
	int pidfd = -1;
	long pid = clone_process(all_namespaces, &pidfd);

	if (pid == 0)
		_exit(-map_ids(uid, gid) & 0x7f);
	if (pid < 0)
		return -errno;
	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
		info.si_status = errno;
	fd_close(&pidfd);
	has_namespaces = info.si_status == 0;
	return -info.si_status;
}

bool
session_has_namespaces(void)
{
	return has_namespaces;
}

int
session_spawn(const struct spawn *spawn, int *ret_pidfd, pid_t *ret_pid)
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	pid_t parent = getpid();
	int pidfd = -1;
	long pid = clone_process(namespaces_of(spawn), &pidfd);

	if (pid == 0)
		child(spawn, uid, gid, parent);
	if (pid < 0)
		return -errno;
	*ret_pidfd = pidfd;
	*ret_pid = (pid_t)pid;
	return 0;
}
