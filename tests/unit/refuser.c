/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whoever is refused is told why in her first answer, whatever she asked, and holds little
 * meanwhile.
 */
#include "view/refused.h"

#include <errno.h>
#include <sys/socket.h>

#include "tests/unit/test.h"

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "protocol/rpc/arena.h"
#include "protocol/rpc/keepalive.h"
#include "protocol/rpc/types.h"
#include "tests/unit/descriptors.h"

static struct loop loop;
static struct uplink uplink;
static struct refuser refuser;
static struct rpc_arena arena;
static int broker_fd;
static uint64_t last_conn;
static unsigned n_forgotten, n_emptied;

static int
pass_on(struct uplink *up, const struct ipc_conn_pass *pass, int fd)
{
	(void)up;
	return refused_start(&refuser, pass, fd);
}

static void
forget(struct uplink *up, struct uplink_conn *conn)
{
	(void)up;
	n_forgotten++;
	refused_free(container_of(conn, struct refused, conn));
}

static void
stopped(struct uplink *up, enum ipc_fault fault, uint16_t type)
{
	(void)up;
	(void)type;
	CHECK(fault == IPC_OK);
}

static void
emptied(struct refuser *self)
{
	CHECK(self == &refuser && self->n == 0);
	n_emptied++;
}

static const struct uplink_ops ops = {.pass = pass_on, .forget = forget, .stop = stopped};

static void
start(void)
{
	int fds[2];

	last_conn = n_forgotten = n_emptied = 0;
	rpc_arena_init(&arena, (size_t)64 << 20);
	ASSERT(loop_init(&loop) == 0 && packet_pair(fds) == 0);
	broker_fd = fds[0];
	refuser_init(&refuser, &loop, &uplink, emptied);
	ASSERT(uplink_start(&uplink, &loop, fds[1], &ops) == 0);
}

static void
turn(int timeout_ms)
{
	struct packet packet;

	ASSERT(loop_once(&loop, timeout_ms) == 0);
	while (packet_recv(broker_fd, &packet) == 0)
		packet_fini(&packet);
}

static void
stop(void)
{
	refuser_fini(&refuser);
	for (unsigned i = 0; n_forgotten < last_conn && i < 100; i++)
		turn(10);
	CHECK(n_forgotten == last_conn);
	uplink_fini(&uplink);
	loop_fini(&loop);
	fd_close(&broker_fd);
	rpc_arena_fini(&arena);
}

static int
refused_with(uint8_t refusal, const char *reason)
{
	struct ipc_conn_pass pass = {.conn_id = ++last_conn,
		.uid = 1000,
		.socket = IPC_SOCKET_RW,
		.origin = IPC_ORIGIN_UNIX,
		.refusal = refusal,
		.label = "alice"};
	int fds[2];

	(void)snprintf(pass.reason, sizeof pass.reason, "%s", reason);
	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	CHECK(refused_start(&refuser, &pass, fds[1]) == 0);
	return fds[0];
}

static int
connect_refused(void)
{
	return refused_with(IPC_REFUSAL_POLICY, "no");
}

static void
send_frame(int sock, int32_t procedure, uint32_t type, uint32_t serial, size_t size)
{
	struct rpc_header header = {.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = procedure,
		.type = type,
		.serial = serial};
	uint8_t data[RPC_FRAME_MIN + 64] = {0, 0, 0, (uint8_t)(RPC_FRAME_MIN + size)};

	ASSERT(size <= 64);
	rpc_header_write(&header, data + RPC_LENGTH_SIZE);
	ASSERT(send(sock, data, RPC_FRAME_MIN + size, MSG_NOSIGNAL) ==
		(ssize_t)(RPC_FRAME_MIN + size));
}

/* Read size bytes; false when it is over before. */
static bool
receive(int sock, uint8_t *data, size_t size)
{
	for (unsigned i = 0; size > 0 && i < 500; i++) {
		ssize_t n = recv(sock, data, size, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return false;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		} else {
			turn(10);
		}
	}
	return size == 0;
}

