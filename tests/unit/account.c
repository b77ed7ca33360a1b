/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * account.c: an account is read from exactly the documented text, and written so that it is read
 * again.
 */
#include "protocol/ipc/account.h"

#include <errno.h>

#include "tests/unit/test.h"

#define GOOD                                                                             \
	"name = alice\nuid = 1000\ngid = 100\nhome = /home/alice\ngroups = 7 100 2000\n" \
	"subordinate = no\n"

static struct account account;
static const char *why;

static int
read_text(const char *text)
{
	int r;

	why = NULL;
	r = account_read(text, strlen(text), &account, &why);
	CHECK(r == 0 || (r == ACCOUNT_E_BAD && why));
	CHECK(r != 0 || !why);
	return r;
}

static void
reads(void)
{
	CHECK(read_text(GOOD) == 0);
	CHECK(account.uid == 1000 && account.gid == 100 && !account.subordinate);
	CHECK_STR(account.name, "alice");
	CHECK_STR(account.home, "/home/alice");
	CHECK(account.n_groups == 3 && account.groups[0] == 7 && account.groups[1] == 100 &&
		account.groups[2] == 2000);
	CHECK(read_text("subordinate=yes\ngroups=0\nhome=/\ngid=0\nuid=0\nname=root\n") == 0);
	CHECK(account.uid == 0 && account.subordinate && account.n_groups == 1);
	CHECK(read_text("name=a\nuid=4294967294\ngid=4294967294\ngroups=0 4294967294\nhome=/\n"
			"subordinate=no") == 0);
	CHECK(account.uid == 4294967294u && account.groups[1] == 4294967294u);
}

/* GOOD with one line changed for another. */
static int
read_with(const char *line, const char *other)
{
	char text[8192] = "";
	const char *at = strstr(GOOD, line);
	size_t before = (size_t)(at - GOOD);

	(void)snprintf(text, sizeof text, "%.*s%s%s", (int)before, GOOD, other, at + strlen(line));
	return read_text(text);
}

static void
wants_every_key_once(void)
{
	static const char *const lines[] = {"name = alice\n", "uid = 1000\n", "gid = 100\n",
		"home = /home/alice\n", "groups = 7 100 2000\n", "subordinate = no\n"};

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		char twice[128];

		CHECK(read_with(lines[i], lines[i]) == 0);
		CHECK(read_with(lines[i], "") == ACCOUNT_E_BAD);
		CHECK_STR(why, "a key is missing");
		(void)snprintf(twice, sizeof twice, "%s%s", lines[i], lines[i]);
		CHECK(read_with(lines[i], twice) == ACCOUNT_E_BAD);
		CHECK_STR(why, "a key is there twice");
	}
	CHECK(read_text(GOOD "shell = /bin/sh\n") == ACCOUNT_E_BAD);
	CHECK(read_text(GOOD "nonsense\n") == ACCOUNT_E_BAD);
	CHECK(read_text(GOOD "\n# comment\n") == 0);
	CHECK(read_text("") == ACCOUNT_E_BAD);
	CHECK(account_read(GOOD "\0", sizeof GOOD, &account, &why) == ACCOUNT_E_BAD);
}

static void
checks_names(void)
{
	char name[ACCOUNT_NAME_MAX + 1];

	CHECK(account_name_valid("alice") && account_name_valid("A.b_c-9@x"));
	CHECK(account_name_valid("host$") && account_name_valid("9"));
	CHECK(!account_name_valid("") && !account_name_valid("$") && !account_name_valid("a$b"));
	CHECK(!account_name_valid("a$$") && !account_name_valid("-a") &&
		!account_name_valid("a b"));
	CHECK(!account_name_valid("a/b") && !account_name_valid("a:b"));
	CHECK(!account_name_valid("a\\b") && !account_name_valid("gr\xc3\xbc"));
	memset(name, 'n', sizeof name);
	name[ACCOUNT_NAME_MAX] = '\0';
	CHECK(!account_name_valid(name));
	name[ACCOUNT_NAME_MAX - 1] = '\0';
	CHECK(account_name_valid(name));
	CHECK(read_with("name = alice", "name =") == ACCOUNT_E_BAD);
	CHECK(read_with("name = alice", "name = a b") == ACCOUNT_E_BAD);
	CHECK(read_with("alice\n",
		      "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
		      "\n") == ACCOUNT_E_BAD);
}

static void
shows_names(void)
{
	CHECK(account_name_shown("alice") && account_name_shown("systems"));
	CHECK(account_name_shown("1a") && account_name_shown("1.0") && account_name_shown("7$"));
	CHECK(!account_name_shown("system") && !account_name_shown(""));
	CHECK(!account_name_shown("0") && !account_name_shown("1000"));
}

static void
checks_ids(void)
{
	static const char *const bad[] = {"", "-1", "+1", "4294967295", "4294967296", "0x10", "1 2",
		"alice", "01", "18446744073709551616"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char line[64];

		(void)snprintf(line, sizeof line, "uid = %s\n", bad[i]);
		CHECK(read_with("uid = 1000\n", line) == ACCOUNT_E_BAD);
		(void)snprintf(line, sizeof line, "gid = %s\n", bad[i]);
		CHECK(read_with("gid = 100\n", line) == ACCOUNT_E_BAD);
	}
	CHECK(read_with("subordinate = no", "subordinate = maybe") == ACCOUNT_E_BAD);
}

