/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every system call list loads, lets through what it names, answers what it denies politely, and
 * kills for everything else; no list names what would make a way out.
 */
#include "confine/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test.h"

enum { N_FILTERS = 5, KILLED = -1, NOT_LOADED = 120 };

/* The lists of our own programs. */
static const struct filter *const filters[N_FILTERS] = {
	&filter_broker, &filter_worker, &filter_refuser, &filter_view, &filter_net};

static const struct filter_rule *
find(const struct filter *filter, const char *name)
{
	for (unsigned i = 0; i < filter->n_rules; i++)
		if (strcmp(filter->rules[i].syscall, name) == 0)
			return &filter->rules[i];
	return NULL;
}

/*
 * In a process of its own: load the filter and make a call with this first argument, and 0 for the
 * others. Returns the errno (0: it succeeded) or KILLED.
 */
static int
try_call_with(const struct filter *filter, const char *name, long argument)
{
	long number = seccomp_syscall_resolve_name(name);
	int fds[2], err = NOT_LOADED, status = 0;
	pid_t pid;

	if (pipe(fds) < 0)
		return NOT_LOADED;
	pid = fork();
	if (pid == 0) {
		struct rlimit none = {0, 0};

		(void)setrlimit(RLIMIT_CORE, &none);
		if (filter_load(filter) != 0)
			_exit(NOT_LOADED);
		err = syscall(number, argument, 0L, 0L, 0L, 0L, 0L) < 0 ? errno : 0;
		(void)!write(fds[1], &err, sizeof(err));
		_exit(0);
	}
	(void)waitpid(pid, &status, 0);
	(void)close(fds[1]);
	if (read(fds[0], &err, sizeof(err)) != sizeof(err))
		err = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? KILLED : NOT_LOADED;
	(void)close(fds[0]);
	return err;
}

/* The same with an argument that no call likes. */
static int
try_call(const struct filter *filter, const char *name)
{
	return try_call_with(filter, name, -1);
}

static void
all_load(void)
{
	for (unsigned i = 0; i < N_FILTERS; i++)
		CHECK(try_call(filters[i], "write") == EBADF);
}

static void
what_is_not_listed_kills(void)
{
	static const char *const calls[] = {"personality", "acct", "swapon", "reboot", "syslog",
		"keyctl", "bpf", "userfaultfd", "perf_event_open", "io_uring_setup", "getxattr",
		"quotactl", "chroot", "mount", "unshare", "setns", "execveat", "settimeofday"};

	for (unsigned i = 0; i < N_FILTERS; i++)
		for (size_t k = 0; k < sizeof(calls) / sizeof(*calls); k++) {
			int got = try_call(filters[i], calls[k]);

			CHECK(find(filters[i], calls[k]) || got == KILLED ||
				!printf("# %s: %s: %d\n", filters[i]->name, calls[k], got));
		}
}

static void
what_is_denied_is_answered(void)
{
	static const struct filter_rule rules[] = {{.syscall = "write"}, {.syscall = "exit_group"},
		{.syscall = "sigaltstack"}, {.syscall = "clone3", .err = ENOSYS},
		{.syscall = "getppid", .err = EACCES}};
	static const struct filter small = {"small", 5, rules, 0, NULL};

	/* glibc takes ENOSYS from clone3 for an old kernel, and goes on with clone. */
	CHECK(try_call(&small, "clone3") == ENOSYS);
	CHECK(try_call(&small, "getppid") == EACCES);
	for (unsigned i = 0; i < N_FILTERS; i++) {
		CHECK(find(filters[i], "clone3") == NULL ||
			find(filters[i], "clone3")->err == ENOSYS);
		for (unsigned k = 0; k < filters[i]->n_rules; k++) {
			const struct filter_rule *rule = &filters[i]->rules[k];

			if (rule->err)
				CHECK(try_call(filters[i], rule->syscall) == rule->err);
		}
	}
}

