/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * place.c: each descriptor at its number, and no other open.
 *
 * In qemud-box, as the user. Must never lose one descriptor to the number of another.
 */
#include "worker/box/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <unistd.h>

/* A descriptor that has yet to be moved and lies at this number goes somewhere else. */
static int
make_room(int *fds, unsigned n, int number)
{
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] != number)
			continue;
		/* Wherever that is: if it is again some number, it is moved again. */
		fds[i] = fcntl(number, F_DUPFD_CLOEXEC, 0);
		if (fds[i] < 0)
			return -errno;
	}
	return 0;
}

int
place_fds(int *fds, const int *numbers, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int r = 0;

		if (fds[i] == numbers[i]) {
			if (fcntl(fds[i], F_SETFD, 0) < 0)
				return -errno;
			continue;
		}
		r = make_room(fds + i + 1, n - i - 1, numbers[i]);
		if (r < 0)
			return r;
		if (dup2(fds[i], numbers[i]) < 0)
			return -errno;
		(void)close(fds[i]);
		fds[i] = numbers[i];
	}
	return 0;
}

static bool
is_one_of(int fd, const int *numbers, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (numbers[i] == fd)
			return true;
	return false;
}

int
place_close_others(int last, const int *numbers, unsigned n)
{
	int from = last + 1, highest = last;

	for (unsigned i = 0; i < n; i++)
		if (numbers[i] > highest)
			highest = numbers[i];
	for (int fd = from; fd <= highest; fd++) {
		if (!is_one_of(fd, numbers, n))
			continue;
		if (fd > from && close_range((unsigned)from, (unsigned)fd - 1, 0) < 0)
			return -errno;
		from = fd + 1;
	}
	return close_range((unsigned)from, UINT_MAX, 0) < 0 ? -errno : 0;
}
