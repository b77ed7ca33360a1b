/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_listener.c: a socket is there with its mode or not at all, nothing that is not a socket is
 * replaced, and a process without descriptors pauses, turns away, and recovers.
 */
#include "broker/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/peer.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/test.h"

enum { N_CLIENTS = LISTENER_BATCH * 2 + 5, KEPT_MAX = 200 };

static char dir_name[] = "/tmp/qemud-listener-XXXXXX";
static int dir_fd = -1;
static struct loop loop;
static struct listener listener;
static int kept[KEPT_MAX];
static unsigned n_kept;

static int
client(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s/sock", dir_name);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
		fd_close(&fd);
	return fd;
}

static void
keep(struct listener *from, int fd)
{
	struct peer peer;

	CHECK(from == &listener && from->arg == &loop && from->socket == IPC_SOCKET_RO);
	CHECK(peer_read(fd, &peer) == 0 && peer.uid == geteuid() && peer.gid == getegid() &&
		peer.pid == (uint32_t)getpid());
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	kept[n_kept++] = fd;
}

static void
start(void)
{
	int fd = -1;

	n_kept = 0;
	CHECK(loop_init(&loop) == 0);
	CHECK(listener_bind(dir_fd, dir_name, "sock", &fd) == 0);
	CHECK(listener_start(&listener, &loop, fd, IPC_SOCKET_RO, keep, &loop) == 0);
}

static void
stop(void)
{
	listener_stop(&listener);
	listener_stop(&listener);
	loop_fini(&loop);
	while (n_kept > 0)
		fd_close(&kept[--n_kept]);
	(void)unlinkat(dir_fd, "sock", 0);
}

static void
test_modes(void)
{
	static const mode_t umasks[] = {0, 022, 027, 077, 0111, 0666, 0777};

	for (size_t i = 0; i < sizeof umasks / sizeof *umasks; i++) {
		mode_t before = umask(umasks[i]), after;
		fd_auto int fd = -1;
		struct stat st;

		CHECK(listener_bind(dir_fd, dir_name, "sock", &fd) == 0);
		after = umask(before);
		CHECK(after == umasks[i]);
		CHECK(fstatat(dir_fd, "sock", &st, AT_SYMLINK_NOFOLLOW) == 0);
		CHECK(S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0666);
		CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		/* The next one finds this one's socket there, and replaces it. */
	}
	(void)unlinkat(dir_fd, "sock", 0);
}

