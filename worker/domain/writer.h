/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writer.h: writes XML as libvirt lays it out: two spaces a level, attributes in single quotes.
 *
 * Runs in the worker, as the user. Values are escaped so that a parser reads back what was
 * written, byte for byte; names of elements and attributes are the caller's own constants. A
 * failed allocation is remembered and told once, by writer_take().
 */
#ifndef WORKER_DOMAIN_WRITER_H
#define WORKER_DOMAIN_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xml_word;

struct writer {
	char *text;
	size_t size, capacity;
	unsigned depth; /* of elements that are open */
	bool in_tag;    /* the last start tag has no '>' yet */
	bool failed;
};

/** Open an element. */
void writer_start(struct writer *w, const char *name);

/** Give the element that was just opened an attribute. */
void writer_attr(struct writer *w, const char *name, const char *value);

/** The same with a formatted value that needs no escaping, of less than 64 bytes. */
void writer_attr_f(struct writer *w, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** The attributes of the element that was just opened are over: it is not written as <name/>. */
void writer_content(struct writer *w);

/** The same with a number; nothing where it is 0, which stands for "not said". */
void writer_attr_number(struct writer *w, const char *name, uint64_t value);

/** The same with the word for a value (xml.h). */
void writer_attr_word(
	struct writer *w, const char *name, const struct xml_word *words, unsigned value);

/** Close the element: <name/> if nothing stands in it. */
void writer_end(struct writer *w, const char *name);

/** Close the element that was just opened with a text as its only content. */
void writer_end_text(struct writer *w, const char *name, const char *text);

/** The same with a formatted text that needs no escaping, of less than 64 bytes. */
void writer_end_text_f(struct writer *w, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** A whole element with a text and no attribute. */
void writer_element(struct writer *w, const char *name, const char *text);

/** A whole element that is XML already, on a line of its own. */
void writer_raw(struct writer *w, const char *xml);

/** The text, NUL-terminated, to be freed by the caller; NULL if memory ran out. */
char *writer_take(struct writer *w);

/** Free what a writer holds; for AUTO(). */
void writer_fini(struct writer *w);

#endif
