/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descriptors.c: the descriptors that a client has sent; see descriptors.h.
 */
#include "serve/descriptors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/fd.h"
#include "protocol/rpc/frame.h"

/* Room for more than one: otherwise the kernel would drop the others without telling which. */
enum { ROOM = 4 };

struct descriptor {
	uint64_t first, last;
	int fd;
};

/* Of all connections: what waits must not use up what the process itself needs. */
static unsigned n_waiting;

struct descriptors {
	unsigned n;
	struct descriptor queue[RPC_FDS_MAX];
};

/* The descriptors in the control data; -EPROTO unless they are at most one. */
static int
take_control(struct msghdr *msg, int *ret_fd)
{
	unsigned n = 0;
	int r = msg->msg_flags & MSG_CTRUNC ? -EPROTO : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			r = -EPROTO;
			continue;
		}
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
			int fd;

			memcpy(&fd, (const uint8_t *)c + at, sizeof fd);
			if (n++ == 0)
				*ret_fd = fd;
			else
				fd_close(&fd);
		}
	}
	if (n > 1)
		r = -EPROTO;
	if (r < 0)
		fd_close(ret_fd);
	return r;
}

ssize_t
descriptors_recv(int sock, uint8_t *data, size_t size, int *ret_fd)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(ROOM * sizeof(int))];
	struct iovec iov = {.iov_base = data, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control};
	ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int r;

	*ret_fd = -1;
	if (n < 0)
		return -errno;
	r = take_control(&msg, ret_fd);
	return r < 0 ? r : n;
}

int
descriptors_put(struct descriptors **queue, uint64_t first, uint64_t last, int fd)
{
	if (!*queue)
		*queue = calloc(1, sizeof **queue);
	if (!*queue || (*queue)->n == RPC_FDS_MAX || n_waiting == DESCRIPTORS_MAX) {
		fd_close(&fd);
		return *queue ? -EPROTO : -ENOMEM;
	}
	(*queue)->queue[(*queue)->n++] = (struct descriptor){first, last, fd};
	n_waiting++;
	return 0;
}

/* Forget the first n of the queue. */
static void
forget(struct descriptors **queue, unsigned n)
{
	struct descriptors *q = *queue;

	q->n -= n;
	n_waiting -= n;
	memmove(&q->queue[0], &q->queue[n], q->n * sizeof q->queue[0]);
	if (q->n == 0) {
		free(q);
		*queue = NULL;
	}
}

int
descriptors_take(struct descriptors **queue, uint64_t at)
{
	const struct descriptors *q = *queue;
	int fd;

	if (!q || at < q->queue[0].first || at > q->queue[0].last)
		return -1;
	fd = q->queue[0].fd;
	forget(queue, 1);
	return fd;
}

void
descriptors_drop(struct descriptors **queue, uint64_t before)
{
	struct descriptors *q = *queue;
	unsigned n = 0;

	if (!q)
		return;
	while (n < q->n && q->queue[n].last < before)
		fd_close(&q->queue[n++].fd);
	forget(queue, n);
}
