/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is written into an inventory is read again as it was; whatever else the text is, is refused. */
#include "protocol/ipc/inventory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/test.h"

#define UUID "00010203-0405-0607-0809-0a0b0c0d0e0f"

static struct inventory_vm
vm(const char *name)
{
	struct inventory_vm ret = {.state = 5, .persistent = true};

	for (uint8_t i = 0; i < UUID_SIZE; i++)
		ret.uuid[i] = i;
	(void)snprintf(ret.name, sizeof ret.name, "%s", name);
	return ret;
}

static void
test_text(void)
{
	static const char want[] = "0\t5\t0\tp\t" UUID "\ta\n"
				   "2147483647\t1\t5\tpa\t" UUID "\tb c\n"
				   "7\t3\t0\t-\t" UUID "\t\xc3\xbc\n"
				   "+0\n";
	struct inventory_vm a = vm("a"), b = vm("b c"), c = vm("\xc3\xbc"), got;
	struct inventory_writer writer;
	struct inventory_reader reader;
	char text[1024];
	size_t length;

	b.id = INT32_MAX;
	b.state = 1;
	b.reason = 5;
	b.autostart = true;
	c.id = 7;
	c.state = 3;
	c.persistent = false;
	inventory_write(&writer, text, sizeof text);
	CHECK(inventory_add(&writer, &a) == 0);
	CHECK(inventory_add(&writer, &b) == 0);
	CHECK(inventory_add(&writer, &c) == 0);
	length = inventory_end(&writer);
	CHECK(length == sizeof want - 1 && memcmp(text, want, length) == 0);

	inventory_read(&reader, text, length);
	CHECK(inventory_next(&reader, &got) == INVENTORY_VM && memcmp(&got, &a, sizeof a) == 0);
	CHECK(inventory_next(&reader, &got) == INVENTORY_VM && memcmp(&got, &b, sizeof b) == 0);
	CHECK(inventory_next(&reader, &got) == INVENTORY_VM && memcmp(&got, &c, sizeof c) == 0);
	CHECK(inventory_next(&reader, &got) == INVENTORY_END && reader.n_left_out == 0);
}

/* An empty list is a text, and not nothing: a memfd of no bytes is refused by who keeps it. */
static void
test_empty(void)
{
	struct inventory_writer writer;
	struct inventory_reader reader;
	struct inventory_vm got;
	char text[16];

	inventory_write(&writer, text, sizeof text);
	CHECK(inventory_end(&writer) == 3 && memcmp(text, "+0\n", 3) == 0);
	inventory_read(&reader, text, 3);
	CHECK(inventory_next(&reader, &got) == INVENTORY_END);
}

/* As many as fit, in their order, and the number of the others. */
static void
test_full(void)
{
	static char text[INVENTORY_MAX];
	enum { N = 3000 };
	struct inventory_writer writer;
	struct inventory_reader reader;
	struct inventory_vm got;
	unsigned n = 0;
	char name[16];
	size_t length;

	inventory_write(&writer, text, sizeof text);
	for (unsigned i = 0; i < N; i++) {
		struct inventory_vm one;

		(void)snprintf(name, sizeof name, "vm-%04u", i);
		one = vm(name);
		CHECK(inventory_add(&writer, &one) == 0);
	}
	length = inventory_end(&writer);
	CHECK(length <= sizeof text && length > sizeof text - 128);
	inventory_read(&reader, text, length);
	while (inventory_next(&reader, &got) == INVENTORY_VM) {
		(void)snprintf(name, sizeof name, "vm-%04u", n++);
		CHECK_STR(got.name, name);
	}
	CHECK(!reader.error && n < N && reader.n_left_out == N - n);
}

/* A line that would fit does not come behind one that did not. */
static void
test_left_out(void)
{
	struct inventory_writer writer;
	struct inventory_vm one = vm("a");
	char text[128];

	inventory_write(&writer, text, sizeof text);
	CHECK(inventory_add(&writer, &one) == 0);
	memset(one.name, 'b', 100);
	CHECK(inventory_add(&writer, &one) == 0);
	one = vm("c");
	CHECK(inventory_add(&writer, &one) == 0);
	text[inventory_end(&writer)] = '\0';
	CHECK_STR(text, "0\t5\t0\tp\t" UUID "\ta\n+2\n");
}

static void
test_not_written(void)
{
	struct inventory_writer writer;
	struct inventory_vm one = vm("b"), other = vm("a"), empty = vm(""), far = vm("z");
	char text[1024];
	size_t length;

	inventory_write(&writer, text, sizeof text);
	CHECK(inventory_add(&writer, &one) == 0);
	length = writer.length;
	CHECK(inventory_add(&writer, &one) == -EINVAL);
	CHECK(inventory_add(&writer, &other) == -EINVAL);
	CHECK(inventory_add(&writer, &empty) == -EINVAL);
	far.state = INVENTORY_STATE_LAST + 1;
	CHECK(inventory_add(&writer, &far) == -EINVAL);
	far.state = 1;
	far.id = (uint32_t)INT32_MAX + 1;
	CHECK(inventory_add(&writer, &far) == -EINVAL);
	CHECK(writer.length == length);
}