static bool
read_frame(int sock, struct rpc_frame *ret)
{
	uint8_t *data = rpc_arena_bytes(&arena, 4096);
	size_t length;

	return data && receive(sock, data, RPC_LENGTH_SIZE) &&
	       rpc_frame_length(data, RPC_LENGTH_SIZE, &length) == 0 && length <= 4096 &&
	       receive(sock, data + RPC_LENGTH_SIZE, length - RPC_LENGTH_SIZE) &&
	       rpc_frame_read(data, length, ret) == 0;
}

static void
check_refusal(int sock, int32_t procedure, uint32_t serial, int code, const char *message)
{
	struct rpc_remote_error error = {.code = 0};
	struct rpc_frame frame = {.size = 0};

	CHECK(read_frame(sock, &frame));
	CHECK(frame.header.type == RPC_REPLY && frame.header.status == RPC_ERROR);
	CHECK(frame.header.procedure == procedure && frame.header.serial == serial);
	CHECK(rpc_decode(&rpc_shapes[RPC_SHAPE_REMOTE_ERROR], frame.payload, frame.size, &arena,
		      &error) == 0);
	CHECK(error.code == code && error.domain == VIR_FROM_RPC && error.level == VIR_ERR_ERROR);
	CHECK_STR(error.message, message);
}

static void
test_codes(void)
{
	static const struct {
		uint8_t refusal;
		int code;
		const char *message;
	} cases[] = {
		{IPC_REFUSAL_NOBODY, 45, "authentication failed: why"},
		{IPC_REFUSAL_POLICY, 45, "authentication failed: why"},
		{IPC_REFUSAL_CONNECTIONS, 9, "operation failed: why"},
		{IPC_REFUSAL_RATE, 9, "operation failed: why"},
		{IPC_REFUSAL_HOST, 9, "operation failed: why"},
		{IPC_REFUSAL_WORKER, 9, "operation failed: why"},
	};

	start();
	CHECK(sizeof cases / sizeof *cases == IPC_REFUSAL_WORKER);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int sock = refused_with(cases[i].refusal, "why");

		send_frame(sock, RPC_PROC_AUTH_LIST, RPC_CALL, 0, 0);
		check_refusal(sock, RPC_PROC_AUTH_LIST, 0, cases[i].code, cases[i].message);
		fd_close(&sock);
	}
	stop();
}

/* Whatever comes first, and whatever comes then. */
static void
test_any_call(void)
{
	static const int32_t procedures[] = {RPC_PROC_AUTH_LIST, RPC_PROC_CONNECT_OPEN,
		RPC_PROC_CONNECT_CLOSE, RPC_PROC_DOMAIN_DESTROY, 0, -1, 999, INT32_MAX};
	int sock;

	start();
	for (size_t i = 0; i < sizeof procedures / sizeof *procedures; i++) {
		sock = connect_refused();
		for (uint32_t serial = 0; serial < 3; serial++) {
			send_frame(sock, procedures[i], RPC_CALL, serial, serial * 7);
			check_refusal(sock, procedures[i], serial, 45, "authentication failed: no");
		}
		fd_close(&sock);
	}
	stop();
}

static void
test_byte_by_byte(void)
{
	uint8_t data[RPC_FRAME_MIN + 10] = {0, 0, 0, RPC_FRAME_MIN + 10};
	struct rpc_header header = {
		.program = 1, .version = 2, .procedure = 3, .type = RPC_CALL, .serial = 4};
	int sock;

	start();
	sock = connect_refused();
	rpc_header_write(&header, data + RPC_LENGTH_SIZE);
	for (unsigned i = 0; i < 2 * sizeof data; i++) {
		ASSERT(send(sock, &data[i % sizeof data], 1, MSG_NOSIGNAL) == 1);
		turn(100);
	}
	check_refusal(sock, 3, 4, 45, "authentication failed: no");
	check_refusal(sock, 3, 4, 45, "authentication failed: no");
	fd_close(&sock);
	stop();
}

