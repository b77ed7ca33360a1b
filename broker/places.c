/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * places.c: the folders that the broker works in, made or checked before anything is done in them.
 *
 * Runs in the broker, as root, before it is boxed. Every folder is opened from its parent's
 * descriptor and judged by what was opened, so that no name can be swapped in between.
 */
#include "broker/places.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_AUTO CGROUP_ROOT "/qemud"
/* Made by packaging/qemud-vms.service, and delegated to it by systemd. */
#define CGROUP_DELEGATED CGROUP_ROOT "/qemud.slice/qemud-vms.service/qemud"

__attribute__((format(printf, 2, 3))) static int
bad(char error[static PLACES_ERROR_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(error, PLACES_ERROR_MAX, fmt, ap);
	va_end(ap);
	return PLACES_E_BAD;
}

/* The parent of a folder that the configuration names: nobody else may move its names about. */
static int
open_parent(const char *path, int *ret_fd, char error[static PLACES_ERROR_MAX])
{
	char parent[CONFIG_PATH_MAX];
	fd_auto int fd = -1;
	struct stat st;

	(void)snprintf(parent, sizeof parent, "%s", path);
	parent[strrchr(parent, '/') == parent ? 1 : strrchr(parent, '/') - parent] = '\0';
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return bad(
			error, "%s cannot be opened: %s; make it first", parent, strerror(errno));
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return bad(
			error, "%s belongs to uid %u: it must belong to root", parent, st.st_uid);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX))
		return bad(error, "%s can be written by others than root (mode %04o): chmod go-w",
			parent, st.st_mode & 07777u);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Make or check the folder name below dir_fd; path is its whole name for errors. */
static int
open_folder(int dir_fd, const char *name, mode_t mode, const char *path, int *ret_fd,
	char error[static PLACES_ERROR_MAX])
{
	bool made = mkdirat(dir_fd, name, mode & 0700) == 0;
	fd_auto int fd = -1;
	struct stat st;

	if (!made && errno != EEXIST)
		return bad(error, "%s cannot be made: %s", path, strerror(errno));
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return bad(error, "%s is not a folder: move it away", path);
	if (fd < 0 || (made && fchmod(fd, mode) < 0) || fstat(fd, &st) < 0)
		return bad(error, "%s cannot be opened: %s", path, strerror(errno));
	if (st.st_uid != geteuid())
		return bad(error, "%s belongs to uid %u: it must belong to root", path, st.st_uid);
	if (st.st_mode & 0777 & ~mode)
		return bad(error, "%s has mode %04o: it may have no more than %04o", path,
			st.st_mode & 0777u, mode);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* path, and its folder users below it. */
static int
open_pair(const char *path, mode_t users_mode, int *ret_fd, int *ret_users_fd,
	char error[static PLACES_ERROR_MAX])
{
	char users[CONFIG_PATH_MAX + sizeof "/users"];
	fd_auto int parent_fd = -1;
	int r;

	(void)snprintf(users, sizeof users, "%s/users", path);
	r = open_parent(path, &parent_fd, error);
	if (r == 0)
		r = open_folder(parent_fd, strrchr(path, '/') + 1, 0755, path, ret_fd, error);
	if (r == 0)
		r = open_folder(*ret_fd, "users", users_mode, users, ret_users_fd, error);
	return r;
}

/* A folder of the broker's own in one of the two. */
static int
open_own(const char *parent, int parent_fd, const char *name, int *ret_fd,
	char error[static PLACES_ERROR_MAX])
{
	char path[CONFIG_PATH_MAX + NAME_MAX];

	(void)snprintf(path, sizeof path, "%s/%s", parent, name);
	return open_folder(parent_fd, name, 0700, path, ret_fd, error);
}

int
places_open(const struct config *config, struct places *ret, char error[static PLACES_ERROR_MAX])
{
	fd_auto int runtime_fd = -1, runtime_users_fd = -1, state_fd = -1, registry_fd = -1;
	fd_auto int started_fd = -1, inventory_fd = -1;
	int r;

	*ret = (struct places){.runtime_fd = -1,
		.started_fd = -1,
		.registry_fd = -1,
		.inventory_fd = -1,
		.cgroup_fd = -1,
		.lock_fd = -1};
	r = open_pair(config->runtime_dir, 0755, &runtime_fd, &runtime_users_fd, error);
	if (r == 0)
		r = open_own(config->runtime_dir, runtime_fd, "autostarted", &started_fd, error);
	if (r == 0)
		r = open_pair(config->state_dir, 0700, &state_fd, &registry_fd, error);
	if (r == 0)
		r = open_own(config->state_dir, state_fd, "inventory", &inventory_fd, error);
	if (r != 0)
		return r;
	ret->runtime_fd = take_fd(&runtime_fd);
	ret->started_fd = take_fd(&started_fd);
	ret->registry_fd = take_fd(&registry_fd);
	ret->inventory_fd = take_fd(&inventory_fd);
	return 0;
}

void
places_close(struct places *places)
{
	fd_close(&places->runtime_fd);
	fd_close(&places->started_fd);
	fd_close(&places->registry_fd);
	fd_close(&places->inventory_fd);
	fd_close(&places->cgroup_fd);
	fd_close(&places->lock_fd);
}

int
places_cgroup(const struct config *config, struct places *places,
	char ret_dir[static CONFIG_PATH_MAX], char error[static PLACES_ERROR_MAX])
{
	bool automatic = strcmp(config->cgroup, "auto") == 0;
	const char *dir = automatic ? CGROUP_AUTO : config->cgroup;
	struct statfs fs;

	*ret_dir = '\0';
	if (strcmp(config->cgroup, "none") == 0)
		return 0;
	if (automatic && (statfs(CGROUP_ROOT, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC))
		return 0;
	if (automatic && access(CGROUP_DELEGATED, F_OK) == 0)
		dir = CGROUP_DELEGATED;
	if (mkdir(dir, 0755) == 0) {
		if (chmod(dir, 0755) < 0)
			return bad(error, "%s cannot be opened to all: %s", dir, strerror(errno));
	} else if (errno != EEXIST) {
		if (automatic)
			return 0;
		return bad(error, "cgroup = %s cannot be made: %s", dir, strerror(errno));
	}
	places->cgroup_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (places->cgroup_fd < 0)
		return bad(error, "%s cannot be opened: %s", dir, strerror(errno));
	(void)snprintf(ret_dir, CONFIG_PATH_MAX, "%s", dir);
	return 0;
}
