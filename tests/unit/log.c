/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.c: whatever is logged is one line of printable text, and quoted values cannot be imitated.
 */
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "lib/utf8.h"
#include "tests/unit/test.h"

static char out[4 * LOG_LINE_MAX];

static const char *
escaped(const char *text, size_t size)
{
	size_t len = log_escape(out, sizeof out, text, size);

	CHECK(len == strlen(out));
	return out;
}

#define ESCAPED(literal) escaped((literal), sizeof(literal) - 1)

static void
escapes_controls(void)
{
	CHECK_STR(ESCAPED("plain text: 100%"), "plain text: 100%");
	CHECK_STR(ESCAPED("a\nb\rc\td"), "a\\x0ab\\x0dc\\x09d");
	CHECK_STR(ESCAPED("a\0b"), "a\\x00b");
	CHECK_STR(ESCAPED("\033[31mred\a\x7f"), "\\x1b[31mred\\x07\\x7f");
	CHECK_STR(ESCAPED("\\x0a"), "\\\\x0a");
	CHECK_STR(ESCAPED(""), "");
	for (int byte = 0; byte < 0x20; byte++) {
		char one = (char)byte, want[8];

		(void)snprintf(want, sizeof want, "\\x%02x", byte);
		CHECK_STR(escaped(&one, 1), want);
	}
}

