/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * err.c: a broken invariant ends the process with one line and status 1.
 */
#include "lib/err.h"

#include <sys/wait.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "tests/unit/test.h"

/* Run fn in a child; what it wrote to stderr is in text. Returns its wait status. */
static int
run(void (*fn)(void), char *text, size_t size)
{
	fd_auto int rd = -1;
	size_t n = 0;
	char *data = NULL;
	int fds[2], status = -1;
	pid_t pid;

	text[0] = '\0';
	if (pipe(fds) < 0)
		return -1;
	rd = fds[0];
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)dup2(fds[1], STDERR_FILENO);
		log_open("test", LEVEL_INFO);
		fn();
		_exit(0);
	}
	(void)close(fds[1]);
	if (fd_read_all(rd, size - 1, &data, &n) == 0)
		memcpy(text, data, n + 1);
	free(data);
	(void)waitpid(pid, &status, 0);
	return status;
}

static void
call_die(void)
{
	die("cannot read %s: %d", "x\ny", 5);
}

static void
call_assert(void)
{
	ASSERT(1 + 1 == 3);
}

static void
call_good_assert(void)
{
	ASSERT(1 + 1 == 2);
}

static void
dies(void)
{
	char text[2048];
	int status = run(call_die, text, sizeof text);

	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	CHECK_STR(text, "test: error: cannot read x\\x0ay: 5\n");
}

static void
asserts(void)
{
	char text[2048];
	int status = run(call_assert, text, sizeof text);

	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	CHECK(strstr(text, "broken invariant: 1 + 1 == 3"));
	CHECK(strstr(text, "tests/unit/err.c:"));
	status = run(call_good_assert, text, sizeof text);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK_STR(text, "");
}

int
main(void)
{
	TEST("die() writes one escaped line and exits with 1", dies);
	TEST("a broken invariant says where and exits with 1; one that holds costs nothing",
		asserts);
	return TEST_END();
}
