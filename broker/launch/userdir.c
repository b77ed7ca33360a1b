/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * userdir.c: a user's folder for run-time state; see userdir.h.
 */
#include "broker/launch/userdir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mount.h>
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

/* A new file system for that user, not mounted yet. Returns it or a negative errno. */
static int
make_file_system(uint32_t uid, uint32_t gid)
{
	char owner[16], group[16];
	const char *const options[][2] = {{"source", "qemud"}, {"size", USERDIR_SIZE},
		{"nr_inodes", USERDIR_INODES}, {"mode", "0700"}, {"uid", owner}, {"gid", group}};
	fd_auto int fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int fd;

	(void)snprintf(owner, sizeof(owner), "%" PRIu32, uid);
	(void)snprintf(group, sizeof(group), "%" PRIu32, gid);
	if (fs_fd < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (fsconfig(fs_fd, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0) < 0)
			return -errno;
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(
		fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Root's own, just made or left by a starter that ended in between: it becomes the user's. */
static int
hand_over(int fd, uint32_t uid, uint32_t gid, bool *ret_unlimited)
{
	fd_auto int mounted_fd = make_file_system(uid, gid);
	int r = mounted_fd;

	if (r >= 0 && move_mount(mounted_fd, "", fd, "",
			      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		r = -errno;
	if (r >= 0)
		return 0;
	*ret_unlimited = true;
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int
userdir_make(int parent_fd, uint32_t uid, uint32_t gid, const char **ret_why, bool *ret_unlimited)
{
	fd_auto int fd = -1;
	char name[16];
	struct stat st;

	*ret_why = NULL;
	*ret_unlimited = false;
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
	if (st.st_uid == 0)
		return hand_over(fd, uid, gid, ret_unlimited);
	if (st.st_uid != uid) {
		*ret_why = "belongs to somebody else; remove it";
		return USERDIR_E_UNSAFE;
	}
	return 0;
}