static void
checks_homes(void)
{
	static const struct {
		const char *home;
		bool good;
	} homes[] = {{"/", true}, {"/home/..alice", true}, {"/home/a..", true},
		{"/home/al ice", true}, {"/home/gr\xc3\xbc", true}, {"", false}, {"home", false},
		{"./x", false}, {"/..", false}, {"/../etc", false}, {"/home/..", false},
		{"/home/../root", false}, {"/home/\033[m", false}, {"/home/\xff", false}};
	char line[2 * ACCOUNT_HOME_MAX];

	for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
		(void)snprintf(line, sizeof line, "home = %s", homes[i].home);
		CHECK(read_with("home = /home/alice", line) == (homes[i].good ? 0 : ACCOUNT_E_BAD));
		CHECK(!homes[i].good || strcmp(account.home, homes[i].home) == 0);
	}
	memset(line, 'h', sizeof line);
	memcpy(line, "home = /", 8);
	line[7 + ACCOUNT_HOME_MAX] = '\0';
	CHECK(read_with("home = /home/alice", line) == ACCOUNT_E_BAD);
	line[7 + ACCOUNT_HOME_MAX - 1] = '\0';
	CHECK(read_with("home = /home/alice", line) == 0);
}

static void
checks_groups(void)
{
	CHECK(read_with("7 100 2000", "100") == 0);
	CHECK(read_with("7 100 2000", "7   100") == 0 && account.n_groups == 2);
	CHECK(read_with("7 100 2000", "") == ACCOUNT_E_BAD); /* without the primary group */
	CHECK(read_with("7 100 2000", "7 2000") == ACCOUNT_E_BAD);
	CHECK(read_with("7 100 2000", "100 7 2000") == ACCOUNT_E_BAD); /* not ascending */
	CHECK(read_with("7 100 2000", "7 100 100") == ACCOUNT_E_BAD);  /* twice */
	CHECK(read_with("7 100 2000", "7,100") == ACCOUNT_E_BAD);
	CHECK(read_with("7 100 2000", "7 100 x") == ACCOUNT_E_BAD);
	CHECK(read_with("7 100 2000", "100 4294967295") == ACCOUNT_E_BAD);
	CHECK(read_with("7 100 2000", "100 00000000000000000000000101") == ACCOUNT_E_BAD);
}

static void
travels(void)
{
	static struct account sent = {.uid = 4294967294u, .gid = 4294967038u + 100};
	char text[8192], small[8192];
	int n;

	memset(sent.name, 'n', sizeof sent.name - 1);
	memset(sent.home, '/', sizeof sent.home - 1);
	for (unsigned i = 0; i < ACCOUNT_GROUPS_MAX; i++)
		sent.groups[i] = 4294967038u + i;
	sent.n_groups = ACCOUNT_GROUPS_MAX;
	for (int subordinate = 0; subordinate < 2; subordinate++) {
		sent.subordinate = subordinate;
		n = account_format(&sent, text, sizeof text);
		CHECK(n > 0 && (size_t)n == strlen(text));
		CHECK(read_text(text) == 0);
		CHECK(account.uid == sent.uid && account.gid == sent.gid);
		CHECK(account.subordinate == sent.subordinate);
		CHECK_STR(account.name, sent.name);
		CHECK_STR(account.home, sent.home);
		CHECK(account.n_groups == sent.n_groups &&
			memcmp(account.groups, sent.groups, sizeof sent.groups) == 0);
	}
	for (size_t size = 0; size <= (size_t)n; size++)
		CHECK(account_format(&sent, small, size) == -ENOSPC);
	CHECK(account_format(&sent, small, (size_t)n + 1) == n);
	/* One group more than there may be. */
	(void)snprintf(small, sizeof small, "%.*s 4294967294\n", n - 1, text);
	CHECK(read_text(small) == ACCOUNT_E_BAD);
}

static void
writes_what_is_read(void)
{
	char text[8192];
	struct account good;

	CHECK(read_text(GOOD) == 0);
	good = account;
	CHECK(account_format(&good, text, sizeof text) > 0);
	(void)strcpy(good.home, "/home/alice ");
	CHECK(account_format(&good, text, sizeof text) == -EINVAL);
	(void)strcpy(good.home, "/home/\nuid = 0");
	CHECK(account_format(&good, text, sizeof text) == -EINVAL);
	(void)strcpy(good.home, "");
	CHECK(account_format(&good, text, sizeof text) == -EINVAL);
	good = account;
	(void)strcpy(good.name, "x\nuid = 0");
	CHECK(account_format(&good, text, sizeof text) == -EINVAL);
	good = account;
	good.uid = UINT32_MAX;
	CHECK(account_format(&good, text, sizeof text) == -EINVAL);
	good = account;
	good.n_groups = ACCOUNT_GROUPS_MAX + 1;
	CHECK(account_format(&good, text, sizeof text) == -EINVAL);
	good = account;
	good.groups[0] = good.groups[1];
	CHECK(account_format(&good, text, sizeof text) == -EINVAL);
}

int
main(void)
{
	TEST("an account is read", reads);
	TEST("every key is there once, and no other", wants_every_key_once);
	TEST("names are account names", checks_names);
	TEST("nobody stands behind what may be another's", shows_names);
	TEST("uids and gids are ids", checks_ids);
	TEST("a home is an absolute path that does not climb", checks_homes);
	TEST("groups ascend and contain the primary one", checks_groups);
	TEST("the largest account travels; a small buffer is told", travels);
	TEST("nothing is written that would be read as something else", writes_what_is_read);
	return TEST_END();
}
