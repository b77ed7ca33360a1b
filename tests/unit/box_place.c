/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box_place.c: wherever descriptors lie, each ends at its number, and no other is open.
 */
#include "worker/box/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test.h"

enum { N = 6 };

static const char marks[] = "abcdef";

/* A descriptor of a file of one byte, which says who it is. */
static int
marked(char mark)
{
	char path[] = "/tmp/place-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0 || unlink(path) < 0 || write(fd, &mark, 1) != 1)
		abort();
	return fd;
}

static char
mark_of(int fd)
{
	char mark = 0;

	if (pread(fd, &mark, 1, 0) != 1)
		return 0;
	return mark;
}

/* Only 0 to 2 and those numbers are open, the folder that is read for this aside. */
static int
only(const int *numbers, unsigned n)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int ok = dir != NULL;

	while (dir && (entry = readdir(dir))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);
		int known = fd <= 2 || fd == dirfd(dir);

		for (unsigned i = 0; i < n; i++)
			known |= fd == numbers[i];
		ok &= known;
	}
	return ok;
}

/*
 * Put marked files at the numbers in `from`, move them to those in `to`, in a child: its status is
 * 0 when all is as it should be.
 */
static int
place(const int *from, const int *to)
{
	int fds[N], status;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		/* Something else at each target, and elsewhere. */
		for (int i = 0; i < N; i++)
			if (dup2(0, to[i]) < 0 || dup2(0, 700 + i) < 0)
				_exit(2);
		for (int i = 0; i < N; i++) {
			int fd = marked(marks[i]);

			fds[i] = from[i];
			if (fd != from[i] && dup3(fd, from[i], O_CLOEXEC) < 0)
				_exit(3);
		}
		if (place_fds(fds, to, N) != 0 || place_close_others(2, to, N) != 0)
			_exit(4);
		for (int i = 0; i < N; i++)
			if (mark_of(to[i]) != marks[i] || fcntl(to[i], F_GETFD) != 0 ||
				fds[i] != to[i])
				_exit(5);
		_exit(only(to, N) ? 0 : 6);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 99;
	return WEXITSTATUS(status);
}

static void
apart(void)
{
	CHECK(place((int[N]){20, 21, 22, 23, 24, 25}, (int[N]){30, 31, 32, 33, 34, 35}) == 0);
}

static void
in_place(void)
{
	CHECK(place((int[N]){20, 21, 22, 23, 24, 25}, (int[N]){20, 21, 22, 23, 24, 25}) == 0);
}

static void
rotated(void)
{
	CHECK(place((int[N]){20, 21, 22, 23, 24, 25}, (int[N]){21, 22, 23, 24, 25, 20}) == 0);
	CHECK(place((int[N]){20, 21, 22, 23, 24, 25}, (int[N]){25, 24, 23, 22, 21, 20}) == 0);
}

/* The numbers that make_room() takes, the lowest free ones, are targets themselves. */
static void
crowded(void)
{
	CHECK(place((int[N]){10, 11, 12, 13, 14, 15}, (int[N]){11, 3, 4, 5, 6, 7}) == 0);
	CHECK(place((int[N]){7, 6, 5, 4, 3, 10}, (int[N]){10, 3, 4, 5, 6, 7}) == 0);
}

/* Every order of six, with a fixed generator. */
static void
all_orders(void)
{
	int at[N] = {40, 41, 42, 43, 44, 45}, to[N];

	for (unsigned order = 0; order < 720; order += 7) {
		unsigned rest = order;
		int left[N] = {40, 41, 42, 43, 44, 45};

		for (unsigned i = 0; i < N; i++) {
			unsigned k = rest % (N - i);

			rest /= N - i;
			to[i] = left[k];
			memmove(left + k, left + k + 1, (N - i - k - 1) * sizeof left[0]);
		}
		CHECK(place(at, to) == 0);
	}
}

int
main(void)
{
	TEST("to numbers apart", apart);
	TEST("already in place, they come to survive an exec", in_place);
	TEST("in a circle, and reversed", rotated);
	TEST("where the way round is itself a target", crowded);
	TEST("in many orders on the same numbers", all_orders);
	return TEST_END();
}
