/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.c: the programs that the starter may start, opened once; see program.h.
 */
#include "broker/launch/program.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/take.h"

static const char *const names[PROGRAM_N] = {
	[PROGRAM_WORKER] = "qemud-worker",
	[PROGRAM_VIEW] = "qemud-view",
	[PROGRAM_RESOLVE] = "qemud-resolve",
	[PROGRAM_BOX] = "qemud-box",
	[PROGRAM_NET] = "qemud-net",
	[PROGRAM_AUDIT] = "qemud-audit",
};

const char *
program_name(enum program program)
{
	return names[program];
}

static const char *
unsafe(int fd, mode_t type)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return "cannot be examined";
	if ((st.st_mode & S_IFMT) != type)
		return type == S_IFDIR ? "is not a folder" : "is not a regular file";
	if (st.st_uid != 0)
		return "is not owned by root";
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return "can be written by others than root";
	if (type == S_IFREG && !(st.st_mode & S_IXOTH))
		return "cannot be executed by users (its mode should be 0711)";
	return NULL;
}

int
program_open(
	struct program_set *ret, const char *libexec, const char **ret_what, const char **ret_why)
{
	fd_auto int dir_fd = open(libexec, O_PATH | O_DIRECTORY | O_CLOEXEC);

	*ret_what = libexec;
	*ret_why = NULL;
	for (int i = 0; i < PROGRAM_N; i++)
		ret->fds[i] = -1;
	if (dir_fd < 0)
		return -errno;
	*ret_why = unsafe(dir_fd, S_IFDIR);
	if (*ret_why)
		return PROGRAM_E_UNSAFE;
	for (int i = 0; i < PROGRAM_N; i++) {
		*ret_what = names[i];
		ret->fds[i] = openat(dir_fd, names[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (ret->fds[i] < 0)
			return -errno;
		*ret_why = unsafe(ret->fds[i], S_IFREG);
		if (*ret_why)
			return PROGRAM_E_UNSAFE;
	}
	return 0;
}
