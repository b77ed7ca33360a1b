/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box.c: the stages of the inner half of the box.
 *
 * In qemud-box, as the user. Must never leave a stage out because of what the worker sent, nor go
 * on after one that failed.
 */
#include "worker/box/box.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/packet.h"
#include "lib/signals.h"
#include "worker/box/place.h"
#include "worker/box/prefix.h"
#include "worker/box/program.h"

enum { ARGV_MAX = PLAN_ARGS_MAX + 16 };

typedef int stage_fn(struct box *box);

__attribute__((format(printf, 2, 3))) static int
failed(struct box *box, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(box->why, sizeof box->why, fmt, ap);
	va_end(ap);
	return -1;
}

static void
answer(const struct plan_answer *answer)
{
	char text[PLAN_ANSWER_MAX];
	size_t size = plan_answer_encode(answer, text);

	/* A worker that has gone hears nothing; its machine runs, and is adopted by the next. */
	(void)packet_send(BOX_SOCKET, text, size, NULL, 0);
}

/* --- seed --------------------------------------------------------------------------------- */

static int
check_privilege(struct box *box)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) < 0 || syscall(SYS_capget, &header, data) < 0)
		return failed(box, "cannot read who it runs as: %m");
	if (real == 0 || effective != real || saved != real)
		return failed(box, "runs with uids %u, %u, %u, not as one user other than root",
			real, effective, saved);
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if (data[i].effective || data[i].permitted || data[i].inheritable)
			return failed(box, "runs with capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(box, "no_new_privs: %m");
	return 0;
}

static int
stage_seed(struct box *box)
{
	int type = 0;
	socklen_t size = sizeof type;

	if (getsockopt(BOX_SOCKET, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
		type != SOCK_SEQPACKET || fcntl(BOX_SOCKET, F_SETFD, FD_CLOEXEC) < 0)
		return failed(box, "descriptor %d is not the worker's socket", BOX_SOCKET);
	/* Or what the worker sends would take these numbers. */
	for (int fd = 0; fd < BOX_SOCKET; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return failed(box, "descriptor %d is not open", fd);
	return check_privilege(box);
}

/* --- handover, place ---------------------------------------------------------------------- */

static int
stage_handover(struct box *box)
{
	int r = handover_receive(BOX_SOCKET, &box->handover, box->why);

	return r < 0 ? failed(box, "%s", strerror(-r)) : r;
}

static int
stage_place(struct box *box)
{
	struct handover *h = &box->handover;
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int r;

	if (null_fd < 0)
		return failed(box, "/dev/null: %m");
	if (dup2(null_fd, 0) < 0 || dup2(h->fds[0], 1) < 0 || dup2(h->fds[0], 2) < 0)
		return failed(box, "standard descriptors: %m");
	r = place_fds(h->fds + 1, h->plan.fds, h->plan.n_fds);
	if (r == 0)
		r = place_close_others(BOX_SOCKET, h->plan.fds, h->plan.n_fds);
	return r < 0 ? failed(box, "%s", strerror(-r)) : 0;
}

/* --- process ------------------------------------------------------------------------------ */

static int
stage_process(struct box *box)
{
	if (signals_reset() < 0)
		return failed(box, "signals: %m");
	(void)umask(077);
	if (chdir("/") < 0)
		return failed(box, "/: %m");
	return 0;
}

/* --- landlock, seccomp, limits, exec ------------------------------------------------------ */

static const struct program *
program_of(const struct box *box)
{
	return program_get(box->handover.plan.program);
}

static int
stage_landlock(struct box *box)
{
	const struct program *program = program_of(box);
	const struct plan *plan = &box->handover.plan;
	const char *path = NULL;
	int r;

	if (!program->landlock)
		return 0;
	box->landlock = landlock_level();
	r = box->landlock;
	if (r >= 0)
		r = landlock_load(program->landlock, box->landlock, plan->fds,
			program->reopens ? plan->n_fds : 0, &path);
	if (r < 0)
		return failed(box, "%s%s%s", path ? path : "", path ? ": " : "", strerror(-r));
	return 0;
}

static int
stage_seccomp(struct box *box)
{
	int r = filter_load(program_of(box)->filter);

	return r < 0 ? failed(box, "%s", strerror(-r)) : 0;
}

static const struct {
	__rlimit_resource_t resource;
	const char *name;
} limits[PLAN_N_LIMITS] = {
	[PLAN_NOFILE] = {RLIMIT_NOFILE, "nofile"},
	[PLAN_MEMLOCK] = {RLIMIT_MEMLOCK, "memlock"},
	[PLAN_CPU] = {RLIMIT_CPU, "cpu"},
	[PLAN_FSIZE] = {RLIMIT_FSIZE, "fsize"},
	[PLAN_DATA] = {RLIMIT_DATA, "data"},
};

static int
stage_limits(struct box *box)
{
	const struct plan *plan = &box->handover.plan;
	struct rlimit limit = {0, 0};

	if (setrlimit(RLIMIT_CORE, &limit) < 0)
		return failed(box, "core: %m");
	for (unsigned i = 0; i < PLAN_N_LIMITS; i++) {
		uint64_t most = program_limit(plan->profile, i);
		uint64_t value = plan->limits[i] < most ? plan->limits[i] : most;

		if (value == PLAN_LIMIT_KEEP)
			continue;
		limit.rlim_cur = limit.rlim_max = value;
		if (setrlimit(limits[i].resource, &limit) < 0)
			return failed(box, "%s=%" PRIu64 ": %s", limits[i].name, value,
				errno == EPERM ? "above what this user may have" : strerror(errno));
	}
	return 0;
}

/* A copy of a pointer to what execve() will not write to, though its prototype says so. */
static char *
unconst(const char *text)
{
	char *same;

	memcpy(&same, &text, sizeof same);
	return same;
}

static int
stage_exec(struct box *box)
{
	static char *argv[ARGV_MAX], *envp[8];
	const struct plan *plan = &box->handover.plan;
	const struct program *program = program_of(box);
	const struct plan_answer ok = {.ok = true, .landlock = box->landlock};
	unsigned n = 0;

	for (unsigned i = 0; program->first[i]; i++)
		argv[n++] = unconst(program->first[i]);
	for (unsigned i = 0; i < plan->n_args; i++)
		argv[n++] = unconst(plan->args[i]);
	argv[n] = NULL;
	for (unsigned i = 0; prefix_environment[i]; i++)
		envp[i] = unconst(prefix_environment[i]);
	answer(&ok);
	(void)execve(program->path, argv, envp);
	return failed(box, "%s: %m", program->path);
}

/* --- all of it ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	stage_fn *run;
} stages[] = {
	{"seed", stage_seed},
	{"handover", stage_handover},
	{"place", stage_place},
	{"process", stage_process},
	{"landlock", stage_landlock},
	{"seccomp", stage_seccomp},
	{"limits", stage_limits},
	{"exec", stage_exec},
};

void
box_run(struct box *box)
{
	struct plan_answer refusal = {.ok = false};
	size_t i = 0;

	while (stages[i].run(box) == 0)
		i++;
	(void)snprintf(refusal.why, sizeof refusal.why, "%s: %.*s", stages[i].name,
		PLAN_WHY_MAX - 16, box->why);
	answer(&refusal);
}
