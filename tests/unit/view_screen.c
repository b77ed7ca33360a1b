/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A screen goes through the view: all that either side says reaches the other, whoever reads slowly or has
 * gone; it ends with the right to it, or with the connection; what is no screen is none.
 */
#include "tests/unit/view.h"

#include <fcntl.h>

#include "tests/unit/test.h"

enum { LOT = 3 * 1024 * 1024 };

static struct {
	int qemu_fd; /* QEMU's end, as the worker made it */
	int gives;   /* what goes with the answer instead; -1: nothing; 0: a screen */
} there;

static void
send_fd(int sock, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS}};
	struct iovec byte = {.iov_base = &(char){0}, .iov_len = 1};
	struct msghdr message = {.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	ASSERT(sendmsg(sock, &message, MSG_NOSIGNAL) == 1);
}

/* The descriptor that comes behind a reply; -1: none. */
static int
receive_fd(int sock)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec byte = {.iov_base = &(char){0}, .iov_len = 1};
	struct msghdr message = {.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	int fd = -1;

	for (unsigned i = 0; i < TURNS && recvmsg(sock, &message, MSG_CMSG_CLOEXEC) != 1; i++)
		rig_turn(10);
	if (CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static bool
gives_screen(struct played *worker, const struct rpc_frame *frame, const void *args)
{
	struct rpc_header header = rpc_header_reply(&frame->header, RPC_OK);
	struct rpc_buffer out;
	int pair[2];

	(void)args;
	if (frame->header.procedure != RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD)
		return false;
	if (there.gives < 0) {
		play_reply(worker, frame, NULL);
		return true;
	}
	header.type = RPC_REPLY_WITH_FDS;
	rpc_buffer_init(&out, 4096);
	ASSERT(rpc_encode_frame(&header, 1, NULL, NULL, &out) == 0);
	play_send(worker, rpc_buffer_front(&out), rpc_buffer_left(&out));
	rpc_buffer_fini(&out);
	if (there.gives > 0) {
		send_fd(worker->fd, there.gives);
		return true;
	}
	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	send_fd(worker->fd, pair[1]);
	fd_close(&pair[1]);
	there.qemu_fd = pair[0];
	return true;
}

static int
begin(struct rpc_domain *ret)
{
	int sock;

	there.qemu_fd = -1;
	there.gives = 0;
	rig_start();
	rig.answer = gives_screen;
	sock = rig_open();
	CHECK(look_up(sock, "bob:box", ret) == 0);
	ret->name = (char *)(uintptr_t) "bob:box";
	return sock;
}

/* The client's end, which does not block, and *ret_qemu; -1: reply.message says why not. */
static int
open_screen(int sock, const struct rpc_domain *dom, int *ret_code, int *ret_qemu)
{
	struct rpc_domain_open_graphics_fd_args args = {.dom = *dom};
	int fd;

	send_call(sock, RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD, &args, 7);
	CHECK(receive_packet(sock) && reply.header.serial == 7);
	*ret_qemu = there.qemu_fd;
	*ret_code = 0;
	if (reply.header.type == RPC_REPLY) {
		*ret_code = read_reply(RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD, NULL);
		return -1;
	}
	CHECK(reply.header.type == RPC_REPLY_WITH_FDS);
	fd = receive_fd(sock);
	CHECK(fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	return fd;
}

/* Does it end soon? What is in it before goes. */
static bool
ends(int fd)
{
	char data[4096];
	ssize_t n;

	for (unsigned i = 0; i < 100; i++) {
		while ((n = recv(fd, data, sizeof(data), 0)) > 0)
			continue;
		if (n == 0 || errno == ECONNRESET)
			return true;
		rig_turn(1);
	}
	return false;
}

/* So many bytes from one to the other, each as it was said; the reader begins when no more is taken. */
static void
pass_on(int from, int to, bool close_behind)
{
	size_t said = 0, heard = 0;
	unsigned idle = 0, wrong = 0;
	uint8_t data[4096];
	ssize_t n;

	while (heard < LOT && idle < TURNS) {
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)((said + i) % 251);
		n = said < LOT ? send(from, data,
					 LOT - said < sizeof(data) ? LOT - said : sizeof(data),
					 MSG_NOSIGNAL)
			       : -1;
		said += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		if (said == LOT && close_behind)
			(void)shutdown(from, SHUT_RDWR);
		rig_turn(0);
		if (idle < 3 && said < LOT)
			continue;
		while ((n = recv(to, data, sizeof(data), 0)) > 0) {
			for (size_t i = 0; i < (size_t)n; i++)
				wrong += data[i] != (uint8_t)((heard + i) % 251);
			heard += (size_t)n;
			idle = 0;
		}
	}
	CHECK(heard == LOT && wrong == 0);
}

static void
test_passes(void)
{
	struct rpc_domain dom;
	int code, qemu, sock = begin(&dom), fd = open_screen(sock, &dom, &code, &qemu);

	pass_on(qemu, fd, false);
	pass_on(fd, qemu, false);
	/* All that was said is heard, and the end. */
	pass_on(qemu, fd, true);
	CHECK(ends(fd));
	fd_close(&fd);
	fd_close(&qemu);
	fd = open_screen(sock, &dom, &code, &qemu);
	pass_on(fd, qemu, true);
	CHECK(ends(qemu));
	fd_close(&fd);
	fd_close(&qemu);
	fd_close(&sock);
	rig_stop();
}

/* The one goes while the other takes nothing: nothing turns in vain, and it ends. */
static void
test_stuck(void)
{
	struct rpc_domain dom;
	int code, qemu, sock = begin(&dom), fd = open_screen(sock, &dom, &code, &qemu);
	static uint8_t data[65536];
	uint64_t before;

	for (unsigned i = 0, idle = 0; i < TURNS && idle < 10; i++) {
		idle = send(qemu, data, sizeof(data), MSG_NOSIGNAL) < 0 ? idle + 1 : 0;
		rig_turn(0);
	}
	fd_close(&qemu);
	for (unsigned i = 0; i < 4; i++)
		rig_turn(1);
	before = loop_clock();
	for (unsigned i = 0; i < 5; i++)
		rig_turn(20);
	CHECK(loop_clock() - before >= LOOP_MS(50));
	CHECK(ends(fd));
	fd_close(&fd);
	fd_close(&sock);
	rig_stop();
}

static void
test_lost(void)
{
	for (unsigned how = 0; how < 4; how++) {
		struct ipc_ticket_change change = {
			.conn_id = 1, .verbs = VERBS_VIEW, .reason = "no"};
		struct rpc_domain dom;
		int code, qemu, sock = begin(&dom), fd = open_screen(sock, &dom, &code, &qemu);

		CHECK(send(qemu, "x", 1, MSG_NOSIGNAL) == 1);
		if (how == 0)
			CHECK(server_change(&rig.host.server, &change) == 0);
		else if (how == 1)
			fd_close(&sock);
		else
			tell(1, 1001, "bob", how == 2 ? VERBS_VIEW : 0,
				"8\t3\t1\t-\t" UUID_A "\tbox\n+0\n");
		broker_send(IPC_INVENTORY_CHANGED, 0, 0, NULL, 0, -1);
		CHECK(ends(fd) && ends(qemu));
		if (how == 0 || how == 2) {
			fd_close(&fd);
			fd_close(&qemu);
			there.qemu_fd = -1;
			fd = open_screen(sock, &dom, &code, &qemu);
			CHECK(fd < 0 && code == VIR_ERR_OPERATION_DENIED && qemu < 0);
		}
		fd_close(&fd);
		fd_close(&qemu);
		fd_close(&sock);
		rig_stop();
	}
}

static void
test_none(void)
{
	struct rpc_domain dom;
	int code, qemu, sock = begin(&dom), file = memfd_begin("no screen");

	there.gives = -1;
	CHECK(open_screen(sock, &dom, &code, &qemu) < 0 && code == VIR_ERR_INTERNAL_ERROR);
	there.gives = file;
	CHECK(open_screen(sock, &dom, &code, &qemu) < 0 && code == VIR_ERR_INTERNAL_ERROR);
	CHECK(strstr(reply.message, "no screen"));
	fd_close(&file);
	fd_close(&sock);
	rig_stop();
}

static void
test_many(void)
{
	struct rpc_domain dom;
	int fds[SCREENS_MAX], qemus[SCREENS_MAX], code, qemu, sock = begin(&dom), fd;

	for (unsigned i = 0; i < SCREENS_MAX; i++) {
		fds[i] = open_screen(sock, &dom, &code, &qemus[i]);
		CHECK(fds[i] >= 0);
	}
	CHECK(open_screen(sock, &dom, &code, &qemu) < 0 && code == VIR_ERR_OPERATION_FAILED);
	CHECK(ends(qemu));
	fd_close(&qemu);
	fd_close(&fds[3]);
	CHECK(ends(qemus[3]));
	fd = open_screen(sock, &dom, &code, &qemu);
	CHECK(fd >= 0);
	fd_close(&fd);
	fd_close(&qemu);
	for (unsigned i = 0; i < SCREENS_MAX; i++) {
		fd_close(&fds[i]);
		fd_close(&qemus[i]);
	}
	fd_close(&sock);
	rig_stop();
}

int
main(void)
{
	TEST("what either says reaches the other, whole", test_passes);
	TEST("who has gone is not waited for in vain", test_stuck);
	TEST("who loses the right, or the connection, loses the screen", test_lost);
	TEST("what is no screen is told", test_none);
	TEST("so many a connection may have", test_many);
	return TEST_END();
}
