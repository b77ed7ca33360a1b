/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors come one with each byte after their packet, belong to that call, and never leak.
 */
#include "serve/descriptors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/test.h"

#include "tests/unit/descriptors.h"
#include "tests/unit/worker.h"

static unsigned n_got; /* descriptors that the last call brought to its handler */
static bool got_right; /* they are the ones that were sent, in order */

/* A procedure that nothing else has a handler for; it looks at its descriptors. */
int
rpc_connect_domain_xml_to_native(struct rpc_call *call,
	const struct rpc_connect_domain_xml_to_native_args *args,
	struct rpc_connect_domain_xml_to_native_ret *ret)
{
	struct stat st;

	(void)args;
	n_got = call->n_fds;
	got_right = true;
	for (unsigned i = 0; i < call->n_fds; i++)
		got_right = got_right && fstat(call->fds[i], &st) == 0 && st.st_size == i + 1 &&
			    (fcntl(call->fds[i], F_GETFD) & FD_CLOEXEC);
	return call_return_string(call, "", &ret->nativeConfig);
}

/* A descriptor of a file of that size. */
static int
make_fd(unsigned size)
{
	int fd = memfd_create("test", 0);

	ASSERT(fd >= 0 && ftruncate(fd, size) == 0);
	return fd;
}

/* Send bytes with descriptors that are closed here. */
static void
send_with(int sock, const void *data, size_t size, int *fds, unsigned n)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(64 * sizeof(int))] = {0};
	struct iovec iov;
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	iov.iov_base = memcpy(rpc_arena_bytes(&rig.arena, size), data, size);
	iov.iov_len = size;
	if (n > 0) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	ASSERT(sendmsg(sock, &msg, MSG_NOSIGNAL) == (ssize_t)size);
	for (unsigned i = 0; i < n; i++)
		fd_close(&fds[i]);
}

static void
send_fd(int sock, unsigned size)
{
	int fd = make_fd(size);

	send_with(sock, "", 1, &fd, 1);
}

static struct rpc_header header;

/* The call's packet, which announces n descriptors. */
static size_t
announce(uint8_t *frame, unsigned n)
{
	uint8_t payload[4 + 16] = {0, 0, 0, (uint8_t)n};

	header = call_header(RPC_PROC_CONNECT_DOMAIN_XML_TO_NATIVE, call_serial++);
	header.type = RPC_CALL_WITH_FDS;
	n_got = 99;
	return raw_frame(frame, &header, payload, sizeof payload);
}

static bool
is_answered(int sock)
{
	struct rpc_connect_domain_xml_to_native_ret ret = {0};

	return read_reply(sock, &header, &ret) == 0;
}

/* All in one go, or with a turn of the worker after each byte. */
static void
send_slowly_or_not(int sock, unsigned n, bool slowly)
{
	uint8_t frame[64];
	size_t size = announce(frame, n);

	for (size_t i = 0; i < size; i += slowly ? 1 : size) {
		send_with(sock, frame + i, slowly ? 1 : size, NULL, 0);
		if (slowly)
			rig_turn(0);
	}
	for (unsigned i = 0; i < n; i++) {
		send_fd(sock, i + 1);
		if (slowly)
			rig_turn(0);
	}
}

static void
test_as_libvirt_sends(void)
{
	static const unsigned counts[] = {0, 1, 2, 31, 32};
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	for (unsigned i = 0; i < 10; i++) {
		unsigned n = counts[i / 2];

		send_slowly_or_not(sock, n, i % 2);
		CHECK(is_answered(sock));
		CHECK(n_got == n && got_right);
	}
	fd_close(&sock);
	rig_stop();
}

/* Several calls with descriptors, sent before the worker has a turn. */
static void
test_pipelined(void)
{
	struct rpc_header headers[3];
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	for (unsigned i = 0; i < 3; i++) {
		send_slowly_or_not(sock, i, false);
		headers[i] = header;
	}
	for (unsigned i = 0; i < 3; i++) {
		header = headers[i];
		CHECK(is_answered(sock));
	}
	CHECK(n_got == 2 && got_right);
	fd_close(&sock);
	rig_stop();
}

