/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replace.c: a file replaced so that a reader, or a power cut, finds the old or the new contents.
 *
 * Runs in every program, root's included (root only below folders that root owns). Never follows a
 * link, neither in the name nor in the temporary's.
 */
#include "lib/replace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"

enum { FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };

static int
write_temporary(
	int dir_fd, const char *temporary, const void *data, size_t size, mode_t mode, bool sync)
{
	fd_auto int fd = openat(dir_fd, temporary, FLAGS, 0600);
	int r;

	if (fd < 0 && errno == EEXIST) {
		/* Left behind by a crash: there is one writer in a folder. */
		if (unlinkat(dir_fd, temporary, 0) < 0)
			return -errno;
		fd = openat(dir_fd, temporary, FLAGS, 0600);
	}
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, size);
	/* Not by open(): the mode asked for is the mode, whatever the umask. */
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && sync && fsync(fd) < 0)
		r = -errno;
	/* NFS tells of a full disk or quota as late as this. */
	if (close(take_fd(&fd)) < 0 && r == 0)
		r = -errno;
	return r;
}

static int
replace(int dir_fd, const char *name, const void *data, size_t size, mode_t mode, bool sync)
{
	char temporary[NAME_MAX + 8];
	int r;

	if (*name == '\0' || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	r = snprintf(temporary, sizeof temporary, ".%s.new", name);
	if (r < 0 || (size_t)r >= sizeof temporary)
		return -ENAMETOOLONG;
	r = write_temporary(dir_fd, temporary, data, size, mode, sync);
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir_fd, temporary, 0);
		return r;
	}
	return sync && fsync(dir_fd) < 0 ? -errno : 0;
}

int
replace_file(int dir_fd, const char *name, const void *data, size_t size, mode_t mode)
{
	return replace(dir_fd, name, data, size, mode, true);
}

int
replace_unsynced(int dir_fd, const char *name, const void *data, size_t size, mode_t mode)
{
	return replace(dir_fd, name, data, size, mode, false);
}

void
replace_clean(int dir_fd, const char *ending)
{
	char end[NAME_MAX];
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	size_t n = (size_t)snprintf(end, sizeof(end), "%s.new", ending);
	struct dirent *entry;

	if (!dir) {
		fd_close(&fd);
		return;
	}
	while ((entry = readdir(dir))) {
		size_t size = strlen(entry->d_name);

		if (size > n && entry->d_name[0] == '.' &&
			strcmp(entry->d_name + size - n, end) == 0)
			(void)unlinkat(dir_fd, entry->d_name, 0);
	}
	(void)closedir(dir);
}
