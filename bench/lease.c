/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lease.c: a worker that only asks: what a lease costs, and a box without one.
 *
 * A benchmark program, never installed. A broker with a --libexec of its own starts it in the place of
 * qemud-worker, as the user. Each connection has it ask for ROUNDS leases, one after the other, each
 * ended before the next; or, when its first byte is 't', for as many boxes for tools. It is sent the
 * nanoseconds from each ask to its answer, with the seed's socket, a line each, and closed.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/loop.h"
#include "lib/start.h"
#include "lib/take.h"
#include "lib/uplink.h"

/* A user may start so many at once, and have so many tools. */
enum { ROUNDS = 12, MEMORY_KIB = 65536 };

static struct bench {
	struct loop loop;
	struct uplink uplink;
	struct uplink_conn conn;
	int client_fd, seed_fd;
	bool tools;
	unsigned n_left;
	uint64_t asked_ns;
	struct timer rest;
} bench = {.client_fd = -1, .seed_fd = -1};

static uint64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void
fail(const char *what, int err)
{
	(void)fprintf(stderr, "lease: %s: %s\n", what, strerror(err));
	exit(1);
}

static void
ask(void)
{
	static uint8_t n;
	struct ipc_lease lease = {
		.uuid = {++n, 1}, .memory_kib = MEMORY_KIB, .vcpus = 1, .code_mib = 32};
	int r;

	bench.asked_ns = now_ns();
	r = bench.tools ? uplink_ask_tool(&bench.uplink, IPC_TOOL_PROBE, 0)
			: uplink_ask_lease(&bench.uplink, &lease, 0);
	if (r != 0)
		fail("ask", EAGAIN);
}

static void
next(void)
{
	if (--bench.n_left > 0) {
		ask();
		return;
	}
	fd_close(&bench.client_fd);
	uplink_gone(&bench.uplink, &bench.conn);
}

static void
answered(int err, int fd)
{
	uint64_t ns = now_ns() - bench.asked_ns;
	char line[32];
	int size;

	if (err != 0)
		fail("answer", -err);
	bench.seed_fd = fd;
	size = snprintf(line, sizeof(line), "%llu\n", (unsigned long long)ns);
	if (send(bench.client_fd, line, (size_t)size, MSG_NOSIGNAL) != size)
		fail("send", errno);
}

static void
leased(struct uplink *uplink, uint64_t cookie, int err, const struct ipc_leased *lease, int fd)
{
	(void)cookie;
	answered(err, fd);
	if (uplink_stop_lease(uplink, lease->id) != 0)
		fail("stop", EAGAIN);
}

static void
lease_gone(struct uplink *uplink, const struct ipc_lease_gone *gone)
{
	(void)uplink;
	(void)gone;
	fd_close(&bench.seed_fd);
	next();
}

static void
rested(struct timer *timer)
{
	(void)timer;
	next();
}

/* A seed that loses its worker ends; nobody says when. */
static void
tool(struct uplink *uplink, uint64_t cookie, int err, int fd)
{
	(void)uplink;
	(void)cookie;
	answered(err, fd);
	fd_close(&bench.seed_fd);
	timer_set(&bench.loop, &bench.rest, loop_now(&bench.loop) + LOOP_MS(20), rested);
}

static int
pass(struct uplink *uplink, const struct ipc_conn_pass *client, int fd)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	char kind;

	(void)uplink;
	if (bench.client_fd >= 0 || poll(&readable, 1, 1000) != 1 || recv(fd, &kind, 1, 0) != 1) {
		fd_close(&fd);
		return -EBUSY;
	}
	bench.conn = (struct uplink_conn){.id = client->conn_id};
	bench.client_fd = fd;
	bench.tools = kind == 't';
	bench.n_left = ROUNDS;
	ask();
	return 0;
}

static void
forget(struct uplink *uplink, struct uplink_conn *conn)
{
	(void)uplink;
	(void)conn;
}

static void
stop(struct uplink *uplink, enum ipc_fault fault, uint16_t type)
{
	(void)uplink;
	(void)type;
	loop_quit(&bench.loop, fault == IPC_OK ? 0 : 1);
}

static void
signalled(void *arg, int signo)
{
	(void)arg;
	(void)signo;
	loop_quit(&bench.loop, 0);
}

int
main(void)
{
	static const struct uplink_ops ops = {.pass = pass,
		.forget = forget,
		.stop = stop,
		.tool = tool,
		.leased = leased,
		.lease_gone = lease_gone};
	int r;

	start_program("qemud-worker");
	start_loop(&bench.loop, 0, signalled, NULL);
	r = uplink_start(&bench.uplink, &bench.loop, UPLINK_FD, &ops);
	if (r < 0)
		fail("link", -r);
	return loop_run(&bench.loop) < 0;
}