/* Behind a packet that came in two parts, with a turn between the descriptors. */
static void
test_behind_parts(void)
{
	struct rpc_header first = call_header(RPC_PROC_CONNECT_GET_TYPE, 5);
	struct rpc_connect_get_type_ret ret = {0};
	uint8_t data[512], trailing[300] = {0};
	size_t size;
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	size = raw_frame(data, &first, trailing, sizeof trailing);
	send_with(sock, data, size - 10, NULL, 0);
	rig_turn(0);
	size += announce(data + size, 2);
	send_with(sock, data + RPC_FRAME_MIN + sizeof trailing - 10,
		size - (RPC_FRAME_MIN + sizeof trailing - 10), NULL, 0);
	send_fd(sock, 1);
	rig_turn(0);
	send_fd(sock, 2);
	CHECK(read_reply(sock, &first, &ret) == 0);
	CHECK(is_answered(sock));
	CHECK(n_got == 2 && got_right);
	fd_close(&sock);
	rig_stop();
}

/* A packet, its byte and its descriptor in one write. */
static void
test_in_one_write(void)
{
	uint8_t frame[64];
	int sock, fd = make_fd(1);
	size_t size;

	rig_start();
	sock = rig_open(VERBS_ALL);
	size = announce(frame, 1);
	frame[size] = 0;
	send_with(sock, frame, size + 1, &fd, 1);
	CHECK(is_answered(sock));
	CHECK(n_got == 1 && got_right);
	fd_close(&sock);
	rig_stop();
}

/* Nobody asked for them: they are closed, and the call is an ordinary one. */
static void
test_not_announced(void)
{
	struct rpc_connect_get_type_ret ret = {0};
	uint8_t frame[64];
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	for (unsigned i = 0; i < 100; i++) {
		unsigned n = n_descriptors();
		int fd = make_fd(1);

		header = call_header(RPC_PROC_CONNECT_GET_TYPE, call_serial++);
		send_with(sock, frame, raw_frame(frame, &header, NULL, 0), &fd, 1);
		CHECK(read_reply(sock, &header, &ret) == 0);
		CHECK(n_descriptors() == n);
	}
	fd_close(&sock);
	rig_stop();
}

/* A procedure that wants none is served all the same. */
static void
test_not_wanted(void)
{
	struct rpc_connect_get_type_ret ret = {0};
	uint8_t frame[64];
	unsigned n;
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	n = n_descriptors();
	(void)announce(frame, 1);
	header.procedure = RPC_PROC_CONNECT_GET_TYPE;
	send_with(sock, frame, raw_frame(frame, &header, "\0\0\0\2", 4), NULL, 0);
	send_fd(sock, 1);
	send_fd(sock, 2);
	CHECK(read_reply(sock, &header, &ret) == 0);
	CHECK(n_descriptors() == n);
	fd_close(&sock);
	rig_stop();
}

static void
test_too_many_announced(void)
{
	uint8_t frame[64];
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	send_with(sock, frame, announce(frame, 33), NULL, 0);
	CHECK(is_closed(sock));
	fd_close(&sock);
	/* Without a count. */
	sock = rig_open(VERBS_ALL);
	(void)announce(frame, 0);
	send_with(sock, frame, raw_frame(frame, &header, NULL, 0), NULL, 0);
	CHECK(is_closed(sock));
	fd_close(&sock);
	rig_stop();
}

