/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * boot.c: which of its boots the host is in; see boot.h.
 *
 * Runs in every program.
 */
#include "lib/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/take.h"

int
boot_id(char ret[static BOOT_ID_SIZE])
{
	fd_auto int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, BOOT_ID_SIZE);

	if (n < 0)
		return -errno;
	if (n != BOOT_ID_SIZE || ret[BOOT_ID_SIZE - 1] != '\n' || memchr(ret, '\0', BOOT_ID_SIZE))
		return -EBADMSG;
	ret[BOOT_ID_SIZE - 1] = '\0';
	return 0;
}
