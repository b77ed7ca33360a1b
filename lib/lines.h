/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lines.h: the lines of a file, one after the other, in bounded memory.
 *
 * Runs in programs that read large files of lines. A line that is longer than LINES_MAX comes in
 * pieces; so does what a file ends with that has no newline.
 */
#ifndef LIB_LINES_H
#define LIB_LINES_H

#include <stdbool.h>
#include <stddef.h>

enum { LINES_MAX = 65536 };

struct lines {
	int fd; /* borrowed */
	size_t at, end;
	char data[LINES_MAX];
};

void lines_init(struct lines *lines, int fd);
/**
 * The next line with its newline, or a piece; it is there until the next call. Returns 1, 0 when the
 * file has no more (for now: what is added later comes with a later call), or a negative errno.
 * A piece at the end of the file is given when wait is false; else it is kept until there is more.
 */
int lines_next(struct lines *lines, bool wait, const char **ret_text, size_t *ret_size);

#endif
