/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load.c: a client that drives one server of the protocol for a while and prints what it got done.
 *
 * A benchmark program, never installed; what it knows of the protocol is dial.h. look.c has the work
 * of those who watch what others do.
 *
 * load call SOCKET SECONDS CONNECTIONS IN-FLIGHT [PROCEDURE]
 *     calls without arguments, kept in flight
 * load connect SOCKET SECONDS CONCURRENT
 *     connect, AUTH_LIST, CONNECT_OPEN, CONNECT_CLOSE
 * load list SOCKET SECONDS
 *     the list of all domains; 1 connection with 1 in flight
 * load info SOCKET SECONDS
 *     state, memory and vCPUs of the first domain that `define` makes; the same
 * load define SOCKET SECONDS DOMAINS
 *     defines so many domains in turn, again and again; the same. With 0 seconds: each once
 * load first SOCKET SECONDS
 *     a server that is about to begin: prints the nanoseconds until AUTH_LIST is answered, and until
 *     the list of all domains is; after so many seconds it gives up
 * load power SOCKET FILE
 *     defines the domain in FILE; then each line on stdin, `start`, `suspend` or `destroy`, is one call
 *     about it, answered with the nanoseconds from the call to its reply
 * load ask SECONDS SOCKET...
 *     no server: the monitors of QEMUs are asked for their block statistics, all at once, again and
 *     again; the next time comes when all have answered
 * load replace FOLDER SECONDS FILE
 *     no server: writes what is in FILE to a new file, makes it last, and renames it, again and again
 * load idle SOCKET CONNECTIONS
 *     opens them, prints "ready", stays until stdin ends
 *
 * All but `first`, `power` and `idle` print "OPERATIONS SECONDS CPU-NANOSECONDS" when done, where the CPU is
 * their own.
 * Any error reply, wrong size or lost connection ends it with status 1: a refused call must not
 * count as a fast one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/dial.h"

enum { CREATE = 9, DESTROY = 12, SUSPEND = 34, GET_INFO = 16 };

static void
watch(int epoll_fd, struct conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		fail("epoll_ctl");
}

/* One step of connect, AUTH_LIST, OPEN, CLOSE; returns true when a round is complete. */
static bool
connect_step(int epoll_fd, struct conn *c)
{
	static const uint32_t next[] = {OPEN, CLOSE};

	if (take_replies(c) == 0)
		return false;
	if (c->step < 2) {
		send_call(c, next[c->step++]);
		return false;
	}
	(void)close(c->fd);
	dial(c);
	watch(epoll_fd, c);
	send_call(c, AUTH_LIST);
	return true;
}

/* Every reply is followed by a new call. */
static unsigned
call_step(struct conn *c, uint32_t procedure)
{
	static uint8_t calls[BUFFER / 32 * HEADER];
	unsigned n = take_replies(c);
	size_t size = 0;

	for (unsigned i = 0; i < n; i++)
		size += put_call(calls + size, procedure, c->serial++);
	if (size > 0)
		send_all(c, calls, size);
	return n;
}

static void
run(bool connecting, double seconds, long n_conns, long in_flight, uint32_t procedure)
{
	struct conn *conns = conns_new(n_conns);
	struct epoll_event events[64];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	uint64_t n_done = 0;
	double start, end;

	for (long i = 0; i < n_conns; i++) {
		if (connecting)
			dial(&conns[i]);
		else
			dial_and_open(&conns[i]);
		watch(epoll_fd, &conns[i]);
	}
	start = now();
	for (long i = 0; i < n_conns; i++)
		for (long k = 0; k < (connecting ? 1 : in_flight); k++)
			send_call(&conns[i], connecting ? AUTH_LIST : procedure);
	do {
		int n = epoll_wait(epoll_fd, events, 64, 1000);

		for (int i = 0; i < n; i++)
			n_done += connecting ? connect_step(epoll_fd, events[i].data.ptr)
					     : call_step(events[i].data.ptr, procedure);
		end = now();
	} while (end - start < seconds);
	tell(n_done, end - start);
	free(conns);
}

/* --- large calls and replies: one connection, one in flight ------------------------------- */

