/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * userdir.c: a user's folder for run-time state; see userdir.h.
 */
#include "broker/launch/userdir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/take.h"

int
userdir_open(const char *path, int *ret_fd, const char **ret_why)
{
	fd_auto int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	*ret_why = NULL;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH))) {
		*ret_why = "must be root's and not writable by others";
		return USERDIR_E_UNSAFE;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

int
userdir_make(int parent_fd, uint32_t uid, uint32_t gid, const char **ret_why)
{
	fd_auto int fd = -1;
	char name[16];
	struct stat st;

	*ret_why = NULL;
	(void)snprintf(name, sizeof(name), "%" PRIu32, uid);
	if (mkdirat(parent_fd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode)) {
		*ret_why = "is not a folder; remove it";
		return USERDIR_E_UNSAFE;
	}
	if ((st.st_mode & 07777) != 0700) {
		*ret_why = "must have mode 0700; correct it or remove it";
		return USERDIR_E_UNSAFE;
	}
	/* Root's own: just made, or left by a starter that ended before it could hand it over. */
	if (st.st_uid == 0 && fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return -errno;
	if (st.st_uid != 0 && st.st_uid != uid) {
		*ret_why = "belongs to somebody else; remove it";
		return USERDIR_E_UNSAFE;
	}
	return 0;
}
