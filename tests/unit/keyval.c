/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyval.c: exactly the documented grammar is read; each other line is an error with its number.
 */
#include "lib/keyval.h"

#include <errno.h>

#include "tests/unit/test.h"

/* What reading says, in one string: key=value; for pairs, !line for errors. */
static const char *
read_all(const char *text, size_t size)
{
	static char all[3 * KEYVAL_LINE_MAX];
	enum keyval_result result;
	struct keyval kv;
	size_t n = 0;

	all[0] = '\0';
	keyval_init(&kv, text, size);
	while ((result = keyval_next(&kv)) != KEYVAL_END && n < sizeof all) {
		int m = result == KEYVAL_PAIR
				? snprintf(all + n, sizeof all - n, "%s=%s;", kv.key, kv.value)
				: snprintf(all + n, sizeof all - n, "!%u;", kv.line);

		CHECK((result == KEYVAL_BAD) == (kv.error != NULL));
		n += (size_t)m;
	}
	CHECK(keyval_next(&kv) == KEYVAL_END);
	return all;
}

#define READ(literal) read_all((literal), sizeof(literal) - 1)

static void
reads_pairs(void)
{
	CHECK_STR(READ(""), "");
	CHECK_STR(READ("\n\n \t \n"), "");
	CHECK_STR(READ("# comment\n  # another = x\n"), "");
	CHECK_STR(READ("a=b"), "a=b;");
	CHECK_STR(READ("a=b\n"), "a=b;");
	CHECK_STR(READ(" \ta \t=\t b c \t\n"), "a=b c;");
	CHECK_STR(READ("a-b_9 = x = y # z\n"), "a-b_9=x = y # z;");
	CHECK_STR(READ("a =\nb = \n"), "a=;b=;");
	CHECK_STR(READ("a = 1\na = 2\n"), "a=1;a=2;");
	CHECK_STR(READ("a = gr\xc3\xbc\xc3\x9f\n"), "a=gr\xc3\xbc\xc3\x9f;");
}

static void
refuses_lines(void)
{
	CHECK_STR(READ("a\n"), "!1;");
	CHECK_STR(READ("= b\n"), "!1;");
	CHECK_STR(READ("A = b\n"), "!1;");
	CHECK_STR(READ("a b = c\n"), "!1;");
	CHECK_STR(READ("a.b = c\n"), "!1;");
	CHECK_STR(READ("\xc3\xbc = c\n"), "!1;");
	CHECK_STR(READ("\ra = c\n"), "!1;");
	CHECK_STR(READ("a = b\r\n"), "!1;");
	CHECK_STR(READ("a = b\tc\n"), "!1;");
	CHECK_STR(READ("a = \033[1m\n"), "!1;");
	CHECK_STR(READ("a = \x7f\n"), "!1;");
	CHECK_STR(READ("a = \xff\n"), "!1;");
	CHECK_STR(READ("a = \xc2\x9b\n"), "!1;");
	CHECK_STR(READ("a = \xed\xa0\x80\n"), "!1;");
	CHECK_STR(READ("a = b\0c\n"), "!1;");
	CHECK_STR(READ("# b\0c\n"), "!1;");
	CHECK_STR(READ("\0"), "!1;");
	CHECK_STR(READ("a\0 = b\n"), "!1;");
}

static void
goes_on(void)
{
	CHECK_STR(READ("ok = 1\nbad\n\nok = 2\n\xff\nok = 3"), "ok=1;!2;ok=2;!5;ok=3;");
}

