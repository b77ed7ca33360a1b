/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * audit_line.c: a line of the audit log is one JSON object whatever bytes its texts have, reads as it
 * was written, and follows from the line before; anything done to a line shows.
 */
#include "protocol/audit/line.h"

#include "lib/hex.h"
#include "protocol/audit/chain.h"
#include "tests/unit/test.h"

static const struct audit_place second = {.seq = 2, .prev = {0xab, 0xcd}};
static char line[AUDIT_LINE_MAX];
static size_t size;

static void
format(const struct ipc_audit_record *record)
{
	size = audit_line_format(record, &second, line);
	CHECK(size == strlen(line) && line[size - 1] == '\n' && !memchr(line, '\n', size - 1));
}

/* The member of that key, from what format() has written. */
static const char *
value_of(const char *key)
{
	static struct audit_members members;
	int r;

	audit_members_init(&members, line, size);
	while ((r = audit_members_next(&members)) > 0)
		if (strcmp(members.key, key) == 0)
			return members.value;
	CHECK(r == 0);
	return NULL;
}

static struct ipc_audit_record
full_record(void)
{
	return (struct ipc_audit_record){.time_us = UINT64_C(1795394782000001),
		.conn_id = 9,
		.memory_kib = 524288,
		.kind = AUDIT_VM_START,
		.verdict = AUDIT_REFUSED,
		.uid = 2001,
		.pid = 44,
		.count = 3,
		.vm = 7,
		.vcpus = 2,
		.uuid = {1},
		.label = "alice",
		.target = "bob",
		.rule = "policy.conf:3",
		.outcome = "no room"};
}

static void
test_whole(void)
{
	struct ipc_audit_record record = full_record();

	format(&record);
	CHECK_STR(line,
		"{\"seq\":2,\"time\":\"2026-11-23T00:46:22.000001Z\",\"kind\":\"vm\",\"verb\":"
		"\"start\",\"verdict\":\"refused\",\"uid\":2001,\"pid\":44,\"label\":\"alice\","
		"\"conn\":9,\"target\":\"bob\",\"vm\":7,\"reported_uuid\":"
		"\"01000000-0000-0000-0000-000000000000\",\"memory_kib\":524288,\"vcpus\":2,"
		"\"rule\":\"policy.conf:3\",\"outcome\":\"no room\",\"count\":3,\"prev\":"
		"\"abcd000000000000000000000000000000000000000000000000000000000000\"}\n");
	CHECK_STR(value_of("label"), "alice");
	CHECK_STR(value_of("vcpus"), "2");
	CHECK(!value_of("reported_outcome"));
	record = (struct ipc_audit_record){.kind = AUDIT_AUTOSTART, .count = 1, .outcome = "some"};
	format(&record);
	CHECK_STR(value_of("reported_outcome"), "some");
	CHECK(!value_of("outcome") && !value_of("count") && !value_of("label"));
	CHECK_STR(value_of("time"), "1970-01-01T00:00:00.000000Z");
	for (uint32_t kind = 1; kind < AUDIT_KINDS; kind++) {
		record.kind = kind;
		format(&record);
		CHECK_STR(value_of("kind"), audit_words(kind)->noun);
		CHECK_STR(value_of("verb"), audit_words(kind)->verb);
	}
}

static void
test_hostile(void)
{
	static const struct {
		const char *text, *written, *read;
	} texts[] = {
		{"a\"b\\c/d", "a\\\"b\\\\c/d", "a\"b\\c/d"},
		{"\x1b[31m\x7f", "\\u001b[31m\\u007f", "\x1b[31m\x7f"},
		{"\n\r\t", "\\u000a\\u000d\\u0009", "\n\r\t"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"\xff\xc3(\xed\xa0\x80", "\\ufffd\\ufffd(\\ufffd\\ufffd\\ufffd",
			"\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe2\x80\xae", "\\u202e", "\xe2\x80\xae"},                /* right to left */
		{"\xf3\xa0\x80\x81", "\\udb40\\udc01", "\xf3\xa0\x80\x81"}, /* a tag */
		{"\",\"seq\":1,\"x\":\"", "\\\",\\\"seq\\\":1,\\\"x\\\":\\\"",
			"\",\"seq\":1,\"x\":\""},
	};
	struct audit_line read;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct ipc_audit_record record = {.kind = AUDIT_VM_START, .count = 1};
		char want[256];

		(void)snprintf(record.label, sizeof record.label, "%s", texts[i].text);
		format(&record);
		(void)snprintf(want, sizeof want, ",\"label\":\"%s\",", texts[i].written);
		CHECK(strstr(line, want));
		CHECK_STR(value_of("label"), texts[i].read);
		CHECK(audit_line_read(line, size, &read) && read.place.seq == 2);
	}
}

