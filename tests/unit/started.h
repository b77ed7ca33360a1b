/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * started.h: what a process that the starter has started must have, as it sees itself and as /proc
 * shows it.
 */
#ifndef TESTS_UNIT_STARTED_H
#define TESTS_UNIT_STARTED_H

#include <dirent.h>
#include <sys/prctl.h>

#include "tests/unit/cgroup.h"
#include "tests/unit/starter.h"
#include "tests/unit/test.h"

/* What only the process itself can see of itself. */
static inline void
report(char *text, size_t size)
{
	(void)snprintf(text, size, "dumpable=%d securebits=%#x root=%d etc=%d",
		prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), (unsigned)prctl(PR_GET_SECUREBITS, 0, 0, 0, 0),
		setuid(0), access("/etc/passwd", R_OK));
}

static inline void
check_has(const char *text, const char *const *lines)
{
	for (; *lines; lines++)
		CHECK(strstr(text, *lines) || !printf("# missing: %s", *lines));
}

static inline void
check_descriptors(int pid)
{
	static const char *const targets[] = {"/dev/null", "/dev/null", "pipe:", "socket:"};
	char path[64], target[64];
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		(void)closedir(dir);
	CHECK(n == 4);
	for (int i = 0; i < 4; i++) {
		memset(target, 0, sizeof(target));
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, i);
		(void)!readlink(path, target, sizeof(target) - 1);
		CHECK(strncmp(target, targets[i], strlen(targets[i])) == 0);
	}
}

static inline void
check_powerless(int pid)
{
	static const char *const lines[] = {"\nNoNewPrivs:\t1\n", "\nUmask:\t0077\n",
		"\nCapInh:\t0000000000000000\n", "\nCapPrm:\t0000000000000000\n",
		"\nCapEff:\t0000000000000000\n", "\nCapBnd:\t0000000000000000\n",
		"\nCapAmb:\t0000000000000000\n", "\nSigBlk:\t0000000000000000\n",
		"\nSigIgn:\t0000000000000000\n", NULL};
	free_auto char *status = read_proc(pid, "status", NULL);
	char path[64];
	struct stat st;

	check_has(status, lines);
	CHECK(getsid(pid) == pid);
	/* /proc belongs to root where the process is not dumpable. */
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	CHECK(stat(path, &st) == 0 && st.st_uid == 0);
}

/* The names in a folder of its file tree, in order of the alphabet. */
static inline void
list(int pid, const char *folder, char *text, size_t size)
{
	struct dirent **entries = NULL;
	char path[64];
	int n;

	text[0] = '\0';
	(void)snprintf(path, sizeof(path), "/proc/%d/root%s", pid, folder);
	n = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		size_t at = strlen(text);

		if (name[0] != '.' && strcmp(name, "proc") != 0)
			(void)snprintf(text + at, size - at, "%s ", name);
		free(entries[i]);
	}
	free(entries);
}

#endif
