/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schema_asked.h: what the parser of definitions accepts, from the parser itself: whatever it asks
 * for of a document is noted, with the words that it knows there.
 *
 * The test is linked with --wrap for the functions of xml.h (see the Makefile). A path is
 * "devices/disk/driver/@cache" for an attribute, "devices/disk/serial/text()" for a text and
 * "devices/disk/readonly" for an element; elements that stand in their like are named once, and
 * "domain" is left out.
 */
#ifndef TESTS_UNIT_SCHEMA_ASKED_H
#define TESTS_UNIT_SCHEMA_ASKED_H

#include <libxml/hash.h>

#include "tests/unit/test.h"
#include "worker/domain/xml.h"

enum {
	SCHEMA_PATH_MAX = 200,
	SCHEMA_VALUES_MAX = 96,
	SCHEMA_LEARNT_MAX = 48,
	SCHEMA_PATHS_MAX = 1024
};

/* One value of a path, and what came of it. */
struct schema_value {
	char *text;
	bool word;                /* of the parser's own list */
	unsigned tried, accepted; /* how often */
};

struct schema_path {
	char name[SCHEMA_PATH_MAX];
	bool asked, seen; /* by the parser; in something accepted */
	/* As the file has it (schema_file.h): is it there, who is told (enum told), in every place? */
	bool listed, sometimes;
	unsigned effects;
	/* As it was found: who is told, and how many places there were, and those where nobody was. */
	unsigned found, n_places, n_quiet;
	bool is_choice,
		varies; /* has it several values in one place; is what is written another then? */
	struct schema_value values[SCHEMA_VALUES_MAX];
	unsigned n_values;
	bool apart[SCHEMA_VALUES_MAX]; /* somebody is told that it is this value */
};

static struct schema_path *schema_paths[SCHEMA_PATHS_MAX];
static unsigned schema_n_paths;
static xmlHashTable *schema_index;

static inline struct schema_path *
schema_find(const char *name)
{
	return schema_index ? xmlHashLookup(schema_index, (const xmlChar *)name) : NULL;
}

static inline struct schema_path *
schema_note(const char *name)
{
	struct schema_path *path = schema_find(name);

	if (path)
		return path;
	if (!schema_index)
		schema_index = xmlHashCreate(1024);
	path = calloc(1, sizeof(*path));
	if (!path || schema_n_paths == SCHEMA_PATHS_MAX || strlen(name) >= sizeof(path->name))
		abort();
	(void)snprintf(path->name, sizeof(path->name), "%s", name);
	schema_paths[schema_n_paths++] = path;
	if (xmlHashAddEntry(schema_index, (const xmlChar *)path->name, path) != 0)
		abort();
	return path;
}

/* The value's number; it is added if there is room. -1: there was none. */
static inline int
schema_value(struct schema_path *path, const char *text)
{
	for (unsigned i = 0; i < path->n_values; i++)
		if (strcmp(path->values[i].text, text) == 0)
			return (int)i;
	if (path->n_values == SCHEMA_VALUES_MAX)
		return -1;
	path->values[path->n_values].text = strdup(text);
	return path->values[path->n_values].text ? (int)path->n_values++ : -1;
}

static inline void
schema_words(struct schema_path *path, const struct xml_word *words)
{
	for (; words->word; words++) {
		int i = schema_value(path, words->word);

		if (i < 0)
			abort();
		path->values[i].word = true;
	}
}

/* --- paths -------------------------------------------------------------------------------- */

/* Into a text of SCHEMA_PATH_MAX; "" for the root. */
static inline void
schema_path_of(const xmlNode *node, char *out)
{
	const xmlNode *parent = node->parent;

	out[0] = '\0';
	if (!parent || parent->type != XML_ELEMENT_NODE)
		return;
	schema_path_of(parent, out);
	if (parent->parent->type == XML_ELEMENT_NODE &&
		strcmp((const char *)parent->name, (const char *)node->name) == 0)
		return;
	(void)snprintf(out + strlen(out), SCHEMA_PATH_MAX - strlen(out), "%s%s", *out ? "/" : "",
		(const char *)node->name);
}

static inline struct schema_path *
schema_below(const xmlNode *node, const char *prefix, const char *name)
{
	char text[SCHEMA_PATH_MAX];

	schema_path_of(node, text);
	if (!*prefix && strcmp(name, (const char *)node->name) == 0 && *text)
		return schema_note(text);
	(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s%s", *text ? "/" : "",
		prefix, name);
	return schema_note(text);
}

/* --- asking ------------------------------------------------------------------------------- */

