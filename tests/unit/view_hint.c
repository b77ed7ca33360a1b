/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * view_hint.c: the UUID that a definition is about is found where it is written, and nowhere else.
 */
#include "view/hint.h"

#include "tests/unit/test.h"

static const struct {
	const char *xml;
	bool good;
} cases[] = {
	{"<domain><uuid>000102030405060708090a0b0c0d0e0f</uuid></domain>", true},
	{"<domain><uuid>00010203-0405-0607-0809-0A0B0C0D0E0F</uuid></domain>", true},
	{"<uuid>\n  00010203-0405-0607-0809-0a0b0c0d0e0f\n</uuid>", true},
	{"<uuid>00010203-0405-0607-0809-0a0b0c0d0e0f", true},
	{"", false},
	{"<domain/>", false},
	{"<uuid>", false},
	{"<uuid></uuid>", false},
	{"<uuid>00010203-0405-0607-0809-0a0b0c0d0e0</uuid>", false},
	{"<uuid>0001020304050607-", false},
	{"<uuid>-00010203-0405-0607-0809-0a0b0c0d0e0f</uuid>", false},
	{"<uuid >00010203-0405-0607-0809-0a0b0c0d0e0f</uuid>", false},
	{"<uuid>x0010203-0405-0607-0809-0a0b0c0d0e0f</uuid>", false},
};

static void
test_uuid(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t uuid[UUID_SIZE] = {0};
		/* Of the exact size, so that a byte too many is seen. */
		char *xml = strdup(cases[i].xml);

		CHECK(hint_uuid(xml, uuid) == cases[i].good);
		for (uint8_t j = 0; cases[i].good && j < UUID_SIZE; j++)
			CHECK(uuid[j] == j);
		free(xml);
	}
}

int
main(void)
{
	TEST("the first UUID of a definition", test_uuid);
	return TEST_END();
}
