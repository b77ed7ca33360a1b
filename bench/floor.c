/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * floor.c: the least that a server of this protocol can cost: one epoll thread that answers each
 * frame with 60 bytes, without looking at it.
 *
 * A benchmark program, never installed. `floor SOCKET` listens there, prints "ready" and serves
 * until it is killed. It reads as much as there is, answers all whole frames with one write, and
 * keeps a connection's incomplete frame in a buffer of its own. A call that defines a domain is also
 * followed by EVENT bytes to each other client, in the order in which they came: no domain is defined.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	ANSWER = 60,
	EVENT = 76, /* a lifecycle event of a domain with a name of nine bytes */
	DEFINE_XML = 11,
	INPUT = 65536,
	BATCH = 64
};

struct client {
	TAILQ_ENTRY(client) entry;
	int fd;
	size_t used;
	uint8_t input[4096];
};

static TAILQ_HEAD(, client) clients = TAILQ_HEAD_INITIALIZER(clients);
static uint8_t input[INPUT], output[INPUT / 28 * ANSWER];

static uint32_t
load32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
tell_others(const struct client *who)
{
	static const uint8_t event[EVENT] = {0, 0, 0, EVENT};
	struct client *c;

	TAILQ_FOREACH (c, &clients, entry)
		if (c != who && send(c->fd, event, EVENT, MSG_NOSIGNAL | MSG_DONTWAIT) != EVENT)
			(void)shutdown(c->fd, SHUT_RDWR);
}

/* Answers what came; returns 0 when the client has gone. */
static int
serve(struct client *c)
{
	size_t used = c->used, at = 0, n_out = 0;
	int defined = 0;
	ssize_t n;

	memcpy(input, c->input, used);
	n = read(c->fd, input + used, sizeof(input) - used);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	used += (size_t)n;
	while (used - at >= 4) {
		uint32_t size = load32(input + at);

		if (size < 28 || size > sizeof(c->input))
			return 0;
		if (used - at < size)
			break;
		memset(output + n_out, 0, ANSWER);
		output[n_out + 3] = ANSWER;
		memcpy(output + n_out + 4, input + at + 4, 24);
		output[n_out + 19] = 1;
		n_out += ANSWER;
		defined |= load32(input + at + 12) == DEFINE_XML;
		at += size;
	}
	c->used = used - at;
	if (c->used > sizeof(c->input))
		return 0;
	memcpy(c->input, input + at, c->used);
	if (n_out > 0 && send(c->fd, output, n_out, MSG_NOSIGNAL) != (ssize_t)n_out)
		return 0;
	if (defined)
		tell_others(c);
	return 1;
}

int
main(int argc, char **argv)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct epoll_event events[BATCH], ev = {.events = EPOLLIN};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 2 || strlen(argv[1]) >= sizeof(sun.sun_path))
		return 2;
	(void)unlink(argv[1]);
	memcpy(sun.sun_path, argv[1], strlen(argv[1]));
	if (bind(listener, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
		listen(listener, 1024) < 0 ||
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &ev) < 0) {
		perror(argv[1]);
		return 1;
	}
	(void)puts("ready");
	(void)fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, BATCH, -1);

		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (!c) {
				int fd =
					accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

				if (fd < 0)
					continue;
				c = calloc(1, sizeof(*c));
				if (!c)
					return 1;
				c->fd = fd;
				TAILQ_INSERT_TAIL(&clients, c, entry);
				ev = (struct epoll_event){.events = EPOLLIN, .data.ptr = c};
				if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
					return 1;
			} else if (!serve(c)) {
				TAILQ_REMOVE(&clients, c, entry);
				(void)close(c->fd);
				free(c);
			}
		}
	}
}