/* The longest that can be, of bytes that take the most. */
static void
test_longest(void)
{
	struct ipc_audit_record record = {.time_us = UINT64_MAX,
		.conn_id = UINT64_MAX,
		.memory_kib = UINT64_MAX,
		.kind = AUDIT_PROCESS_VIOLATION,
		.verdict = AUDIT_ALLOWED,
		.uid = UINT32_MAX,
		.pid = UINT32_MAX,
		.count = UINT32_MAX,
		.vm = UINT32_MAX,
		.vcpus = UINT32_MAX,
		.uuid = {1}};
	struct audit_place place = {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0xff}};
	struct audit_line read;

	memset(record.label, 0xff, sizeof record.label);
	memset(record.target, 0xff, sizeof record.target);
	memset(record.rule, 0xff, sizeof record.rule);
	memset(record.outcome, 0xff, sizeof record.outcome);
	size = audit_line_format(&record, &place, line);
	CHECK(size < AUDIT_LINE_MAX && audit_line_read(line, size, &read));
	CHECK(read.place.seq == UINT64_MAX && read.place.torn == UINT64_MAX &&
		read.place.removed == UINT64_MAX && read.place.prev[0] == 0xff);
	CHECK_STR(value_of("time"), "9999-12-31T23:59:59.551615Z");
}

static void
test_no_line(void)
{
#define PREV "\"prev\":\"abcd000000000000000000000000000000000000000000000000000000000000\""
	static const char *const good[] = {"{\"seq\":2," PREV "}\n",
		"{\"seq\":2,\"new\":\"\\u0000\\ud800\\/\",\"n\":0," PREV "}\n"};
	static const char *const bad[] = {"", "\n", "{}\n", "{\"seq\":2}\n", "{" PREV "}\n",
		"{\"seq\":0," PREV "}\n", "{\"seq\":02," PREV "}\n", "{\"seq\":\"2\"," PREV "}\n",
		"{\"seq\":2,\"seq\":3," PREV "}\n", "{\"seq\":2," PREV "," PREV "}\n",
		"{\"seq\":18446744073709551616," PREV "}\n", "{\"seq\":-2," PREV "}\n",
		"{\"seq\":2," PREV "}", "{\"seq\":2," PREV "} \n", "{\"seq\":2," PREV "}\n\n",
		"{\"seq\":2, " PREV "}\n", "{\"seq\":2," PREV ",}\n", "[\"seq\":2," PREV "]\n",
		"{\"seq\":2,\"prev\":\"ab\"}\n", "{\"seq\":2,\"prev\":2}\n",
		"{\"seq\":2,\"a\":\"\\x\"," PREV "}\n", "{\"seq\":2,\"a\":\"\\u12\"," PREV "}\n",
		"{\"seq\":2,\"a\":\"\xff\"," PREV "}\n", "{\"seq\":2,\"a\":\"\t\"," PREV "}\n",
		"{\"seq\":2,\"a\":true," PREV "}\n", "{\"seq\":2,\"a\":{}," PREV "}\n",
		"{\"seq\":2,\"kind\":3," PREV "}\n",
		"{\"seq\":2,\"a-key-of-more-than-thirty-two-bytes\":1," PREV "}\n"};
	struct audit_line read;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		CHECK(audit_line_read(good[i], strlen(good[i]), &read) && read.place.seq == 2);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(!audit_line_read(bad[i], strlen(bad[i]), &read) || !printf("# %s", bad[i]));
	/* Cut anywhere, it is none. */
	for (size_t n = 0; n < strlen(good[1]); n++)
		CHECK(!audit_line_read(good[1], n, &read));
}

/* --- the chain ---------------------------------------------------------------------------- */

enum { LINES = 8 };

static char lines[LINES][AUDIT_LINE_MAX];
static size_t sizes[LINES];

static void
write_lines(void)
{
	static const uint8_t zero[SHA256_SIZE];
	struct audit_chain chain;

	audit_chain_init_at(&chain, 0, zero);
	for (int i = 0; i < LINES; i++) {
		struct ipc_audit_record record = full_record();
		struct audit_place place;

		record.vm = (uint32_t)i + 1;
		audit_chain_place(&chain, &place);
		CHECK(place.seq == (uint64_t)i + 1);
		sizes[i] = audit_line_format(&record, &place, lines[i]);
		audit_chain_add(&chain, lines[i], sizes[i]);
	}
}

/* The verdicts on these lines, one letter each. */
static const char *
verdicts(const int *order, int n)
{
	static const char letters[] = "ofTMBCU";
	static char told[2 * LINES];
	struct audit_chain chain;

	audit_chain_init(&chain);
	for (int i = 0; i < n; i++)
		told[i] = letters[audit_chain_next(&chain, lines[order[i]], sizes[order[i]], NULL)];
	told[n] = '\0';
	return told;
}