static void
test_not_a_socket(void)
{
	unsigned n_before = n_descriptors();
	struct stat before, after;
	int fd = -1, file = openat(dir_fd, "sock", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	fd_close(&file);
	CHECK(listener_bind(dir_fd, dir_name, "sock", &fd) == LISTENER_E_BLOCKED && fd == -1);
	CHECK(unlinkat(dir_fd, "sock", 0) == 0);

	/* A symbolic link, also one to a socket, is neither followed nor replaced. */
	CHECK(listener_bind(dir_fd, dir_name, "other", &file) == 0);
	CHECK(fstatat(dir_fd, "other", &before, 0) == 0);
	CHECK(symlinkat("other", dir_fd, "sock") == 0);
	CHECK(listener_bind(dir_fd, dir_name, "sock", &fd) == LISTENER_E_BLOCKED && fd == -1);
	CHECK(fstatat(dir_fd, "other", &after, 0) == 0 && before.st_ino == after.st_ino);
	CHECK(unlinkat(dir_fd, "sock", 0) == 0 && unlinkat(dir_fd, "other", 0) == 0);
	fd_close(&file);

	CHECK(mkdirat(dir_fd, "sock", 0700) == 0);
	CHECK(listener_bind(dir_fd, dir_name, "sock", &fd) == LISTENER_E_BLOCKED && fd == -1);
	CHECK(unlinkat(dir_fd, "sock", AT_REMOVEDIR) == 0);
	CHECK(n_descriptors() == n_before);
}

static void
test_too_long(void)
{
	char name[120];
	int fd = -1;

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	CHECK(listener_bind(dir_fd, dir_name, name, &fd) == -ENAMETOOLONG && fd == -1);
}

static void
test_batches(void)
{
	int clients[N_CLIENTS];
	unsigned turns = 0;

	start();
	for (int i = 0; i < N_CLIENTS; i++)
		CHECK((clients[i] = client()) >= 0);
	while (n_kept < N_CLIENTS && turns < 100) {
		unsigned n_before = n_kept;

		CHECK(loop_once(&loop, 60000) == 0);
		CHECK(n_kept - n_before <= LISTENER_BATCH);
		turns++;
	}
	CHECK(n_kept == N_CLIENTS && turns == 3);
	for (int i = 0; i < N_CLIENTS; i++)
		fd_close(&clients[i]);
	stop();
}

/* Has the other end closed? */
static bool
is_closed(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void
test_no_descriptors(void)
{
	unsigned n_before = n_descriptors(), n_closed = 0, i;
	struct rlimit files, none;
	int clients[10];
	uint64_t since;

	start();
	for (i = 0; i < 10; i++)
		CHECK((clients[i] = client()) >= 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
	/* Nothing above what is open: the next descriptor would be one too many. */
	none = (struct rlimit){.rlim_cur = (rlim_t)clients[9] + 1, .rlim_max = files.rlim_max};
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	since = loop_now(&loop);
	for (i = 0; i < 3; i++)
		CHECK(loop_once(&loop, 2 * LISTENER_PAUSE_MS) == 0);
	/* One or two were told, by the end of their connection; the rest wait. */
	for (i = 0; i < 10; i++)
		n_closed += is_closed(clients[i]);
	CHECK(n_kept == 0 && n_closed >= 1 && n_closed <= 3);
	/* It did not spin: a pause lies between two attempts. */
	CHECK(loop_now(&loop) - since >= LOOP_MS(LISTENER_PAUSE_MS));
	CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
	for (i = 0; i < 10 && n_kept < 10 - n_closed; i++)
		CHECK(loop_once(&loop, 2 * LISTENER_PAUSE_MS) == 0);
	CHECK(n_kept == 10 - n_closed);
	for (i = 0; i < 10; i++)
		fd_close(&clients[i]);
	stop();
	CHECK(n_descriptors() == n_before);
}

static void
keep_and_stop(struct listener *from, int fd)
{
	kept[n_kept++] = fd;
	listener_stop(from);
}

static void
test_stop_inside(void)
{
	unsigned n_before = n_descriptors();
	int one, two;

	start();
	listener.accepted = keep_and_stop;
	one = client();
	two = client();
	CHECK(one >= 0 && two >= 0 && loop_once(&loop, 60000) == 0);
	CHECK(n_kept == 1 && !listener.loop && client() == -1);
	fd_close(&one);
	fd_close(&two);
	stop();
	CHECK(n_descriptors() == n_before);
}

static void
test_describe(void)
{
	char text[PEER_TEXT_MAX];
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	CHECK(strlen(peer_describe(fds[0], text)) < PEER_TEXT_MAX);
	/* What the kernel tells depends on its age; that this process lives it never denies. */
	CHECK(!strstr(text, "gone"));
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}

int
main(void)
{
	if (!mkdtemp(dir_name) || (dir_fd = open(dir_name, O_RDONLY | O_DIRECTORY)) < 0)
		return EXIT_FAILURE;
	log_open("broker_listener", LEVEL_ERROR);
	TEST("a socket has mode 0666 under any umask, which stays", test_modes);
	TEST("what is not a socket is neither followed nor replaced", test_not_a_socket);
	TEST("a path that no address holds is refused", test_too_long);
	TEST("connections are accepted in batches, and known by their peer", test_batches);
	TEST("without descriptors it turns one away, pauses, and recovers", test_no_descriptors);
	TEST("it can be stopped while it accepts; then nobody can connect", test_stop_inside);
	TEST("a peer can be described", test_describe);
	(void)rmdir(dir_name);
	return TEST_END();
}
