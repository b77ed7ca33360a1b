/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descent.c: the child's way from root's power to a program that has none; see descent.h.
 *
 * Runs between clone3 and exec, in a copy of the starter. It uses the kernel's calls and not
 * libcap-ng, which remembers the process that first used it.
 *
 * Stages, in this order:
 *
 *   1. descriptors    Should: 0, 1, 2 and the link at their numbers, so that whatever fails later
 *                     can be told; the program's behind them. Mustn't: leave anything else open.
 *   2. signals        Should: every disposition default, nothing blocked. Mustn't: let the
 *                     starter's own habits (it ignores SIGTERM) go on in the program.
 *   3. surroundings   Should: a session of its own, umask 077, its own file tree and host name
 *                     where it gets them, / as working folder. Mustn't: keep the broker's terminal
 *                     or folder.
 *   4. limits         Should: be as high as asked, or as high as the host lets them. Needs
 *                     SYS_RESOURCE, so before 5. Mustn't: leave core dumps possible.
 *   5. no way back    Should: lock root's special treatment off and empty the bounding set. Needs
 *                     SETPCAP, so before 7. Mustn't: touch what 6 needs.
 *   6. identity       Should: groups, then gid, then uid, all of the four of each. Mustn't: keep
 *                     a group of root's.
 *   7. capabilities   Should: empty permitted, effective, inheritable and ambient. Mustn't: trust
 *                     that 6 did it.
 *   8. promises       Should: no_new_privs, not dumpable, an end with the starter where that is
 *                     wanted (6 would take it back). Mustn't: come later than exec.
 *   9. read back      Should: ask the kernel about every one of them. Mustn't: execute anything
 *                     when an answer differs.
 *  10. exec           Should: run the file that was opened and checked at the starter's start.
 *                     Mustn't: use a path.
 */
#include "broker/launch/descent.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "broker/launch/readback.h"
#include "broker/launch/tree.h"
#include "lib/log.h"
#include "lib/signals.h"

enum { PROGRAM_FD = SPAWN_LINK_FD + 1 /* until exec */ };

/* A stage returns what failed, with errno, or NULL. */
typedef const char *stage_fn(const struct spawn *spawn);

static const char *
descriptors(const struct spawn *spawn)
{
	int output_fd = spawn->output_fd >= 0 ? spawn->output_fd : spawn->null_fd;
	int starter_fd = -1;

	if (dup2(spawn->errors_fd, STDERR_FILENO) < 0 || dup2(spawn->null_fd, STDIN_FILENO) < 0 ||
		dup2(output_fd, STDOUT_FILENO) < 0)
		return "dup2";
	if (spawn->link_fd >= 0 ? dup2(spawn->link_fd, SPAWN_LINK_FD) < 0
				: close(SPAWN_LINK_FD) < 0)
		return "the link";
	/* Out of the way of the next. */
	if (spawn->starter_fd >= 0)
		starter_fd = fcntl(spawn->starter_fd, F_DUPFD_CLOEXEC, DESCENT_STARTER_FD + 1);
	if (spawn->program_fd != PROGRAM_FD && dup3(spawn->program_fd, PROGRAM_FD, O_CLOEXEC) < 0)
		return "dup3";
	if (spawn->starter_fd < 0)
		return syscall(SYS_close_range, PROGRAM_FD + 1, ~0u, 0) < 0 ? "close_range" : NULL;
	if (dup3(starter_fd, DESCENT_STARTER_FD, O_CLOEXEC) < 0)
		return "the starter's pidfd";
	return syscall(SYS_close_range, DESCENT_STARTER_FD + 1, ~0u, 0) < 0 ? "close_range" : NULL;
}

static const char *
signals(const struct spawn *spawn)
{
	(void)spawn;
	return signals_reset() < 0 ? "signals" : NULL;
}

static const char *
surroundings(const struct spawn *spawn)
{
	const char *failed = NULL;

	if (spawn->tree != TREE_HOST)
		failed = tree_make(spawn->tree, spawn->tree_at, spawn->uid, spawn->gid);
	if (failed)
		return failed;
	(void)umask(077);
	if ((spawn->namespaces & CLONE_NEWUTS) &&
		sethostname(SPAWN_HOST_NAME, strlen(SPAWN_HOST_NAME)) < 0)
		return "sethostname";
	if (setsid() < 0)
		return "setsid";
	return chdir("/") < 0 ? "chdir" : NULL;
}

static const char *
limits(const struct spawn *spawn)
{
	for (unsigned i = 0; i < spawn->n_limits; i++) {
		struct rlimit now, want = {spawn->limits[i].value, spawn->limits[i].value};
		int resource = spawn->limits[i].resource;

		if (setrlimit((__rlimit_resource_t)resource, &want) == 0)
			continue;
		if (errno != EPERM || getrlimit((__rlimit_resource_t)resource, &now) < 0)
			return "setrlimit";
		want.rlim_cur = want.rlim_max = now.rlim_max;
		if (setrlimit((__rlimit_resource_t)resource, &want) < 0)
			return "setrlimit";
	}
	return NULL;
}

static const char *
no_way_back(const struct spawn *spawn)
{
	(void)spawn;
	if (prctl(PR_SET_SECUREBITS, DESCENT_SECUREBITS, 0, 0, 0) < 0)
		return "PR_SET_SECUREBITS";
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return "PR_CAPBSET_DROP";
	return NULL;
}

static const char *
identity(const struct spawn *spawn)
{
	if (setgroups(spawn->n_groups, spawn->groups) < 0)
		return "setgroups";
	if (setresgid(spawn->gid, spawn->gid, spawn->gid) < 0)
		return "setresgid";
	if (setresuid(spawn->uid, spawn->uid, spawn->uid) < 0)
		return "setresuid";
	return NULL;
}

static const char *
capabilities(const struct spawn *spawn)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	(void)spawn;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return "PR_CAP_AMBIENT_CLEAR_ALL";
	return syscall(SYS_capset, &header, none) < 0 ? "capset" : NULL;
}

static const char *
promises(const struct spawn *spawn)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return "PR_SET_NO_NEW_PRIVS";
	if (spawn->starter_fd >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return "PR_SET_PDEATHSIG";
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? "PR_SET_DUMPABLE" : NULL;
}

static const char *
execute(const struct spawn *spawn)
{
	(void)syscall(SYS_execveat, PROGRAM_FD, "", spawn->argv, spawn->envp, AT_EMPTY_PATH);
	return "execveat";
}

_Noreturn void
descent_go(const struct spawn *spawn)
{
	static const struct {
		const char *name;
		stage_fn *fn;
	} stages[] = {
		{"descriptors", descriptors},
		{"signals", signals},
		{"surroundings", surroundings},
		{"limits", limits},
		{"no way back", no_way_back},
		{"identity", identity},
		{"capabilities", capabilities},
		{"promises", promises},
		{"read back", readback_differs},
		{"exec", execute},
	};

	for (size_t i = 0; i < sizeof(stages) / sizeof(*stages); i++) {
		const char *failed;

		errno = 0;
		failed = stages[i].fn(spawn);
		if (failed) {
			log_error("not started, stage %zu (%s): %s%s%s", i + 1, stages[i].name,
				failed, errno ? ": " : "", errno ? strerror(errno) : "");
			break;
		}
	}
	_exit(127);
}
