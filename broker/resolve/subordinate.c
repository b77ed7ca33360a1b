/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * subordinate.c: the ranges of /etc/subuid; see subordinate.h.
 */
#include "broker/resolve/subordinate.h"

#include <stdlib.h>
#include <string.h>

#include "lib/keyval.h"

struct range {
	const char *owner;
	size_t owner_len;
	uint64_t first, count;
};

/* A decimal number of len bytes. */
static bool
read_number(const char *text, size_t len, uint64_t *ret)
{
	char number[24];

	if (len >= sizeof(number))
		return false;
	memcpy(number, text, len);
	number[len] = '\0';
	return keyval_number(number, 0, UINT32_MAX, ret) == 0;
}

static bool
read_line(const char *line, size_t len, struct range *ret)
{
	const char *end = line + len;
	const char *first = memchr(line, ':', len), *count;

	if (!first)
		return false;
	first++;
	count = memchr(first, ':', (size_t)(end - first));
	if (!count)
		return false;
	count++;
	ret->owner = line;
	ret->owner_len = (size_t)(first - 1 - line);
	return read_number(first, (size_t)(count - 1 - first), &ret->first) &&
	       read_number(count, (size_t)(end - count), &ret->count);
}

static bool
owned_by(const struct range *range, const char *name, uint32_t uid)
{
	uint64_t owner_uid;

	if (range->owner_len == strlen(name) && memcmp(range->owner, name, range->owner_len) == 0)
		return true;
	return read_number(range->owner, range->owner_len, &owner_uid) && owner_uid == uid;
}

bool
subordinate_holds(const char *text, size_t size, const char *name, uint32_t uid)
{
	const char *end = text + size;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t len = (size_t)((newline ? newline : end) - text);
		struct range range;

		if (read_line(text, len, &range) && uid >= range.first &&
			uid - range.first < range.count && !owned_by(&range, name, uid))
			return true;
		text += len + 1;
	}
	return false;
}