static void
test_chain(void)
{
	char *at;

	write_lines();
	CHECK_STR(verdicts((int[]){0, 1, 2, 3, 4}, 5), "foooo");
	CHECK_STR(verdicts((int[]){3, 4, 5}, 3), "foo");
	CHECK_STR(verdicts((int[]){0, 1, 3, 4}, 4), "foMo");
	CHECK_STR(verdicts((int[]){0, 2, 1, 3}, 4), "fMBM");
	CHECK_STR(verdicts((int[]){0, 1, 1, 2}, 4), "foBo");
	/* A line put in has a number that another has. */
	memcpy(lines[7], lines[2], sizes[2]);
	sizes[7] = sizes[2];
	at = strstr(lines[7], "alice");
	memcpy(at, "carol", 5);
	CHECK_STR(verdicts((int[]){0, 1, 2, 7, 3}, 5), "fooBC");
	/* A changed line is told by the next. */
	CHECK_STR(verdicts((int[]){0, 1, 7, 3, 4}, 5), "fooCo");
	/* One that is no line any more by itself. */
	*strchr(lines[7], '{') = 'x';
	CHECK_STR(verdicts((int[]){0, 1, 7, 3, 4}, 5), "foTUo");
	CHECK_STR(verdicts((int[]){7, 3, 4}, 3), "TUo");
}

/* What a crash left of a line, and the line that tells of it. */
static void
test_torn(void)
{
	static const uint8_t zero[SHA256_SIZE];
	struct ipc_audit_record record = {.kind = AUDIT_REPAIR, .count = 1};
	struct audit_place place;
	struct audit_chain chain;

	write_lines();
	audit_chain_init_at(&chain, 0, zero);
	audit_chain_add(&chain, lines[0], sizes[0]);
	memcpy(lines[1], "{\"seq\":2,\"ti\n", 13);
	sizes[1] = 13;
	memcpy(lines[2], "\0\0\n", 3);
	sizes[2] = 3;
	audit_chain_tear(&chain, lines[1], sizes[1]);
	audit_chain_tear(&chain, lines[2], sizes[2]);
	audit_chain_place(&chain, &place);
	CHECK(place.seq == 2 && place.torn == 16);
	sizes[3] = audit_line_format(&record, &place, lines[3]);
	audit_chain_add(&chain, lines[3], sizes[3]);
	record.kind = AUDIT_BEGIN;
	audit_chain_place(&chain, &place);
	CHECK(place.torn == 0);
	sizes[4] = audit_line_format(&record, &place, lines[4]);
	CHECK_STR(verdicts((int[]){0, 1, 2, 3, 4}, 5), "fTToo");
	/* Bytes of it were taken, changed, or put elsewhere. */
	CHECK_STR(verdicts((int[]){0, 1, 3, 4}, 4), "fTUo");
	CHECK_STR(verdicts((int[]){0, 3, 4}, 3), "fCo");
	CHECK_STR(verdicts((int[]){0, 2, 1, 3, 4}, 5), "fTTCo");
	lines[2][0] = 1;
	CHECK_STR(verdicts((int[]){0, 1, 2, 3, 4}, 5), "fTTCo");
	/* The line before it is in the digest too. */
	lines[2][0] = 0;
	memcpy(strstr(lines[0], "alice"), "carol", 5);
	CHECK_STR(verdicts((int[]){0, 1, 2, 3, 4}, 5), "fTTCo");
	/* A line that does not say that it repairs cannot. */
	memcpy(strstr(lines[3], "repair"), "REPAIR", 6);
	CHECK_STR(verdicts((int[]){0, 1, 2, 3, 4}, 5), "fTTUC");
}

static void
test_same(void)
{
	struct ipc_audit_record record = full_record();
	struct audit_place other = {.seq = 123456, .prev = {9}};
	char again[AUDIT_LINE_MAX];
	size_t n;

	format(&record);
	n = audit_line_format(&record, &other, again);
	CHECK(audit_line_same(line, size, again, n));
	record.time_us++;
	n = audit_line_format(&record, &other, again);
	CHECK(!audit_line_same(line, size, again, n));
	CHECK(!audit_line_same("", 0, "", 0) && !audit_line_same("{\n", 2, "{\n", 2));
}

static void
test_hex(void)
{
	uint8_t bytes[3];
	char text[HEX_SIZE(3)];

	CHECK(hex_parse("00fFa1", bytes, 3));
	CHECK_STR(hex_format(bytes, 3, text), "00ffa1");
	CHECK(!hex_parse("00ff", bytes, 3) && !hex_parse("00ff112", bytes, 3) &&
		!hex_parse("00fg11", bytes, 3) && !hex_parse("", bytes, 3) &&
		!hex_parse("0", bytes, 1));
}

int
main(void)
{
	TEST("a record is a line of its members, those that it has", test_whole);
	TEST("hostile texts are escaped, and read as they were", test_hostile);
	TEST("the longest line fits", test_longest);
	TEST("what is no line is none, nor a line cut anywhere", test_no_line);
	TEST("a line taken out, put in, moved or changed shows", test_chain);
	TEST("what a crash left is told of, and cannot be changed either", test_torn);
	TEST("the same record is known in another place", test_same);
	TEST("hexadecimal digits are read strictly", test_hex);
	return TEST_END();
}
