/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What qemud-resolve says of an account is what the host's files say: ids, all groups, home, and
 * whether somebody else's subordinate range holds its uid; and so is what it says of a group.
 */
#include "broker/resolve/subordinate.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/resolve/nss.h"
#include "protocol/ipc/account.h"
#include "protocol/ipc/group.h"
#include "tests/unit/test.h"

static const char *program; /* qemud-resolve */

static bool
holds(const char *text, const char *name, uint32_t uid)
{
	/* Without a NUL behind it: whatever reads further is found by AddressSanitizer. */
	size_t size = strlen(text);
	char *copy = malloc(size + 1);
	bool r;

	if (!copy)
		abort();
	copy = realloc(memcpy(copy, text, size), size ? size : 1);
	r = subordinate_holds(copy, size, name, uid);
	free(copy);
	return r;
}

static void
ranges(void)
{
	static const char file[] = "alice:100000:65536\nbob:165536:65536\n1003:300000:10\n";

	CHECK(!holds(file, "carol", 99999) && holds(file, "carol", 100000));
	CHECK(holds(file, "carol", 165535) && holds(file, "carol", 165536));
	CHECK(holds(file, "carol", 231071) && !holds(file, "carol", 231072));
	/* One's own range is no stranger's, by name or by uid. */
	CHECK(!holds(file, "alice", 100000) && holds(file, "alice", 165536));
	CHECK(holds(file, "dan", 300009) && !holds(file, "dan", 300010));
	CHECK(!holds("300005:300000:10\n", "dan", 300005));
	CHECK(holds("300006:300000:10\n", "dan", 300005));
}

static void
odd_files(void)
{
	CHECK(!holds("", "carol", 1000) && !holds("\n\n", "carol", 1000));
	CHECK(holds("alice:1000:1", "carol", 1000)); /* without a last newline */
	CHECK(!holds("alice:1000:0\n", "carol", 1000));
	CHECK(!holds("alice:1000\n", "carol", 1000) && !holds("alice\n", "carol", 1000));
	CHECK(!holds("alice:-1:5000\n", "carol", 1000) && !holds("alice:1000:x\n", "carol", 1000));
	CHECK(!holds("alice:1000:1:1\n", "carol", 1000));
	CHECK(!holds("alice:1000:99999999999999999999999999\n", "carol", 1000));
	CHECK(holds("broken\nalice:1000:1\n", "carol", 1000));
	CHECK(holds("ali:1000:1\n", "alice", 1000) && holds("alice2:1000:1\n", "alice", 1000));
	/* A range that runs over the end of all uids. */
	CHECK(holds("alice:4294967290:4294967295\n", "carol", 4294967294u));
}

