/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * starter.h: the real qemud-launch with the test as its broker, and programs of the test's own.
 *
 * Needs root. Everything is below one private tmpfs that users cannot enter. The programs that the
 * starter starts are the test itself under other names (argv[0] says which it is to play).
 */
#ifndef TESTS_UNIT_STARTER_H
#define TESTS_UNIT_STARTER_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/memfd.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "protocol/ipc/account.h"
#include "protocol/ipc/ipc.h"
#include "tests/unit/ignore.h"

enum { WAIT_MS = 60000, LOG_MAX = 256 * 1024, ALICE = 64101, BOB = 64102, CAROL = 64103 };

static char place[] = "/tmp/qemud-test-launch-XXXXXX"; /* the tmpfs */
static char users[64], libexec[64], launch_path[PATH_MAX];

struct starter {
	pid_t pid;
	int link_fd, log_fd;
	char log[LOG_MAX];
	size_t log_size;
	uint32_t serial;
};

/* An answer with its descriptors, which are closed by scope. */
struct answer {
	struct packet packet;
	int err;
	uint32_t serial;
	uint16_t type;
};
#define answer_auto AUTO(answer_fini)

static inline void
answer_fini(struct answer *answer)
{
	packet_fini(&answer->packet);
}

static inline uint64_t
now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

