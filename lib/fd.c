/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fd.c: what is done to descriptors everywhere.
 *
 * Runs in every program, root's included.
 */
#include "lib/fd.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/take.h"

enum { READ_FIRST = 4096 };

void
fd_close(int *fd)
{
	int err = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = err;
}

int
fd_write_all(int fd, const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

int
fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_size)
{
	free_auto char *data = NULL;
	size_t room = 0, size = 0;

	for (;;) {
		ssize_t n;

		if (size == room) {
			char *larger;

			if (size > max)
				return -EFBIG;
			/* One byte above max tells a file that is too long from one that just fits.
			 */
			room = room == 0 ? READ_FIRST : room * 2;
			if (room > max + 1)
				room = max + 1;
			larger = realloc(data, room + 1);
			if (!larger)
				return -ENOMEM;
			data = larger;
		}
		n = read(fd, data + size, room - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	data[size] = '\0';
	*ret_data = take_ptr(data);
	*ret_size = size;
	return 0;
}

int
fd_limit_raise(unsigned long want)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	if (limit.rlim_cur >= want)
		return 0;
	limit.rlim_cur = want;
	if (limit.rlim_max < want) {
		struct rlimit both = {.rlim_cur = want, .rlim_max = want};

		if (setrlimit(RLIMIT_NOFILE, &both) == 0)
			return 0;
		if (errno != EPERM)
			return -errno;
		limit.rlim_cur = limit.rlim_max;
	}
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	return limit.rlim_cur < want ? -EPERM : 0;
}

bool
fd_is_stream(int fd)
{
	int type = 0, listens = 1;
	socklen_t size = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && !listens;
}