/* The whole text is of size bytes; NULs stand in some. */
#define BAD(text)                      \
	{                              \
		text, sizeof(text) - 1 \
	}
#define LINE(name) "0\t5\t0\tp\t" UUID "\t" name "\n"

static const struct {
	const char *text;
	size_t size;
} bad_texts[] = {
	BAD(""),
	BAD("\n+0\n"),
	BAD(LINE("a")),               /* no end */
	BAD("+0"),                    /* a cut one */
	BAD("+0\n\n"),                /* something behind it */
	BAD("+0\n" LINE("a") "+0\n"), /* the same */
	BAD("+\n"),
	BAD("+01\n"),
	BAD("+-1\n"),
	BAD("+4294967296\n"),
	BAD("+99999999999\n"),
	BAD(LINE("b") LINE("a") "+0\n"), /* out of order */
	BAD(LINE("a") LINE("a") "+0\n"), /* twice */
	BAD(LINE("") "+0\n"),
	BAD(LINE(".a") "+0\n"),
	BAD(LINE("a/b") "+0\n"),
	BAD(LINE("bob:a") "+0\n"), /* would be shown as another's */
	BAD(LINE("a\tb") "+0\n"),
	BAD(LINE("a\x1b[2J") "+0\n"),
	BAD(LINE("a\xc2\x85") "+0\n"), /* a C1 control */
	BAD(LINE("a\xff") "+0\n"),
	BAD(LINE("a\0b") "+0\n"),
	BAD("00\t5\t0\tp\t" UUID "\ta\n+0\n"),
	BAD("-1\t5\t0\tp\t" UUID "\ta\n+0\n"),
	BAD(" 1\t5\t0\tp\t" UUID "\ta\n+0\n"),
	BAD("2147483648\t5\t0\tp\t" UUID "\ta\n+0\n"),
	BAD("0\t8\t0\tp\t" UUID "\ta\n+0\n"),
	BAD("0\t5\t2147483648\tp\t" UUID "\ta\n+0\n"),
	BAD("0\t5\t0\t\t" UUID "\ta\n+0\n"),
	BAD("0\t5\t0\tap\t" UUID "\ta\n+0\n"),
	BAD("0\t5\t0\tpp\t" UUID "\ta\n+0\n"),
	BAD("0\t5\t0\tpx\t" UUID "\ta\n+0\n"),
	BAD("0\t5\t0\tp-\t" UUID "\ta\n+0\n"),
	BAD("0\t5\t0\tp\t00010203-0405-0607-0809-0A0B0C0D0E0F\ta\n+0\n"),
	BAD("0\t5\t0\tp\t000102030405060708090a0b0c0d0e0f\ta\n+0\n"),
	BAD("0\t5\t0\tp\t00010203-0405-0607-0809-0a0b0c0d0e0\ta\n+0\n"),
	BAD("0\t5\t0\tp\t" UUID "0\ta\n+0\n"),
	BAD("0\t5\t0\tp\t" UUID "\n+0\n"),
	BAD("0\t5\t0\tp\n+0\n"),
	BAD("0\t5\n+0\n"),
	BAD("0\n+0\n"),
};

static void
test_bad(void)
{
	for (size_t i = 0; i < sizeof bad_texts / sizeof *bad_texts; i++) {
		struct inventory_reader reader;
		enum inventory_result result;
		struct inventory_vm got;

		inventory_read(&reader, bad_texts[i].text, bad_texts[i].size);
		while ((result = inventory_next(&reader, &got)) == INVENTORY_VM) {}
		if (result != INVENTORY_BAD)
			(void)fprintf(stderr, "bad_texts[%zu] is taken\n", i);
		CHECK(result == INVENTORY_BAD && reader.error);
		/* And stays so. */
		CHECK(inventory_next(&reader, &got) == INVENTORY_BAD);
	}
}

/* One byte more than any name: refused before it is copied. */
static void
test_long(void)
{
	char text[512];
	struct inventory_reader reader;
	struct inventory_vm got;

	for (int length = INVENTORY_NAME_MAX; length <= INVENTORY_NAME_MAX + 40; length++) {
		int n = snprintf(text, sizeof text, "0\t5\t0\tp\t" UUID "\t%0*d\n+0\n", length, 1);

		inventory_read(&reader, text, (size_t)n);
		CHECK(inventory_next(&reader, &got) ==
			(length == INVENTORY_NAME_MAX ? INVENTORY_VM : INVENTORY_BAD));
	}
}

int
main(void)
{
	TEST("what is written is read again", test_text);
	TEST("no VMs are a text too", test_empty);
	TEST("more VMs than fit are counted", test_full);
	TEST("nothing comes behind what was left out", test_left_out);
	TEST("what the reader refuses is not written", test_not_written);
	TEST("any other text is refused, for good", test_bad);
	TEST("a name is as long as it may be, and no longer", test_long);
	return TEST_END();
}
