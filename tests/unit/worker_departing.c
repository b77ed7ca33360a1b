/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors that go to a client wait for their byte, in order, and no more than DEPARTING_MAX of them.
 */
#include "serve/departing.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/err.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/test.h"

static int
open_null(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ASSERT(fd >= 0);
	return fd;
}

static void
test_bound(void)
{
	struct departing departing = {.n = 0};
	unsigned before = n_descriptors();

	for (unsigned i = 0; i < DEPARTING_MAX; i++)
		CHECK(departing_put(&departing, i * 10, open_null()) == 0);
	CHECK(n_descriptors() == before + DEPARTING_MAX);
	/* The one that is refused is closed. */
	CHECK(departing_put(&departing, 1000, open_null()) == -ENOBUFS);
	CHECK(n_descriptors() == before + DEPARTING_MAX);
	departing_gone(&departing);
	CHECK(departing_put(&departing, 1000, open_null()) == 0);
	departing_fini(&departing);
	CHECK(n_descriptors() == before);
}

static void
test_places(void)
{
	struct departing departing = {.n = 0};
	int fd = -1, sent;

	CHECK(departing_next(&departing, 0, 100, &fd) == 100 && fd == -1);
	CHECK(departing_put(&departing, 30, open_null()) == 0);
	sent = departing.queue[0].fd;
	CHECK(departing_put(&departing, 50, open_null()) == 0);
	/* Up to its byte, with its byte up to the next one, and then that. */
	CHECK(departing_next(&departing, 0, 20, &fd) == 20 && fd == -1);
	CHECK(departing_next(&departing, 0, 100, &fd) == 30 && fd == -1);
	CHECK(departing_next(&departing, 30, 70, &fd) == 20 && fd == sent);
	departing_gone(&departing);
	CHECK(departing_next(&departing, 50, 50, &fd) == 50 && fd == departing.queue[0].fd);
	departing_fini(&departing);
}

static void
test_cut(void)
{
	struct departing departing = {.n = 0};
	unsigned before = n_descriptors();
	int fd = -1;

	for (unsigned i = 1; i <= 4; i++)
		CHECK(departing_put(&departing, i * 10, open_null()) == 0);
	departing_cut(&departing, 30);
	CHECK(departing.n == 2 && n_descriptors() == before + 2);
	CHECK(departing_next(&departing, 10, 90, &fd) == 10 && fd == departing.queue[0].fd);
	departing_cut(&departing, 30);
	CHECK(departing.n == 2);
	departing_cut(&departing, 0);
	CHECK(n_descriptors() == before);
}

int
main(void)
{
	TEST("eight wait, one more is refused and closed", test_bound);
	TEST("each goes with its byte", test_places);
	TEST("those of bytes that are taken back are closed, and no other", test_cut);
	return TEST_END();
}
