/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * words.h: a policy file as lines of words.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody. Words are separated by blanks and
 * tabs; '#' where a word could begin starts a comment; "..." is one word, taken as it stands, without
 * escapes, and ends before a blank. Every byte of the file, comments too, is valid UTF-8 without
 * control bytes and invisible characters, so that a line is what it looks like.
 */
#ifndef POLICY_WORDS_H
#define POLICY_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WORDS_LINE_MAX = 1024, WORDS_MAX = 32 };

struct word {
	const char *text; /* into the file, without quotation marks; len bytes */
	size_t len;
	unsigned column; /* in characters, from 1 */
	bool is_quoted;
};

struct words {
	const char *data; /* borrowed text, size bytes */
	size_t size, at;
	uint32_t line; /* the one last read, from 1 */
	struct word words[WORDS_MAX];
	unsigned n_words;
	unsigned end_column;   /* behind the last word */
	char error[96];        /* what is wrong with that line, for people */
	unsigned error_column; /* 0: the whole line */
};

enum words_result { WORDS_END = 0, WORDS_LINE = 1, WORDS_BAD = 2 };

void words_init(struct words *words, const char *data, size_t size);
/** Read the next line that has words. After WORDS_BAD, reading may go on with the next line. */
enum words_result words_next(struct words *words);
bool word_is(const struct word *word, const char *text);

#endif
