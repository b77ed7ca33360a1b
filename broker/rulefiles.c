/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rulefiles.c: the texts of the site's policy; see rulefiles.h.
 *
 * Runs in the broker, as root, also while it is boxed. What is checked is what was opened, and
 * nothing that is not a name of the site's is opened.
 */
#include "broker/rulefiles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"

#define MAIN_FILE   "policy.conf"
#define MORE_FOLDER "policy.d"
#define MORE_ENDING ".conf"

/* What one reading is about. */
struct reading {
	const char *dir;
	uid_t owner;
	struct rulefiles *files;
	size_t size; /* bytes so far */
	char *error;
};

/* Always RULEFILES_E_BAD, so that it can be returned. */
__attribute__((format(printf, 3, 4))) static int
bad(const struct reading *reading, const char *name, const char *fmt, ...)
{
	va_list ap;
	int n;

	n = snprintf(reading->error, RULEFILES_ERROR_MAX, "%s%s%s: ", reading->dir,
		name[0] ? "/" : "", name);
	if (n < 0 || n >= RULEFILES_ERROR_MAX)
		return RULEFILES_E_BAD;
	va_start(ap, fmt);
	(void)vsnprintf(reading->error + n, (size_t)(RULEFILES_ERROR_MAX - n), fmt, ap);
	va_end(ap);
	return RULEFILES_E_BAD;
}

static int
bad_errno(const struct reading *reading, const char *name, int err)
{
	return err == ELOOP ? bad(reading, name, "it is a symbolic link: put the file itself there")
			    : bad(reading, name, "%s", strerror(err));
}

/* Is what was opened what only its owner changes? */
static int
check(const struct reading *reading, const char *name, int fd, mode_t type)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return bad_errno(reading, name, errno);
	if ((st.st_mode & S_IFMT) != type)
		return bad(
			reading, name, "it is not a %s", type == S_IFDIR ? "folder" : "plain file");
	if (st.st_uid != reading->owner)
		return bad(reading, name, "it belongs to uid %u: chown it to uid %u",
			(unsigned)st.st_uid, (unsigned)reading->owner);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return bad(reading, name, "others than its owner may write it: chmod go-w");
	return 0;
}

/* Open a folder. Returns 0 with *ret_fd, which is -1 when there is none. */
static int
open_folder(
	const struct reading *reading, int at_fd, const char *path, const char *name, int *ret_fd)
{
	*ret_fd = openat(at_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd < 0)
		return errno == ENOENT ? 0 : bad_errno(reading, name, errno);
	return check(reading, name, *ret_fd, S_IFDIR);
}

/* Read one more. A file that is not there is an error unless it may_miss. */
static int
read_one(struct reading *reading, int dir_fd, const char *folder, const char *base, bool may_miss)
{
	/* Not to wait for the other end of a pipe. */
	fd_auto int fd =
		openat(dir_fd, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct rulefile *file = &reading->files->files[reading->files->n];
	int err = errno, r;

	(void)snprintf(file->name, sizeof(file->name), "%s%s", folder, base);
	if (fd < 0 && err == ENOENT && may_miss)
		return 0;
	if (fd < 0)
		return bad_errno(reading, file->name, err);
	r = check(reading, file->name, fd, S_IFREG);
	if (r != 0)
		return r;
	r = fd_read_all(fd, RULEFILES_SIZE_MAX - reading->size, &file->text, &file->size);
	if (r == -EFBIG)
		return bad(reading, file->name,
			"with it, the policy is larger than %d bytes: shorten it",
			RULEFILES_SIZE_MAX);
	if (r < 0)
		return bad_errno(reading, file->name, -r);
	reading->size += file->size;
	reading->files->n++;
	return 0;
}

/* --- policy.d ----------------------------------------------------------------------------- */

static void
close_folder(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}

/* Others than NAME.conf are left alone: copies of editors, notes. */
static bool
is_rule_file(const char *name)
{
	size_t len = strlen(name), ending = strlen(MORE_ENDING);

	return name[0] != '.' && len > ending && strcmp(name + len - ending, MORE_ENDING) == 0;
}

/* The name stands in front of each message about its lines. */
static bool
is_plain(const char *name)
{
	return name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789_.-")] == '\0' &&
	       strlen(name) + sizeof(MORE_FOLDER "/") <= RULEFILES_NAME_MAX;
}

struct names {
	char list[RULEFILES_MAX - 1][RULEFILES_NAME_MAX];
	unsigned n;
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int
list_folder(const struct reading *reading, int dir_fd, struct names *ret)
{
	fd_auto int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(close_folder) DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	ret->n = 0;
	if (!folder)
		return bad_errno(reading, MORE_FOLDER, errno);
	(void)take_fd(&fd); /* closedir() closes it */
	while (errno = 0, (entry = readdir(folder))) {
		const char *name = entry->d_name;

		if (!is_rule_file(name))
			continue;
		if (!is_plain(name))
			return bad(reading, MORE_FOLDER,
				"%s: a name has letters, digits, '_', '-' and '.', and not more "
				"than %zu of them",
				log_quote(name), RULEFILES_NAME_MAX - sizeof(MORE_FOLDER "/"));
		if (ret->n == RULEFILES_MAX - 1)
			return bad(reading, MORE_FOLDER, "there are more than %d files",
				RULEFILES_MAX - 1);
		memcpy(ret->list[ret->n++], name, strlen(name) + 1);
	}
	if (errno != 0)
		return bad_errno(reading, MORE_FOLDER, errno);
	qsort(ret->list, ret->n, sizeof(*ret->list), by_name);
	return 0;
}

static int
read_more(struct reading *reading, int dir_fd)
{
	fd_auto int fd = -1;
	struct names names;
	int r = open_folder(reading, dir_fd, MORE_FOLDER, MORE_FOLDER, &fd);

	if (r != 0 || fd < 0)
		return r;
	r = list_folder(reading, fd, &names);
	for (unsigned i = 0; r == 0 && i < names.n; i++)
		r = read_one(reading, fd, MORE_FOLDER "/", names.list[i], false);
	return r;
}

/* --- all of it ---------------------------------------------------------------------------- */

int
rulefiles_read(
	const char *dir, uid_t owner, struct rulefiles *ret, char error[static RULEFILES_ERROR_MAX])
{
	struct reading reading = {.dir = dir, .owner = owner, .files = ret, .error = error};
	fd_auto int fd = -1;
	int r;

	*ret = (struct rulefiles){.n = 0};
	r = open_folder(&reading, AT_FDCWD, dir, "", &fd);
	if (r == 0 && fd >= 0)
		r = read_one(&reading, fd, "", MAIN_FILE, true);
	ret->has_main = ret->n > 0;
	if (r == 0 && fd >= 0)
		r = read_more(&reading, fd);
	if (r != 0)
		rulefiles_free(ret);
	return r;
}

void
rulefiles_free(struct rulefiles *files)
{
	for (unsigned i = 0; i < files->n; i++)
		free(take_ptr(files->files[i].text));
	files->n = 0;
}
