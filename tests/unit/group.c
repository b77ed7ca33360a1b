/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * group.c: what is written about a group is read again, and anything else is refused.
 */
#include "protocol/ipc/group.h"

#include <errno.h>

#include "tests/unit/test.h"

static int
read_text(const char *text, const char *name, uint32_t *ret_gid)
{
	/* Without a NUL behind it: whatever reads further is found by AddressSanitizer. */
	size_t size = strlen(text);
	char *copy = malloc(size + 1);
	int r;

	if (!copy)
		abort();
	copy = realloc(memcpy(copy, text, size), size ? size : 1);
	r = group_read(copy, size, name, ret_gid);
	free(copy);
	return r;
}

static void
test_round_trip(void)
{
	static const uint32_t gids[] = {0, 1, 100, 65534, UINT32_MAX - 1};
	char text[128];
	uint32_t gid;
	int n;

	for (unsigned i = 0; i < sizeof(gids) / sizeof(*gids); i++) {
		n = group_format("lab-admins", gids[i], text, sizeof(text));
		CHECK(n == (int)strlen(text));
		gid = ~gids[i];
		CHECK(read_text(text, "lab-admins", &gid) == 0 && gid == gids[i]);
		/* About another group than was asked for. */
		CHECK(read_text(text, "lab-admin", &gid) == GROUP_E_BAD);
	}
}

static void
test_bad_text(void)
{
	static const char *const texts[] = {"", "group = g\n", "gid = 5\n", "group = g\ngid = \n",
		"group = g\ngid = -1\n", "group = g\ngid = 4294967295\n",
		"group = g\ngid = 4294967296\n", "group = g\ngid = 5x\n",
		"group = g\ngroup = g\ngid = 5\n", "group = g\ngid = 5\ngid = 5\n",
		"group = g\ngid = 5\nuid = 5\n", "group = g\ngid\n", "group = G\ngid = 5\n",
		"group = g\ngid = 5\n\xff\n"};
	uint32_t gid = 7;

	for (unsigned i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		CHECK(read_text(texts[i], "g", &gid) == GROUP_E_BAD || !printf("# %u\n", i));
	CHECK(gid == 7);
	CHECK(read_text("gid = 5\ngroup = g\n", "g", &gid) == 0 && gid == 5);
}

static void
test_bad_group(void)
{
	char text[128];

	CHECK(group_format("", 5, text, sizeof(text)) == -EINVAL);
	CHECK(group_format("a b", 5, text, sizeof(text)) == -EINVAL);
	CHECK(group_format("a\n", 5, text, sizeof(text)) == -EINVAL);
	CHECK(group_format("g", UINT32_MAX, text, sizeof(text)) == -EINVAL);
	for (size_t size = 0; size < sizeof("group = g\ngid = 5\n"); size++)
		CHECK(group_format("g", 5, text, size) == -ENOSPC);
}

int
main(void)
{
	TEST("what is written is read again, for the group that was asked for", test_round_trip);
	TEST("a text that is no answer about a group is refused", test_bad_text);
	TEST("what is no group, and a text that does not fit, are not written", test_bad_group);
	return TEST_END();
}