_Noreturn static inline void
bail_out(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Wait for readable. */
static inline bool
wait_fd(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	return poll(&pfd, 1, WAIT_MS) == 1;
}

static inline void
copy_self(const char *name, mode_t mode)
{
	fd_auto int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	free_auto char *data = NULL;
	char path[128];
	size_t size;

	(void)snprintf(path, sizeof(path), "%s/%s", libexec, name);
	(void)unlink(path);
	fd_auto int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (in < 0 || out < 0 || fd_read_all(in, 1u << 30, &data, &size) < 0 ||
		fd_write_all(out, data, size) < 0 || fchmod(out, mode) < 0)
		bail_out(path);
}

/* Namespaces, tmpfs, folders, programs. Gone with the process, but for an empty folder. */
static inline void
make_place(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !mkdtemp(place) ||
		mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=700") < 0)
		bail_out("a place for the test");
	(void)snprintf(users, sizeof(users), "%s/users", place);
	(void)snprintf(libexec, sizeof(libexec), "%s/libexec", place);
	(void)umask(022);
	if (mkdir(users, 0755) < 0 || mkdir(libexec, 0700) < 0)
		bail_out("a place for the test");
	copy_self("qemud-worker", 0711);
	copy_self("qemud-view", 0711);
	copy_self("qemud-audit", 0711);
	copy_self("qemud-resolve", 0711);
	copy_self("qemud-box", 0711);
	copy_self("qemud-net", 0711);
}

static inline void
remove_place(void)
{
	(void)umount2(place, MNT_DETACH);
	(void)rmdir(place);
}

/* Start it with these options; link_fd is -1 when it is to have none. */
static inline struct starter *
starter_new(const char *const *options)
{
	struct starter *s = calloc(1, sizeof(*s));
	const char *argv[16] = {"qemud-launch"};
	int link[2], log[2];

	for (int i = 0; options[i]; i++)
		argv[i + 1] = options[i];
	if (!s || packet_pair(link) < 0 || pipe2(log, O_CLOEXEC) < 0)
		bail_out("a starter");
	s->pid = fork();
	if (s->pid == 0) {
		char *const environment[] = {NULL};

		(void)dup2(log[1], STDERR_FILENO);
		(void)dup2(link[1], 3);
		ignore_all();
		(void)execve(launch_path, (char *const *)(uintptr_t)argv, environment);
		_exit(126);
	}
	(void)close(link[1]);
	(void)close(log[1]);
	s->link_fd = link[0];
	s->log_fd = log[0];
	return s;
}

static inline struct starter *
starter_start(void)
{
	return starter_new(
		(const char *[]){"--users", users, "--libexec", libexec, "--log", "debug", NULL});
}

/* Read its log until text is in it (NULL: to the end). */
static inline bool
starter_logged(struct starter *s, const char *text)
{
	for (;;) {
		ssize_t n;

		if (text && strstr(s->log, text))
			return true;
		if (s->log_size == LOG_MAX - 1 || !wait_fd(s->log_fd))
			return false;
		n = read(s->log_fd, s->log + s->log_size, LOG_MAX - 1 - s->log_size);
		if (n <= 0)
			return !text;
		s->log_size += (size_t)n;
	}
}

/* Close the link, read its log to the end, reap it. Returns the wait status. */
static inline int
starter_stop(struct starter *s)
{
	int status = -1;

	fd_close(&s->link_fd);
	if (!starter_logged(s, NULL))
		(void)kill(s->pid, SIGKILL);
	(void)waitpid(s->pid, &status, 0);
	fd_close(&s->log_fd);
	return status;
}

static inline void
starter_free(struct starter **s)
{
	if (*s && (*s)->link_fd >= 0)
		(void)starter_stop(*s);
	free(*s);
}
#define starter_auto AUTO(starter_free)

/* Send an ask; returns its serial. */
static inline uint32_t
ask(struct starter *s, enum ipc_type type, const void *body, size_t size, int fd)
{
	struct {
		struct ipc_header header;
		uint8_t body[IPC_MESSAGE_MAX];
	} message = {.header = {.version = IPC_VERSION,
			     .type = (uint16_t)type,
			     .size = (uint16_t)size,
			     .n_fds = fd >= 0,
			     .serial = ++s->serial}};

	memcpy(message.body, body, size);
	if (packet_send(s->link_fd, &message, sizeof(message.header) + size, &fd, fd >= 0) != 0)
		printf("# an ask cannot be sent\n");
	return s->serial;
}

/* The next answer; err is -ETIME when none comes, -EPIPE when the starter has gone. */
static inline void
next_answer(struct starter *s, struct answer *ret)
{
	struct ipc_header header;
	int r;

	*ret = (struct answer){.err = -ETIME};
	for (int i = 0; i < PACKET_FDS_MAX; i++)
		ret->packet.fds[i] = -1;
	if (!wait_fd(s->link_fd))
		return;
	r = packet_recv(s->link_fd, &ret->packet);
	ret->err = -EPIPE;
	if (r != 0 || ret->packet.size < sizeof(header))
		return;
	memcpy(&header, ret->packet.data, sizeof(header));
	ret->err = header.err;
	ret->serial = header.serial;
	ret->type = header.type;
}

static inline struct account
test_account(uint32_t uid, const char *home)
{
	struct account account = {
		.uid = uid, .gid = uid, .n_groups = 3, .groups = {27, uid, uid + 1000}};

	(void)snprintf(account.name, sizeof(account.name), "u%u", uid);
	(void)snprintf(account.home, sizeof(account.home), "%s", home);
	return account;
}

static inline int
account_fd(const struct account *account)
{
	char text[MEMFD_TEXT_MAX];
	int n = account_format(account, text, sizeof(text));

	return n < 0 ? -1 : memfd_make("account", text, (size_t)n);
}

/* WORKER for an account of that uid; home says what the test's worker is to do. */
static inline void
ask_worker(struct starter *s, uint32_t uid, const char *home, struct answer *ret)
{
	struct account account = test_account(uid, home);
	struct ipc_worker body = {
		.uid = uid, .n_files = 300, .idle_seconds = 7, .log_level = 4, .port_min = 1024};
	fd_auto int fd = account_fd(&account);

	(void)ask(s, IPC_WORKER, &body, sizeof(body), fd);
	next_answer(s, ret);
}

static inline uint32_t
ask_resolve_kind(struct starter *s, const char *name, enum ipc_resolve_kind kind)
{
	struct ipc_resolve body = {.kind = kind};

	(void)snprintf(body.name, sizeof(body.name), "%s", name);
	return ask(s, IPC_RESOLVE, &body, sizeof(body), -1);
}

static inline uint32_t
ask_resolve(struct starter *s, const char *name)
{
	return ask_resolve_kind(s, name, IPC_RESOLVE_ACCOUNT);
}

static inline int
started_pid(const struct answer *answer)
{
	struct ipc_started body;

	memcpy(&body, answer->packet.data + sizeof(struct ipc_header), sizeof(body));
	return (int)body.pid;
}

/* A file of /proc as one NUL-terminated text, with its size. */
static inline char *
read_proc(int pid, const char *name, size_t *ret_size)
{
	char path[64], *text = NULL;
	size_t size = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fd_read_all(fd, 1 << 20, &text, &size) < 0)
		text = strdup("");
	if (ret_size)
		*ret_size = size;
	return text;
}

/* Does the process see the same namespace as the test? */
static inline bool
same_namespace(int pid, const char *which)
{
	char path[64], mine[64] = "", theirs[64] = "?";

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", which);
	(void)!readlink(path, mine, sizeof(mine) - 1);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, which);
	(void)!readlink(path, theirs, sizeof(theirs) - 1);
	return strcmp(mine, theirs) == 0;
}

#endif