/* Run the program. Returns its exit status; what it prints on stdout is in text. */
static int
run(const char *option, const char *value, char *text, size_t size)
{
	int fds[2], status = -1;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(fds) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		(void)dup2(fds[1], STDOUT_FILENO);
		(void)close(STDERR_FILENO);
		(void)execl(program, "qemud-resolve", option, value, NULL);
		_exit(126);
	}
	(void)close(fds[1]);
	while (len < size - 1 && (n = read(fds[0], text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	(void)close(fds[0]);
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What libc says here, against what the program prints. */
static void
check_account(const struct passwd *entry, const struct account *account)
{
	gid_t groups[ACCOUNT_GROUPS_MAX];
	int n = ACCOUNT_GROUPS_MAX;

	CHECK(account->uid == entry->pw_uid && account->gid == entry->pw_gid);
	CHECK_STR(account->name, entry->pw_name);
	CHECK_STR(account->home, entry->pw_dir);
	CHECK(getgrouplist(entry->pw_name, entry->pw_gid, groups, &n) >= 0);
	for (int i = 0; i < n; i++) {
		bool found = false;

		for (unsigned k = 0; k < account->n_groups; k++)
			found |= account->groups[k] == groups[i];
		CHECK(found);
	}
	CHECK(account->n_groups <= (unsigned)n);
}

static void
own_account(void)
{
	const struct passwd *entry = getpwuid(getuid());
	char uid[16], by_uid[8192], by_name[8192];
	struct account account;
	const char *why;

	CHECK(entry);
	if (!entry)
		return;
	(void)snprintf(uid, sizeof(uid), "%u", getuid());
	CHECK(run("--uid", uid, by_uid, sizeof(by_uid)) == 0);
	CHECK(account_read(by_uid, strlen(by_uid), &account, &why) == 0);
	check_account(entry, &account);
	CHECK(run("--name", entry->pw_name, by_name, sizeof(by_name)) == 0);
	CHECK_STR(by_name, by_uid);
}

/* Every account of this host that the text has room for. */
static void
all_accounts(void)
{
	struct account account;
	unsigned n = 0;

	setpwent();
	for (const struct passwd *entry; (entry = getpwent());) {
		struct passwd copy = *entry;
		char *name = strdup(copy.pw_name), *home = strdup(copy.pw_dir);

		if (!name || !home)
			abort();
		copy.pw_name = name;
		copy.pw_dir = home;
		CHECK(nss_find(name, 0, &account) == 0);
		check_account(&copy, &account);
		for (unsigned i = 1; i < account.n_groups; i++)
			CHECK(account.groups[i - 1] < account.groups[i]);
		free(name);
		free(home);
		n++;
	}
	endpwent();
	CHECK(n > 0);
}

static void
all_groups(void)
{
	uint32_t gid = 0;
	unsigned n = 0;

	setgrent();
	for (const struct group *entry; (entry = getgrent());) {
		gid_t expected = entry->gr_gid;
		char *name = strdup(entry->gr_name);

		if (!name)
			abort();
		CHECK(nss_find_group(name, &gid) == 0 && gid == expected);
		free(name);
		n++;
	}
	endgrent();
	CHECK(n > 0);
	CHECK(nss_find_group("no.such-group", &gid) == NSS_E_NONE);
}

static void
own_group(void)
{
	const struct group *entry = getgrgid(getgid());
	char text[8192];
	uint32_t gid = 0;

	CHECK(entry);
	if (!entry)
		return;
	CHECK(run("--group", entry->gr_name, text, sizeof(text)) == 0);
	CHECK(group_read(text, strlen(text), entry->gr_name, &gid) == 0 && gid == getgid());
	CHECK(run("--group", "no.such-group", text, sizeof(text)) == 2 && text[0] == '\0');
	CHECK(run("--group", NULL, text, sizeof(text)) == 1 && text[0] == '\0');
}

static void
exit_statuses(void)
{
	char text[8192];

	CHECK(run("--name", "no.such-account", text, sizeof(text)) == 2 && text[0] == '\0');
	CHECK(run("--uid", "4294967293", text, sizeof(text)) == 2 && text[0] == '\0');
	CHECK(run("--uid", "4294967295", text, sizeof(text)) == 1 && text[0] == '\0');
	CHECK(run("--uid", "-1", text, sizeof(text)) == 1 && text[0] == '\0');
	CHECK(run("--uid", "", text, sizeof(text)) == 1 && text[0] == '\0');
	CHECK(run("--other", "1", text, sizeof(text)) == 1 && text[0] == '\0');
	CHECK(run("--uid", NULL, text, sizeof(text)) == 1 && text[0] == '\0');
}

int
main(int argc, char **argv)
{
	static char path[PATH_MAX];
	const char *build = getenv("QEMUD_BUILD");
	const char *slash = strrchr(argv[0], '/');

	(void)argc;
	/* build/tests/unit/resolve_text */
	if (build)
		(void)snprintf(path, sizeof(path), "%s/qemud-resolve", build);
	else
		(void)snprintf(path, sizeof(path), "%.*s/../../qemud-resolve",
			slash ? (int)(slash - argv[0]) : 1, slash ? argv[0] : ".");
	program = path;
	TEST("a uid is in the ranges that hold it, unless they are its own", ranges);
	TEST("lines of another form are skipped", odd_files);
	TEST("each account of this host is found with all its groups", all_accounts);
	TEST("each group of this host is found with its number", all_groups);
	if (access(program, X_OK) < 0) {
		printf("# %s is not there: build it (make), or set QEMUD_BUILD\n", program);
		CHECK(false);
		return 1;
	}
	TEST("the program prints its own account, by uid and by name", own_account);
	TEST("the program prints its own group, by name", own_group);
	TEST("the program says in its status what became of a question", exit_statuses);
	return TEST_END();
}
