/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan.c: a lexical pass over an XML text that counts what an attacker would multiply.
 *
 * Runs in the worker, as the user. It follows XML's quoting (attribute values, comments, CDATA,
 * processing instructions) and nothing more: where a text is not well-formed it may count
 * differently from the parser, which then refuses the text.
 */
#include "worker/domain/scan.h"

#include <stdbool.h>
#include <string.h>

/* The constructs that end with a string of their own and are skipped as a whole. */
static const struct skipped {
	const char *start, *end;
} skipped[] = {
	{"<!--", "-->"},
	{"<![CDATA[", "]]>"},
	{"<?", "?>"},
};

static bool
starts(const char *text, size_t size, const char *with)
{
	size_t n = strlen(with);

	return size >= n && memcmp(text, with, n) == 0;
}

/* How many bytes the construct at text takes, 0 if none of the table starts there. */
static size_t
skip(const char *text, size_t size)
{
	for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++) {
		size_t n = strlen(skipped[i].start);
		const char *end;

		if (!starts(text, size, skipped[i].start))
			continue;
		end = memmem(text + n, size - n, skipped[i].end, strlen(skipped[i].end));
		return end ? (size_t)(end - text) + strlen(skipped[i].end) : size;
	}
	return 0;
}

/* One tag from its '<' on: its size, and how many quoted values stand in it. */
static size_t
tag(const char *text, size_t size, unsigned *ret_attributes)
{
	char quote = 0;
	size_t i;

	*ret_attributes = 0;
	for (i = 1; i < size; i++) {
		char c = text[i];

		if (quote && c == quote) {
			quote = 0;
		} else if (!quote && (c == '"' || c == '\'')) {
			quote = c;
			++*ret_attributes;
		} else if (!quote && (c == '>' || c == '<')) {
			break;
		}
	}
	return i < size && text[i] == '>' ? i + 1 : i;
}

const char *
scan_document(const char *text, size_t size)
{
	unsigned elements = 0, all_attributes = 0, depth = 0, attributes;
	size_t i = 0, n;

	if (size > SCAN_SIZE_MAX)
		return "the document is larger than 1 MiB";
	if (memchr(text, '\0', size))
		return "the document holds a NUL byte";
	while (i < size) {
		if (text[i] != '<') {
			i++;
			continue;
		}
		n = skip(text + i, size - i);
		if (n > 0) {
			i += n;
			continue;
		}
		if (starts(text + i, size - i, "<!"))
			return "document type declarations and entities are not accepted";
		n = tag(text + i, size - i, &attributes);
		if (attributes > SCAN_ELEMENT_ATTRIBUTES_MAX)
			return "an element has more than 256 attributes";
		all_attributes += attributes;
		if (all_attributes > SCAN_ATTRIBUTES_MAX)
			return "the document has more than 16384 attributes";
		if (starts(text + i, size - i, "</")) {
			depth -= depth > 0;
		} else {
			if (++elements > SCAN_ELEMENTS_MAX)
				return "the document has more than 16384 elements";
			if (n < 2 || text[i + n - 2] != '/')
				depth++;
			if (depth > SCAN_DEPTH_MAX)
				return "elements stand more than 64 deep in each other";
		}
		i += n;
	}
	return NULL;
}
