/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load.c: a client that drives one server of the protocol for a while and prints what it got done.
 *
 * A benchmark program, never installed; it knows just enough of the protocol to open a connection
 * and to count replies, so that the same bytes go to every server that is compared.
 *
 * load call SOCKET SECONDS CONNECTIONS IN-FLIGHT [PROCEDURE]
 *     calls without arguments, kept in flight
 * load connect SOCKET SECONDS CONCURRENT
 *     connect, AUTH_LIST, CONNECT_OPEN, CONNECT_CLOSE
 * load list SOCKET SECONDS
 *     the list of all domains; 1 connection with 1 in flight
 * load info SOCKET SECONDS
 *     state, memory and vCPUs of the first domain that `define` makes; the same
 * load stats SOCKET SECONDS
 *     statistics of all domains that run: state, cpu, balloon, vcpu, interface, block; the same
 * load define SOCKET SECONDS DOMAINS
 *     defines so many domains in turn, again and again; the same. With 0 seconds: each once
 * load events SOCKET SECONDS CONNECTIONS
 *     a domain is defined anew, again and again, and each time so many connections that want to know
 *     are told; the next one comes when the last of them has been
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	AUTH_LIST = 66,
	OPEN = 1,
	CLOSE = 2,
	LIB_VERSION = 157,
	CREATE = 9,
	DEFINE_XML = 11,
	DESTROY = 12,
	SUSPEND = 34,
	GET_INFO = 16,
	LIST_ALL_DOMAINS = 273,
	EVENT_REGISTER = 316,
	GET_ALL_DOMAIN_STATS = 344,
	EVENT_LIFECYCLE = 0,
	HEADER = 28,
	BUFFER = 65536,
	REPLY_MAX = 1024 * 1024
};

struct conn {
	int fd;
	int step; /* in `connect`: replies seen */
	uint32_t serial;
	size_t used;
	uint8_t input[HEADER * 8];
};

static const char *socket_path;
static uint8_t shared[BUFFER];

