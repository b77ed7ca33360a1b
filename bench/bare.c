/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bare.c: the least that starting and ending a VM can cost: QEMU is forked, and killed.
 *
 * A benchmark program, never installed. It runs as the user, without a box, a control group or a
 * server.
 *
 * bare FOLDER DISK PROGRAM ARGUMENT...
 *
 * The command line is the one that a server's QEMU has, PROGRAM being a path. What it has as
 * descriptors is made anew: a socket that listens in FOLDER for each `-chardev socket,...,fd=N`, the
 * first of which is the monitor's, and DISK for `-add-fd set=M,fd=N`. QEMU's words go to
 * FOLDER/log.
 *
 * Each line on stdin is `start` or `destroy`; each is answered with the nanoseconds that it took: from
 * the fork to the monitor's answer to `cont`, and from SIGKILL until the process is reaped. `leave`
 * hangs up on the monitor, so that somebody else may ask it; it is answered too.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GIVEN_MAX = 8 };

/* A descriptor of QEMU's. */
struct given {
	int number; /* which one it is there */
	int is_socket;
	int fd; /* here, and below all numbers there */
	struct sockaddr_un address;
};

static struct given given[GIVEN_MAX];
static size_t n_given;

static void
fail(const char *what)
{
	(void)fprintf(stderr, "bare: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Notes which descriptors the command line asks for. */
static void
read_arguments(char **argv)
{
	for (; *argv; argv++) {
		const char *fd = strstr(*argv, ",fd=");
		int is_socket = strncmp(*argv, "socket,", 7) == 0;
		struct given *g = &given[n_given];

		if (!fd || (!is_socket && strncmp(*argv, "set=", 4) != 0))
			continue;
		if (n_given++ == GIVEN_MAX)
			fail("too many descriptors");
		*g = (struct given){.number = atoi(fd + 4), .is_socket = is_socket};
		g->address.sun_family = AF_UNIX;
		(void)snprintf(
			g->address.sun_path, sizeof(g->address.sun_path), "socket%d", g->number);
	}
	if (n_given == 0 || !given[0].is_socket)
		fail("no monitor on the command line");
}

static void
open_given(const char *disk)
{
	for (size_t i = 0; i < n_given; i++) {
		struct given *g = &given[i];

		if (!g->is_socket) {
			g->fd = open(disk, O_RDWR | O_CLOEXEC);
			if (g->fd < 0)
				fail(disk);
			continue;
		}
		(void)unlink(g->address.sun_path);
		g->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (g->fd < 0 ||
			bind(g->fd, (struct sockaddr *)&g->address, sizeof(g->address)) < 0 ||
			listen(g->fd, 1) < 0)
			fail(g->address.sun_path);
	}
}

static pid_t
fork_qemu(char **argv, int log_fd)
{
	static char path[] = "PATH=/usr/bin:/bin", lang[] = "LANG=C", home[] = "HOME=/nonexistent";
	char *envp[] = {path, lang, home, NULL};
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid > 0)
		return pid;
	for (size_t i = 0; i < n_given; i++)
		if (given[i].fd >= given[0].number || dup2(given[i].fd, given[i].number) < 0)
			_exit(126);
	(void)dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	(void)dup2(log_fd, 1);
	(void)dup2(log_fd, 2);
	(void)execve(argv[0], argv, envp);
	_exit(127);
}

/* Read the monitor until the line with this word has come; events between are passed over. */
static void
await(int fd, const char *word)
{
	char text[16384];
	size_t used = 0;

	do {
		ssize_t n = read(fd, text + used, sizeof(text) - 1 - used);

		if (n <= 0)
			fail("QEMU has ended, its log tells why");
		used += (size_t)n;
		text[used] = '\0';
	} while (!strstr(text, word) || text[used - 1] != '\n');
}

static void
ask(int fd, const char *command)
{
	if (send(fd, command, strlen(command), MSG_NOSIGNAL) != (ssize_t)strlen(command))
		fail("monitor");
	await(fd, "\"return\"");
}

/* Returns the monitor, whose guest runs. */
static int
connect_monitor(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
		connect(fd, (struct sockaddr *)&given[0].address, sizeof(given[0].address)) < 0)
		fail("monitor");
	await(fd, "\"QMP\"");
	ask(fd, "{\"execute\":\"qmp_capabilities\"}\n");
	ask(fd, "{\"execute\":\"cont\"}\n");
	return fd;
}

int
main(int argc, char **argv)
{
	int log_fd = -1, monitor = -1;
	pid_t pid = 0;
	char line[16];

	if (argc < 4)
		return 2;
	read_arguments(argv + 4);
	if (chdir(argv[1]) < 0)
		fail(argv[1]);
	log_fd = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	while (fgets(line, sizeof(line), stdin)) {
		siginfo_t info;
		int64_t begin = now_ns();

		if (strcmp(line, "start\n") == 0 && pid == 0) {
			open_given(argv[2]);
			begin = now_ns();
			pid = fork_qemu(argv + 3, log_fd);
			for (size_t i = 0; i < n_given; i++)
				(void)close(given[i].fd);
			monitor = connect_monitor();
		} else if (strcmp(line, "destroy\n") == 0 && pid > 0) {
			if (kill(pid, SIGKILL) < 0 || waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
				fail("kill");
			pid = 0;
		} else if (strcmp(line, "leave\n") == 0 && monitor >= 0) {
			(void)close(monitor);
			monitor = -1;
		} else {
			return 2;
		}
		(void)printf("%lld\n", (long long)(now_ns() - begin));
		(void)fflush(stdout);
		if (pid == 0)
			(void)close(monitor);
	}
	return 0;
}