static void
test_byte_without_descriptor(void)
{
	uint8_t frame[64];
	int sock, fd = make_fd(1);

	rig_start();
	sock = rig_open(VERBS_ALL);
	send_with(sock, frame, announce(frame, 1), NULL, 0);
	send_with(sock, "", 1, NULL, 0);
	CHECK(is_closed(sock));
	fd_close(&sock);
	/* The descriptor came with the packet, not with its byte. */
	sock = rig_open(VERBS_ALL);
	send_with(sock, frame, announce(frame, 1), &fd, 1);
	rig_turn(0);
	send_with(sock, "", 1, NULL, 0);
	CHECK(is_closed(sock));
	CHECK(n_got == 99);
	fd_close(&sock);
	rig_stop();
}

static void
test_several_at_once(void)
{
	for (unsigned n = 2; n <= 64; n *= 2) {
		uint8_t frame[64];
		int fds[64], sock;

		rig_start();
		sock = rig_open(VERBS_ALL);
		send_with(sock, frame, announce(frame, 2), NULL, 0);
		for (unsigned i = 0; i < n; i++)
			fds[i] = make_fd(i + 1);
		send_with(sock, "", 1, fds, n);
		CHECK(is_closed(sock));
		fd_close(&sock);
		rig_stop();
	}
}

/* An unfinished packet may be accompanied by as many as any packet could announce. */
static void
test_hoarding(void)
{
	uint8_t front[RPC_FRAME_MIN] = {0, 0, 255};
	int n, most = 0, now;
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	n = (int)n_descriptors();
	send_with(sock, front, 4, NULL, 0);
	for (unsigned i = 0; i < 40 && rig.server.n_clients > 0; i++) {
		send_fd(sock, 1);
		rig_turn(0);
		now = (int)n_descriptors() - n;
		most = now > most ? now : most;
	}
	CHECK(most == RPC_FDS_MAX);
	CHECK(is_closed(sock));
	CHECK((int)n_descriptors() < n);
	fd_close(&sock);
	rig_stop();
}

/* There is no room for a descriptor in the whole process: it costs who sent it. */
static void
test_no_room(void)
{
	struct rlimit limit, lower;
	struct rpc_header header_of_call = call_header(RPC_PROC_CONNECT_GET_TYPE, 5);
	uint8_t frame[64];
	int sock, fd;

	rig_start();
	sock = rig_open(VERBS_ALL);
	fd = make_fd(1);
	ASSERT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	lower = limit;
	lower.rlim_cur = (rlim_t)fd;
	send_with(sock, frame, raw_frame(frame, &header_of_call, NULL, 0), &fd, 1);
	ASSERT(setrlimit(RLIMIT_NOFILE, &lower) == 0);
	CHECK(is_closed(sock));
	ASSERT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	fd_close(&sock);
	rig_stop();
}

/* Descriptors on their way when the client goes. */
static void
test_gone(void)
{
	uint8_t frame[64];
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	send_with(sock, frame, announce(frame, 3), NULL, 0);
	send_fd(sock, 1);
	rig_turn(0);
	send_fd(sock, 2);
	fd_close(&sock);
	rig_wait(0);
	rig_stop();
}

static unsigned n_at_start;

static void
test_nothing_left(void)
{
	CHECK(n_descriptors() == n_at_start);
}

int
main(void)
{
	n_at_start = n_descriptors();
	TEST("0 to 32 descriptors, as libvirt sends them, fast and slowly", test_as_libvirt_sends);
	TEST("calls with descriptors behind each other", test_pipelined);
	TEST("descriptors behind a packet in two parts", test_behind_parts);
	TEST("a packet and its descriptor in one write", test_in_one_write);
	TEST("descriptors that were not announced are closed", test_not_announced);
	TEST("descriptors that a procedure does not want are closed", test_not_wanted);
	TEST("a wrong count ends the connection", test_too_many_announced);
	TEST("a byte without its descriptor ends the connection", test_byte_without_descriptor);
	TEST("several descriptors in one message end the connection", test_several_at_once);
	TEST("descriptors cannot be piled up", test_hoarding);
	TEST("a descriptor for which there is no room costs its sender", test_no_room);
	TEST("a client that goes takes its descriptors along", test_gone);
	TEST("no descriptor is left", test_nothing_left);
	return TEST_END();
}
