/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * talk.c: what qemudctl asks, and is answered, is read as it was written; whatever else comes is
 * refused, and an answer that was cut anywhere is seen to be.
 */
#include "protocol/ctl/talk.h"

#include "lib/take.h"
#include "lib/utf8.h"
#include "tests/unit/test.h"

/* --- questions ---------------------------------------------------------------------------- */

static int
read_question(const char *line, struct talk_question *ret)
{
	return talk_question_read(line, strlen(line), ret);
}

static void
test_questions(void)
{
	static const struct {
		struct talk_question question;
		const char *line;
	} good[] = {
		{{.ask = TALK_ASK_STATUS}, "1\tstatus\n"},
		{{.ask = TALK_ASK_VMS}, "1\tvms\n"},
		{{.ask = TALK_ASK_LIMITS}, "1\tlimits\n"},
		{{.ask = TALK_ASK_LIMITS, .user = "alice"}, "1\tlimits\talice\n"},
		{{.ask = TALK_ASK_LIMITS, .user = "m\xc3\xbcller x"},
			"1\tlimits\tm\xc3\xbcller x\n"},
	};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		char line[TALK_QUESTION_MAX];
		size_t n = talk_question_write(&good[i].question, line);
		struct talk_question got;

		CHECK(n == strlen(good[i].line) && memcmp(line, good[i].line, n) == 0);
		CHECK(talk_question_read(line, n - 1, &got) == 0);
		CHECK(got.ask == good[i].question.ask);
		CHECK_STR(got.user, good[i].question.user);
	}
}

static void
test_long_user(void)
{
	struct talk_question question = {.ask = TALK_ASK_LIMITS}, got;
	char line[TALK_QUESTION_MAX];
	size_t n;

	memset(question.user, 'x', sizeof question.user - 1);
	n = talk_question_write(&question, line);
	CHECK(n > 0 && n < TALK_QUESTION_MAX && talk_question_read(line, n - 1, &got) == 0);
	CHECK_STR(got.user, question.user);
	/* One more is no account. */
	line[n - 1] = 'x';
	CHECK(talk_question_read(line, n, &got) == TALK_E_BAD);
	(void)snprintf(question.user, sizeof question.user, "a\tb");
	CHECK(talk_question_write(&question, line) == 0);
	(void)snprintf(question.user, sizeof question.user, "a\nb");
	CHECK(talk_question_write(&question, line) == 0);
}

static void
test_no_questions(void)
{
	static const char *const bad[] = {"", "1", "1\t", "status", "1\tstatu", "1\tstatus\t",
		"1\tstatus\talice", "1\tvms\talice", "1\tlimits\t", "1\tlimits\ta\tb",
		"1\tlimits\t\x1b[0m", "1\tlimits\t\xff", "0\tstatus", "01\tstatus", " 1\tstatus",
		"1 status", "1\tstatus\n"};
	static const char *const other[] = {"2\tstatus", "10\tstatus", "9\tx"};
	char long_line[TALK_QUESTION_MAX];
	struct talk_question got;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (read_question(bad[i], &got) != TALK_E_BAD)
			printf("# question %zu\n", i);
		CHECK(read_question(bad[i], &got) == TALK_E_BAD);
	}
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		CHECK(read_question(other[i], &got) == TALK_E_PROTOCOL);
	CHECK(talk_question_read("1\tstatus\0", 9, &got) == TALK_E_BAD);
	memset(long_line, 'x', sizeof long_line);
	CHECK(talk_question_read(long_line, sizeof long_line, &got) == TALK_E_BAD);
}

/* --- answers ------------------------------------------------------------------------------ */

/* A row with something in every column, and then with nothing in any. */
static struct talk_row
row_of(enum talk_row_kind kind, bool known)
{
	struct talk_row row = {.kind = kind};

	for (unsigned i = 0; known && i < talk_kinds[kind].n_columns; i++) {
		enum talk_type type = talk_kinds[kind].columns[i].type;

		row.values[i] = type == TALK_TEXT   ? talk_text("a text, \"quoted\" \xc3\xbc")
				: type == TALK_FLAG ? talk_number(1)
						    : talk_number(UINT64_MAX - i);
	}
	return row;
}

static bool
is_same(const struct talk_row *a, const struct talk_row *b)
{
	const struct talk_kind *kind = &talk_kinds[a->kind];

	if (a->kind != b->kind)
		return false;
	for (unsigned i = 0; i < kind->n_columns; i++) {
		const struct talk_value *one = &a->values[i], *other = &b->values[i];

		if (one->known != other->known)
			return false;
		if (one->known &&
			(kind->columns[i].type == TALK_TEXT ? strcmp(one->text, other->text) != 0
							    : one->number != other->number))
			return false;
	}
	return true;
}

/* An answer with each kind of row, twice. Returns its size. */
static size_t
write_all(char *text)
{
	struct talk_row end = {.kind = TALK_END};
	size_t size = 0;
	uint64_t n = 0;

	for (int known = 0; known <= 1; known++)
		for (enum talk_row_kind kind = TALK_HOST; kind < TALK_END; kind++, n++) {
			struct talk_row row = row_of(kind, known);

			size += talk_row_write(&row, text + size);
		}
	end.values[TALK_END_ROWS] = talk_number(n);
	return size + talk_row_write(&end, text + size);
}

