/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * landlock.c: each level forbids exactly what the kernel of that level can forbid, never less.
 *
 * The golden table is by hand from linux/landlock.h; the other tests restrict children to each
 * level up to this kernel's and let them try.
 */
#include "confine/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/take.h"
#include "tests/unit/test.h"

static char folder[] = "/tmp/landlock-XXXXXX";
static char readable[64], writable[64], hidden[64];
static int abstract_fd = -1;
static struct sockaddr_un abstract;
static socklen_t abstract_size;

static const struct {
	uint64_t fs, net, scoped;
	uint32_t restrict_flags;
} golden[] = {
	[0] = {0, 0, 0, 0},
	[1] = {0x1fff, 0, 0, 0},
	[2] = {0x3fff, 0, 0, 0},
	[3] = {0x7fff, 0, 0, 0},
	[4] = {0x7fff, 3, 0, 0},
	[5] = {0xffff, 3, 0, 0},
	[6] = {0xffff, 3, 3, 0},
	[7] = {0xffff, 3, 3, 2},
	[8] = {0xffff, 3, 3, 2},
};

static void
rights_are_golden(void)
{
	for (int level = 0; level < (int)(sizeof golden / sizeof golden[0]); level++) {
		struct landlock_rights got = landlock_rights(level);

		if (got.fs != golden[level].fs || got.net != golden[level].net ||
			got.scoped != golden[level].scoped ||
			got.restrict_flags != golden[level].restrict_flags)
			printf("# level %d\n", level);
		CHECK(got.fs == golden[level].fs);
		CHECK(got.net == golden[level].net);
		CHECK(got.scoped == golden[level].scoped);
		CHECK(got.restrict_flags == golden[level].restrict_flags);
	}
}

/* In bits of linux/landlock.h: EXECUTE 1, WRITE_FILE 2, READ_FILE 4, READ_DIR 8, IOCTL_DEV 8000. */
static void
rules_are_golden(void)
{
	static const struct {
		enum landlock_access access;
		int level;
		uint64_t file, folder;
	} rule[] = {
		{LANDLOCK_READ, 1, 0x4, 0xc},
		{LANDLOCK_EXEC, 1, 0x5, 0x5},
		{LANDLOCK_WRITE, 1, 0x6, 0x6},
		{LANDLOCK_DEVICE, 1, 0x6, 0x6},
		{LANDLOCK_DEVICE, 4, 0x6, 0x6},
		{LANDLOCK_READ, 7, 0x4, 0xc},
		{LANDLOCK_EXEC, 7, 0x5, 0x5},
		{LANDLOCK_WRITE, 7, 0x6, 0x6},
		{LANDLOCK_DEVICE, 5, 0x8006, 0x8006},
		{LANDLOCK_DEVICE, 7, 0x8006, 0x8006},
	};

	for (unsigned i = 0; i < sizeof rule / sizeof rule[0]; i++) {
		CHECK(landlock_rule_rights(rule[i].access, rule[i].level, false) == rule[i].file);
		CHECK(landlock_rule_rights(rule[i].access, rule[i].level, true) == rule[i].folder);
	}
}

static bool
names(const struct landlock_list *list, const char *path, enum landlock_access access)
{
	for (unsigned i = 0; i < list->n_paths; i++)
		if (strcmp(list->paths[i].path, path) == 0)
			return list->paths[i].access == access && !list->paths[i].optional;
	return false;
}

static void
lists_keep_locks(void)
{
	CHECK(names(&landlock_qemu, "/dev/null", LANDLOCK_WRITE));
	CHECK(names(&landlock_qemu_img, "/dev/null", LANDLOCK_WRITE));
}

static void
lists_write_no_file(void)
{
	const struct landlock_list *list[] = {&landlock_qemu, &landlock_qemu_img};

	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i < list[k]->n_paths; i++) {
			const struct landlock_path *path = &list[k]->paths[i];

			CHECK(strncmp(path->path, "/dev/", 5) == 0 ||
				path->access == LANDLOCK_READ || path->access == LANDLOCK_EXEC);
		}
}

/* --- what a restricted child can still do ------------------------------------------------- */

static int
may(int result)
{
	if (result >= 0)
		return 0;
	return errno == EACCES || errno == EPERM ? 1 : 2;
}

static int
may_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	int verdict = may(fd);

	if (fd >= 0)
		(void)close(fd);
	return verdict;
}

static int
may_bind(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	fd_auto int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return may(bind(fd, (const struct sockaddr *)&any, sizeof any));
}

