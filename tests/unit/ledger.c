/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ledger is used in cgroup v2 and nowhere else, its folders are root's and readable, and what
 * is empty is removed while what is in use stays.
 */
#include "broker/launch/ledger.h"

#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test.h"

static char place[PATH_MAX]; /* a folder of our own in a cgroup v2 file system */

static void
other_places(void)
{
	static const struct {
		const char *dir;
		int r;
	} cases[] = {{"/nowhere/at/all", -ENOENT}, {"/", LEDGER_E_PLACE}, {"/dev", LEDGER_E_PLACE},
		{"/proc/self/root", -ELOOP}, {"/etc/passwd", -ENOTDIR}};
	struct ledger ledger;
	const char *why, *limits;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int r = ledger_open(&ledger, cases[i].dir, &why, &limits);

		/* O_DIRECTORY and O_NOFOLLOW together: the kernel says either of a link. */
		CHECK(r == cases[i].r || (cases[i].r == -ELOOP && r == -ENOTDIR));
		CHECK(ledger.dir_fd == -1 && (why != NULL) == (r == LEDGER_E_PLACE));
	}
}

static void
none_at_all(void)
{
	struct ledger ledger;
	const char *why, *limits;
	int fd = 5;

	CHECK(ledger_open(&ledger, NULL, &why, &limits) == 0 && !why && !limits);
	CHECK(ledger_enter(&ledger, 1000, "worker", &fd) == 0 && fd == -1);
	ledger_leave(&ledger, 1000, "worker");
}

static bool
make_place(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	const struct mntent *entry;
	bool made = false;

	while (mounts && !made && (entry = getmntent(mounts))) {
		if (strcmp(entry->mnt_type, "cgroup2") != 0)
			continue;
		(void)snprintf(
			place, sizeof(place), "%s/qemud-test-ledger-%d", entry->mnt_dir, getpid());
		made = mkdir(place, 0755) == 0;
	}
	if (mounts)
		(void)endmntent(mounts);
	return made;
}

static bool
exists(const char *name, mode_t *ret_mode)
{
	char path[PATH_MAX + 32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", place, name);
	if (stat(path, &st) < 0 || st.st_uid != 0)
		return false;
	*ret_mode = st.st_mode & 07777;
	return true;
}

static void
writable_by_others(void)
{
	struct ledger ledger;
	const char *why, *limits;

	CHECK(chmod(place, 0775) == 0);
	CHECK(ledger_open(&ledger, place, &why, &limits) == LEDGER_E_PLACE);
	CHECK_STR(why, "must be root's and not writable by others");
	CHECK(chmod(place, 0755) == 0 && chown(place, 1000, 0) == 0);
	CHECK(ledger_open(&ledger, place, &why, &limits) == LEDGER_E_PLACE);
	CHECK(chown(place, 0, 0) == 0);
}

static void
comes_and_goes(void)
{
	char procs[PATH_MAX + 64], pid_text[16];
	struct ledger ledger;
	const char *why, *limits;
	int fd = -1, again = -1, r, n;
	mode_t mode = 0;
	FILE *file;
	pid_t pid;

	(void)umask(077);
	r = ledger_open(&ledger, place, &why, &limits);
	CHECK(r == 0);
	if (r != 0)
		return;
	CHECK(ledger_enter(&ledger, 64101, "worker", &fd) == 0 && fd >= 0);
	CHECK(exists("u64101", &mode) && mode == 0755);
	CHECK(exists("u64101/worker", &mode) && mode == 0755);
	CHECK(ledger_enter(&ledger, 64101, "worker", &again) == 0 && again >= 0);
	(void)close(again);

	/* While somebody is in it, it stays; another leaf of the user keeps her folder. */
	pid = fork();
	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	(void)snprintf(procs, sizeof(procs), "%s/u64101/worker/cgroup.procs", place);
	n = snprintf(pid_text, sizeof(pid_text), "%d", pid);
	file = fopen(procs, "w");
	CHECK(file && fwrite(pid_text, 1, (size_t)n, file) == (size_t)n && fclose(file) == 0);
	ledger_leave(&ledger, 64101, "worker");
	CHECK(exists("u64101/worker", &mode));
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	CHECK(ledger_enter(&ledger, 64101, "view", &again) == 0 && again >= 0);
	ledger_leave(&ledger, 64101, "worker");
	CHECK(!exists("u64101/worker", &mode) && exists("u64101/view", &mode));
	ledger_leave(&ledger, 64101, "view");
	CHECK(!exists("u64101", &mode));
	ledger_leave(&ledger, 64101, "view"); /* nothing there any more */
	(void)close(fd);
	(void)close(again);
	(void)close(ledger.dir_fd);
}

int
main(void)
{
	TEST("a place that is no cgroup v2 folder is refused", other_places);
	TEST("without a folder there is no ledger", none_at_all);
	if (geteuid() != 0 || !make_place()) {
		printf("ok %d - folders # SKIP needs root and a cgroup v2 that it can write\n",
			++test_n);
		return TEST_END();
	}
	TEST("a folder that others can write is refused", writable_by_others);
	TEST("leaves come, stay while somebody is in them, and go", comes_and_goes);
	(void)rmdir(place);
	return TEST_END();
}
