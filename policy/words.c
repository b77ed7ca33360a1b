/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * words.c: a policy file as lines of words.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody. Never reads past the line it is in.
 */
#include "policy/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/utf8.h"

void
words_init(struct words *words, const char *data, size_t size)
{
	*words = (struct words){.data = data, .size = size};
}

bool
word_is(const struct word *word, const char *text)
{
	return word->len == strlen(text) && memcmp(word->text, text, word->len) == 0;
}

__attribute__((format(printf, 3, 4))) static enum words_result
bad(struct words *words, unsigned column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(words->error, sizeof words->error, fmt, ap);
	va_end(ap);
	words->error_column = column;
	return WORDS_BAD;
}

/* Every character of the line may stand in a file that people read. */
static enum words_result
check_characters(struct words *words, const char *line, size_t size)
{
	unsigned column = 1;
	uint32_t c;

	for (size_t at = 0, n; at < size; at += n, column++) {
		n = utf8_next(line + at, size - at, &c);
		if (n == 0)
			return bad(words, column, "the byte \\x%02x is not valid UTF-8 here",
				(unsigned char)line[at]);
		if (c == '\r')
			return bad(words, column,
				"a carriage return: save the file with UNIX line ends");
		if (c == 0)
			return bad(words, column, "a NUL byte");
		if (c != '\t' && utf8_is_control(c))
			return bad(words, column, "the control byte \\x%02x", (unsigned)c);
		if (c != '\t' && utf8_is_hidden(c))
			return bad(words, column, "the invisible character U+%04X", (unsigned)c);
	}
	return WORDS_LINE;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Characters in so many bytes of checked text. */
static unsigned
characters(const char *text, size_t size)
{
	unsigned n = 0;

	for (size_t i = 0; i < size; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

/* One word at text, of at most size bytes: fills it in, and says how many bytes it took; 0: bad. */
static size_t
read_word(struct words *words, struct word *word, const char *text, size_t size)
{
	const char *close;
	size_t n = 0;

	word->is_quoted = *text == '"';
	if (word->is_quoted) {
		close = memchr(text + 1, '"', size - 1);
		if (!close) {
			(void)bad(words, word->column, "the quotation mark is not closed");
			return 0;
		}
		word->text = text + 1;
		word->len = (size_t)(close - word->text);
		n = word->len + 2;
		if (n == size || is_blank(text[n]))
			return n;
		(void)bad(words, word->column + characters(text, n),
			"a blank is missing behind the quotation mark");
		return 0;
	}
	while (n < size && !is_blank(text[n]) && text[n] != '"')
		n++;
	word->text = text;
	word->len = n;
	if (n == size || text[n] != '"')
		return n;
	(void)bad(words, word->column + characters(text, n), "a quotation mark inside a word");
	return 0;
}

static enum words_result
split(struct words *words, const char *line, size_t size)
{
	unsigned column = 1;

	words->n_words = 0;
	for (size_t at = 0, n; at < size && line[at] != '#'; at += n) {
		struct word word = {.column = column};

		n = 1;
		if (!is_blank(line[at])) {
			n = read_word(words, &word, line + at, size - at);
			if (n == 0)
				return WORDS_BAD;
			if (words->n_words == WORDS_MAX)
				return bad(
					words, column, "more than %d words in a line", WORDS_MAX);
			words->words[words->n_words++] = word;
			words->end_column = column + characters(line + at, n);
		}
		column += characters(line + at, n);
	}
	return words->n_words > 0 ? WORDS_LINE : WORDS_END;
}

enum words_result
words_next(struct words *words)
{
	while (words->at < words->size) {
		const char *line = words->data + words->at;
		const char *end = memchr(line, '\n', words->size - words->at);
		size_t size = end ? (size_t)(end - line) : words->size - words->at;
		enum words_result result;

		words->at += size + (end ? 1 : 0);
		words->line++;
		words->error[0] = '\0';
		if (size > WORDS_LINE_MAX)
			return bad(words, 0, "the line is longer than %d bytes", WORDS_LINE_MAX);
		result = check_characters(words, line, size);
		if (result == WORDS_LINE)
			result = split(words, line, size);
		if (result != WORDS_END)
			return result;
	}
	return WORDS_END;
}
