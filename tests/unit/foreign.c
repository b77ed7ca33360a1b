/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * foreign.c: closing, or reading past, what another put into a queue does not wait for it.
 */
#include "lib/foreign.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/fd.h"
#include "tests/unit/test.h"

enum { LINGER_S = 30 };

static double
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A TCP socket whose last close waits LINGER_S seconds; *ret_peer takes nothing. */
static int
lingering(int *ret_peer)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct linger linger = {.l_onoff = 1, .l_linger = LINGER_S};
	static const char bytes[4096];
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 2048;
	int sender = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	(void)setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	CHECK(listen(listener, 1) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
	CHECK(connect(sender, (struct sockaddr *)&address, sizeof(address)) == 0);
	*ret_peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	fd_close(&listener);
	while (send(sender, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	CHECK(errno == EAGAIN);
	CHECK(setsockopt(sender, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	return sender;
}

/* Returns 0, or the errno of the refusal. */
static int
put(int sock, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (char[]){0}, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1 ? 0 : errno;
}

/* A pair whose first end holds two lingering descriptors that nobody else has. */
static void
fill(int pair[2], int peers[2])
{
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	for (int i = 0; i < 2; i++) {
		int sender = lingering(&peers[i]);

		CHECK(put(pair[1], sender) == 0);
		foreign_close(&sender);
	}
}

static void
closing_does_not_wait(void)
{
	int pair[2], peers[2];
	double begin;

	fill(pair, peers);
	begin = now();
	foreign_close(&pair[0]);
	CHECK(now() - begin < LINGER_S / 3);
	CHECK(pair[0] == -1);
	fd_close(&pair[1]);
	fd_close(&peers[0]);
	fd_close(&peers[1]);
}

static void
reading_does_not_wait(void)
{
	int pair[2], peers[2];
	double begin;
	char byte;

	fill(pair, peers);
	begin = now();
	for (int i = 0; i < 2; i++) {
		foreign_begin();
		CHECK(recv(pair[0], &byte, 1, MSG_DONTWAIT) == 1);
		foreign_end();
	}
	CHECK(now() - begin < LINGER_S / 3);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	fd_close(&peers[0]);
	fd_close(&peers[1]);
}

static void
refusing_refuses(void)
{
	int pair[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int r;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	foreign_refuse(pair[0]);
	r = put(pair[1], null);
	/* Before Linux 6.16 there is no such thing. */
	CHECK(r == EPERM || r == 0);
	if (r == 0)
		printf("# this kernel lets descriptors through all the same\n");
	CHECK(put(pair[0], null) == 0);
	foreign_allow(pair[0]);
	CHECK(put(pair[1], null) == 0);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	fd_close(&null);
}

static void
what_it_leaves(void)
{
	struct timespec pause = {.tv_nsec = 20000000};
	int none = -1;

	errno = ENOENT;
	foreign_close(&none);
	foreign_begin();
	foreign_end();
	CHECK(errno == ENOENT);
	/* No signal comes any more: a sleep is not cut short. */
	CHECK(nanosleep(&pause, NULL) == 0);
}

int
main(void)
{
	TEST("closing a queue with descriptors that linger does not wait", closing_does_not_wait);
	TEST("reading past them does not wait", reading_does_not_wait);
	TEST("a socket that refuses takes no descriptor, where the kernel can", refusing_refuses);
	TEST("nothing is left running, and errno is kept", what_it_leaves);
	return TEST_END();
}