static void
some_arguments_are_allowed(void)
{
	static const struct filter_rule rules[] = {{.syscall = "write"}, {.syscall = "exit_group"},
		{.syscall = "sigaltstack"}, {.syscall = "lseek", .arg = 0, .mask = 6, .value = 6},
		{.syscall = "dup", .arg = 0, .mask = UINT64_MAX, .value = 1000},
		{.syscall = "close", .arg = 1, .mask = UINT64_MAX, .value = 0}};
	static const struct filter small = {"small", 6, rules, 0, NULL};

	CHECK(try_call_with(&small, "lseek", -1) == EBADF);
	CHECK(try_call_with(&small, "lseek", 1006) == EBADF);
	CHECK(try_call_with(&small, "lseek", 1004) == KILLED);
	CHECK(try_call_with(&small, "dup", 1000) == EBADF);
	CHECK(try_call_with(&small, "dup", 1001) == KILLED);
	CHECK(try_call_with(&small, "dup", -1) == KILLED);
	CHECK(try_call_with(&small, "dup", 1000L + (1L << 32)) == KILLED);
	/* Zero is a number like any other. */
	CHECK(try_call(&small, "close") == EBADF);
}

/* Without a type, and a place for the pair, none is made. */
static void
the_worker_has_one_family_of_sockets(void)
{
	enum { UNIX = 1, FAMILIES = 64 };

	for (long family = 0; family < FAMILIES; family++) {
		int one = try_call_with(&filter_worker, "socket", family);
		int two = try_call_with(&filter_worker, "socketpair", family);

		CHECK(one == (family == UNIX ? ESOCKTNOSUPPORT : KILLED));
		CHECK(two == (family == UNIX ? EFAULT : KILLED));
	}
}

static void
what_is_listed_is_allowed(void)
{
	/* Harmless with those arguments, and answered at once. */
	static const char *const calls[] = {"close", "read", "fcntl", "fstat", "lseek", "sendmsg",
		"recvmsg", "epoll_ctl", "madvise", "munmap", "mprotect", "getpid", "getrandom",
		"timerfd_settime", "ftruncate", "fsync", "accept4", "getsockopt"};
	unsigned n = 0;

	for (unsigned i = 0; i < N_FILTERS; i++)
		for (size_t k = 0; k < sizeof(calls) / sizeof(*calls); k++) {
			if (!find(filters[i], calls[k]))
				continue;
			n++;
			CHECK(try_call(filters[i], calls[k]) != KILLED);
		}
	CHECK(n > N_FILTERS);
}