static void
fail(const char *what)
{
	(void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
store32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static uint32_t
load32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Write the header of a call with so many bytes of arguments into p; returns the call's size. */
static size_t
put_header(uint8_t *p, uint32_t procedure, uint32_t serial, size_t n_args)
{
	size_t size = HEADER + n_args;

	store32(p, (uint32_t)size);
	store32(p + 4, 0x20008086);
	store32(p + 8, 1);
	store32(p + 12, procedure);
	store32(p + 16, 0);
	store32(p + 20, serial);
	store32(p + 24, 0);
	return size;
}

/* Write one call into p; returns its size. CONNECT_OPEN asks for qemu:///system. */
static size_t
put_call(uint8_t *p, uint32_t procedure, uint32_t serial)
{
	static const uint8_t open_args[] = "\0\0\0\1\0\0\0\16qemu:///system\0\0\0\0\0";

	if (procedure == OPEN)
		memcpy(p + HEADER, open_args, 28);
	return put_header(p, procedure, serial, procedure == OPEN ? 28 : 0);
}

static void
send_all(struct conn *c, const uint8_t *data, size_t size)
{
	if (send(c->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
		fail("send");
}

static void
send_call(struct conn *c, uint32_t procedure)
{
	uint8_t call[64];

	send_all(c, call, put_call(call, procedure, c->serial++));
}

/* Reads what there is; returns how many whole replies came. */
static unsigned
take_replies(struct conn *c)
{
	unsigned n_replies = 0;
	size_t at = 0, used = c->used;
	ssize_t n;

	memcpy(shared, c->input, used);
	n = recv(c->fd, shared + used, sizeof(shared) - used, 0);
	if (n == 0)
		errno = ECONNRESET;
	if (n <= 0)
		fail("recv");
	used += (size_t)n;
	while (used - at >= HEADER) {
		uint32_t size = load32(shared + at);

		if (size < HEADER || size > BUFFER / 2)
			fail("reply of a strange size");
		if (used - at < size)
			break;
		if (load32(shared + at + 24) != 0)
			fail("error reply");
		at += size;
		n_replies++;
	}
	c->used = used - at;
	if (c->used > sizeof(c->input))
		fail("reply too long");
	memcpy(c->input, shared + at, c->used);
	return n_replies;
}

static void
dial(struct conn *c)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	memcpy(sun.sun_path, socket_path, strlen(socket_path));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	c->step = 0;
	c->serial = 0;
	c->used = 0;
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		fail(socket_path);
}

static void
dial_and_open(struct conn *c)
{
	static const uint32_t steps[] = {AUTH_LIST, OPEN};

	dial(c);
	for (size_t i = 0; i < 2; i++) {
		send_call(c, steps[i]);
		while (take_replies(c) == 0)
			;
	}
}

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

static struct conn *
conns_new(long n)
{
	struct rlimit rl = {(rlim_t)n + 64, (rlim_t)n + 64};
	struct conn *conns = calloc((size_t)n, sizeof(*conns));

	if (!conns || n < 1)
		fail("connections");
	if (n > 900 && setrlimit(RLIMIT_NOFILE, &rl) < 0)
		fail("setrlimit");
	return conns;
}

static void
tell(uint64_t n_done, double seconds)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	(void)printf("%llu %.6f %lld\n", (unsigned long long)n_done, seconds,
		(long long)ts.tv_sec * 1000000000 + ts.tv_nsec);
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

static void
read_whole(struct conn *c, uint8_t *data, size_t size)
{
	if (recv(c->fd, data, size, MSG_WAITALL) != (ssize_t)size)
		fail("recv");
}

/* Read a reply: the size and, until the next one, the bytes of what is in it. */
static size_t
take_reply(struct conn *c, const uint8_t **ret)
{
	static uint8_t reply[REPLY_MAX];
	uint32_t length;

	read_whole(c, reply, HEADER);
	length = load32(reply);
	if (length < HEADER || length > REPLY_MAX)
		fail("reply of a strange size");
	/* A read of nothing would wait. */
	if (length > HEADER)
		read_whole(c, reply + HEADER, length - HEADER);
	if (load32(reply + 24) != 0) {
		/* After code and domain: whether there is a text, and its length. */
		if (length >= HEADER + 16 && load32(reply + HEADER + 12) <= length - HEADER - 16)
			(void)fprintf(stderr, "load: %.*s\n", (int)load32(reply + HEADER + 12),
				(const char *)reply + HEADER + 16);
		fail("error reply");
	}
	*ret = reply + HEADER;
	return length - HEADER;
}

static size_t
exchange(struct conn *c, const uint8_t *call, size_t size, const uint8_t **ret)
{
	send_all(c, call, size);
	return take_reply(c, ret);
}

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
stats(double seconds)
{
	enum { GROUPS = 0x3f, ACTIVE = 1 };
	uint8_t call[HEADER + 12];
	size_t size = put_header(call, GET_ALL_DOMAIN_STATS, 0, 12);

	store32(call + HEADER, 0);
	store32(call + HEADER + 4, GROUPS);
	store32(call + HEADER + 8, ACTIVE);
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

/* Of a string of n bytes, on the wire. */
static size_t
text_size(size_t n)
{
	return 4 + ((n + 3) & ~(size_t)3);
}

/* A call that defines the domain of that number; its size. */
static size_t
put_define(uint8_t call[static 1024], unsigned number)
{
	int n = snprintf((char *)call + HEADER + 4, 1024 - HEADER - 4,
		"<domain type='qemu'><name>bench%04u</name>"
		"<uuid>00000000-0000-4000-8000-%012u</uuid><memory unit='MiB'>64</memory>"
		"<os><type>hvm</type></os></domain>",
		number, number);

	store32(call + HEADER, (uint32_t)n);
	return put_header(call, DEFINE_XML, 0, text_size((size_t)n));
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

/* A call that asks for lifecycle events, of all domains. */
static size_t
put_register(uint8_t *call)
{
	store32(call + HEADER, EVENT_LIFECYCLE);
	store32(call + HEADER + 4, 0);
	return put_header(call, EVENT_REGISTER, 0, 8);
}

static void
events(double seconds, long n_conns)
{
	struct conn *conns = conns_new(n_conns), c = {.fd = -1};
	uint8_t call[1024] = {0};
	size_t size = put_register(call);
	uint64_t n_done = 0;
	const uint8_t *reply;
	double start;

	for (long i = 0; i < n_conns; i++) {
		dial_and_open(&conns[i]);
		(void)exchange(&conns[i], call, size, &reply);
	}
	dial_and_open(&c);
	size = put_define(call, 0);
	start = now();
	do {
		send_all(&c, call, size);
		for (long i = 0; i < n_conns; i++)
			while (take_replies(&conns[i]) == 0)
				;
		(void)take_reply(&c, &reply);
		n_done++;
	} while (now() - start < seconds);
	tell(n_done, now() - start);
	free(conns);
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
	else if (strcmp(argv[1], "stats") == 0 && argc == 4)
		stats(atof(argv[3]));
	else if (strcmp(argv[1], "info") == 0 && argc == 4)
		info(atof(argv[3]));
	else if (strcmp(argv[1], "define") == 0 && argc == 5 && atol(argv[4]) > 0)
		define(atof(argv[3]), (unsigned)atol(argv[4]));
	else if (strcmp(argv[1], "events") == 0 && argc == 5)
		events(atof(argv[3]), atol(argv[4]));
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
