/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hostile.h: what a hostile peer can send: any bytes with up to 253 descriptors (SCM_MAX_FD), with
 * no library between it and the kernel.
 */
#ifndef TESTS_UNIT_HOSTILE_H
#define TESTS_UNIT_HOSTILE_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOSTILE_FDS_MAX = 253, HOSTILE_SIZE_MAX = 4096 };

/** Send size bytes and n_fds descriptors of /dev/null as one packet; ends the test when it cannot.
 */
static inline void
hostile_send(int sock, const void *data, size_t size, unsigned n_fds)
{
	static union {
		char buf[CMSG_SPACE(sizeof(int) * HOSTILE_FDS_MAX)];
		struct cmsghdr align;
	} control;
	char copy[HOSTILE_SIZE_MAX];
	struct iovec iov = {.iov_base = copy, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || size > sizeof copy || n_fds > HOSTILE_FDS_MAX)
		abort();
	memcpy(copy, data, size);
	if (n_fds > 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		for (unsigned i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(cmsg) + i * sizeof null, &null, sizeof null);
	}
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) != (ssize_t)size)
		abort();
	(void)close(null);
}

#endif