static void
test_keepalive_and_others(void)
{
	uint8_t ping[RPC_FRAME_MIN];
	struct rpc_frame frame = {.size = 0};
	int sock;

	start();
	sock = connect_refused();
	send_frame(sock, 1, RPC_MESSAGE, 1, 0);
	send_frame(sock, 1, RPC_REPLY, 1, 8);
	send_frame(sock, 1, RPC_STREAM, 1, 60);
	rpc_keepalive_frame(RPC_KEEPALIVE_PONG, ping);
	ASSERT(send(sock, ping, sizeof ping, MSG_NOSIGNAL) == sizeof ping);
	rpc_keepalive_frame(RPC_KEEPALIVE_PING, ping);
	ASSERT(send(sock, ping, sizeof ping, MSG_NOSIGNAL) == sizeof ping);
	CHECK(read_frame(sock, &frame));
	CHECK(rpc_keepalive_is(&frame.header) && frame.header.procedure == RPC_KEEPALIVE_PONG);
	send_frame(sock, 5, RPC_CALL, 6, 0);
	check_refusal(sock, 5, 6, 45, "authentication failed: no");
	fd_close(&sock);
	stop();
}

/* A call with descriptors is the last one: they are dropped, and what follows them is not read. */
static void
test_descriptors(void)
{
	uint8_t byte;
	int sock;

	start();
	sock = connect_refused();
	send_frame(sock, 5, RPC_CALL_WITH_FDS, 6, 4);
	check_refusal(sock, 5, 6, 45, "authentication failed: no");
	CHECK(!receive(sock, &byte, 1));
	CHECK(refuser.n == 0);
	fd_close(&sock);
	stop();
}

static void
test_bad_length(void)
{
	uint8_t byte, data[RPC_FRAME_MIN] = {0, 0, 0, 27};
	int sock;

	start();
	sock = connect_refused();
	ASSERT(send(sock, data, sizeof data, MSG_NOSIGNAL) == sizeof data);
	CHECK(!receive(sock, &byte, 1));
	CHECK(refuser.n == 0 && n_emptied == 1);
	fd_close(&sock);
	stop();
}

/* It asks and asks, and reads nothing. */
static void
test_unread(void)
{
	const struct refused *refused;
	uint8_t data[RPC_FRAME_MIN] = {0, 0, 0, RPC_FRAME_MIN};
	unsigned n = 0, stuck = 0;
	int sock;

	start();
	sock = refused_with(IPC_REFUSAL_POLICY,
		"a reason that is as long as reasons are, so that what it is told takes more room "
		"than what it asks, and an account cannot make this program hold more than it may");
	refused = TAILQ_FIRST(&refuser.list);
	while (stuck < 20) {
		ssize_t size = send(sock, data, sizeof data, MSG_NOSIGNAL);

		ASSERT(size == sizeof data || (size < 0 && errno == EAGAIN));
		n += size > 0;
		stuck = size > 0 ? 0 : stuck + 1;
		turn(0);
	}
	CHECK(refuser.n == 1 && refused->io.events == EPOLLOUT);
	CHECK(rpc_buffer_left(&refused->out) < (size_t)32 * 1024);
	for (unsigned i = 0; i < n; i++) {
		struct rpc_frame frame = {.size = 0};

		CHECK(read_frame(sock, &frame));
		rpc_arena_reset(&arena);
	}
	CHECK(refused->io.events == EPOLLIN);
	fd_close(&sock);
	stop();
}

static void
test_deadline(void)
{
	struct refused *refused;
	uint8_t byte;
	uint64_t now;
	int sock;

	start();
	sock = connect_refused();
	refused = TAILQ_FIRST(&refuser.list);
	now = loop_now(&loop);
	CHECK(refused->deadline.node.key > now + LOOP_S(REFUSED_S - 1));
	CHECK(refused->deadline.node.key <= now + LOOP_S(REFUSED_S));
	timer_set(&loop, &refused->deadline, now, refused->deadline.fn);
	CHECK(!receive(sock, &byte, 1));
	CHECK(refuser.n == 0);
	fd_close(&sock);
	stop();
}

static void
test_client_gone(void)
{
	int sock;

	start();
	sock = connect_refused();
	send_frame(sock, 1, RPC_CALL, 1, 0);
	fd_close(&sock);
	for (unsigned i = 0; refuser.n > 0 && i < 100; i++)
		turn(10);
	CHECK(refuser.n == 0 && n_forgotten == 1);
	stop();
}

