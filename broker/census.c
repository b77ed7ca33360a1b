/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * census.c: for how many users and virtual machines there are folders in the ledger.
 *
 * Runs in the broker, as root, before it is boxed. All that it opens is root's. Which of them are
 * populated, and what is to become of the others, is the starter's to say.
 */
#include "broker/census.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/take.h"

static void
close_folder(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}
#define folder_auto AUTO(close_folder)

/* The next folder in it whose name begins like that; NULL behind the last. 0 or an errno. */
static int
next_folder(DIR *folder, const char *prefix, const char **ret_name)
{
	const struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(folder);
	} while (entry &&
		 (entry->d_type != DT_DIR || strncmp(entry->d_name, prefix, strlen(prefix)) != 0));
	*ret_name = entry ? entry->d_name : NULL;
	return entry ? 0 : -errno;
}

static int
count_vms(int dir_fd, const char *user, uint32_t *n_vms)
{
	fd_auto int fd = openat(dir_fd, user, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	folder_auto DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const char *name;
	int r;

	/* It may have gone since it was listed. */
	if (!folder)
		return errno == ENOENT ? 0 : -errno;
	(void)take_fd(&fd); /* closedir() closes it */
	while ((r = next_folder(folder, "vm-", &name)) == 0 && name)
		++*n_vms;
	return r;
}

enum ipc_controllers
census_controllers(int dir_fd)
{
	static const char *const wanted[] = {"cpu", "memory", "pids"};
	fd_auto int fd = -1;
	char text[256], *rest = text;
	const char *word;
	unsigned n_found = 0;
	ssize_t n;

	if (dir_fd < 0)
		return IPC_CONTROLLERS_NONE;
	fd = openat(dir_fd, "cgroup.subtree_control", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	text[n > 0 ? n : 0] = '\0';
	while ((word = strsep(&rest, " \n")))
		for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++)
			n_found += strcmp(word, wanted[i]) == 0;
	if (n_found == sizeof wanted / sizeof *wanted)
		return IPC_CONTROLLERS_ALL;
	return n_found > 0 ? IPC_CONTROLLERS_SOME : IPC_CONTROLLERS_NONE;
}

int
census_take(const char *cgroup, struct census *ret)
{
	folder_auto DIR *folder = NULL;
	const char *name;
	int r = 0;

	*ret = (struct census){.n_vms = 0};
	if (*cgroup == '\0')
		return 0;
	folder = opendir(cgroup);
	if (!folder)
		return -errno;
	while (r == 0 && (r = next_folder(folder, "u", &name)) == 0 && name) {
		ret->n_users++;
		r = count_vms(dirfd(folder), name, &ret->n_vms);
	}
	return r;
}