static void
has_limits(void)
{
	char text[2 * KEYVAL_LINE_MAX];
	struct keyval kv;

	memset(text, 'v', sizeof text);
	text[0] = 'k';
	text[1] = '=';
	text[KEYVAL_LINE_MAX] = '\n';
	keyval_init(&kv, text, KEYVAL_LINE_MAX + 1);
	CHECK(keyval_next(&kv) == KEYVAL_PAIR && strlen(kv.value) == KEYVAL_LINE_MAX - 2);
	CHECK(keyval_next(&kv) == KEYVAL_END);
	text[KEYVAL_LINE_MAX] = 'v';
	text[KEYVAL_LINE_MAX + 1] = '\n';
	memcpy(text + KEYVAL_LINE_MAX + 2, "a=b", sizeof "a=b");
	keyval_init(&kv, text, KEYVAL_LINE_MAX + 5);
	CHECK(keyval_next(&kv) == KEYVAL_BAD && kv.line == 1);
	CHECK(keyval_next(&kv) == KEYVAL_PAIR && kv.line == 2);
	CHECK_STR(kv.value, "b");

	memset(text, 'k', 64);
	text[63] = '=';
	keyval_init(&kv, text, 64);
	CHECK(keyval_next(&kv) == KEYVAL_PAIR && strlen(kv.key) == 63);
	text[63] = 'k';
	text[64] = '=';
	keyval_init(&kv, text, 65);
	CHECK(keyval_next(&kv) == KEYVAL_BAD);
}

static void
stays_inside(void)
{
	/* A heap copy without a NUL behind it: a sanitizer sees one byte too many. */
	static const char *const texts[] = {"a", "a=", "a=b", "a =", "#", " ", "a= ", "a=\xe2\x82"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		size_t size = strlen(texts[i]);
		char *copy = malloc(size);
		struct keyval kv;

		memcpy(copy, texts[i], size);
		keyval_init(&kv, copy, size);
		while (keyval_next(&kv) != KEYVAL_END) {}
		CHECK(kv.at == size);
		free(copy);
	}
}

static void
reads_numbers(void)
{
	uint64_t n = 77;

	CHECK(keyval_number("0", 0, 10, &n) == 0 && n == 0);
	CHECK(keyval_number("10", 0, 10, &n) == 0 && n == 10);
	CHECK(keyval_number("18446744073709551615", 0, UINT64_MAX, &n) == 0 && n == UINT64_MAX);
	n = 77;
	CHECK(keyval_number("11", 0, 10, &n) == -ERANGE);
	CHECK(keyval_number("4", 5, 10, &n) == -ERANGE);
	CHECK(keyval_number("18446744073709551616", 0, UINT64_MAX, &n) == -ERANGE);
	CHECK(keyval_number("99999999999999999999999999", 0, UINT64_MAX, &n) == -ERANGE);
	/* Overflows to a small number on its way. */
	CHECK(keyval_number("184467440737095516160", 0, UINT64_MAX, &n) == -ERANGE);
	CHECK(keyval_number("99999999999999999999x", 0, UINT64_MAX, &n) == -EINVAL);
	CHECK(keyval_number("", 0, 10, &n) == -EINVAL);
	CHECK(keyval_number("-1", 0, 10, &n) == -EINVAL);
	CHECK(keyval_number("+1", 0, 10, &n) == -EINVAL);
	CHECK(keyval_number(" 1", 0, 10, &n) == -EINVAL);
	CHECK(keyval_number("1 ", 0, 10, &n) == -EINVAL);
	CHECK(keyval_number("0x1", 0, 10, &n) == -EINVAL);
	CHECK(keyval_number("007", 0, 10, &n) == -EINVAL);
	CHECK(keyval_number("1k", 0, 10, &n) == -EINVAL);
	CHECK(n == 77);
}

static void
reads_bools(void)
{
	int b = 7;

	CHECK(keyval_bool("yes", &b) == 0 && b == 1);
	CHECK(keyval_bool("no", &b) == 0 && b == 0);
	b = 7;
	CHECK(keyval_bool("", &b) == -EINVAL && keyval_bool("Yes", &b) == -EINVAL);
	CHECK(keyval_bool("true", &b) == -EINVAL && keyval_bool("1", &b) == -EINVAL && b == 7);
}

int
main(void)
{
	TEST("pairs, comments and blank lines are read", reads_pairs);
	TEST("each other line is refused", refuses_lines);
	TEST("reading goes on behind a bad line, with the right numbers", goes_on);
	TEST("the longest line and key are read, one byte more is not", has_limits);
	TEST("nothing behind the text is read", stays_inside);
	TEST("numbers are decimal and in their range", reads_numbers);
	TEST("booleans are yes and no", reads_bools);
	return TEST_END();
}