static int
may_reach_abstract(void)
{
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return may(connect(fd, (const struct sockaddr *)&abstract, abstract_size));
}

static int
may_ioctl_device(void)
{
	fd_auto int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int size;

	if (fd < 0)
		return 3;
	/* Not a block device: whoever may ask learns that. */
	return ioctl(fd, BLKSSZGET, &size) < 0 && errno == ENOTTY ? 0 : 1;
}

/* In a child restricted to the level, 0 for what it may, 1 for what is denied; others: trouble. */
static int
in_child(int level, int (*try)(void), const int *fds, unsigned n_fds)
{
	const struct landlock_path paths[] = {
		{readable, LANDLOCK_READ, false},
		{writable, LANDLOCK_WRITE, false},
		{"/dev/zero", LANDLOCK_READ, false},
		{"/nowhere", LANDLOCK_READ, true},
	};
	const struct landlock_list list = {"test", sizeof paths / sizeof paths[0], paths};
	const char *path;
	int status;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			landlock_load(&list, level, fds, n_fds, &path) != 0)
			_exit(99);
		_exit(try());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 98;
	return WEXITSTATUS(status);
}

static int
try_read(void)
{
	return may_open(readable, O_RDONLY);
}
static int
try_read_hidden(void)
{
	return may_open(hidden, O_RDONLY);
}
static int
try_write(void)
{
	return may_open(writable, O_RDWR);
}
static int
try_write_readable(void)
{
	return may_open(readable, O_WRONLY);
}
static int
try_list(void)
{
	return may_open(folder, O_RDONLY | O_DIRECTORY);
}
static int
try_create(void)
{
	char path[80];

	(void)snprintf(path, sizeof path, "%s/new", folder);
	return may_open(path, O_WRONLY | O_CREAT | O_EXCL);
}
static int
try_unlink(void)
{
	return may(unlink(hidden));
}
static int
try_truncate(void)
{
	return may(truncate(writable, 1));
}
static int
try_signal(void)
{
	return may(kill(getppid(), 0));
}

/* From which level on something is denied; 1 is every level, 0 none. */
static const struct {
	const char *what;
	int (*try)(void);
	int denied_from;
} tries[] = {
	{"read a listed file", try_read, 0},
	{"write a listed file", try_write, 0},
	{"read another file", try_read_hidden, 1},
	{"write a file that may be read", try_write_readable, 1},
	{"list a folder", try_list, 1},
	{"create a file", try_create, 1},
	{"remove a file", try_unlink, 1},
	{"truncate a file that may be written", try_truncate, 3},
	{"bind a TCP port", may_bind, 4},
	{"ask a device by ioctl", may_ioctl_device, 5},
	{"reach an abstract socket", may_reach_abstract, 6},
	{"signal a process outside", try_signal, 6},
};

static void
levels_deny(void)
{
	for (int level = 1; level <= landlock_level(); level++)
		for (unsigned i = 0; i < sizeof tries / sizeof tries[0]; i++) {
			int from = tries[i].denied_from;
			int want = from != 0 && level >= from;
			int got = in_child(level, tries[i].try, NULL, 0);

			if (got != want)
				printf("# level %d, %s: %d, not %d\n", level, tries[i].what, got,
					want);
			CHECK(got == want);
		}
}

static void
level_0_does_nothing(void)
{
	CHECK(in_child(0, try_read_hidden, NULL, 0) == 0);
}

/* --- descriptors that may be opened again ------------------------------------------------- */

static int reopened_fd = -1;

static int
try_reopen(int flags)
{
	char path[32];

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", reopened_fd);
	return may_open(path, flags);
}
static int
try_reopen_read(void)
{
	return try_reopen(O_RDONLY);
}
static int
try_reopen_write(void)
{
	return try_reopen(O_RDWR | O_TRUNC);
}

static void
open_files_reopen(void)
{
	int level = landlock_level();

	reopened_fd = open(hidden, O_RDONLY | O_CLOEXEC);
	CHECK(in_child(level, try_reopen_read, NULL, 0) == 1);
	CHECK(in_child(level, try_reopen_read, &reopened_fd, 1) == 0);
	CHECK(in_child(level, try_reopen_write, &reopened_fd, 1) == 1);
	(void)close(reopened_fd);
	reopened_fd = open(hidden, O_RDWR | O_CLOEXEC);
	CHECK(in_child(level, try_reopen_write, &reopened_fd, 1) == 0);
	(void)close(reopened_fd);
}

