/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uuid.c: 16 bytes and their text; see uuid.h.
 *
 * Runs in every program.
 */
#include "lib/uuid.h"

#include <sys/random.h>

const char *
uuid_format(const uint8_t uuid[static UUID_SIZE], char text[static UUID_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char *p = text;

	for (int i = 0; i < UUID_SIZE; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = digits[uuid[i] >> 4];
		*p++ = digits[uuid[i] & 15];
	}
	*p = '\0';
	return text;
}

bool
uuid_random(uint8_t ret[static UUID_SIZE])
{
	if (getrandom(ret, UUID_SIZE, 0) != UUID_SIZE)
		return false;
	ret[6] = (uint8_t)((ret[6] & 0x0f) | 0x40);
	ret[8] = (uint8_t)((ret[8] & 0x3f) | 0x80);
	return true;
}
