/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * no_room.h: a process that may open no descriptor more, for a while.
 */
#ifndef TESTS_UNIT_NO_ROOM_H
#define TESTS_UNIT_NO_ROOM_H

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/test.h"

static struct rlimit no_room_before;

/** From here on there is room for n more, where there is no gap in their numbers. */
static inline void
no_room_begin(unsigned n)
{
	struct rlimit limit;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && getrlimit(RLIMIT_NOFILE, &no_room_before) == 0);
	(void)close(fd);
	limit = no_room_before;
	limit.rlim_cur = (rlim_t)fd + n;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static inline void
no_room_end(void)
{
	CHECK(setrlimit(RLIMIT_NOFILE, &no_room_before) == 0);
}

#endif
