/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.c: the kernel's word about changes in ~/.qemud; see watch.h.
 *
 * Runs in the worker, as the user; never as root. Reads a bounded number of events in a turn of
 * the loop: others have their turn between.
 */
#include "worker/store/watch.h"

#include <errno.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "worker/store/definitions.h"

enum {
	EVENTS_SIZE = 16 * 1024,
	OF_FOLDER = IN_ONLYDIR | IN_DELETE_SELF | IN_MOVE_SELF,
	OF_DOMAINS =
		IN_CREATE | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE,
	OF_NAMES = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE
};

/* File systems that nobody but this kernel writes to. bcachefs, ZFS: not in linux/magic.h. */
static const uint32_t heard[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC,
	RAMFS_MAGIC, OVERLAYFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, 0xca451a4e, 0x2fc12fc1};

static bool
is_heard(int folder_fd)
{
	struct statfs fs;

	if (fstatfs(folder_fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(heard) / sizeof(*heard); i++)
		if ((uint32_t)fs.f_type == heard[i])
			return true;
	return false;
}

static void
tell(struct watch *watch, const struct inotify_event *event)
{
	const uint32_t folder_gone = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;
	char name[DEFINITION_FILE_MAX + 1];

	if (event->mask & IN_Q_OVERFLOW)
		watch->ops->lost(watch);
	else if (event->mask & folder_gone)
		watch->ops->folders(watch);
	else if (event->len == 0)
		return;
	else if (event->wd == watch->home_wd && event->mask & IN_ISDIR)
		watch->ops->folders(watch);
	else if (event->wd == watch->home_wd || !definitions_name(event->name, name))
		return;
	else if (event->wd == watch->domains_wd)
		watch->ops->file(watch, name, event->mask);
	else if (event->wd == watch->autostart_wd)
		watch->ops->autostart(watch, name);
}

static void
ready(struct io *io, uint32_t events)
{
	struct watch *watch = container_of(io, struct watch, io);
	_Alignas(struct inotify_event) char data[EVENTS_SIZE];
	ssize_t n = read(watch->fd, data, sizeof(data));

	(void)events;
	for (ssize_t at = 0; at < n && watch->fd >= 0;) {
		const struct inotify_event *event = (const void *)(data + at);

		tell(watch, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

/* The folder that is open, whatever its path leads to now. */
static int
add(const struct watch *watch, int folder_fd, uint32_t mask)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", folder_fd);
	return inotify_add_watch(watch->fd, path, mask | OF_FOLDER);
}

void
watch_init(struct watch *watch)
{
	memset(watch, 0, sizeof(*watch));
	watch->fd = -1;
}

int
watch_start(struct watch *watch, struct loop *loop, const struct home *home,
	const struct watch_ops *ops)
{
	int r;

	watch_stop(watch);
	watch->ops = ops;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0)
		return -errno;
	watch->home_wd = add(watch, home->fd, OF_NAMES);
	watch->domains_wd = add(watch, home->folder_fd[HOME_DOMAINS], OF_DOMAINS);
	watch->autostart_wd = add(watch, home->folder_fd[HOME_AUTOSTART], OF_NAMES);
	if (watch->home_wd < 0 || watch->domains_wd < 0 || watch->autostart_wd < 0)
		r = -errno;
	else
		r = io_start(loop, &watch->io, watch->fd, EPOLLIN, IO_FIRST, ready);
	if (r < 0) {
		watch_stop(watch);
		return r;
	}
	watch->silent = !is_heard(home->folder_fd[HOME_DOMAINS]);
	return 0;
}

void
watch_stop(struct watch *watch)
{
	io_stop(&watch->io);
	fd_close(&watch->fd);
	watch->silent = true;
}
