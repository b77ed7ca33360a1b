/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writer.c: the escaping XML writer.
 *
 * Runs in the worker, as the user.
 */
#include "worker/domain/writer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/take.h"
#include "worker/domain/xml.h"

static void
put(struct writer *w, const char *text, size_t n)
{
	if (w->failed)
		return;
	if (w->capacity - w->size < n + 1) {
		size_t capacity = w->capacity * 2 + n + 1024;
		char *grown = realloc(w->text, capacity);

		if (!grown) {
			w->failed = true;
			return;
		}
		w->text = grown;
		w->capacity = capacity;
	}
	memcpy(w->text + w->size, text, n);
	w->size += n;
	w->text[w->size] = '\0';
}

static void
put_string(struct writer *w, const char *text)
{
	put(w, text, strlen(text));
}

/*
 * libvirt's five escapes; a carriage return, which a parser would turn into a line feed; and in
 * attributes the blanks that it would turn into spaces.
 */
static void
put_escaped(struct writer *w, const char *text, bool attribute)
{
	const char *special = attribute ? "<>&'\"\r\n\t" : "<>&'\"\r";

	for (;;) {
		size_t plain = strcspn(text, special);

		put(w, text, plain);
		text += plain;
		switch (*text++) {
		case '<':
			put_string(w, "&lt;");
			break;
		case '>':
			put_string(w, "&gt;");
			break;
		case '&':
			put_string(w, "&amp;");
			break;
		case '\'':
			put_string(w, "&apos;");
			break;
		case '"':
			put_string(w, "&quot;");
			break;
		case '\r':
			put_string(w, "&#13;");
			break;
		case '\n':
			put_string(w, "&#10;");
			break;
		case '\t':
			put_string(w, "&#9;");
			break;
		default:
			return;
		}
	}
}

static void
close_tag(struct writer *w, const char *end)
{
	if (w->in_tag)
		put_string(w, end);
	w->in_tag = false;
}

static void
indent(struct writer *w)
{
	for (unsigned i = 0; i < w->depth; i++)
		put_string(w, "  ");
}

void
writer_start(struct writer *w, const char *name)
{
	close_tag(w, ">\n");
	indent(w);
	put_string(w, "<");
	put_string(w, name);
	w->in_tag = true;
	w->depth++;
}

void
writer_attr(struct writer *w, const char *name, const char *value)
{
	put_string(w, " ");
	put_string(w, name);
	put_string(w, "='");
	put_escaped(w, value, true);
	put_string(w, "'");
}

void
writer_attr_f(struct writer *w, const char *name, const char *fmt, ...)
{
	char value[64];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	writer_attr(w, name, value);
}

void
writer_attr_number(struct writer *w, const char *name, uint64_t value)
{
	if (value)
		writer_attr_f(w, name, "%" PRIu64, value);
}

void
writer_attr_word(struct writer *w, const char *name, const struct xml_word *words, unsigned value)
{
	if (value)
		writer_attr(w, name, xml_word(words, value));
}

void
writer_content(struct writer *w)
{
	close_tag(w, ">\n");
}

static void
end_tag(struct writer *w, const char *name)
{
	put_string(w, "</");
	put_string(w, name);
	put_string(w, ">\n");
}

void
writer_end(struct writer *w, const char *name)
{
	w->depth--;
	if (w->in_tag) {
		close_tag(w, "/>\n");
		return;
	}
	indent(w);
	end_tag(w, name);
}

void
writer_end_text(struct writer *w, const char *name, const char *text)
{
	w->depth--;
	close_tag(w, ">");
	put_escaped(w, text, false);
	end_tag(w, name);
}

void
writer_end_text_f(struct writer *w, const char *name, const char *fmt, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	writer_end_text(w, name, text);
}

void
writer_element(struct writer *w, const char *name, const char *text)
{
	writer_start(w, name);
	writer_end_text(w, name, text);
}

void
writer_raw(struct writer *w, const char *xml)
{
	close_tag(w, ">\n");
	indent(w);
	put_string(w, xml);
	put_string(w, "\n");
}

char *
writer_take(struct writer *w)
{
	return w->failed ? NULL : take_ptr(w->text);
}

void
writer_fini(struct writer *w)
{
	free(w->text);
	w->text = NULL;
}
