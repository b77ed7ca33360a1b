/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemud-worker and qemud-view --refuse as their broker sees them: they begin, serve and end by the
 * rules of the link, under their filters.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/messages.h"
#include "tests/unit/test.h"

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/packet.h"
#include "protocol/ipc/ipc.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/types.h"
#include "protocol/verb.h"

enum { WAIT_MS = 60000 };

static char folder[4096]; /* of the programs: two above this one */
static int link_fd = -1, log_fd = STDERR_FILENO;
static pid_t pid;
static uint32_t serial;

/* Start a program with its link, say nothing yet. */
static void
start(const char *program, char *const argv[])
{
	int fds[2];

	ASSERT(packet_pair(fds) == 0);
	pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		if (dup2(fds[1], 3) < 0 || dup2(log_fd, STDERR_FILENO) < 0)
			_exit(127);
		execv(program, argv);
		_exit(127);
	}
	fd_close(&fds[1]);
	link_fd = fds[0];
	serial = 0;
}

static char run_dir[] = "/tmp/qemud-run-XXXXXX";

static void
start_worker(const char *idle)
{
	char seconds[16];
	char *argv[] = {(char[]){"qemud-worker"}, (char[]){"--idle"}, seconds, (char[]){"--log"},
		(char[]){"warning"}, (char[]){"--run"}, run_dir, (char[]){"--port-min"},
		(char[]){"1024"}, NULL};

	(void)snprintf(seconds, sizeof seconds, "%s", idle);
	start("qemud-worker", argv);
}

static void
start_refuser(void)
{
	char *argv[] = {(char[]){"qemud-view"}, (char[]){"--refuse"}, (char[]){"--log"},
		(char[]){"warning"}, NULL};

	start("qemud-view", argv);
}

