/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyval.h: the one reader of "key = value" text (configuration, registry, status files).
 *
 * Runs in every program, root's included; pure, no I/O. Grammar, a line at a time: blank lines and
 * lines whose first visible byte is '#' are skipped; otherwise KEY '=' VALUE, blanks around both
 * dropped. A key is [a-z0-9_-]+; a value is everything up to the end of the line, valid UTF-8
 * without control bytes, and may be empty. A line is at most KEYVAL_LINE_MAX bytes; a NUL byte
 * anywhere is an error. Repeated keys are given to the caller, who decides.
 */
#ifndef LIB_KEYVAL_H
#define LIB_KEYVAL_H

#include <stddef.h>
#include <stdint.h>

enum { KEYVAL_LINE_MAX = 4096 };

struct keyval {
	const char *data; /* borrowed text, size bytes */
	size_t size, at;
	unsigned line; /* number of the line last read, from 1 */
	char key[64];
	char value[KEYVAL_LINE_MAX];
	const char *error; /* what is wrong with that line, for people */
};

enum keyval_result { KEYVAL_END = 0, KEYVAL_PAIR = 1, KEYVAL_BAD = 2 };

void keyval_init(struct keyval *kv, const char *data, size_t size);
/** Read the next pair into key and value. After KEYVAL_BAD, reading may go on with the next line.
 */
enum keyval_result keyval_next(struct keyval *kv);

/** A decimal number in [min, max], nothing around it, no leading zeros. Returns 0, -EINVAL or
 * -ERANGE. */
int keyval_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret);
/** "yes" or "no". Returns 0 or -EINVAL. */
int keyval_bool(const char *value, int *ret);

#endif
