/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * definitions.c: reads and writes domains/ and autostart/; see definitions.h.
 *
 * Runs in the worker, as the user; never as root. Opens files below its own folders only, never
 * through a symbolic link, and nothing but regular files (a FIFO would hang a reader).
 */
#include "worker/store/definitions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/replace.h"
#include "lib/take.h"

static const char suffix[] = ".xml";

struct file_name {
	char text[DEFINITION_FILE_MAX + sizeof(suffix)];
};

/* Returns false for a name that is too long to have a file. */
static bool
file_name(const char *name, struct file_name *ret)
{
	int n = snprintf(ret->text, sizeof(ret->text), "%s%s", name, suffix);

	return n > 0 && n <= DEFINITION_FILE_MAX;
}

bool
definitions_name(const char *file, char name[static DEFINITION_FILE_MAX + 1])
{
	size_t length = strlen(file), rest = length - strlen(suffix);

	if (file[0] == '.' || length < sizeof(suffix) || length > DEFINITION_FILE_MAX ||
		strcmp(file + rest, suffix) != 0)
		return false;
	memcpy(name, file, rest);
	name[rest] = '\0';
	return true;
}

int
definitions_begin(const struct home *home, DIR **dir)
{
	/* A descriptor of its own: reading moves the position of the folder that it reads. */
	fd_auto int fd =
		openat(home->folder_fd[HOME_DOMAINS], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*dir = fdopendir(fd);
	if (!*dir)
		return -errno;
	(void)take_fd(&fd);
	return 0;
}

int
definitions_next(DIR *dir, char name[static DEFINITION_FILE_MAX + 1])
{
	const struct dirent *entry;

	errno = 0;
	entry = readdir(dir);
	if (!entry)
		return -errno;
	if (!definitions_name(entry->d_name, name))
		name[0] = '\0';
	return 1;
}

void
definitions_end(DIR *dir)
{
	if (dir)
		(void)closedir(dir);
}

static struct definition_stamp
stamp_of(const struct stat *st)
{
	return (struct definition_stamp){.ino = st->st_ino,
		.size = st->st_size,
		.mode = st->st_mode,
		.nlink = st->st_nlink,
		.mtime = st->st_mtim,
		.ctime = st->st_ctim};
}

int
definitions_stat(const struct home *home, const char *name, struct definition_stamp *stamp)
{
	struct file_name file;
	struct stat st;

	if (!file_name(name, &file))
		return -ENAMETOOLONG;
	if (fstatat(home->folder_fd[HOME_DOMAINS], file.text, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*stamp = stamp_of(&st);
	return 0;
}

int
definitions_read(const struct home *home, const char *name, char **text, size_t *size,
	struct definition_stamp *stamp)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	fd_auto int fd = -1;
	struct file_name file;
	struct stat st;

	if (!file_name(name, &file))
		return -ENAMETOOLONG;
	fd = openat(home->folder_fd[HOME_DOMAINS], file.text, flags);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*stamp = stamp_of(&st);
	return fd_read_all(fd, DEFINITION_MAX, text, size);
}

int
definitions_write(const struct home *home, const char *name, const char *text, size_t size)
{
	struct file_name file;

	if (!file_name(name, &file))
		return -ENAMETOOLONG;
	return replace_file(home->folder_fd[HOME_DOMAINS], file.text, text, size, 0600);
}

int
definitions_move(const struct home *home, const char *name, const char *to)
{
	int dir_fd = home->folder_fd[HOME_DOMAINS];
	struct file_name from, target;
	int r;

	if (!file_name(name, &from) || !file_name(to, &target))
		return -ENAMETOOLONG;
	r = renameat2(dir_fd, from.text, dir_fd, target.text, RENAME_NOREPLACE);
	/* Some network file systems do not know the flag: there is a moment in between then. */
	if (r < 0 && errno == EINVAL)
		r = definitions_exist(home, to) ? (errno = EEXIST, -1)
						: renameat(dir_fd, from.text, dir_fd, target.text);
	if (r < 0)
		return -errno;
	return fsync(dir_fd) < 0 ? -errno : 0;
}

/* Removes one name and makes that last. */
static int
remove_file(int dir_fd, const char *file)
{
	if (unlinkat(dir_fd, file, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	return fsync(dir_fd) < 0 ? -errno : 0;
}

int
definitions_remove(const struct home *home, const char *name)
{
	struct file_name file;
	int r;

	if (!file_name(name, &file))
		return -ENAMETOOLONG;
	/* The link first: between the two there must be no link that points nowhere. */
	r = remove_file(home->folder_fd[HOME_AUTOSTART], file.text);
	return r < 0 ? r : remove_file(home->folder_fd[HOME_DOMAINS], file.text);
}

static bool
exists(int dir_fd, const char *name)
{
	struct file_name file;
	struct stat st;

	return file_name(name, &file) && fstatat(dir_fd, file.text, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool
definitions_exist(const struct home *home, const char *name)
{
	return exists(home->folder_fd[HOME_DOMAINS], name);
}

bool
definitions_autostart(const struct home *home, const char *name)
{
	return exists(home->folder_fd[HOME_AUTOSTART], name);
}

int
definitions_set_autostart(const struct home *home, const char *name, bool autostart)
{
	int dir_fd = home->folder_fd[HOME_AUTOSTART];
	char target[sizeof("../domains/") + sizeof(struct file_name)];
	struct file_name file;

	if (!file_name(name, &file))
		return -ENAMETOOLONG;
	if (!autostart)
		return remove_file(dir_fd, file.text);
	(void)snprintf(target, sizeof(target), "../domains/%s", file.text);
	if (symlinkat(target, dir_fd, file.text) < 0)
		return errno == EEXIST ? 0 : -errno;
	return fsync(dir_fd) < 0 ? -errno : 0;
}

int
definitions_move_autostart(const struct home *home, const char *name, const char *to)
{
	struct file_name file;
	struct stat st;
	int r;

	if (strcmp(name, to) == 0)
		return 0;
	if (!file_name(name, &file))
		return -ENAMETOOLONG;
	if (fstatat(home->folder_fd[HOME_AUTOSTART], file.text, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	r = definitions_set_autostart(home, to, true);
	return r < 0 ? r : definitions_set_autostart(home, name, false);
}