/* The last value that the parser was given as it is, and of what: it may look it up in a list. */
static const char *schema_last;
static struct schema_path *schema_last_path;

static inline struct schema_path *
schema_ask(const xmlNode *node, const char *prefix, const char *name)
{
	struct schema_path *path = schema_below(node, prefix, name);

	path->asked = true;
	return path;
}

xmlNode *__real_xml_child(xmlNode *node, const char *name);
xmlNode *__real_xml_each(xmlNode *node, const char *name, xmlNode *previous);
const char *__real_xml_attr(xmlNode *node, const char *name);
int __real_xml_attr_word(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value);
int __real_xml_attr_choice(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value);
int __real_xml_attr_required_choice(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value);
int __real_xml_attr_number(xmlNode *node, const char *name, int base, uint32_t max,
	uint32_t fallback, struct rpc_error *error, uint32_t *ret_value);
int __real_xml_text(xmlNode *node, char **ret_text);
int __real_xml_child_text(xmlNode *node, const char *name, char **ret_text);
unsigned __real_xml_word_value(const struct xml_word *words, const char *word);

xmlNode *__wrap_xml_child(xmlNode *node, const char *name);
xmlNode *__wrap_xml_each(xmlNode *node, const char *name, xmlNode *previous);
const char *__wrap_xml_attr(xmlNode *node, const char *name);
int __wrap_xml_attr_word(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value);
int __wrap_xml_attr_choice(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value);
int __wrap_xml_attr_required_choice(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value);
int __wrap_xml_attr_number(xmlNode *node, const char *name, int base, uint32_t max,
	uint32_t fallback, struct rpc_error *error, uint32_t *ret_value);
int __wrap_xml_text(xmlNode *node, char **ret_text);
int __wrap_xml_child_text(xmlNode *node, const char *name, char **ret_text);
unsigned __wrap_xml_word_value(const struct xml_word *words, const char *word);

xmlNode *
__wrap_xml_child(xmlNode *node, const char *name)
{
	(void)schema_ask(node, "", name);
	return __real_xml_child(node, name);
}

xmlNode *
__wrap_xml_each(xmlNode *node, const char *name, xmlNode *previous)
{
	(void)schema_ask(node, "", name);
	return __real_xml_each(node, name, previous);
}

const char *
__wrap_xml_attr(xmlNode *node, const char *name)
{
	schema_last_path = schema_ask(node, "@", name);
	schema_last = __real_xml_attr(node, name);
	return schema_last;
}

int
__wrap_xml_attr_word(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value)
{
	schema_words(schema_ask(node, "@", name), words);
	return __real_xml_attr_word(node, name, words, error, ret_value);
}

int
__wrap_xml_attr_choice(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value)
{
	schema_words(schema_ask(node, "@", name), words);
	return __real_xml_attr_choice(node, name, words, error, ret_value);
}

int
__wrap_xml_attr_required_choice(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value)
{
	schema_words(schema_ask(node, "@", name), words);
	return __real_xml_attr_required_choice(node, name, words, error, ret_value);
}

int
__wrap_xml_attr_number(xmlNode *node, const char *name, int base, uint32_t max, uint32_t fallback,
	struct rpc_error *error, uint32_t *ret_value)
{
	struct schema_path *path = schema_ask(node, "@", name);
	char text[16];

	/* The bound, and what is beyond it. */
	for (uint64_t n = max; n <= (uint64_t)max + 1; n++) {
		(void)snprintf(text, sizeof(text), "%ju", (uintmax_t)n);
		(void)schema_value(path, text);
	}
	return __real_xml_attr_number(node, name, base, max, fallback, error, ret_value);
}

int
__wrap_xml_text(xmlNode *node, char **ret_text)
{
	int r = __real_xml_text(node, ret_text);

	schema_last_path = schema_ask(node, "", "text()");
	schema_last = r == 0 ? *ret_text : NULL;
	return r;
}

int
__wrap_xml_child_text(xmlNode *node, const char *name, char **ret_text)
{
	int r = __real_xml_child_text(node, name, ret_text);
	char path[SCHEMA_PATH_MAX];

	(void)schema_ask(node, "", name);
	(void)snprintf(path, sizeof(path), "%s/text()", name);
	schema_last_path = schema_ask(node, "", path);
	schema_last = r == 0 ? *ret_text : NULL;
	return r;
}

unsigned
__wrap_xml_word_value(const struct xml_word *words, const char *word)
{
	if (schema_last && word == schema_last)
		schema_words(schema_last_path, words);
	return __real_xml_word_value(words, word);
}

#endif
