/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A server to which nobody has said anything takes no memory for what clients say.
 */
#include "serve/server.h"

#include <sys/mman.h>
#include <unistd.h>

#include "lib/err.h"
#include "tests/unit/test.h"

enum { PAGES_MAX = 64 };

static void
test_untouched(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n_resident = 0;
	size_t n = (sizeof(struct server) + page - 1) / page;
	struct server *server =
		mmap(NULL, n * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char resident[PAGES_MAX];
	struct loop loop;

	ASSERT(server != MAP_FAILED && n <= PAGES_MAX && loop_init(&loop) == 0);
	server_init(server, &loop, NULL, NULL, NULL);
	CHECK(server->loop == &loop && server->n_clients == 0 && LIST_EMPTY(&server->clients));
	CHECK(mincore(server, n * page, resident) == 0);
	for (size_t i = 0; i < n; i++)
		n_resident += resident[i] & 1;
	CHECK(n_resident > 0 && n_resident <= offsetof(struct server, input) / page + 1);
	server_fini(server);
	loop_fini(&loop);
	CHECK(munmap(server, n * page) == 0);
}

int
main(void)
{
	TEST("room for input is not touched before there is any", test_untouched);
	return TEST_END();
}
