/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.c: what commands print for programs; see json.h.
 */
#include "ctl/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/utf8.h"

/* By its code units in UTF-16. */
static void
put_escaped(uint32_t c)
{
	if (c >= 0x10000)
		(void)printf(
			"\\u%04" PRIx32 "\\u%04" PRIx32, 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
	else
		(void)printf("\\u%04" PRIx32, c);
}

void
json_put_string(const char *text)
{
	size_t size = strlen(text);

	(void)putchar('"');
	for (size_t at = 0; at < size;) {
		uint32_t c = 0;
		size_t n = utf8_next(text + at, size - at, &c);

		if (n == 0)
			(void)fputs("\\ufffd", stdout);
		else if (utf8_is_hidden(c) || c == '"' || c == '\\')
			put_escaped(c);
		else
			(void)fwrite(text + at, 1, n, stdout);
		at += n > 0 ? n : 1;
	}
	(void)putchar('"');
}

void
json_put_row(const struct talk_row *row)
{
	const struct talk_kind *kind = &talk_kinds[row->kind];

	for (unsigned i = 0; i < kind->n_columns; i++) {
		const struct talk_value *value = &row->values[i];

		(void)printf("%s\"%s\":", i == 0 ? "{" : ",", kind->columns[i].name);
		if (!value->known)
			(void)fputs("null", stdout);
		else if (kind->columns[i].type == TALK_TEXT)
			json_put_string(value->text);
		else if (kind->columns[i].type == TALK_FLAG)
			(void)fputs(value->number ? "true" : "false", stdout);
		else
			(void)printf("%" PRIu64, value->number);
	}
	(void)putchar('}');
}