static void
escapes_broken_utf8(void)
{
	CHECK_STR(ESCAPED("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7"),
		"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7");
	CHECK_STR(ESCAPED("\x9b[2J"), "\\x9b[2J");          /* C1 as a lone byte */
	CHECK_STR(ESCAPED("\xc2\x9b[2J"), "\\xc2\\x9b[2J"); /* C1 as a character */
	CHECK_STR(ESCAPED("\xc2\xa0"), "\xc2\xa0");
	CHECK_STR(ESCAPED("\xc0\x8a"), "\\xc0\\x8a"); /* overlong newline */
	CHECK_STR(ESCAPED("\xe0\x80\x8a"), "\\xe0\\x80\\x8a");
	CHECK_STR(ESCAPED("\xf0\x80\x80\x8a"), "\\xf0\\x80\\x80\\x8a");
	CHECK_STR(ESCAPED("\xed\xa0\x80"), "\\xed\\xa0\\x80"); /* surrogate */
	CHECK_STR(ESCAPED("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
	CHECK_STR(ESCAPED("\xf8\x88\x80\x80\x80"), "\\xf8\\x88\\x80\\x80\\x80");
	CHECK_STR(ESCAPED("\xff\xfe"), "\\xff\\xfe");
	CHECK_STR(ESCAPED("\xe2\x82"), "\\xe2\\x82"); /* cut */
	CHECK_STR(ESCAPED("\xe2\x82z"), "\\xe2\\x82z");
	CHECK_STR(ESCAPED("\xe2\xe2\x82\xac"), "\\xe2\xe2\x82\xac");
}

static void
escapes_hidden(void)
{
	/* U+202E, as an array: in a literal it would mislead the reader of this file, too. */
	static const char override[] = {'a', '\xe2', '\x80', '\xae', 'b'};

	CHECK_STR(escaped(override, sizeof override), "a\\xe2\\x80\\xae"
						      "b");
	CHECK_STR(ESCAPED("\xe2\x80\xa8"), "\\xe2\\x80\\xa8"); /* U+2028 */
	CHECK_STR(ESCAPED("\xef\xbb\xbf"), "\\xef\\xbb\\xbf"); /* U+FEFF */
	CHECK_STR(ESCAPED("\xe2\x80\x90"), "\xe2\x80\x90");    /* U+2010 stays */
}

/* For each text and each size of the buffer: ended, no half escape, and "..." iff it is cut. */
static void
cuts(void)
{
	static const char *const texts[] = {"0123456789abcdef", "\n\n\n\n\n\n\n", "a\nb\\c\xff",
		"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", "\\\\\\\\\\\\\\\\"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char whole[128], buf[64];
		size_t n_whole = log_escape(whole, sizeof whole, texts[i], strlen(texts[i]));

		for (size_t size = 8; size < sizeof buf; size++) {
			size_t n, at = 0;
			uint32_t c;

			memset(buf, 'X', sizeof buf);
			n = log_escape(buf, size, texts[i], strlen(texts[i]));
			CHECK(n < size && buf[n] == '\0' && strlen(buf) == n);
			CHECK(buf[size] == 'X');
			if (n_whole < size) {
				CHECK_STR(buf, whole);
				continue;
			}
			CHECK(n >= 3 && strcmp(buf + n - 3, "...") == 0);
			CHECK(strncmp(buf, whole, n - 3) == 0);
			CHECK(size - n <= 4); /* a unit is at most 4: no more room is lost */
			while (at < n - 3) {
				size_t step = utf8_next(buf + at, n - at, &c);

				CHECK(step > 0);
				if (step == 0)
					break;
				at += c == '\\' && buf[at + 1] == 'x' ? 4 : c == '\\' ? 2 : step;
			}
			CHECK(at == n - 3);
		}
	}
}

static void
quotes(void)
{
	char text[1024];
	const char *quoted;

	CHECK_STR(log_quote("plain"), "\"plain\"");
	CHECK_STR(log_quote(""), "\"\"");
	CHECK_STR(log_quote("a\" uid=0 \"b"), "\"a\\x22 uid=0 \\x22b\"");
	CHECK_STR(log_quote("a\\\nb"), "\"a\\\\\\x0ab\"");
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	quoted = log_quote(text);
	CHECK(strlen(quoted) == LOG_QUOTE_MAX - 1);
	CHECK_STR(quoted + LOG_QUOTE_MAX - 5, "...\"");
}

static void
reads_levels(void)
{
	CHECK(log_level_read("error") == LEVEL_ERROR);
	CHECK(log_level_read("warning") == LEVEL_WARNING);
	CHECK(log_level_read("info") == LEVEL_INFO);
	CHECK(log_level_read("debug") == LEVEL_DEBUG);
	CHECK(log_level_read("") == 0);
	CHECK(log_level_read("Info") == 0);
	CHECK(log_level_read("infos") == 0);
	for (enum log_level level = LEVEL_ERROR; level <= LEVEL_DEBUG; level++)
		CHECK(log_level_read(log_level_name(level)) == level);
}

/* What the calls of fn() write, in order, one write a record. */
static int stderr_rd = -1, stderr_kept = -1;

static void
capture(void)
{
	int fds[2];

	/* Packets keep the limits of each write. */
	if (pipe2(fds, O_DIRECT | O_CLOEXEC) < 0)
		abort();
	stderr_kept = dup(STDERR_FILENO);
	(void)dup2(fds[1], STDERR_FILENO);
	(void)close(fds[1]);
	stderr_rd = fds[0];
}

static const char *
written(void)
{
	ssize_t n = read(stderr_rd, out, sizeof out - 1);

	out[n > 0 ? n : 0] = '\0';
	return out;
}

static void
release(void)
{
	(void)dup2(stderr_kept, STDERR_FILENO);
	fd_close(&stderr_kept);
	fd_close(&stderr_rd);
}

static void
writes_records(void)
{
	char text[3 * LOG_LINE_MAX];

	capture();
	log_open("prog", LEVEL_INFO);
	log_info("uid=%d name=%s", 7, log_quote("a\nb"));
	log_debug("not shown");
	log_warning("raw %s", "x\nprog: error: forged");
	CHECK_STR(written(), "prog: info: uid=7 name=\"a\\x0ab\"\n");
	CHECK_STR(written(), "prog: warning: raw x\\x0aprog: error: forged\n");
	errno = ENOENT;
	log_error("%m");
	CHECK(errno == ENOENT);
	CHECK_STR(written(), "prog: error: No such file or directory\n");
	memset(text, 'y', sizeof text);
	text[sizeof text - 1] = '\0';
	log_error("%s", text);
	CHECK(strlen(written()) == LOG_LINE_MAX);
	CHECK_STR(out + LOG_LINE_MAX - 4, "...\n");
	memset(text, '\n', sizeof text - 1);
	log_error("%s", text);
	(void)written();
	CHECK(strlen(out) <= LOG_LINE_MAX && strchr(out, '\n') == out + strlen(out) - 1);
	for (size_t i = 0; i + 3 < sizeof text; i += 3)
		memcpy(text + i, "\xe2\x82\xac", 4);
	log_error("%s", text);
	(void)written();
	CHECK(strlen(out) <= LOG_LINE_MAX && !strchr(out, '\\'));
	log_open("prog", LEVEL_DEBUG);
	log_debug("shown");
	CHECK_STR(written(), "prog: debug: shown\n");
	log_open("a-name-that-is-much-longer-than-any-program-of-ours", LEVEL_ERROR);
	log_warning("not shown");
	log_error("%s", "");
	CHECK_STR(written(), "a-name-that-is-much-longer-than-: error: \n");
	release();
}

static void
survives_no_stderr(void)
{
	int kept = dup(STDERR_FILENO);

	(void)close(STDERR_FILENO);
	errno = 0;
	log_error("to nobody");
	CHECK(errno == 0);
	(void)dup2(kept, STDERR_FILENO);
	(void)close(kept);
}

int
main(void)
{
	TEST("control bytes and backslashes are escaped", escapes_controls);
	TEST("invalid UTF-8, C1, overlong forms and surrogates are escaped", escapes_broken_utf8);
	TEST("hidden and reordering characters are escaped", escapes_hidden);
	TEST("what does not fit is cut between characters and says so", cuts);
	TEST("a quoted value cannot leave its quotes", quotes);
	TEST("levels are read by their exact names, and named the same", reads_levels);
	TEST("a record is one write, one line, at most LOG_LINE_MAX, and keeps errno",
		writes_records);
	TEST("a closed stderr is ignored", survives_no_stderr);
	return TEST_END();
}
