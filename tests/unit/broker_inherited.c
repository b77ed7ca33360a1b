/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_inherited.c: of what a service manager hands over, listening sockets with the right names
 * are taken and everything else is refused in words; the socket must be the one at its place.
 */
#include "broker/inherited.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/listener.h"
#include "lib/fd.h"
#include "lib/take.h"
#include "tests/unit/test.h"

static const char *const names[INHERITED_SOCKETS] = {"qemud-sock", "qemud-sock-ro", "qemud-ctl"};
static char dir[] = "/tmp/qemud-inherited-XXXXXX";

static int
listener_at(const char *name, bool listening)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, name);
	CHECK(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
	CHECK(!listening || listen(fd, 1) == 0);
	return fd;
}

static void
remove_at(const char *name)
{
	char path[sizeof(dir) + 32];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)unlink(path);
}

/* What a manager says; NULL is not said. pid NULL: the process that is asked. */
struct said {
	const char *pid, *fds, *names;
	bool listening;
	const char *error; /* NULL: taken */
	unsigned taken;    /* bits, of names */
};

static const struct said cases[] = {
	{NULL, "2", "qemud-sock:qemud-sock-ro", true, NULL, 3},
	{NULL, "2", "qemud-sock-ro:qemud-sock", true, NULL, 3},
	{NULL, "1", "qemud-sock-ro", true, NULL, 2},
	{NULL, "2", "qemud-ctl:qemud-sock", true, NULL, 5},
	{NULL, "0", "", true, NULL, 0},
	{"1", "2", "qemud-sock:qemud-sock-ro", true, NULL, 0},
	{"x", "2", "qemud-sock", true, "LISTEN_PID=\"x\" is no process", 0},
	{NULL, "4", "qemud-sock", true, "LISTEN_FDS=\"4\": at most 3 sockets are taken over", 0},
	{NULL, "-1", "qemud-sock", true, "LISTEN_FDS=\"-1\": at most 3 sockets are taken over", 0},
	{NULL, "2", "qemud-sock:qemud-sock", true, "LISTEN_FDNAMES has qemud-sock twice", 0},
	{NULL, "2", "qemud-sock", true,
		"LISTEN_FDNAMES has \"\": FileDescriptorName= of a socket unit must be qemud-sock, "
		"qemud-sock-ro or qemud-ctl",
		0},
	{NULL, "1", "ssh", true,
		"LISTEN_FDNAMES has \"ssh\": FileDescriptorName= of a socket unit must be "
		"qemud-sock, "
		"qemud-sock-ro or qemud-ctl",
		0},
	{NULL, "1", "qemud-sock", false, "descriptor 3 (qemud-sock) is not a listening UNIX socket",
		0},
	{NULL, "1", NULL, true,
		"LISTEN_FDNAMES has \"\": FileDescriptorName= of a socket unit must be qemud-sock, "
		"qemud-sock-ro or qemud-ctl",
		0},
};

/* In a process of its own, whose descriptors 3 and 4 are the manager's. */
static bool
as_said(const struct said *said, int first, int second)
{
	char error[INHERITED_ERROR_MAX] = "", pid[16];
	int fds[INHERITED_SOCKETS];
	unsigned n, taken = 0;
	int r;

	/* Out of the way first. */
	first = fcntl(first, F_DUPFD, 20);
	second = fcntl(second, F_DUPFD, 20);
	(void)dup2(first, INHERITED_FD_MIN);
	(void)dup2(second, INHERITED_FD_MIN + 1);
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	(void)setenv("LISTEN_PID", said->pid ? said->pid : pid, 1);
	(void)setenv("LISTEN_FDS", said->fds, 1);
	if (said->names)
		(void)setenv("LISTEN_FDNAMES", said->names, 1);
	r = inherited_take(names, fds, &n, error);
	for (unsigned i = 0; i < INHERITED_SOCKETS; i++)
		if (r == 0 && fds[i] >= 0 && fcntl(fds[i], F_GETFD) == FD_CLOEXEC &&
			(fcntl(fds[i], F_GETFL) & O_NONBLOCK))
			taken |= 1U << i;
	if (getenv("LISTEN_PID") || getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES"))
		return false;
	if (said->error)
		return r == INHERITED_E_BAD && strcmp(error, said->error) == 0;
	return r == 0 && taken == said->taken;
}

static void
test_said(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fd_auto int first = listener_at("a", cases[i].listening);
		fd_auto int second = listener_at("b", cases[i].listening);
		int status = -1;
		pid_t child = fork();

		if (child == 0)
			_exit(as_said(&cases[i], first, second) ? 0 : 1);
		CHECK(child > 0 && waitpid(child, &status, 0) == child);
		if (status != 0)
			printf("# case %zu\n", i);
		CHECK(status == 0);
		remove_at("a");
		remove_at("b");
	}
}

static void
test_place(void)
{
	fd_auto int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd_auto int fd = listener_at("qemud-sock", true);
	fd_auto int other = -1;
	struct stat st;

	CHECK(fchmodat(dir_fd, "qemud-sock", 0600, 0) == 0);
	CHECK(listener_inherit(dir_fd, dir, "qemud-sock", fd) == 0);
	CHECK(fstatat(dir_fd, "qemud-sock", &st, 0) == 0 && (st.st_mode & 07777) == 0666);
	CHECK(listener_inherit(dir_fd, dir, "qemud-sock-ro", fd) == LISTENER_E_ELSEWHERE);
	CHECK(listener_inherit(dir_fd, "/elsewhere", "qemud-sock", fd) == LISTENER_E_ELSEWHERE);
	/* It is gone from its place. */
	remove_at("qemud-sock");
	CHECK(listener_inherit(dir_fd, dir, "qemud-sock", fd) == LISTENER_E_ELSEWHERE);
	/* Bound nowhere. */
	other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(listener_inherit(dir_fd, dir, "qemud-sock", other) == LISTENER_E_ELSEWHERE);
}

int
main(void)
{
	CHECK(mkdtemp(dir));
	TEST("what a manager says is taken, or refused in words", test_said);
	TEST("a socket is the one at its place, with its mode", test_place);
	(void)rmdir(dir);
	return TEST_END();
}
