/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * home.c: opens ~/.qemud and the folders below it; see home.h.
 *
 * Runs in the worker, as the user; never as root. Every path is opened relative to the folder
 * above it and without following symbolic links, so that what was checked is what is used.
 */
#include "worker/store/home.h"

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

static const char *const folder_names[HOME_N_FOLDERS] = {
	[HOME_DOMAINS] = "domains",
	[HOME_AUTOSTART] = "autostart",
	[HOME_LOG] = "log",
	[HOME_CACHE] = "cache",
};

static int
refuse(char why[static HOME_WHY_MAX], const char *path, const char *name, const char *what)
{
	(void)snprintf(why, HOME_WHY_MAX, "%s/%s %s", path, name, what);
	return HOME_E_REFUSED;
}

/* Opens one of our folders, made when absent, and refuses what is not ours alone. */
static int
open_folder(int at, const char *path, const char *name, char why[static HOME_WHY_MAX], int *ret_fd)
{
	fd_auto int fd = -1;
	char what[160];
	struct stat st;

	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST) {
		(void)snprintf(what, sizeof(what), "cannot be made: %s", strerror(errno));
		return refuse(why, path, name, what);
	}
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return refuse(why, path, name,
			"is not a folder; move it away, qemud makes a new one with mode 0700");
	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)snprintf(what, sizeof(what), "cannot be opened: %s", strerror(errno));
		return refuse(why, path, name, what);
	}
	if (st.st_uid != geteuid()) {
		(void)snprintf(what, sizeof(what),
			"belongs to uid %u, not to you (uid %u); remove it or have it given to you",
			(unsigned)st.st_uid, (unsigned)geteuid());
		return refuse(why, path, name, what);
	}
	if ((st.st_mode & 07777) != 0700) {
		(void)snprintf(what, sizeof(what),
			"has mode %04o, must have 0700; look at what is in it, then: chmod 0700 "
			"%s/%s",
			(unsigned)(st.st_mode & 07777), path, name);
		return refuse(why, path, name, what);
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Is what has this name there what is open? */
static bool
is_there(int at, const char *name, int fd)
{
	struct stat there, open;

	return fstatat(at, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &open) == 0 &&
	       there.st_ino == open.st_ino && there.st_dev == open.st_dev;
}

/* An open file description lock: it ends with this process however that ends, also over NFS. */
static int
take_lock(struct home *home, const char *path, char why[static HOME_WHY_MAX])
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char what[160];

	if (home->lent_fd >= 0 && is_there(home->fd, "lock", home->lent_fd)) {
		home->lock_fd = fcntl(home->lent_fd, F_DUPFD_CLOEXEC, 0);
		if (home->lock_fd >= 0)
			return 0;
	}
	home->lock_fd = openat(home->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (home->lock_fd >= 0 && fcntl(home->lock_fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (home->lock_fd >= 0 && (errno == EAGAIN || errno == EACCES)) {
		(void)refuse(why, path, "lock", "is held by another worker of yours");
		return HOME_E_LOCKED;
	}
	(void)snprintf(what, sizeof(what), "cannot be locked: %s", strerror(errno));
	return refuse(why, path, "lock", what);
}

void
home_init(struct home *home)
{
	home->path = NULL;
	home->fd = home->lock_fd = home->lent_fd = -1;
	for (int i = 0; i < HOME_N_FOLDERS; i++)
		home->folder_fd[i] = -1;
}

/* Opens the home directory itself. */
static int
open_path(const char *path, char why[static HOME_WHY_MAX], int *ret_fd)
{
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd >= 0)
		return 0;
	(void)snprintf(why, HOME_WHY_MAX, "your home directory %s cannot be opened: %s", path,
		strerror(errno));
	return HOME_E_REFUSED;
}

static int
open_all(struct home *home, int at, const char *path, char why[static HOME_WHY_MAX])
{
	char below[HOME_WHY_MAX / 2];
	int r;

	(void)snprintf(below, sizeof(below), "%s/.qemud", path);
	r = open_folder(at, path, ".qemud", why, &home->fd);
	if (r == 0)
		r = take_lock(home, below, why);
	for (int i = 0; i < HOME_N_FOLDERS && r == 0; i++)
		r = open_folder(home->fd, below, folder_names[i], why, &home->folder_fd[i]);
	/* The lock is ours: nobody writes there. */
	if (r == 0)
		replace_clean(home->folder_fd[HOME_DOMAINS], ".xml");
	return r;
}

int
home_open(struct home *home, const char *path, char why[static HOME_WHY_MAX])
{
	return home_open_lent(home, path, -1, why);
}

int
home_open_lent(struct home *home, const char *path, int lock_fd, char why[static HOME_WHY_MAX])
{
	fd_auto int at = -1;
	int r = open_path(path, why, &at);

	home_init(home);
	home->lent_fd = lock_fd;
	if (r != 0)
		return r;
	home->path = strdup(path);
	if (!home->path) {
		(void)snprintf(why, HOME_WHY_MAX, "out of memory");
		return HOME_E_REFUSED;
	}
	r = open_all(home, at, path, why);
	if (r != 0)
		home_close(home);
	return r;
}

/* The number stays: others have borrowed it. */
static void
replace_fd(int *fd, int *with)
{
	if (*fd >= 0 && dup3(*with, *fd, O_CLOEXEC) == *fd)
		fd_close(with);
	else
		*fd = take_fd(with);
}

/* All of ~/.qemud is another: it is opened with its lock before what was open is let go of. */
static int
renew_all(struct home *home, int at, char why[static HOME_WHY_MAX])
{
	struct home fresh;
	int r;

	home_init(&fresh);
	fresh.lent_fd = home->lent_fd;
	r = open_all(&fresh, at, home->path, why);
	if (r == 0) {
		replace_fd(&home->fd, &fresh.fd);
		replace_fd(&home->lock_fd, &fresh.lock_fd);
		for (int i = 0; i < HOME_N_FOLDERS; i++)
			replace_fd(&home->folder_fd[i], &fresh.folder_fd[i]);
	}
	home_close(&fresh);
	return r;
}

int
home_renew(struct home *home, bool *ret_changed, char why[static HOME_WHY_MAX])
{
	char below[HOME_WHY_MAX / 2];
	fd_auto int at = -1;
	int r = open_path(home->path, why, &at);

	*ret_changed = false;
	if (r == 0 && !is_there(at, ".qemud", home->fd)) {
		r = renew_all(home, at, why);
		*ret_changed = r == 0;
		return r;
	}
	(void)snprintf(below, sizeof(below), "%s/.qemud", home->path);
	for (int i = 0; i < HOME_N_FOLDERS && r == 0; i++) {
		fd_auto int fd = -1;

		if (is_there(home->fd, folder_names[i], home->folder_fd[i]))
			continue;
		r = open_folder(home->fd, below, folder_names[i], why, &fd);
		if (r != 0)
			break;
		replace_fd(&home->folder_fd[i], &fd);
		*ret_changed = true;
	}
	return r;
}

void
home_close(struct home *home)
{
	for (int i = 0; i < HOME_N_FOLDERS; i++)
		fd_close(&home->folder_fd[i]);
	fd_close(&home->lock_fd);
	fd_close(&home->fd);
	free(take_ptr(home->path));
}
