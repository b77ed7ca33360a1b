/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replace.c: a reader finds the old or the new file, whole, and nothing else is left in the folder.
 */
#include "lib/replace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "tests/unit/test.h"

enum { ROUNDS = 300, LARGE = 40000 };

static char dir_name[] = "/tmp/qemud-replace-XXXXXX";
static int dir_fd = -1;

static char *
contents(const char *name)
{
	fd_auto int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	char *data = NULL;
	size_t n;

	if (fd < 0 || fd_read_all(fd, 1 << 20, &data, &n) != 0)
		return NULL;
	return data;
}

static unsigned
n_files(void)
{
	DIR *dir = opendir(dir_name);
	unsigned n = 0;

	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n - 2;
}

static void
check_contents(const char *name, const char *want)
{
	free_auto char *got = contents(name);

	CHECK_STR(got, want);
}

static void
replaces(void)
{
	struct stat st;
	mode_t mask = umask(0777);

	CHECK(replace_file(dir_fd, "file", "old", 3, 0600) == 0);
	check_contents("file", "old");
	CHECK(replace_file(dir_fd, "file", "new text", 8, 0644) == 0);
	check_contents("file", "new text");
	CHECK(fstatat(dir_fd, "file", &st, 0) == 0 && (st.st_mode & 07777) == 0644);
	CHECK(replace_file(dir_fd, "file", "", 0, 0640) == 0);
	check_contents("file", "");
	CHECK(fstatat(dir_fd, "file", &st, 0) == 0 && (st.st_mode & 07777) == 0640);
	(void)umask(mask);
	CHECK(n_files() == 1);
	(void)unlinkat(dir_fd, "file", 0);
}

static void
refuses_names(void)
{
	char name[NAME_MAX + 2];

	CHECK(replace_file(dir_fd, "", "x", 1, 0600) == -EINVAL);
	CHECK(replace_file(dir_fd, ".", "x", 1, 0600) == -EINVAL);
	CHECK(replace_file(dir_fd, "..", "x", 1, 0600) == -EINVAL);
	CHECK(replace_file(dir_fd, "a/b", "x", 1, 0600) == -EINVAL);
	CHECK(replace_file(dir_fd, "/tmp/a", "x", 1, 0600) == -EINVAL);
	memset(name, 'n', sizeof name);
	name[NAME_MAX + 1] = '\0';
	CHECK(replace_file(dir_fd, name, "x", 1, 0600) == -ENAMETOOLONG);
	name[NAME_MAX] = '\0';
	CHECK(replace_file(dir_fd, name, "x", 1, 0600) == -ENAMETOOLONG);
	name[NAME_MAX - 5] = '\0';
	CHECK(replace_file(dir_fd, name, "x", 1, 0600) == 0);
	(void)unlinkat(dir_fd, name, 0);
	CHECK(n_files() == 0);
}

static void
keeps_the_old(void)
{
	struct rlimit kept, limit;

	CHECK(replace_file(dir_fd, "file", "old", 3, 0600) == 0);
	/* A disk that is full after ten bytes. */
	(void)signal(SIGXFSZ, SIG_IGN);
	CHECK(getrlimit(RLIMIT_FSIZE, &kept) == 0);
	limit = kept;
	limit.rlim_cur = 10;
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHECK(replace_file(dir_fd, "file", "a longer text", 13, 0600) == -EFBIG);
	CHECK(setrlimit(RLIMIT_FSIZE, &kept) == 0);
	check_contents("file", "old");
	CHECK(n_files() == 1);
	/* A folder in its place. */
	CHECK(mkdirat(dir_fd, "folder", 0700) == 0);
	CHECK(replace_file(dir_fd, "folder", "x", 1, 0600) == -EISDIR);
	CHECK(n_files() == 2);
	CHECK(unlinkat(dir_fd, "folder", AT_REMOVEDIR) == 0);
	(void)unlinkat(dir_fd, "file", 0);
}

static void
follows_no_link(void)
{
	CHECK(replace_file(dir_fd, "victim", "safe", 4, 0600) == 0);
	CHECK(symlinkat("victim", dir_fd, "file") == 0);
	CHECK(symlinkat("victim", dir_fd, ".file.new") == 0);
	CHECK(replace_file(dir_fd, "file", "new", 3, 0600) == 0);
	check_contents("victim", "safe");
	check_contents("file", "new");
	CHECK(n_files() == 2);
	(void)unlinkat(dir_fd, "file", 0);
	(void)unlinkat(dir_fd, "victim", 0);
}

static void
clears_a_leftover(void)
{
	fd_auto int fd = openat(dir_fd, ".file.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd_write_all(fd, "half", 4) == 0);
	CHECK(replace_file(dir_fd, "file", "new", 3, 0600) == 0);
	check_contents("file", "new");
	CHECK(n_files() == 1);
	(void)unlinkat(dir_fd, "file", 0);
}

/* Replace a file with 'a's and 'b's in turn, for ever. */
_Noreturn static void
write_for_ever(void)
{
	static char data[LARGE];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 0;; i++) {
		memset(data, 'a' + (int)(i % 2), sizeof data);
		if (replace_file(dir_fd, "file", data, sizeof data, 0600) != 0)
			_exit(1);
	}
}

static void
cleans(void)
{
	static const char *const names[] = {".one.xml.new", ".xml.new", ".one.new", "one.xml.new"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		CHECK(close(openat(dir_fd, names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) == 0);
	replace_clean(dir_fd, ".xml");
	CHECK(n_files() == 3);
	for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++)
		CHECK(unlinkat(dir_fd, names[i], 0) == 0);
}

static void
is_whole(void)
{
	char data[LARGE];
	int status = 0;
	pid_t pid;

	memset(data, 'a', sizeof data);
	CHECK(replace_file(dir_fd, "file", data, sizeof data, 0600) == 0);
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		write_for_ever();
	for (unsigned i = 0; i < ROUNDS; i++) {
		free_auto char *got = contents("file");

		CHECK(got && strlen(got) == LARGE);
		CHECK(got && strspn(got, got[0] == 'a' ? "a" : "b") == LARGE);
		if (test_this_failed)
			break;
	}
	/* Killed anywhere, it leaves a whole file and at most one temporary, used up next time. */
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status));
	CHECK(replace_file(dir_fd, "file", "end", 3, 0600) == 0);
	check_contents("file", "end");
	CHECK(n_files() == 1);
	(void)unlinkat(dir_fd, "file", 0);
}

int
main(void)
{
	if (!mkdtemp(dir_name))
		return EXIT_FAILURE;
	dir_fd = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	TEST("a file is made and replaced, with the exact mode", replaces);
	TEST("names that leave the folder or do not fit are refused", refuses_names);
	TEST("a failure keeps the old file and leaves no temporary", keeps_the_old);
	TEST("no link is followed, neither the name nor the temporary", follows_no_link);
	TEST("the temporary of a crash is used up", clears_a_leftover);
	TEST("those of a kind are removed, and nothing else", cleans);
	TEST("a reader finds whole files while a writer replaces and is killed", is_whole);
	fd_close(&dir_fd);
	(void)rmdir(dir_name);
	return TEST_END();
}