/* One call with arguments, again and again. */
static void
repeat(double seconds, const uint8_t *call, size_t size)
{
	struct conn c = {.fd = -1};
	const uint8_t *reply;
	uint64_t n_done = 0;
	double start;

	dial_and_open(&c);
	start = now();
	do {
		(void)exchange(&c, call, size, &reply);
		n_done++;
	} while (now() - start < seconds);
	tell(n_done, now() - start);
}

static void
list(double seconds)
{
	uint8_t call[HEADER + 8];
	size_t size = put_header(call, LIST_ALL_DOMAINS, 0, 8);

	store32(call + HEADER, 1);
	store32(call + HEADER + 4, 0);
	repeat(seconds, call, size);
}

static void
first(double seconds)
{
	uint8_t call[HEADER + 28];
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct conn c = {.fd = -1};
	const uint8_t *reply;
	double start = now(), answered;

	memcpy(sun.sun_path, socket_path, strlen(socket_path));
	for (;;) {
		c.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (c.fd >= 0 && connect(c.fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
			break;
		(void)close(c.fd);
		if (now() - start > seconds)
			fail(socket_path);
	}
	(void)exchange(&c, call, put_call(call, AUTH_LIST, 0), &reply);
	answered = now();
	(void)exchange(&c, call, put_call(call, OPEN, 1), &reply);
	store32(call + HEADER, 1);
	store32(call + HEADER + 4, 0);
	(void)exchange(&c, call, put_header(call, LIST_ALL_DOMAINS, 2, 8), &reply);
	(void)printf("%.0f %.0f\n", (answered - start) * 1e9, (now() - start) * 1e9);
}

static void
info(double seconds)
{
	/* Name, UUID, and the id of what does not run. */
	static const char name[] = "bench0000";
	uint8_t call[HEADER + 4 + 12 + 16 + 4] = {0}, *uuid = call + HEADER + 4 + 12;
	size_t size = put_header(call, GET_INFO, 0, sizeof(call) - HEADER);

	store32(call + HEADER, sizeof(name) - 1);
	memcpy(call + HEADER + 4, name, sizeof(name) - 1);
	uuid[6] = 0x40;
	uuid[8] = 0x80;
	store32(uuid + 16, UINT32_MAX);
	repeat(seconds, call, size);
}

static void
define(double seconds, unsigned n_domains)
{
	uint8_t call[1024] = {0};
	struct conn c = {.fd = -1};
	const uint8_t *domain;
	uint64_t n_done = 0;
	double start;

	dial_and_open(&c);
	start = now();
	do {
		size_t size = put_define(call, (unsigned)(n_done % n_domains));

		(void)exchange(&c, call, size, &domain);
		n_done++;
	} while (now() - start < seconds || (seconds <= 0 && n_done < n_domains));
	tell(n_done, now() - start);
}

static size_t
read_file(const char *path, uint8_t *data, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, data, size);

	if (n <= 0)
		fail(path);
	(void)close(fd);
	return (size_t)n;
}

/* A defined domain, as a call about it names it; returns its size. */
static size_t
define_file(struct conn *c, const char *file, uint8_t *ret, size_t size)
{
	static uint8_t call[BUFFER];
	size_t n = read_file(file, call + HEADER + 4, sizeof(call) - HEADER - 8);
	const uint8_t *domain;

	store32(call + HEADER, (uint32_t)n);
	n = exchange(c, call, put_header(call, DEFINE_XML, 0, text_size(n)), &domain);
	if (n > size)
		fail("reply of a strange size");
	memcpy(ret, domain, n);
	return n;
}

/* The procedure that a line asks for. */
static uint32_t
read_power(const char *line)
{
	if (strcmp(line, "start\n") == 0)
		return CREATE;
	return strcmp(line, "suspend\n") == 0 ? SUSPEND : DESTROY;
}

static void
power(const char *file)
{
	uint8_t call[HEADER + 256];
	struct conn c = {.fd = -1};
	const uint8_t *nothing;
	size_t n_args;
	char line[16];

	dial_and_open(&c);
	n_args = define_file(&c, file, call + HEADER, sizeof(call) - HEADER);
	while (fgets(line, sizeof(line), stdin)) {
		size_t size = put_header(call, read_power(line), 0, n_args);
		double begin = now();

		(void)exchange(&c, call, size, &nothing);
		(void)printf("%.0f\n", (now() - begin) * 1e9);
		(void)fflush(stdout);
	}
}

/* What no server that keeps a definition can do without. */
static void
replace(const char *folder, double seconds, const char *file)
{
	size_t size = read_file(file, shared, sizeof(shared));
	uint64_t n_done = 0;
	double start;

	if (chdir(folder) < 0)
		fail(folder);
	start = now();
	do {
		int fd = open("new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, shared, size) != (ssize_t)size || fsync(fd) < 0 ||
			close(fd) < 0 || rename("new", "kept") < 0)
			fail(folder);
		n_done++;
	} while (now() - start < seconds);
	tell(n_done, now() - start);
}

/* --- the monitors of QEMUs ---------------------------------------------------------------- */

/* Reads what there is; returns whether it ends a line. */
static bool
take_line(struct conn *c)
{
	ssize_t n = recv(c->fd, shared, sizeof(shared), 0);

	if (n <= 0)
		fail("monitor");
	if (n > 10 && memcmp(shared, "{\"error\"", 8) == 0)
		fail("QEMU refuses");
	return shared[n - 1] == '\n';
}

static void
question(struct conn *c, const char *command)
{
	send_all(c, (const uint8_t *)command, strlen(command));
}

static void
ask(double seconds, char **sockets, long n_sockets)
{
	struct conn *conns = conns_new(n_sockets);
	struct epoll_event ready[64];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	uint64_t n_done = 0;
	double start;

	for (long i = 0; i < n_sockets; i++) {
		socket_path = sockets[i];
		dial(&conns[i]);
		while (!take_line(&conns[i]))
			;
		question(&conns[i], "{\"execute\":\"qmp_capabilities\"}\n");
		while (!take_line(&conns[i]))
			;
		watch(epoll_fd, &conns[i]);
	}
	start = now();
	do {
		long n_open = n_sockets;

		for (long i = 0; i < n_sockets; i++)
			question(&conns[i], "{\"execute\":\"query-blockstats\"}\n");
		while (n_open > 0) {
			int n = epoll_wait(epoll_fd, ready, 64, -1);

			for (int i = 0; i < n; i++)
				n_open -= take_line(ready[i].data.ptr);
		}
		n_done++;
	} while (now() - start < seconds);
	tell(n_done, now() - start);
	free(conns);
}

static void
idle(long n_conns)
{
	struct conn *conns = conns_new(n_conns);
	char byte;

	for (long i = 0; i < n_conns; i++)
		dial_and_open(&conns[i]);
	(void)puts("ready");
	(void)fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	free(conns);
}

int
main(int argc, char **argv)
{
	if (argc < 4 || strlen(argv[2]) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return 2;
	socket_path = argv[2];
	if (strcmp(argv[1], "idle") == 0)
		idle(atol(argv[3]));
	else if (strcmp(argv[1], "connect") == 0 && argc == 5)
		run(true, atof(argv[3]), atol(argv[4]), 1, 0);
	else if (strcmp(argv[1], "call") == 0 && argc >= 6)
		run(false, atof(argv[3]), atol(argv[4]), atol(argv[5]),
			argc > 6 ? (uint32_t)atol(argv[6]) : LIB_VERSION);
	else if (strcmp(argv[1], "list") == 0 && argc == 4)
		list(atof(argv[3]));
	else if (strcmp(argv[1], "first") == 0 && argc == 4)
		first(atof(argv[3]));
	else if (strcmp(argv[1], "info") == 0 && argc == 4)
		info(atof(argv[3]));
	else if (strcmp(argv[1], "define") == 0 && argc == 5 && atol(argv[4]) > 0)
		define(atof(argv[3]), (unsigned)atol(argv[4]));
	else if (strcmp(argv[1], "power") == 0)
		power(argv[3]);
	else if (strcmp(argv[1], "ask") == 0)
		ask(atof(argv[2]), argv + 3, argc - 3);
	else if (strcmp(argv[1], "replace") == 0 && argc == 5)
		replace(argv[2], atof(argv[3]), argv[4]);
	else
		return 2;
	return 0;
}
