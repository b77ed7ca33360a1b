/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All users and virtual machines that the ledger may have are counted.
 */
#include "broker/census.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/unit/test.h"

static char place[] = "/tmp/qemud-test-census-XXXXXX";

static void
make(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", place, name);
	CHECK(mkdir(path, 0755) == 0);
}

static bool
counts(uint32_t n_users, uint32_t n_vms)
{
	struct census census = {.n_users = 99, .n_vms = 99};

	return census_take(place, &census) == 0 && census.n_users == n_users &&
	       census.n_vms == n_vms;
}

static void
test_none(void)
{
	struct census census = {.n_users = 99, .n_vms = 99};

	CHECK(census_take("", &census) == 0 && census.n_users == 0 && census.n_vms == 0);
	CHECK(census_take("/tmp/qemud-test-no-such-folder", &census) == -ENOENT);
	CHECK(counts(0, 0));
}

static void
test_counted(void)
{
	static const char *const folders[] = {"x", "u1", "u1/worker", "u1/vm-1-a", "u1/vm-2-b",
		"u2", "u2/tool-3", "u3", "u3/vm-3-c", "x/vm-4-d"};
	char path[128];
	FILE *file;

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		make(folders[i]);
	(void)snprintf(path, sizeof path, "%s/u1/vm-file", place);
	file = fopen(path, "w");
	CHECK(file && fclose(file) == 0);
	CHECK(counts(3, 3));
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int
main(void)
{
	if (!mkdtemp(place))
		return EXIT_FAILURE;
	TEST("where there is nothing, nobody is counted", test_none);
	TEST("users and virtual machines are counted by their names", test_counted);
	(void)nftw(place, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return TEST_END();
}
