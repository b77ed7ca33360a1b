/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup.h: a folder of the test's own in a cgroup v2 file system, and who is in it.
 *
 * Needs root. Whatever is below it when the test ends is killed and removed with it.
 */
#ifndef TESTS_UNIT_CGROUP_H
#define TESTS_UNIT_CGROUP_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { CGROUP_WAIT_MS = 60000, CGROUP_PATH_MAX = PATH_MAX + 512 };

/* Make the folder, or say that there is no cgroup v2 here that root can write. */
static inline bool
make_cgroup(char *path, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	const struct mntent *entry;
	bool made = false;

	while (mounts && !made && (entry = getmntent(mounts))) {
		if (strcmp(entry->mnt_type, "cgroup2") != 0)
			continue;
		(void)snprintf(path, size, "%s/qemud-test-%s-%d", entry->mnt_dir,
			program_invocation_short_name, getpid());
		made = mkdir(path, 0755) == 0;
	}
	if (mounts)
		(void)endmntent(mounts);
	return made;
}

static inline bool
cgroup_write(const char *folder, const char *name, const char *text)
{
	char path[CGROUP_PATH_MAX];
	bool written;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		(void)close(fd);
	return written;
}

/* A process in it that does nothing, and has to be reaped. */
static inline pid_t
cgroup_put(const char *folder)
{
	char text[16];
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		for (;;)
			(void)pause();
	}
	(void)snprintf(text, sizeof(text), "%d", pid);
	if (pid < 0 || !cgroup_write(folder, "cgroup.procs", text)) {
		printf("Bail out! %s: %s\n", folder, strerror(errno));
		exit(EXIT_FAILURE); /* with it ends what it has started */
	}
	return pid;
}

/* Whose pidfd it is; -1 when that has ended, 0 when it is none. */
static inline int
pidfd_pid(int pidfd)
{
	char path[64], line[64];
	int pid = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "Pid:", 4) == 0)
			pid = (int)strtol(line + 4, NULL, 10);
	if (file)
		(void)fclose(file);
	return pid;
}

/* Wait until nobody is in it. */
static inline bool
cgroup_emptied(const char *folder)
{
	char path[CGROUP_PATH_MAX], text[64];
	struct pollfd pfd = {.events = POLLPRI};
	bool empty = false;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/cgroup.events", folder);
	pfd.fd = open(path, O_RDONLY | O_CLOEXEC);
	do {
		n = pread(pfd.fd, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		empty = strstr(text, "populated 0") != NULL;
	} while (n > 0 && !empty && poll(&pfd, 1, CGROUP_WAIT_MS) == 1);
	if (pfd.fd >= 0)
		(void)close(pfd.fd);
	return empty;
}

static inline bool
cgroup_exists(const char *folder)
{
	struct stat st;

	return stat(folder, &st) == 0 && S_ISDIR(st.st_mode);
}

static inline void
cgroup_remove_below(const char *folder)
{
	char path[CGROUP_PATH_MAX];
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) <
			(int)sizeof(path)) {
			cgroup_remove_below(path);
			(void)rmdir(path);
		}
	}
	if (dir)
		(void)closedir(dir);
}

/* Whoever is in it, and then all of it. */
static inline void
remove_cgroup(const char *folder)
{
	(void)cgroup_write(folder, "cgroup.kill", "1");
	(void)cgroup_emptied(folder);
	cgroup_remove_below(folder);
	if (rmdir(folder) < 0)
		printf("# %s cannot be removed\n", folder);
}

#endif
