/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock.c: one broker in a runtime_dir.
 *
 * Runs in the broker, as root, before it is boxed. The lock is flock(2)'s and ends with the
 * process; the pid in the file is for people alone.
 */
#include "broker/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/take.h"

enum { PID_TEXT_MAX = 16 };

int
lock_take(int dir_fd, int *ret_fd, unsigned *ret_pid)
{
	fd_auto int fd = openat(
		dir_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	char text[PID_TEXT_MAX];
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		n = pread(fd, text, sizeof text - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		*ret_pid = (unsigned)strtoul(text, NULL, 10);
		return LOCK_E_HELD;
	}
	n = snprintf(text, sizeof text, "%d\n", getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}
