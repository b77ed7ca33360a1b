/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hex.h: bytes written as hex in tests and in the files of captured packets.
 */
#ifndef TESTS_UNIT_HEX_H
#define TESTS_UNIT_HEX_H

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/**
 * Append the bytes that text spells to ret, which holds *n of at most max bytes. White space is
 * skipped, 41*4096 is the byte 0x41 so many times; anything else ends it.
 */
static inline void
hex_read(const char *text, uint8_t *ret, size_t *n, size_t max)
{
	for (;;) {
		char digits[3] = {0};
		uint8_t byte;
		size_t times = 1;

		while (isspace((unsigned char)*text))
			text++;
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
			return;
		digits[0] = text[0];
		digits[1] = text[1];
		byte = (uint8_t)strtoul(digits, NULL, 16);
		text += 2;
		if (*text == '*') {
			char *end;

			times = strtoul(text + 1, &end, 10);
			text = end;
		}
		for (; times > 0 && *n < max; times--)
			ret[(*n)++] = byte;
	}
}

#endif