static void
test_bound(void)
{
	static int socks[REFUSED_MAX + 5];
	uint8_t byte;

	start();
	for (unsigned i = 0; i < REFUSED_MAX + 5; i++) {
		socks[i] = connect_refused();
		CHECK(refuser.n <= REFUSED_MAX);
	}
	CHECK(refuser.n == REFUSED_MAX);
	for (unsigned i = 0; i < 5; i++)
		CHECK(!receive(socks[i], &byte, 1));
	send_frame(socks[5], 1, RPC_CALL, 1, 0);
	check_refusal(socks[5], 1, 1, 45, "authentication failed: no");
	for (unsigned i = 0; i < REFUSED_MAX + 5; i++)
		fd_close(&socks[i]);
	stop();
}

/* The broker refuses or it does not; a connection without a refusal is not for here. */
static void
test_not_refused(void)
{
	struct ipc_conn_pass pass = {.conn_id = 1, .verbs = 15};
	int fds[2];
	uint8_t byte;

	start();
	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	CHECK(refused_start(&refuser, &pass, fds[1]) == -EINVAL);
	CHECK(recv(fds[0], &byte, 1, 0) == 0);
	fd_close(&fds[0]);
	stop();
}

static unsigned n_at_start;

static void
test_nothing_left(void)
{
	CHECK(n_descriptors() == n_at_start);
}

/* qemudctl is told in its own language, whether it has said anything or not, and that is all. */
static void
test_ctl(void)
{
	static const struct {
		uint8_t refusal;
		const char *want;
	} cases[] = {
		{IPC_REFUSAL_NOBODY, "error\trefused\twho?\nend\t1\n"},
		{IPC_REFUSAL_POLICY, "error\trefused\twho?\nend\t1\n"},
		{IPC_REFUSAL_CONNECTIONS, "error\tfailed\twho?\nend\t1\n"},
		{IPC_REFUSAL_RATE, "error\tfailed\twho?\nend\t1\n"},
		{IPC_REFUSAL_HOST, "error\tfailed\twho?\nend\t1\n"},
		{IPC_REFUSAL_WORKER, "error\tfailed\twho?\nend\t1\n"},
	};

	start();
	for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
		struct ipc_conn_pass pass = {.conn_id = ++last_conn,
			.socket = IPC_SOCKET_CTL,
			.refusal = cases[i / 2].refusal,
			.reason = "who?"};
		size_t size = strlen(cases[i / 2].want);
		uint8_t text[64] = {0}, more;
		int fds[2];

		ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) ==
			0);
		if (i % 2)
			CHECK(send(fds[0], "1\tstatus\n", 9, MSG_NOSIGNAL) == 9);
		CHECK(refused_start(&refuser, &pass, fds[1]) == 0);
		CHECK(receive(fds[0], text, size));
		CHECK_STR((const char *)text, cases[i / 2].want);
		CHECK(!receive(fds[0], &more, 1) && refuser.n == 0);
		fd_close(&fds[0]);
	}
	stop();
}

int
main(void)
{
	n_at_start = n_descriptors();
	TEST("the code says what kind of refusal it is", test_codes);
	TEST("whatever is called is answered with the reason", test_any_call);
	TEST("calls may come byte by byte", test_byte_by_byte);
	TEST("pings are answered, other packets are dropped", test_keepalive_and_others);
	TEST("a call with descriptors is answered, and is the last", test_descriptors);
	TEST("a wrong length ends the connection", test_bad_length);
	TEST("who does not read her answers is not read", test_unread);
	TEST("a connection ends at its deadline", test_deadline);
	TEST("a client may go", test_client_gone);
	if (fd_limit_raise(2 * REFUSED_MAX + 100) == 0)
		TEST("one more than the most ends the oldest", test_bound);
	TEST("a connection that is not refused is not taken", test_not_refused);
	TEST("qemudctl is told in its own language", test_ctl);
	TEST("no descriptor is left", test_nothing_left);
	return TEST_END();
}
