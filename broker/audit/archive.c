/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * archive.c: the older files of the audit log, by their names; see archive.h.
 */
#include "broker/audit/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fd.h"

/* What a folder has: the two that come first, the last, and how many. */
struct found {
	uint64_t first, second, last;
	uint32_t n;
};

void
archive_name(uint64_t first_seq, char ret[static ARCHIVE_NAME_MAX])
{
	(void)snprintf(ret, ARCHIVE_NAME_MAX, "audit-%020" PRIu64 ".log", first_seq);
}

static bool
read_name(const char *name, uint64_t *ret_seq)
{
	static const char begin[] = "audit-";
	char again[ARCHIVE_NAME_MAX];

	if (strncmp(name, begin, sizeof begin - 1) != 0)
		return false;
	/* What is no number, or none of ours, is written otherwise. */
	*ret_seq = strtoull(name + sizeof begin - 1, NULL, 10);
	archive_name(*ret_seq, again);
	return strcmp(name, again) == 0;
}

static int
look(int dir_fd, struct found *ret)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int err = errno;

	*ret = (struct found){.first = UINT64_MAX, .second = UINT64_MAX};
	if (!dir) {
		fd_close(&fd);
		return -err;
	}
	while ((errno = 0, entry = readdir(dir))) {
		uint64_t seq;

		if (!read_name(entry->d_name, &seq))
			continue;
		ret->n++;
		if (seq < ret->first) {
			ret->second = ret->first;
			ret->first = seq;
		} else if (seq < ret->second) {
			ret->second = seq;
		}
		if (seq > ret->last)
			ret->last = seq;
	}
	err = errno;
	(void)closedir(dir);
	return -err;
}

int
archive_newest(int dir_fd, char ret[static ARCHIVE_NAME_MAX])
{
	struct found found;
	int r = look(dir_fd, &found);

	if (r < 0)
		return r;
	if (found.n == 0)
		return -ENOENT;
	archive_name(found.last, ret);
	return 0;
}

int
archive_find(int dir_fd, uint32_t n, struct archive_oldest *ret)
{
	struct found found;
	int r = look(dir_fd, &found);

	if (r < 0)
		return r;
	if (found.n <= n)
		return ARCHIVE_E_FEW;
	archive_name(found.first, ret->name);
	ret->last_seq = found.second - 1;
	return 0;
}
