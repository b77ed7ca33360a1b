/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_registry.c: an account is written down once, again when it changes, and keeps its first
 * day.
 */
#include "broker/registry.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "tests/unit/test.h"

static char dir_name[] = "/tmp/qemud-registry-XXXXXX";
static int dir_fd = -1;

static struct account alice = {.uid = 1000,
	.gid = 1000,
	.n_groups = 2,
	.groups = {27, 1000},
	.name = "alice",
	.home = "/home/alice"};

static char *
contents(const char *name)
{
	fd_auto int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t size;

	if (fd >= 0)
		(void)fd_read_all(fd, 65536, &text, &size);
	return text;
}

static void
put(const char *name, const char *text)
{
	fd_auto int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0);
}

static void
test_first(void)
{
	free_auto char *text = NULL;
	mode_t umask_before = umask(0);
	struct stat st;

	CHECK(!registry_has(dir_fd, 1000));
	CHECK(registry_keep(dir_fd, &alice, 12345) == 0);
	(void)umask(umask_before);
	CHECK(registry_has(dir_fd, 1000) && !registry_has(dir_fd, 100));
	text = contents("1000");
	CHECK(text && strstr(text, "name = alice\n") && strstr(text, "uid = 1000\n"));
	CHECK(text && strstr(text, "home = /home/alice\n") && strstr(text, "groups = 27 1000\n"));
	CHECK(text && strstr(text, "first_seen = 12345\n"));
	CHECK(fstatat(dir_fd, "1000", &st, 0) == 0 && (st.st_mode & 07777) == 0600);
}

static void
test_same(void)
{
	struct stat before, after;

	CHECK(fstatat(dir_fd, "1000", &before, 0) == 0);
	CHECK(registry_keep(dir_fd, &alice, 99999) == 0);
	CHECK(fstatat(dir_fd, "1000", &after, 0) == 0);
	/* A replaced file would be another inode. */
	CHECK(before.st_ino == after.st_ino);
}

static void
test_changed(void)
{
	free_auto char *text = NULL;

	alice.n_groups = 1;
	alice.groups[0] = 1000;
	CHECK(registry_keep(dir_fd, &alice, 99999) == 0);
	text = contents("1000");
	CHECK(text && strstr(text, "groups = 1000\n") && strstr(text, "first_seen = 12345\n"));
}

static void
test_spoilt(void)
{
	free_auto char *text = NULL, *large = calloc(1, 100001);

	put("1000", "nonsense\nfirst_seen = 77\n\x01");
	CHECK(registry_keep(dir_fd, &alice, 5) == 0);
	text = contents("1000");
	CHECK(text && strstr(text, "name = alice\n") && strstr(text, "first_seen = 77\n"));
	memset(large, 'x', 100000);
	put("1000", large);
	free(take_ptr(text));
	CHECK(registry_keep(dir_fd, &alice, 5) == 0);
	text = contents("1000");
	CHECK(text && strstr(text, "first_seen = 5\n") && strlen(text) < 1000);
}

static void
test_mark(void)
{
	free_auto char *text = NULL;

	put("1000", "nonsense\nfirst_seen = 77\n");
	CHECK(!registry_autostart(dir_fd, 1000) && !registry_autostart(dir_fd, 1001));
	CHECK(registry_mark(dir_fd, &alice, 5, true) == 0 && registry_autostart(dir_fd, 1000));
	/* An account that is written again keeps its mark, and both the day. */
	(void)snprintf(alice.home, sizeof alice.home, "/home/other");
	CHECK(registry_keep(dir_fd, &alice, 5) == 0 && registry_autostart(dir_fd, 1000));
	text = contents("1000");
	CHECK(text && strstr(text, "home = /home/other\n") && strstr(text, "first_seen = 77\n"));
	CHECK(text && strstr(text, "\nautostart = yes\n"));
	CHECK(registry_mark(dir_fd, &alice, 5, false) == 0 && !registry_autostart(dir_fd, 1000));
	free(take_ptr(text));
	text = contents("1000");
	CHECK(text && !strstr(text, "autostart") && strstr(text, "first_seen = 77\n"));
	put("1000", "autostart = perhaps\n");
	CHECK(!registry_autostart(dir_fd, 1000));
}

static void
test_mark_same(void)
{
	struct stat before, after;

	CHECK(registry_mark(dir_fd, &alice, 5, true) == 0);
	CHECK(fstatat(dir_fd, "1000", &before, 0) == 0);
	CHECK(registry_mark(dir_fd, &alice, 9, true) == 0);
	CHECK(fstatat(dir_fd, "1000", &after, 0) == 0 && before.st_ino == after.st_ino);
}

static void
test_list(void)
{
	static const char *const others[] = {
		"01000", "x", "-1", "4294967295", ".1000.new", "1000 "};
	free_auto uint32_t *uids = NULL, *many = NULL;
	char name[16];
	uint32_t n;

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		put(others[i], "");
	put("20", "");
	CHECK(registry_list(dir_fd, &uids, &n) == 0 && n == 2 && uids[0] == 20 && uids[1] == 1000);
	for (uint32_t i = 0; i < 500; i++) {
		(void)snprintf(name, sizeof name, "%u", 5000 + i);
		put(name, "");
	}
	CHECK(registry_list(dir_fd, &many, &n) == 0 && n == 502);
	for (uint32_t i = 0; i < 500; i++) {
		CHECK(many[2 + i] == 5000 + i);
		(void)snprintf(name, sizeof name, "%u", 5000 + i);
		CHECK(unlinkat(dir_fd, name, 0) == 0);
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		CHECK(unlinkat(dir_fd, others[i], 0) == 0);
	CHECK(unlinkat(dir_fd, "20", 0) == 0);
}

static void
test_not_a_file(void)
{
	alice.uid = 1001;
	CHECK(symlinkat("/etc/passwd", dir_fd, "1001") == 0);
	CHECK(!registry_has(dir_fd, 1001));
	CHECK(registry_keep(dir_fd, &alice, 5) < 0);
	CHECK(unlinkat(dir_fd, "1001", 0) == 0);
	CHECK(mkdirat(dir_fd, "1001", 0700) == 0);
	CHECK(!registry_has(dir_fd, 1001));
	CHECK(registry_keep(dir_fd, &alice, 5) < 0);
	CHECK(unlinkat(dir_fd, "1001", AT_REMOVEDIR) == 0);
}

int
main(void)
{
	if (!mkdtemp(dir_name) || (dir_fd = open(dir_name, O_RDONLY | O_DIRECTORY)) < 0)
		return EXIT_FAILURE;
	TEST("a new account is written down, mode 0600", test_first);
	TEST("the same account is not written again", test_same);
	TEST("a changed account is, and keeps when it was first seen", test_changed);
	TEST("what stands there in other words is replaced", test_spoilt);
	TEST("whether it starts with the host is kept with it", test_mark);
	TEST("and is not written again either", test_mark_same);
	TEST("all are listed, and what is called otherwise is not", test_list);
	TEST("what is no file is neither followed nor replaced", test_not_a_file);
	(void)unlinkat(dir_fd, "1000", 0);
	(void)rmdir(dir_name);
	return TEST_END();
}