static void
missing_path_is_named(void)
{
	const struct landlock_path paths[] = {
		{"/", LANDLOCK_READ, false}, {"/nowhere/at-all", LANDLOCK_READ, false}};
	const struct landlock_list list = {"test", 2, paths};
	const char *path = NULL;

	CHECK(landlock_load(&list, landlock_level(), NULL, 0, &path) == -ENOENT);
	CHECK_STR(path, "/nowhere/at-all");
}

/* --- the lists' text ---------------------------------------------------------------------- */

/* What landlock.awk says of these lines, on both of its outputs; its status. */
static int
generate(const char *lines, char *text, size_t size)
{
	static const char script[] =
		"printf %s \"$0\" | awk -f confine/landlock.awk /dev/stdin 2>&1";
	int out[2], status = -1;
	size_t length = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		(void)dup2(out[1], 1);
		(void)execl("/bin/sh", "sh", "-c", script, lines, (char *)NULL);
		_exit(127);
	}
	(void)close(out[1]);
	while (length < size - 1 && (n = read(out[0], text + length, size - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	(void)close(out[0]);
	(void)waitpid(pid, &status, 0);
	return status;
}

static void
bad_line_ends_the_build(void)
{
	static const struct {
		const char *lines, *want;
	} row[] = {
		{"read /usr/lib optional # why\n", "{\"/usr/lib\", LANDLOCK_READ, true},\n};\n"
						   "const struct landlock_list landlock_stdin = {"},
		{"device /dev/kvm # why\n", "{\"/dev/kvm\", LANDLOCK_DEVICE, false},"},
		{"read /usr/lib\n", "/dev/stdin:1: no reason"},
		{"\nread /usr/lib #\n", "/dev/stdin:2: no reason"},
		{"read /usr/lib maybe # why\n", "/dev/stdin:1: no reason"},
		{"all /usr/lib # why\n", "/dev/stdin:1: unknown access all"},
		{"read usr/lib # why\n", "/dev/stdin:1: not a path: usr/lib"},
		{"read /usr/\"lib # why\n", "/dev/stdin:1: not a path: /usr/\"lib"},
		{"read /a # b\nwrite /a # b\n", "/dev/stdin:2: named twice: /a"},
	};
	char text[1024];

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		int status = generate(row[i].lines, text, sizeof text);

		CHECK((status == 0) == (i < 2));
		CHECK(strstr(text, row[i].want) || !printf("# %s\n", text));
	}
}

/* --- places ------------------------------------------------------------------------------- */

static void
make_file(char path[static 64], const char *name)
{
	fd_auto int fd = -1;

	(void)snprintf(path, 64, "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "text", 4) != 4)
		abort();
}

static void
set_up(void)
{
	if (!mkdtemp(folder))
		abort();
	make_file(readable, "readable");
	make_file(writable, "writable");
	make_file(hidden, "hidden");
	abstract.sun_family = AF_UNIX;
	(void)snprintf(abstract.sun_path + 1, sizeof abstract.sun_path - 1, "%s", folder);
	abstract_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(folder));
	abstract_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(abstract_fd, (const struct sockaddr *)&abstract, abstract_size) < 0 ||
		listen(abstract_fd, 64) < 0)
		abort();
}

static void
tear_down(void)
{
	(void)close(abstract_fd);
	(void)unlink(readable);
	(void)unlink(writable);
	(void)unlink(hidden);
	if (rmdir(folder) < 0)
		abort();
}

int
main(void)
{
	set_up();
	printf("# this kernel: level %d\n", landlock_level());
	TEST("each level handles what the golden table says", rights_are_golden);
	TEST("each rule gives what the golden table says", rules_are_golden);
	TEST("QEMU and qemu-img may write /dev/null, without which they lock no image",
		lists_keep_locks);
	TEST("no list has a file that can be written", lists_write_no_file);
	TEST("level 0 changes nothing", level_0_does_nothing);
	if (landlock_level() > 0) {
		TEST("each level that this kernel has denies what it says", levels_deny);
		TEST("an open file opens again in its own mode alone", open_files_reopen);
		TEST("a path that is missing is an error that names it", missing_path_is_named);
	} else {
		printf("ok %d - denials # SKIP this kernel has no Landlock\n", ++test_n);
	}
	TEST("a line of a list that is no rule, or has no reason, ends the build",
		bad_line_ends_the_build);
	tear_down();
	return TEST_END();
}
