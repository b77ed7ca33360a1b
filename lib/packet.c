/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packet.c: one SOCK_SEQPACKET message with its descriptors, received without trust.
 *
 * Runs in every program, root's included. Must never leave a descriptor open that it does not hand
 * over, nor wait.
 */
#include "lib/packet.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/foreign.h"

/* SCM_MAX_FD (net/scm.h): what the kernel takes in one message. */
enum { FDS_IN_FLIGHT = 253 };

int
packet_pair(int ret_fds[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fds) < 0)
		return -errno;
	return 0;
}

/* What an errno of sendmsg() or recvmsg() means to our callers. */
static int
failure(int err)
{
	if (err == EAGAIN || err == EWOULDBLOCK)
		return PACKET_E_AGAIN;
	if (err == EPIPE || err == ECONNRESET || err == ENOTCONN || err == ESHUTDOWN)
		return PACKET_E_GONE;
	return -err;
}

int
packet_send(int sock, const void *data, size_t size, const int *fds, unsigned n_fds)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * PACKET_FDS_MAX)];
		struct cmsghdr align;
	} control = {.buf = {0}};
	uint8_t copy[PACKET_SIZE_MAX];
	struct iovec iov = {.iov_base = copy, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	ASSERT(size > 0 && size <= sizeof copy && n_fds <= PACKET_FDS_MAX);
	memcpy(copy, data, size);
	if (n_fds > 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * n_fds);
	}
	for (;;) {
		if (sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EINTR)
			return failure(errno);
	}
}

/* Move the descriptors of all control data into ret; false when there is anything else. */
static bool
take_control(struct msghdr *msg, struct packet *ret)
{
	bool good = true;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS) {
			good = false;
			continue;
		}
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof fd, sizeof fd);
			if (ret->n_fds < PACKET_FDS_MAX) {
				ret->fds[ret->n_fds++] = fd;
			} else {
				foreign_close(&fd);
				good = false;
			}
		}
	}
	return good;
}

int
packet_recv(int sock, struct packet *ret)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * FDS_IN_FLIGHT) +
			 CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = ret->data, .iov_len = sizeof ret->data};
	struct msghdr msg;
	ssize_t n;
	bool good;

	ret->size = 0;
	ret->cut = false;
	ret->n_fds = 0;
	memset(ret->fds, 0xff, sizeof ret->fds);
	do {
		msg = (struct msghdr){.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.buf,
			.msg_controllen = sizeof control.buf};
		n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		/*
		 * A peer that closed without reading everything makes the kernel say ECONNRESET
		 * once, before what it had sent to us: that is still to be read.
		 */
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return failure(errno);
	good = take_control(&msg, ret);
	if (n == 0 && good && ret->n_fds == 0)
		return PACKET_E_GONE;
	if (n == 0 || !good || (msg.msg_flags & MSG_TRUNC)) {
		packet_fini(ret);
		return PACKET_E_BAD;
	}
	ret->size = (size_t)n;
	/* There was room for all that the kernel lets in: it could not open them here (RLIMIT_NOFILE). */
	ret->cut = msg.msg_flags & MSG_CTRUNC;
	if (ret->cut)
		packet_fini(ret);
	return ret->cut ? PACKET_E_BAD : 0;
}

void
packet_fini(struct packet *packet)
{
	for (unsigned i = 0; i < packet->n_fds; i++)
		foreign_close(&packet->fds[i]);
	packet->n_fds = 0;
}