static void
test_rows(void)
{
	static char text[16 * TALK_ROW_MAX];
	struct talk_reader reader = {.text = text, .size = write_all(text)};
	struct talk_row got;

	for (int known = 0; known <= 1; known++)
		for (enum talk_row_kind kind = TALK_HOST; kind < TALK_END; kind++) {
			struct talk_row want = row_of(kind, known);

			CHECK(talk_next(&reader, &got) == TALK_ROW && is_same(&got, &want));
		}
	CHECK(talk_next(&reader, &got) == TALK_WHOLE && reader.at == reader.size);
}

static enum talk_result
read_to_end(char *text, size_t size)
{
	struct talk_reader reader = {.text = text, .size = size};
	enum talk_result result;
	struct talk_row row;

	while ((result = talk_next(&reader, &row)) == TALK_ROW)
		;
	CHECK((result == TALK_BAD) == (reader.error != NULL));
	return result;
}

static void
test_cut(void)
{
	static char text[16 * TALK_ROW_MAX], copy[sizeof text];
	size_t size = write_all(text);

	memcpy(copy, text, size);
	CHECK(read_to_end(copy, size) == TALK_WHOLE);
	for (size_t n = 0; n < size; n++) {
		/* Of the exact size, so that a sanitizer sees one byte too many. */
		free_auto char *cut = malloc(n > 0 ? n : 1);

		memcpy(cut, text, n);
		CHECK(read_to_end(cut, n) == TALK_BAD);
	}
	/* A line that is missing is seen as well. */
	memmove(copy, strchr(text, '\n') + 1, size);
	CHECK(read_to_end(copy, size - (size_t)(strchr(text, '\n') + 1 - text)) == TALK_BAD);
}

static void
test_bad_rows(void)
{
	static const char *const bad[] = {
		"",
		"\n",
		"end\n",
		"end\t\n",
		"end\t-0\n",
		"end\t00\n",
		"end\t1\n",
		"end\t0\t\n",
		"end\t0\nend\t0\n",
		"end\t0\n\n",
		"end\t18446744073709551616\n",
		"error\trefused\nend\t1\n",
		"error\trefused\ta\tb\nend\t1\n",
		"error\trefused\t\x1b[31m\nend\t1\n",
		"error\trefused\t\xc2\x9b\nend\t1\n",
		"error\trefused\t\xff\nend\t1\n",
		"Error\trefused\ta\nend\t1\n",
		"vms\t1\nend\t1\n",
		"user\t1\ta\t2\tnone\t\t0\t0\t0\t0\t0\t\nend\t1\n",
		"user\t1\ta\t1\tnone\t\t 0\t0\t0\t0\t0\t\nend\t1\n",
		"user\t1\ta\t1\tnone\t\t0\t0\t0\t0\t0\t\t\nend\t1\n",
	};
	char nul[] = "error\ta\tb\0\nend\t1\n", whole[] = "error\ta\tb\nend\t1\n";

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		free_auto char *text = strdup(bad[i]);

		if (read_to_end(text, strlen(bad[i])) != TALK_BAD)
			printf("# answer %zu\n", i);
		memcpy(text, bad[i], strlen(bad[i]));
		CHECK(read_to_end(text, strlen(bad[i])) == TALK_BAD);
	}
	CHECK(read_to_end(nul, sizeof nul - 1) == TALK_BAD);
	CHECK(read_to_end(whole, sizeof whole - 1) == TALK_WHOLE);
}

/* Whatever a text is, its row is one, and no more than has room. */
static void
test_texts(void)
{
	static char text[8 * TALK_ROW_MAX], huge[TALK_ROW_MAX];
	struct talk_reader reader = {.text = text};
	struct talk_row row, got;

	row = (struct talk_row){.kind = TALK_ERROR,
		.values = {[TALK_ERROR_CODE] = talk_text("tab\there"),
			[TALK_ERROR_TEXT] = talk_text("line\nbell\a \xff \xc2\x9b \xc3\xbc")}};
	reader.size = talk_row_write(&row, text);
	CHECK(talk_next(&reader, &got) == TALK_ROW);
	CHECK_STR(got.values[TALK_ERROR_CODE].text, "tab?here");
	CHECK_STR(got.values[TALK_ERROR_TEXT].text, "line?bell? ? ? \xc3\xbc");
	/* Nothing is no text, and what is cut is cut between characters. */
	CHECK(!talk_text("").known && !talk_text(NULL).known);
	for (size_t at = 0; at + 2 < sizeof huge; at += 2)
		memcpy(huge + at, "\xc3\xbc", 2);
	for (enum talk_row_kind kind = TALK_HOST; kind < TALK_END; kind++) {
		row = row_of(kind, true);
		for (unsigned i = 0; i < talk_kinds[kind].n_columns; i++)
			if (talk_kinds[kind].columns[i].type == TALK_TEXT)
				row.values[i] = talk_text(huge + (i & 1));
		reader = (struct talk_reader){.text = text, .size = talk_row_write(&row, text)};
		CHECK(reader.size <= TALK_ROW_MAX && talk_next(&reader, &got) == TALK_ROW);
	}
}

int
main(void)
{
	TEST("a question is read as it was written", test_questions);
	TEST("the longest name of a user has room, what is no name none", test_long_user);
	TEST("what is no question is told from one of another protocol", test_no_questions);
	TEST("every kind of row is read as it was written", test_rows);
	TEST("an answer that was cut anywhere is not whole", test_cut);
	TEST("what is no answer is refused", test_bad_rows);
	TEST("whatever a text is, its row is one", test_texts);
	return TEST_END();
}
