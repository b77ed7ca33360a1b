/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * definitions.c: reads and writes domains/ and autostart/; see definitions.h.
 *
 * Runs in the worker, as the user; never as root. Opens files below its own folders only, never
 * through a symbolic link, and nothing but regular files (a FIFO would hang a reader).
 */
#include "worker/store/definitions.h"

#include <dirent.h>
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
	char text[DEFINITION_NAME_MAX + sizeof(suffix)];
};

/* Returns false for a name that is too long to have a file. */
static bool
file_name(const char *name, struct file_name *ret)
{
	int n = snprintf(ret->text, sizeof(ret->text), "%s%s", name, suffix);

	return n > 0 && (size_t)n < sizeof(ret->text);
}

static void
take_cleanup_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* Returns 0 or a negative errno; the text is the caller's. */
static int
read_one(int dir_fd, const char *file, char **ret_text, size_t *ret_size)
{
	fd_auto int fd = openat(dir_fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return fd_read_all(fd, DEFINITION_MAX, ret_text, ret_size);
}

int
definitions_each(const struct home *home, definitions_fn *fn, void *arg)
{
	/* A descriptor of its own: reading moves the position of the folder that it reads. */
	fd_auto int fd =
		openat(home->folder_fd[HOME_DOMAINS], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(take_cleanup_dir) DIR *dir = NULL;
	struct dirent *entry;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	(void)take_fd(&fd);
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		free_auto char *text = NULL;
		size_t size = 0, length = strlen(entry->d_name);
		struct file_name name;
		int r;

		if (entry->d_name[0] == '.' || length < sizeof(suffix) ||
			length >= sizeof(name.text) ||
			strcmp(entry->d_name + length - strlen(suffix), suffix) != 0)
			continue;
		r = read_one(dirfd(dir), entry->d_name, &text, &size);
		memcpy(name.text, entry->d_name, length - strlen(suffix));
		name.text[length - strlen(suffix)] = '\0';
		fn(arg, name.text, r < 0 ? NULL : text, size, -r);
	}
	return -errno;
}

int
definitions_write(const struct home *home, const char *name, const char *text, size_t size)
{
	struct file_name file;

	if (!file_name(name, &file))
		return -ENAMETOOLONG;
	return replace_file(home->folder_fd[HOME_DOMAINS], file.text, text, size, 0600);
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
