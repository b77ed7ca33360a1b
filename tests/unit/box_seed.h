/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box_seed.h: a seed as the starter leaves it, and the worker's end of its socket.
 *
 * The seed is the real qemud-box beside this test's program, as the account nobody when the test is
 * root. It inherits two decoys, open files that nothing hands over, at numbers DECOY and DECOY_FAR.
 */
#ifndef TESTS_UNIT_BOX_SEED_H
#define TESTS_UNIT_BOX_SEED_H

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/memfd.h"
#include "lib/packet.h"
#include "worker/box/plan.h"
#include "tests/unit/ignore.h"
#include "tests/unit/test.h"

enum { NOBODY = 65534, DECOY = 50, DECOY_FAR = 900, PATIENCE_MS = 60000 };

struct seed {
	pid_t pid;
	int sock;
	int log_fd; /* the test's own end of what becomes stdout and stderr */
};

static inline int
seed_program(void)
{
	char path[PATH_MAX], *end = path;
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	if (n < 0)
		abort();
	path[n] = '\0';
	/* build/tests/unit/NAME -> build/qemud-box */
	for (int i = 0; i < 3 && end; i++) {
		end = strrchr(path, '/');
		if (end)
			*end = '\0';
	}
	if (!end)
		abort();
	(void)snprintf(end, sizeof path - (size_t)(end - path), "/qemud-box");
	return open(path, O_PATH | O_CLOEXEC);
}

/* What the starter does last. Only calls that are safe after fork. */
static inline void
seed_become(int program_fd, int sock, int secret_fd, bool drop)
{
	static char name[] = "qemud-box", empty[] = "";
	char *argv[] = {name, NULL}, *envp[] = {NULL};
	int null = open("/dev/null", O_RDWR);

	(void)dup2(null, 0);
	(void)dup2(null, 1);
	(void)dup2(sock, 3);
	(void)dup2(secret_fd, DECOY);
	(void)dup2(secret_fd, DECOY_FAR);
	ignore_all();
	if (drop && getuid() == 0 &&
		(setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			setresuid(NOBODY, NOBODY, NOBODY) < 0))
		_exit(90);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)execveat(program_fd, empty, argv, envp, AT_EMPTY_PATH);
	_exit(91);
}

static inline struct seed
seed_start_as(bool drop)
{
	struct seed seed = {.log_fd = memfd_create("log", MFD_CLOEXEC)};
	int program_fd = seed_program(), secret_fd = memfd_create("secret", MFD_CLOEXEC);
	int pair[2];

	if (program_fd < 0 || secret_fd < 0 || seed.log_fd < 0 || packet_pair(pair) != 0)
		abort();
	(void)fflush(stdout);
	seed.pid = fork();
	if (seed.pid == 0)
		seed_become(program_fd, pair[1], secret_fd, drop);
	if (seed.pid < 0)
		abort();
	seed.sock = pair[0];
	(void)close(pair[1]);
	(void)close(program_fd);
	(void)close(secret_fd);
	return seed;
}

static inline struct seed
seed_start(void)
{
	return seed_start_as(true);
}

static inline void
seed_send(const struct seed *seed, char kind, const int *fds, unsigned n_fds)
{
	/* A box that refused what came before has gone: its answer says so. */
	(void)packet_send(seed->sock, &kind, 1, fds, n_fds);
}

static inline void
seed_send_text(const struct seed *seed, const char *text, size_t size)
{
	int fd = memfd_make("plan", text, size);

	if (fd < 0)
		abort();
	seed_send(seed, PLAN_PACKET_PLAN, &fd, 1);
	(void)close(fd);
}

static inline void
seed_send_plan(const struct seed *seed, const struct plan *plan)
{
	char why[PLAN_WHY_MAX], *text = NULL;
	size_t size;

	if (plan_encode(plan, &text, &size, why) != 0)
		abort();
	seed_send_text(seed, text, size);
	free(text);
}

/* The log, then n_fds more, in as few packets as there can be. */
static inline void
seed_send_fds(const struct seed *seed, const int *fds, unsigned n_fds)
{
	seed_send(seed, PLAN_PACKET_FDS, &seed->log_fd, 1);
	for (unsigned i = 0; i < n_fds; i += PACKET_FDS_MAX)
		seed_send(seed, PLAN_PACKET_FDS, fds + i,
			n_fds - i < PACKET_FDS_MAX ? n_fds - i : PACKET_FDS_MAX);
}

static inline void
seed_send_all(const struct seed *seed, const struct plan *plan, const int *fds)
{
	seed_send_plan(seed, plan);
	seed_send_fds(seed, fds, plan->n_fds);
	seed_send(seed, PLAN_PACKET_END, NULL, 0);
}

/* The next answer; false at the end of the socket, which is the exec if "ok" came before. */
static inline bool
seed_answer(const struct seed *seed, struct plan_answer *ret)
{
	struct pollfd pollfd = {.fd = seed->sock, .events = POLLIN};
	struct packet packet;
	int r;

	(void)memset(ret, 0, sizeof *ret);
	if (poll(&pollfd, 1, PATIENCE_MS) != 1)
		abort();
	r = packet_recv(seed->sock, &packet);
	if (r == PACKET_E_GONE)
		return false;
	if (r != 0 || plan_answer_decode(packet.data, packet.size, ret) != 0)
		abort();
	packet_fini(&packet);
	return true;
}

/* Wait for its end. Returns the status of waitpid(). */
static inline int
seed_end(struct seed *seed)
{
	int status = -1;

	if (waitpid(seed->pid, &status, 0) != seed->pid)
		abort();
	(void)close(seed->sock);
	(void)close(seed->log_fd);
	return status;
}

static inline int
seed_kill(struct seed *seed)
{
	(void)kill(seed->pid, SIGKILL);
	return seed_end(seed);
}

/* What it has written to its log so far. */
static inline const char *
seed_log(const struct seed *seed)
{
	static char text[256 * 1024]; /* a guest on a busy host says more than one on an idle one */
	ssize_t n = pread(seed->log_fd, text, sizeof text - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

#endif
