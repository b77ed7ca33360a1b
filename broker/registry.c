/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registry.c: who ever had a worker here, one file a uid.
 *
 * Runs in the broker, as root, also while it is boxed. Must never touch a path that is not a plain
 * number below the folder it was given.
 */
#include "broker/registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/keyval.h"
#include "lib/replace.h"
#include "lib/take.h"

enum { NAME_SIZE = 16, TEXT_MAX = 8192 };

static void
file_name(char name[static NAME_SIZE], uint32_t uid)
{
	(void)snprintf(name, NAME_SIZE, "%" PRIu32, uid);
}

bool
registry_has(int dir_fd, uint32_t uid)
{
	char name[NAME_SIZE];
	struct stat st;

	file_name(name, uid);
	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* What stands in the file now; nothing when there is none, or what no registry wrote. */
static int
read_file(int dir_fd, const char *name, char **ret_text, size_t *ret_size)
{
	fd_auto int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	int r;

	*ret_size = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	r = fd_read_all(fd, TEXT_MAX, ret_text, ret_size);
	return r == -EFBIG ? 0 : r;
}

/* What a file says besides the account. */
struct facts {
	uint64_t first_seen;
	bool autostart;
};

static void
read_facts(const char *text, size_t size, struct facts *facts)
{
	enum keyval_result result;
	struct keyval kv;

	keyval_init(&kv, text, size);
	while ((result = keyval_next(&kv)) != KEYVAL_END) {
		if (result != KEYVAL_PAIR)
			continue;
		if (strcmp(kv.key, "first_seen") == 0)
			(void)keyval_number(kv.value, 0, INT64_MAX, &facts->first_seen);
		else if (strcmp(kv.key, "autostart") == 0)
			facts->autostart = strcmp(kv.value, "yes") == 0;
	}
}

/* autostart is NULL where it stays. */
static int
keep(int dir_fd, const struct account *account, uint64_t now_s, const bool *autostart)
{
	struct facts facts = {.first_seen = now_s};
	char name[NAME_SIZE], text[TEXT_MAX];
	free_auto char *old = NULL;
	size_t old_size, size;
	int n;

	file_name(name, account->uid);
	n = read_file(dir_fd, name, &old, &old_size);
	if (n < 0)
		return n;
	if (old)
		read_facts(old, old_size, &facts);
	if (autostart)
		facts.autostart = *autostart;
	n = account_format(account, text, sizeof text);
	if (n < 0)
		return n;
	size = (size_t)n;
	n = snprintf(text + size, sizeof text - size, "first_seen = %" PRIu64 "\n%s",
		facts.first_seen, facts.autostart ? "autostart = yes\n" : "");
	if ((size_t)n >= sizeof text - size)
		return -ENOSPC;
	size += (size_t)n;
	if (old && size == old_size && memcmp(text, old, size) == 0)
		return 0;
	return replace_file(dir_fd, name, text, size, 0600);
}

int
registry_keep(int dir_fd, const struct account *account, uint64_t now_s)
{
	return keep(dir_fd, account, now_s, NULL);
}

int
registry_mark(int dir_fd, const struct account *account, uint64_t now_s, bool autostart)
{
	return keep(dir_fd, account, now_s, &autostart);
}

bool
registry_autostart(int dir_fd, uint32_t uid)
{
	struct facts facts = {.autostart = false};
	free_auto char *text = NULL;
	char name[NAME_SIZE];
	size_t size;

	file_name(name, uid);
	if (read_file(dir_fd, name, &text, &size) == 0 && text)
		read_facts(text, size, &facts);
	return facts.autostart;
}

int
registry_account(int dir_fd, uint32_t uid, struct account *ret)
{
	static const char behind[] = "\nfirst_seen = ";
	free_auto char *text = NULL;
	const char *end, *why;
	char name[NAME_SIZE];
	size_t size = 0;

	file_name(name, uid);
	if (read_file(dir_fd, name, &text, &size) != 0 || !text)
		return -ENOENT;
	end = memmem(text, size, behind, sizeof(behind) - 1);
	if (!end || account_read(text, (size_t)(end - text) + 1, ret, &why) != 0 || ret->uid != uid)
		return -ENOENT;
	return 0;
}

/* --- all of them -------------------------------------------------------------------------- */

static void
close_folder(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}

static int
by_number(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

	return (one > other) - (one < other);
}

/* As file_name() writes it, and nothing else. */
static bool
read_name(const char *name, uint32_t *ret)
{
	char again[NAME_SIZE];
	uint64_t uid;

	if (keyval_number(name, 0, UINT32_MAX - 1, &uid) < 0)
		return false;
	*ret = (uint32_t)uid;
	file_name(again, *ret);
	return strcmp(name, again) == 0;
}

static int
append(uint32_t **uids, uint32_t *n, uint32_t *size, uint32_t uid)
{
	if (*n == *size) {
		uint32_t larger = *size ? *size * 2 : 64;
		uint32_t *more = reallocarray(*uids, larger, sizeof *more);

		if (!more)
			return -ENOMEM;
		*uids = more;
		*size = larger;
	}
	(*uids)[(*n)++] = uid;
	return 0;
}

int
registry_list(int dir_fd, uint32_t **ret_uids, uint32_t *ret_n)
{
	fd_auto int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(close_folder) DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	free_auto uint32_t *uids = NULL;
	uint32_t n = 0, size = 0, uid;
	const struct dirent *entry;
	int r = 0;

	if (!folder)
		return -errno;
	(void)take_fd(&fd); /* closedir() closes it */
	while (r == 0 && (errno = 0, entry = readdir(folder)))
		if (read_name(entry->d_name, &uid))
			r = append(&uids, &n, &size, uid);
	if (r == 0)
		r = -errno;
	if (r < 0)
		return r;
	if (n > 0)
		qsort(uids, n, sizeof *uids, by_number);
	*ret_uids = take_ptr(uids);
	*ret_n = n;
	return 0;
}
