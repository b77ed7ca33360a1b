/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lines.c: the lines of a file, one after the other, in bounded memory; see lines.h.
 */
#include "lib/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void
lines_init(struct lines *lines, int fd)
{
	lines->fd = fd;
	lines->at = lines->end = 0;
}

/* Returns 1 when there is more, 0 at the end of the file, or a negative errno. */
static int
fill(struct lines *lines)
{
	ssize_t n;

	memmove(lines->data, lines->data + lines->at, lines->end - lines->at);
	lines->end -= lines->at;
	lines->at = 0;
	do {
		n = read(lines->fd, lines->data + lines->end, sizeof lines->data - lines->end);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	lines->end += (size_t)n;
	return n > 0;
}

int
lines_next(struct lines *lines, bool wait, const char **ret_text, size_t *ret_size)
{
	for (;;) {
		const char *text = lines->data + lines->at;
		size_t size = lines->end - lines->at;
		const char *newline = memchr(text, '\n', size);
		int r = 1;

		if (newline)
			size = (size_t)(newline - text) + 1;
		else if (size < sizeof lines->data)
			r = fill(lines);
		if (newline || size == sizeof lines->data || (r == 0 && size > 0 && !wait)) {
			*ret_text = lines->data + lines->at;
			*ret_size = size;
			lines->at += size;
			return 1;
		}
		if (r <= 0)
			return r;
	}
}
