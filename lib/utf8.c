/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utf8.c: one character of UTF-8, checked.
 *
 * Runs in every program, root's included; pure.
 */
#include "lib/utf8.h"

size_t
utf8_next(const char *text, size_t size, uint32_t *ret_char)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first;
	uint32_t c;
	size_t n;

	if (size == 0)
		return 0;
	first = (uint8_t)text[0];
	if (first < 0x80) {
		*ret_char = first;
		return 1;
	}
	if (first >= 0xc2 && first < 0xe0)
		n = 2;
	else if (first >= 0xe0 && first < 0xf0)
		n = 3;
	else if (first >= 0xf0 && first < 0xf5)
		n = 4;
	else
		return 0;
	if (size < n)
		return 0;
	c = first & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		uint8_t byte = (uint8_t)text[i];

		if ((byte & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (byte & 0x3f);
	}
	if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret_char = c;
	return n;
}

bool
utf8_is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

bool
utf8_is_hidden(uint32_t c)
{
	/* Zero-width, line separators, bidirectional marks and overrides, annotations, tags. */
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{0xad, 0xad},
		{0x61c, 0x61c},
		{0x180e, 0x180e},
		{0x200b, 0x200f},
		{0x2028, 0x202e},
		{0x2060, 0x206f},
		{0xfeff, 0xfeff},
		{0xfff9, 0xfffb},
		{0xe0000, 0xe0fff},
	};

	if (utf8_is_control(c))
		return true;
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return true;
	return false;
}