static void
no_new_privileges(void)
{
	static const struct filter_rule rules[] = {
		{.syscall = "prctl"}, {.syscall = "exit_group"}, {.syscall = "sigaltstack"}};
	static const struct filter small = {"small", 3, rules, 0, NULL};
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(filter_load(&small) == 0 ? prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
					       : NOT_LOADED);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static void
no_way_out(void)
{
	static const char *const calls[] = {
		"execve",
		"execveat",
		"fork",
		"vfork",
		"unshare",
		"setns",
		"mount",
		"umount2",
		"pivot_root",
		"chroot",
		"bpf",
		"io_uring_setup",
		"io_uring_enter",
		"userfaultfd",
		"process_vm_writev",
		"process_vm_readv",
		"pidfd_getfd",
		"open_by_handle_at",
		"setuid",
		"setresuid",
		"capset",
		"init_module",
		"kexec_load",
		"add_key",
		"keyctl",
		"perf_event_open",
#ifndef __SANITIZE_ADDRESS__ /* asan.list names it, for LeakSanitizer */
		"ptrace",
#endif
	};

	for (unsigned i = 0; i < N_FILTERS; i++)
		for (size_t k = 0; k < sizeof(calls) / sizeof(*calls); k++)
			CHECK(!find(filters[i], calls[k]) ||
				!printf("# %s has %s\n", filters[i]->name, calls[k]));
}

static void
unknown_name_is_told(void)
{
	static const struct filter_rule rules[] = {{.syscall = "write"}, {.syscall = "writ"}};
	static const struct filter wrong = {"wrong", 2, rules, 0, NULL};
	char text[256] = "";
	int fds[2], status;
	pid_t pid;

	CHECK(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(fds[1], STDERR_FILENO);
		_exit(filter_load(&wrong) == 0 ? 0 : NOT_LOADED);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 1);
	(void)close(fds[1]);
	CHECK(read(fds[0], text, sizeof(text) - 1) > 0);
	(void)close(fds[0]);
	CHECK(strstr(text, "filter wrong: libseccomp knows no system call \"writ\""));
	CHECK(strstr(text, "policy/seccomp/wrong.list"));
}

/* Make tables of a list with these lines. Returns awk's status, and what it said on stderr. */
static int
generate(const char *lines, char *text, size_t size)
{
	char folder[] = "/tmp/qemud-test-filter-XXXXXX", path[64];
	int fds[2], status = -1;
	size_t len = 0;
	ssize_t n;
	FILE *file;
	pid_t pid;

	if (!mkdtemp(folder) || pipe(fds) < 0)
		return NOT_LOADED;
	(void)snprintf(path, sizeof(path), "%s/some.list", folder);
	file = fopen(path, "w");
	CHECK(file && fputs(lines, file) >= 0 && fclose(file) == 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(fds[1], STDERR_FILENO);
		(void)close(STDOUT_FILENO);
		(void)open("/dev/null", O_WRONLY);
		(void)execlp("awk", "awk", "-f", "confine/filters.awk", "-v", "asan=0", path, NULL);
		_exit(NOT_LOADED);
	}
	(void)close(fds[1]);
	while (len < size - 1 && (n = read(fds[0], text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	(void)close(fds[0]);
	(void)waitpid(pid, &status, 0);
	(void)unlink(path);
	(void)rmdir(folder);
	return status;
}

static void
bad_line_ends_the_build(void)
{
	static const struct {
		const char *lines, *want;
	} cases[] = {
		{"# fine\n\nread  # loop_once: why\nclone3 ENOSYS # libc: why\n", NULL},
		{"read\n", "some.list:1: no reason"},
		{"\nread # because\n", "some.list:2: no reason"},
		{"read # loop_once: \n", "some.list:1: no reason"},
		{"read write # loop_once: why\n", "some.list:1: not `name`"},
		{"read EPERM EIO # loop_once: why\n", "some.list:1: not `name`"},
		{"clone 0&0x10000 # libc: why\nsocket 0=0x1 # bind: why\ndup 5=0x0 # a: b\n", NULL},
		{"clone 0&0x0 # libc: why\n", "some.list:1: not `name`"},
		{"dup 0=0x1 # a: b\ndup 0=0x2 # a: b\ndup 0&0xf0=0x10 # a: b\ndup EIO # a: b\n",
			NULL},
		{"dup 0=0x1 # a: b\ndup 0=0x1 # a: b\n", "some.list:2: dup is in this list"},
		{"dup 0=0x1 # a: b\ndup # a: b\n", "some.list:2: dup is in this list"},
		{"dup # a: b\ndup EIO # a: b\n", "some.list:2: dup is in this list"},
		{"dup EIO # a: b\ndup EPERM # a: b\n", "some.list:2: dup is in this list"},
		{"dup 0&0x0=0x0 # a: b\n", "some.list:1: not `name`"},
		{"dup 0=0x1 # a: b\ndup EIO # a: b\nread 0=0x1 # a: b\nread EPERM # a: b\n",
			"two answers where no condition holds"},
		{"socket 6=0x1 # bind: why\n", "some.list:1: not `name`"},
		{"socket 0=1 # bind: why\n", "some.list:1: not `name`"},
		{"socket 0=0x # bind: why\n", "some.list:1: not `name`"},
		{"Read # loop_once: why\n", "some.list:1: not the name of a system call"},
		{"read # a: b\nwrite # a: b\nread # c: d\n", "some.list:3: read is in this list"},
	};
	char text[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int status = generate(cases[i].lines, text, sizeof(text));

		CHECK((status != 0) == (cases[i].want != NULL));
		CHECK(!cases[i].want || strstr(text, cases[i].want) || !printf("# %s", text));
	}
}

int
main(void)
{
	TEST("every list loads, and lets its program write", all_load);
	TEST("what is not in a list kills the process", what_is_not_listed_kills);
	TEST("what a list denies is answered with its error", what_is_denied_is_answered);
	TEST("what a list names for some arguments is allowed for no other",
		some_arguments_are_allowed);
	TEST("the worker makes sockets of one family", the_worker_has_one_family_of_sockets);
	TEST("what a list names is allowed", what_is_listed_is_allowed);
	TEST("a filter comes with no_new_privs", no_new_privileges);
	TEST("no list of ours names a way out", no_way_out);
	TEST("a line of a list that is no rule, or has no reason, ends the build",
		bad_line_ends_the_build);
	TEST("a name that libseccomp does not know is told", unknown_name_is_told);
	return TEST_END();
}
