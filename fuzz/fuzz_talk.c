/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_talk.c: what qemudctl says to the view that answers it, and what it reads from it.
 *
 * Input: the line of a question, or an answer; it is taken for both. Oracle: a question that is
 * understood is the same when it is written again, an answer that is whole is the same bytes, row by row,
 * and when it is read once more;
 * what is refused is told in words.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/take.h"
#include "protocol/ctl/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_question(const char *text, size_t size)
{
	struct talk_question question;
	char again[TALK_QUESTION_MAX];
	size_t n;

	if (talk_question_read(text, size, &question) != 0)
		return;
	n = talk_question_write(&question, again);
	ASSERT(n == size + 1 && again[size] == '\n' && memcmp(again, text, size) == 0);
}

static void
read_answer(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that a byte too many is seen. */
	free_auto char *text = malloc(size > 0 ? size : 1);
	struct talk_reader reader = {.text = text, .size = size};
	enum talk_result result;
	struct talk_row row, again;
	size_t at = 0;

	ASSERT(text);
	if (size > 0)
		memcpy(text, data, size);
	do {
		char line[TALK_ROW_MAX];
		size_t n;

		result = talk_next(&reader, &row);
		if (result == TALK_BAD) {
			ASSERT(reader.error && reader.error[0] != '\0');
			return;
		}
		n = talk_row_write(&row, line);
		ASSERT(n == reader.at - at && memcmp(line, data + at, n) == 0);
		ASSERT(talk_again(text + at, &again) == text + reader.at);
		ASSERT(talk_row_write(&again, line) == n && memcmp(line, data + at, n) == 0);
		at = reader.at;
	} while (result == TALK_ROW);
	ASSERT(at == size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	free_auto char *text = malloc(size > 0 ? size : 1);

	ASSERT(text);
	if (size > 0)
		memcpy(text, data, size);
	read_question(text, size);
	read_answer(data, size);
	return 0;
}
