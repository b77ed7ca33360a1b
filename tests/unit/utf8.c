/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utf8.c: exactly the well-formed characters are read, each from its one encoding.
 */
#include "lib/utf8.h"

#include "tests/unit/test.h"

/* The encoding, from the definition (RFC 3629, section 3). */
static size_t
encode(uint32_t c, char out[static 4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static void
reads_all(void)
{
	for (uint32_t c = 0; c < 0x120000 && !test_this_failed; c++) {
		char text[4];
		uint32_t got = 0;
		size_t n = encode(c, text);
		bool valid = c < 0x110000 && (c < 0xd800 || c > 0xdfff);

		CHECK(utf8_next(text, n, &got) == (valid ? n : 0));
		CHECK(!valid || got == c);
		for (size_t cut = 0; cut < n; cut++)
			CHECK(utf8_next(text, cut, &got) == 0);
	}
}

static void
refuses_overlong(void)
{
	uint32_t c;

	CHECK(utf8_next("\xc0\x80", 2, &c) == 0);
	CHECK(utf8_next("\xc1\xbf", 2, &c) == 0);
	CHECK(utf8_next("\xe0\x9f\xbf", 3, &c) == 0);
	CHECK(utf8_next("\xf0\x8f\xbf\xbf", 4, &c) == 0);
	CHECK(utf8_next("\xf8\x88\x80\x80\x80", 5, &c) == 0);
	CHECK(utf8_next("\x80", 1, &c) == 0);
	CHECK(utf8_next("\xc3(", 2, &c) == 0);
}

static void
names_controls(void)
{
	CHECK(utf8_is_control(0) && utf8_is_control(0x1f) && !utf8_is_control(' '));
	CHECK(!utf8_is_control('~') && utf8_is_control(0x7f) && utf8_is_control(0x9f));
	CHECK(!utf8_is_control(0xa0));
	CHECK(utf8_is_hidden('\n') && utf8_is_hidden(0x202e) && utf8_is_hidden(0xfeff));
	CHECK(!utf8_is_hidden('a') && !utf8_is_hidden(0x20ac) && !utf8_is_hidden(0x1f427));
}

int
main(void)
{
	TEST("every character is read from its encoding, and nothing that is none", reads_all);
	TEST("overlong and broken forms are refused", refuses_overlong);
	TEST("control and hidden characters are known", names_controls);
	return TEST_END();
}
