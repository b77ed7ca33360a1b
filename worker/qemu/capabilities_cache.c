/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capabilities_cache.c: one file a binary, FOLDER/NAME.capabilities.
 *
 * Runs in the worker, as the user; never as root. Follows no link out of that folder, and waits
 * for nothing: a FIFO there reads as empty.
 */
#include "worker/qemu/capabilities_cache.h"

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

struct file_name {
	char text[NAME_MAX + 1];
};

/* Returns false for a binary whose name is too long for this. */
static bool
file_name(const struct capabilities_stamp *stamp, struct file_name *ret)
{
	const char *slash = strrchr(stamp->path, '/');
	int n = snprintf(
		ret->text, sizeof(ret->text), "%s.capabilities", slash ? slash + 1 : stamp->path);

	return n > 0 && (size_t)n < sizeof(ret->text);
}

static uint64_t
nanoseconds(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

int
capabilities_stamp_read(const char *path, const char *kvm, struct capabilities_stamp *ret)
{
	fd_auto int kvm_fd = -1;
	struct stat st;

	memset(ret, 0, sizeof(*ret));
	if (strlen(path) >= sizeof(ret->path))
		return -ENAMETOOLONG;
	if (stat(path, &st) < 0)
		return -errno;
	(void)snprintf(ret->path, sizeof(ret->path), "%s", path);
	ret->size = (uint64_t)st.st_size;
	ret->inode = st.st_ino;
	ret->mtime_ns = nanoseconds(&st.st_mtim);
	ret->ctime_ns = nanoseconds(&st.st_ctim);
	/* What cannot be opened here cannot be in a box. */
	kvm_fd = kvm ? open(kvm, O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;
	if (kvm_fd >= 0 && fstat(kvm_fd, &st) == 0) {
		ret->kvm_asked = true;
		ret->kvm_ctime_ns = nanoseconds(&st.st_ctim);
	}
	return 0;
}

int
capabilities_cache_load(
	int dir_fd, const struct capabilities_stamp *stamp, struct capabilities **ret)
{
	capabilities_auto struct capabilities *capabilities = NULL;
	free_auto struct capabilities_stamp *found = malloc(sizeof(*found));
	free_auto char *text = NULL;
	struct file_name name;
	fd_auto int fd = -1;
	size_t size;

	if (!found)
		return -ENOMEM;
	if (!file_name(stamp, &name))
		return CAPABILITIES_CACHE_E_NONE;
	fd = openat(dir_fd, name.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fd_read_all(fd, CAPABILITIES_TEXT_MAX, &text, &size) < 0 ||
		capabilities_read(text, size, found, &capabilities) != 0 ||
		!capabilities_stamp_same(found, stamp))
		return CAPABILITIES_CACHE_E_NONE;
	*ret = take_ptr(capabilities);
	return 0;
}

int
capabilities_cache_store(
	int dir_fd, const struct capabilities_stamp *stamp, const struct capabilities *capabilities)
{
	free_auto char *text = NULL;
	struct file_name name;
	size_t size;
	int r;

	if (!file_name(stamp, &name))
		return -ENAMETOOLONG;
	r = capabilities_format(capabilities, stamp, &text, &size);
	return r ? r : replace_file(dir_fd, name.text, text, size, 0600);
}
