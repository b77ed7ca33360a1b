/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dial.h: a client's half of the protocol, as much as the benchmark programs need: connections, calls
 * whose bytes are the same to every server that is compared, and replies that are counted.
 *
 * Any error reply, wrong size or lost connection ends the program with status 1.
 */
#ifndef BENCH_DIAL_H
#define BENCH_DIAL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	AUTH_LIST = 66,
	OPEN = 1,
	CLOSE = 2,
	DEFINE_XML = 11,
	LIB_VERSION = 157,
	LIST_ALL_DOMAINS = 273,
	HEADER = 28,
	BUFFER = 65536,
	REPLY_MAX = 4 * 1024 * 1024
};

struct conn {
	int fd;
	int step; /* replies seen, where they are counted */
	uint32_t serial;
	size_t used;
	uint8_t input[HEADER * 8];
};

static const char *socket_path;
static uint8_t shared[BUFFER];

/* Say what failed, and why; a refused call must not count as a fast one. */
static inline void
fail(const char *what)
{
	(void)fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

/* Seconds. */
static inline double
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static inline void
store32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static inline uint32_t
load32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Write the header of a call with so many bytes of arguments into p; returns the call's size. */
static inline size_t
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
static inline size_t
put_call(uint8_t *p, uint32_t procedure, uint32_t serial)
{
	static const uint8_t open_args[] = "\0\0\0\1\0\0\0\16qemu:///system\0\0\0\0\0";

	if (procedure == OPEN)
		memcpy(p + HEADER, open_args, 28);
	return put_header(p, procedure, serial, procedure == OPEN ? 28 : 0);
}

static inline void
send_all(struct conn *c, const uint8_t *data, size_t size)
{
	if (send(c->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
		fail("send");
}

/* Without arguments, or CONNECT_OPEN. */
static inline void
send_call(struct conn *c, uint32_t procedure)
{
	uint8_t call[64];

	send_all(c, call, put_call(call, procedure, c->serial++));
}

/* Reads what there is; returns how many whole replies came. */
static inline unsigned
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

/* Connect; nothing is said yet. */
static inline void
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

static inline void
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

/* Room for so many, and for their descriptors. */
static inline struct conn *
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

/* What a turn of work prints when it is done. */
static inline void
tell(uint64_t n_done, double seconds)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	(void)printf("%llu %.6f %lld\n", (unsigned long long)n_done, seconds,
		(long long)ts.tv_sec * 1000000000 + ts.tv_nsec);
}

static inline void
read_whole(struct conn *c, uint8_t *data, size_t size)
{
	if (recv(c->fd, data, size, MSG_WAITALL) != (ssize_t)size)
		fail("recv");
}

/* Read a reply: the size and, until the next one, the bytes of what is in it. */
static inline size_t
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
			(void)fprintf(stderr, "%.*s\n", (int)load32(reply + HEADER + 12),
				(const char *)reply + HEADER + 16);
		fail("error reply");
	}
	*ret = reply + HEADER;
	return length - HEADER;
}

/* One call, and its reply as above. */
static inline size_t
exchange(struct conn *c, const uint8_t *call, size_t size, const uint8_t **ret)
{
	send_all(c, call, size);
	return take_reply(c, ret);
}

/* Of a string of n bytes, on the wire. */
static inline size_t
text_size(size_t n)
{
	return 4 + ((n + 3) & ~(size_t)3);
}

/* A call that defines the domain of that number; its size. */
static inline size_t
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

#endif
