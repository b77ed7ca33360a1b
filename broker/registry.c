/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registry.c: who ever had a worker here, one file a uid.
 *
 * Runs in the broker, as root, also while it is boxed. Must never touch a path that is not a plain
 * number below the folder it was given.
 */
#include "broker/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
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

static void
read_first_seen(const char *text, size_t size, uint64_t *first_seen)
{
	enum keyval_result result;
	struct keyval kv;

	keyval_init(&kv, text, size);
	while ((result = keyval_next(&kv)) != KEYVAL_END)
		if (result == KEYVAL_PAIR && strcmp(kv.key, "first_seen") == 0)
			(void)keyval_number(kv.value, 0, INT64_MAX, first_seen);
}

int
registry_keep(int dir_fd, const struct account *account, uint64_t now_s)
{
	char name[NAME_SIZE], text[TEXT_MAX];
	uint64_t first_seen = now_s;
	free_auto char *old = NULL;
	size_t old_size, size;
	int n;

	file_name(name, account->uid);
	n = read_file(dir_fd, name, &old, &old_size);
	if (n < 0)
		return n;
	if (old)
		read_first_seen(old, old_size, &first_seen);
	n = account_format(account, text, sizeof text);
	if (n < 0)
		return n;
	size = (size_t)n;
	n = snprintf(text + size, sizeof text - size, "first_seen = %" PRIu64 "\n", first_seen);
	if ((size_t)n >= sizeof text - size)
		return -ENOSPC;
	size += (size_t)n;
	if (old && size == old_size && memcmp(text, old, size) == 0)
		return 0;
	return replace_file(dir_fd, name, text, size, 0600);
}