/* The exit status; -1 for an end by a signal, or none in time. */
static int
ends_with(void)
{
	int status = -1;

	for (unsigned i = 0; i < WAIT_MS / 10; i++) {
		pid_t r = waitpid(pid, &status, WNOHANG);

		if (r == pid) {
			fd_close(&link_fd);
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		}
		(void)poll(NULL, 0, 10);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	fd_close(&link_fd);
	return -1;
}

/* The next message of the program; type 0 when it has closed its link, or is silent for too long.
 */
static struct ipc_header
receive_message(void)
{
	struct ipc_header header = {.type = 0};
	struct pollfd ready = {.fd = link_fd, .events = POLLIN};
	struct packet packet;

	if (poll(&ready, 1, WAIT_MS) == 1 && packet_recv(link_fd, &packet) == 0) {
		memcpy(&header, packet.data, sizeof header);
		packet_fini(&packet);
	}
	return header;
}

static void send_message(struct ipc_header header, const void *body, size_t size, const int *fd);

/* A new worker says HELLO, and asks what runs: nothing does. */
static void
greet_worker(void)
{
	struct ipc_lease_found none = {.id = 0};
	struct ipc_header ask;

	CHECK(receive_message().type == IPC_HELLO);
	ask = receive_message();
	CHECK(ask.type == IPC_LEASE_NEXT);
	send_message(
		(struct ipc_header){.type = IPC_LEASE_FOUND, .serial = ask.serial, .err = -ENOENT},
		&none, sizeof none, NULL);
}

static void
send_message(struct ipc_header header, const void *body, size_t size, const int *fd)
{
	uint8_t data[PACKET_SIZE_MAX];

	header.version = IPC_VERSION;
	header.size = (uint16_t)size;
	header.n_fds = fd != NULL;
	memcpy(data, &header, sizeof header);
	if (size > 0)
		memcpy(data + sizeof header, body, size);
	CHECK(packet_send(link_fd, data, sizeof header + size, fd, fd != NULL) == 0);
}

/* Pass a connection; the client's end. */
static int
pass(uint8_t refusal)
{
	struct ipc_conn_pass body = {.conn_id = ++serial,
		.uid = 1000,
		.verbs = refusal == IPC_REFUSAL_NONE ? VERBS_ALL : VERBS_NONE,
		.socket = IPC_SOCKET_RW,
		.origin = IPC_ORIGIN_UNIX,
		.refusal = refusal,
		.label = "alice"};
	int fds[2];

	if (refusal != IPC_REFUSAL_NONE)
		(void)snprintf(body.reason, sizeof body.reason, "not you");
	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	send_message((struct ipc_header){.type = IPC_CONN_PASS, .serial = serial}, &body,
		sizeof body, &fds[1]);
	fd_close(&fds[1]);
	CHECK(receive_message().type == IPC_CONN_TAKEN);
	return fds[0];
}

/* Call without arguments. The status of the reply; -1 when there is none. */
static int
call(int sock, int32_t procedure)
{
	struct rpc_header header = {.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = procedure,
		.type = RPC_CALL,
		.serial = 7};
	uint8_t data[1024] = {0, 0, 0, RPC_FRAME_MIN};
	ssize_t n;

	rpc_header_write(&header, data + RPC_LENGTH_SIZE);
	if (send(sock, data, RPC_FRAME_MIN, MSG_NOSIGNAL) != RPC_FRAME_MIN)
		return -1;
	n = recv(sock, data, sizeof data, 0);
	if (n < RPC_FRAME_MIN)
		return -1;
	rpc_header_read(data + RPC_LENGTH_SIZE, &header);
	CHECK(header.serial == 7 && header.type == RPC_REPLY);
	return (int)header.status;
}

static void
answer_idle(uint8_t granted, uint32_t ask)
{
	struct ipc_idle_answer answer = {.granted = granted};

	send_message((struct ipc_header){.type = IPC_IDLE_ANSWER, .serial = ask}, &answer,
		sizeof answer, NULL);
}

static void
test_serves(void)
{
	uint8_t byte;
	int sock;

	start_worker("600");
	greet_worker();
	sock = pass(IPC_REFUSAL_NONE);
	CHECK(call(sock, RPC_PROC_AUTH_LIST) == RPC_OK);
	CHECK(call(sock, RPC_PROC_CONNECT_GET_HOSTNAME) == RPC_ERROR);
	/* STOP: the connection ends, then the worker. */
	send_message((struct ipc_header){.type = IPC_STOP}, NULL, 0, NULL);
	CHECK(recv(sock, &byte, 1, 0) == 0);
	CHECK(receive_message().type == IPC_CONN_GONE);
	CHECK(ends_with() == 0);
	fd_close(&sock);
}

static void
test_idle(void)
{
	struct ipc_header ask;
	int sock;

	start_worker("1");
	greet_worker();
	ask = receive_message();
	CHECK(ask.type == IPC_IDLE_ASK);
	/* No: something is on its way. While it is there nothing is asked; afterwards, again. */
	answer_idle(0, ask.serial);
	sock = pass(IPC_REFUSAL_NONE);
	CHECK(call(sock, RPC_PROC_AUTH_LIST) == RPC_OK);
	fd_close(&sock);
	CHECK(receive_message().type == IPC_CONN_GONE);
	ask = receive_message();
	CHECK(ask.type == IPC_IDLE_ASK);
	answer_idle(0, ask.serial);
	ask = receive_message();
	CHECK(ask.type == IPC_IDLE_ASK);
	answer_idle(1, ask.serial);
	CHECK(ends_with() == 0);
}

static void
test_broker_gone(void)
{
	uint8_t byte;
	int sock;

	start_worker("600");
	greet_worker();
	sock = pass(IPC_REFUSAL_NONE);
	fd_close(&link_fd);
	CHECK(recv(sock, &byte, 1, 0) == 0);
	CHECK(ends_with() == 0);
	fd_close(&sock);
	start_refuser();
	CHECK(receive_message().type == IPC_HELLO);
	fd_close(&link_fd);
	CHECK(ends_with() == 0);
}

static void
test_violation(void)
{
	struct ipc_conn_gone wrong = {.conn_id = 1};

	for (unsigned i = 0; i < 2; i++) {
		if (i == 0) {
			start_worker("600");
			greet_worker();
		} else {
			start_refuser();
			CHECK(receive_message().type == IPC_HELLO);
		}
		send_message(
			(struct ipc_header){.type = IPC_CONN_GONE}, &wrong, sizeof wrong, NULL);
		CHECK(ends_with() == 1);
	}
}

/* Whoever read the log has gone. */
static void
test_log_unread(void)
{
	int fds[2];

	ASSERT(pipe(fds) == 0);
	fd_close(&fds[0]);
	log_fd = fds[1];
	test_violation();
	log_fd = STDERR_FILENO;
	fd_close(&fds[1]);
}

static void
test_terminated(void)
{
	start_worker("600");
	greet_worker();
	CHECK(kill(pid, SIGTERM) == 0);
	CHECK(ends_with() == 0);
	start_refuser();
	CHECK(receive_message().type == IPC_HELLO);
	CHECK(kill(pid, SIGTERM) == 0);
	CHECK(ends_with() == 0);
}

static void
test_refuses(void)
{
	uint8_t byte;
	int sock;

	start_refuser();
	CHECK(receive_message().type == IPC_HELLO);
	sock = pass(IPC_REFUSAL_POLICY);
	CHECK(call(sock, RPC_PROC_AUTH_LIST) == RPC_ERROR);
	fd_close(&sock);
	CHECK(receive_message().type == IPC_CONN_GONE);
	sock = pass(IPC_REFUSAL_RATE);
	CHECK(call(sock, RPC_PROC_CONNECT_OPEN) == RPC_ERROR);
	/* STOP: whoever is here may still read, for a moment. */
	send_message((struct ipc_header){.type = IPC_STOP}, NULL, 0, NULL);
	CHECK(recv(sock, &byte, 1, 0) == 0);
	CHECK(ends_with() == 0);
	fd_close(&sock);
}

static void
test_usage(void)
{
	char *const cases[][10] = {
		{(char[]){"x"}, NULL},
		{(char[]){"x"}, (char[]){"--idle"}, (char[]){"0"}, (char[]){"--log"},
			(char[]){"info"}, (char[]){"--run"}, run_dir, (char[]){"--port-min"},
			(char[]){"1024"}, NULL},
		{(char[]){"x"}, (char[]){"--idle"}, (char[]){"5"}, (char[]){"--log"},
			(char[]){"loud"}, (char[]){"--run"}, run_dir, (char[]){"--port-min"},
			(char[]){"1024"}, NULL},
		{(char[]){"x"}, (char[]){"--idle"}, (char[]){"5"}, (char[]){"--log"},
			(char[]){"info"}, NULL},
		{(char[]){"x"}, (char[]){"--idle"}, (char[]){"5"}, (char[]){"--log"},
			(char[]){"info"}, (char[]){"--run"}, (char[]){"/"}, (char[]){"--port-min"},
			(char[]){"1024"}, NULL},
		{(char[]){"x"}, (char[]){"--refuse"}, (char[]){"--idle=5"}, (char[]){"--log=info"},
			(char[]){"more"}, NULL},
		{(char[]){"x"}, (char[]){"--unknown"}, NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		start("qemud-worker", cases[i]);
		CHECK(ends_with() == 1);
		start("qemud-view", cases[i]);
		CHECK(ends_with() == 1);
	}
}

/* --- whatever a broker says that it may not say --------------------------------------------- */

static char log_dir[] = "/tmp/qemud-log-XXXXXX";

static void
start_view(char *kind)
{
	char *argv[] = {(char[]){"qemud-view"}, kind, (char[]){"--idle"}, (char[]){"600"},
		(char[]){"--log"}, (char[]){"error"}, NULL};

	start("qemud-view", argv);
	CHECK(receive_message().type == IPC_HELLO);
}

static void
start_host(void)
{
	start_view((char[]){"--host"});
}

static void
start_ctl(void)
{
	start_view((char[]){"--ctl"});
}

static void
start_greeted(void)
{
	start_worker("600");
	greet_worker();
}

static void
start_refuser_greeted(void)
{
	start_refuser();
	CHECK(receive_message().type == IPC_HELLO);
}

static void
start_audit(void)
{
	char *argv[] = {(char[]){"qemud-audit"}, (char[]){"--dir"}, log_dir, (char[]){"--file-mib"},
		(char[]){"1"}, (char[]){"--files"}, (char[]){"0"}, (char[]){"--log"},
		(char[]){"error"}, NULL};

	start("qemud-audit", argv);
}

/* May a broker say that to such a program, unasked? */
static bool
is_good(const struct expected *message, enum ipc_link kind)
{
	return message->link == kind && message->sender == BROKER && message->kind != ANSWER;
}

static void
check_ends(const char *program, const struct raw *raw)
{
	int fds[2] = {STDIN_FILENO, STDIN_FILENO};
	int status;

	CHECK(packet_send(link_fd, raw, raw->size, fds, raw->header.n_fds) == 0);
	status = ends_with();
	CHECK(status == 1);
	if (status != 1)
		printf("# %s, after message %u: %d\n", program, raw->header.type, status);
}

static void
test_hostile_broker(void)
{
	static const struct {
		const char *name;
		void (*start)(void);
		enum ipc_link link;
	} programs[] = {
		{"qemud-worker", start_greeted, IPC_LINK_CHILD},
		{"qemud-view --refuse", start_refuser_greeted, IPC_LINK_CHILD},
		{"qemud-view --host", start_host, IPC_LINK_CHILD},
		{"qemud-view --ctl", start_ctl, IPC_LINK_CHILD},
		{"qemud-audit", start_audit, IPC_LINK_AUDIT},
	};
	static const uint16_t unknown[] = {0, 17, 255, UINT16_MAX};

	ASSERT(mkdtemp(log_dir));
	for (size_t p = 0; p < sizeof programs / sizeof *programs; p++) {
		for (size_t i = 0; i < N_MESSAGES; i++) {
			struct raw raw = good_raw(&messages[i]);

			/* Of other links' some, of what it may say one, by another build. */
			if (messages[i].link != programs[p].link && i % 8 != 0)
				continue;
			if (is_good(&messages[i], programs[p].link)) {
				if (raw.header.type != IPC_STOP)
					continue;
				raw.header.version++;
			}
			/* To no ask of its. */
			if (messages[i].kind == ANSWER)
				raw.header.serial = 4711;
			programs[p].start();
			check_ends(programs[p].name, &raw);
		}
		for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
			struct raw raw = {
				.header = {.version = IPC_VERSION, .type = unknown[i], .serial = 1},
				.size = sizeof raw.header};

			programs[p].start();
			check_ends(programs[p].name, &raw);
		}
	}
	(void)unlinkat(AT_FDCWD, log_dir, AT_REMOVEDIR);
}

int
main(int argc, char **argv)
{
	(void)argc;
	(void)snprintf(folder, sizeof folder, "%s/../..", dirname(argv[0]));
	ASSERT(chdir(folder) == 0 && access("qemud-worker", X_OK) == 0 &&
		access("qemud-view", X_OK) == 0);
	ASSERT(mkdtemp(run_dir));
	TEST("a worker serves, and ends when it is told to", test_serves);
	TEST("an idle worker asks, and asks again, and ends when it may", test_idle);
	TEST("without a broker they end", test_broker_gone);
	TEST("when the broker breaks a rule they exit with an error", test_violation);
	TEST("whatever the broker says that it may not say, each program exits, and no worse",
		test_hostile_broker);
	TEST("a log that nobody reads ends nobody", test_log_unread);
	TEST("SIGTERM ends them in order", test_terminated);
	TEST("the refuser answers, and ends when it is told to", test_refuses);
	TEST("wrong arguments are an error", test_usage);
	(void)rmdir(run_dir);
	return TEST_END();
}
