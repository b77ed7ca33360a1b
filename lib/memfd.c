/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memfd.c: text and bytes that travel between our programs as sealed memfds.
 *
 * Runs in every program, root's included. Copies; never maps what came from somebody else.
 */
#include "lib/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* linux/memfd.h, since Linux 6.3 */
#endif

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

int
memfd_begin(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

int
memfd_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

int
memfd_make(const char *name, const void *data, size_t size)
{
	fd_auto int fd = memfd_begin(name);
	int r;

	if (fd < 0)
		return fd;
	r = fd_write_all(fd, data, size);
	if (r == 0)
		r = memfd_seal(fd);
	return r < 0 ? r : take_fd(&fd);
}

int
memfd_room(const char *name, size_t size)
{
	fd_auto int fd = memfd_begin(name);

	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)size) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	return take_fd(&fd);
}

int
memfd_read(int fd, size_t max, char **ret_data, size_t *ret_size)
{
	free_auto char *data = NULL;
	size_t size, at = 0;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	/* Whatever has no seals to tell, an O_PATH descriptor (EBADF) included. */
	if (seals < 0 || (seals & SEALS) != SEALS)
		return MEMFD_E_NOT_SEALED;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < 1 || (uint64_t)st.st_size > max)
		return MEMFD_E_SIZE;
	size = (size_t)st.st_size;
	data = malloc(size + 1);
	if (!data)
		return -ENOMEM;
	while (at < size) {
		/* Never moves the offset, which the writer shares. */
		ssize_t n = pread(fd, data + at, size - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EBADF)
			return MEMFD_E_NOT_SEALED; /* opened for writing alone */
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (size_t)n;
	}
	data[size] = '\0';
	*ret_data = take_ptr(data);
	*ret_size = size;
	return 0;
}
