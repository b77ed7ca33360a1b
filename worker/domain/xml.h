/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml.h: reads XML strictly: whatever nobody asked for is refused by its name.
 *
 * Runs in the worker, as the user. A document is parsed by libxml2 without entities, document
 * types, network or XInclude, within the bounds of scan.h. Each of the functions that find an
 * element, an attribute or a text marks it as read; xml_refuse_unread() then finds what is left,
 * so that no part of a definition is dropped in silence. Elements and attributes in a namespace
 * are never found by these functions.
 *
 * Functions that return int give 0, -ENOMEM, or DOMAIN_E_REFUSED with the error filled in.
 */
#ifndef WORKER_DOMAIN_XML_H
#define WORKER_DOMAIN_XML_H

#include <libxml/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/take.h"
#include "worker/domain/error.h"

/** A word of XML and what it stands for; a list ends with a NULL word. 0 stands for nothing. */
struct xml_word {
	const char *word;
	unsigned value;
};

/**
 * Parse a text; what it is stands in the errors: "domain_definition". ret_document is freed with xmlFreeDoc() or xml_doc_auto. A text that is not
 * well-formed is refused with libvirt's own text: place, reason, line, and a mark below it.
 */
int xml_read(const char *what, const char *text, size_t size, struct rpc_error *error,
	xmlDoc **ret_document);

static inline void
xml_cleanup_doc(xmlDoc **document)
{
	xmlFreeDoc(*document);
}
#define xml_doc_auto AUTO(xml_cleanup_doc)

/** Has this element the name, and no namespace? */
bool xml_is(const xmlNode *node, const char *name);

/** The first child element of that name, or NULL. */
xmlNode *xml_child(xmlNode *node, const char *name);

/** The next child element of that name after previous (NULL: the first), or NULL. */
xmlNode *xml_each(xmlNode *node, const char *name, xmlNode *previous);

/** The attribute's value, borrowed from the document, or NULL. */
const char *xml_attr(xmlNode *node, const char *name);

/** The attribute's value by its word; 0 if the attribute is absent. Other words are refused. */
int xml_attr_word(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value);

/**
 * The attribute as a number; fallback if it is absent. base: 10, or 0 for what C takes as a
 * number (0x10). Above max, or not a number, it is refused.
 */
int xml_attr_number(xmlNode *node, const char *name, int base, uint32_t max, uint32_t fallback,
	struct rpc_error *error, uint32_t *ret_value);

/* --- in libvirt's words (xml_attr.c) -------------------------------------------------------- */

/** "on" and "off", "yes" and "no": 1 and 2, as in enum domain_switch (device.h). */
extern const struct xml_word xml_on_off[], xml_yes_no[];

/** The attribute's value, borrowed; refused if it is absent. */
int xml_attr_required(
	xmlNode *node, const char *name, struct rpc_error *error, const char **ret_value);

/**
 * As xml_attr_word(), where qemud knows all that libvirt does: other words are refused as libvirt
 * refuses them ("XML error: Invalid value for attribute ...").
 */
int xml_attr_choice(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value);
/** The same; an absent attribute is refused, too. */
int xml_attr_required_choice(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value);

/** The attribute as a decimal number; fallback if it is absent. Not a number: refused. */
int xml_attr_u64(xmlNode *node, const char *name, uint64_t fallback, struct rpc_error *error,
	uint64_t *ret_value);
/** As xml_attr_number() with base 10; 0 is refused, too. */
int xml_attr_positive(xmlNode *node, const char *name, uint32_t fallback, struct rpc_error *error,
	uint32_t *ret_value);

/** The element's text as a copy, to be freed; empty if there is none. -ENOMEM. */
int xml_text(xmlNode *node, char **ret_text);

/** The text of the child element of that name, as a copy; NULL if absent or empty. -ENOMEM. */
int xml_child_text(xmlNode *node, const char *name, char **ret_text);

/** The word for a value; it must be in the list. */
const char *xml_word(const struct xml_word *words, unsigned value);

/** The value of a word, 0 if it is not in the list. */
unsigned xml_word_value(const struct xml_word *words, const char *word);

/** Count an element and all that is in it as read. */
void xml_read_whole(xmlNode *node);

/** Refuse the first element, attribute or text below (and at) an element that nobody read. */
int xml_refuse_unread(xmlNode *root, struct rpc_error *error);

#endif
