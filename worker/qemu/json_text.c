/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json_text.c: a JSON value as text; see json_text.h.
 *
 * Not by json_dumps(): without memory that of jansson 2.14 loses a name and goes on.
 */
#include "worker/qemu/json_text.h"

#include <stdlib.h>

#include "lib/take.h"

char *
json_text(const json_t *value)
{
	size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT);
	free_auto char *text = size > 0 ? malloc(size + 1) : NULL;

	if (!text || json_dumpb(value, text, size, JSON_COMPACT) != size)
		return NULL;
	text[size] = '\0';
	return take_ptr(text);
}
