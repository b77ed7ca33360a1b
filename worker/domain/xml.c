/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml.c: the strict reader over libxml2's tree.
 *
 * Runs in the worker, as the user. The marks are kept in the tree's own _private fields.
 */
#include "worker/domain/xml.h"

#include <ctype.h>
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/scan.h"

/* Names and values of a document that stand in an error are cut after so many bytes. */
#define SHOWN "%.100s"

/* So many bytes of a line are shown before the place of an error, and as many behind it. */
#define COLUMN_MAX 120

static char mark_read, mark_whole;

/* --- parsing ------------------------------------------------------------------------------ */

struct diagnosis {
	const char *what;
	struct rpc_error *error;
	bool out_of_memory;
};

/*
 * The first fatal error, as libvirt words it: "(WHAT):LINE: REASON", the line
 * itself, and dashes up to the place. (virxml.c of libvirt 9.0, catchXMLError)
 */
static void
diagnose(void *context, xmlError *found)
{
	xmlParserCtxt *parser = context;
	struct diagnosis *diagnosis = parser->_private;
	const char *base, *line, *end, *cur;
	char dashes[COLUMN_MAX + 1];
	size_t column;

	if (found->code == XML_ERR_NO_MEMORY)
		diagnosis->out_of_memory = true;
	if (found->level != XML_ERR_FATAL || diagnosis->error->message[0] || !parser->input)
		return;
	cur = (const char *)parser->input->cur;
	base = (const char *)parser->input->base;
	line = cur;
	while (line > base && (*line == '\n' || *line == '\r'))
		line--;
	while (line > base && *line != '\n' && *line != '\r')
		line--;
	if (*line == '\n' || *line == '\r')
		line++;
	/* Of a long line, what is near the place; from the start of a character on. */
	if (cur - line > COLUMN_MAX)
		line = cur - COLUMN_MAX;
	while (line < cur && ((unsigned char)*line & 0xc0) == 0x80)
		line++;
	column = cur > line ? (size_t)(cur - line) : 0;
	memset(dashes, '-', column);
	dashes[column] = '\0';
	end = line + strcspn(line, "\r\n");
	(void)domain_refuse(diagnosis->error, VIR_ERR_XML_DETAIL, VIR_FROM_DOMAIN,
		"(%s):%d: %s%.*s\n%s^", diagnosis->what, found->line,
		found->message ? found->message : "not well-formed\n",
		(int)(end - line > 2 * COLUMN_MAX ? 2 * COLUMN_MAX : end - line), line, dashes);
}

int
xml_read(const char *what, const char *text, size_t size, struct rpc_error *error,
	xmlDoc **ret_document)
{
	const int options = XML_PARSE_NONET | XML_PARSE_IGNORE_ENC;
	struct diagnosis diagnosis = {.what = what, .error = error};
	xml_doc_auto xmlDoc *document = NULL;
	const char *excess = scan_document(text, size);
	xmlParserCtxt *parser;
	bool well_formed;

	error->message[0] = '\0';
	if (excess)
		return domain_refuse(
			error, VIR_ERR_XML_DETAIL, VIR_FROM_DOMAIN, "(%s): %s", what, excess);
	if (size == 0)
		return domain_refuse(error, VIR_ERR_XML_DETAIL, VIR_FROM_DOMAIN,
			"(%s):1: Document is empty", what);
	parser = xmlNewParserCtxt();
	if (!parser)
		return -ENOMEM;
	parser->_private = &diagnosis;
	parser->sax->serror = diagnose;
	document = xmlCtxtReadMemory(parser, text, (int)size, NULL, "UTF-8", options);
	well_formed = parser->wellFormed;
	xmlFreeParserCtxt(parser);
	if (diagnosis.out_of_memory)
		return -ENOMEM;
	if (!document || !well_formed || document->intSubset || !xmlDocGetRootElement(document)) {
		if (!error->message[0])
			(void)domain_refuse(error, VIR_ERR_XML_DETAIL, VIR_FROM_DOMAIN,
				"(%s): the document is not well-formed", what);
		return DOMAIN_E_REFUSED;
	}
	*ret_document = take_ptr(document);
	return 0;
}

/* --- finding ------------------------------------------------------------------------------ */

static const char *
name_of(const xmlNode *node)
{
	return (const char *)node->name;
}

bool
xml_is(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && !node->ns && strcmp(name_of(node), name) == 0;
}

xmlNode *
xml_each(xmlNode *node, const char *name, xmlNode *previous)
{
	for (xmlNode *n = previous ? previous->next : node->children; n; n = n->next) {
		if (xml_is(n, name)) {
			n->_private = &mark_read;
			return n;
		}
	}
	return NULL;
}

xmlNode *
xml_child(xmlNode *node, const char *name)
{
	return xml_each(node, name, NULL);
}

const char *
xml_attr(xmlNode *node, const char *name)
{
	for (xmlAttr *a = node->properties; a; a = a->next) {
		if (a->ns || strcmp((const char *)a->name, name) != 0)
			continue;
		a->_private = &mark_read;
		/* Without entities of its own a document's values are one text, or none. */
		return a->children && a->children->content ? (const char *)a->children->content
							   : "";
	}
	return NULL;
}

unsigned
xml_word_value(const struct xml_word *words, const char *word)
{
	for (; words->word; words++)
		if (strcmp(words->word, word) == 0)
			return words->value;
	return 0;
}

const char *
xml_word(const struct xml_word *words, unsigned value)
{
	while (words->value != value)
		words++;
	return words->word;
}

int
xml_attr_word(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value)
{
	const char *value = xml_attr(node, name);
	char known[512] = "";
	size_t used = 0;

	*ret_value = value ? xml_word_value(words, value) : 0;
	if (!value || *ret_value)
		return 0;
	for (; words->word && used < sizeof(known); words++)
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s'%s'",
			used ? " or " : "", words->word);
	return domain_refuse(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
		"value '" SHOWN "' of attribute '%s' of element <%s> below <%s> is not supported "
		"by qemud; use %s",
		value, name, name_of(node), name_of(node->parent), known);
}

int
xml_attr_number(xmlNode *node, const char *name, int base, uint32_t max, uint32_t fallback,
	struct rpc_error *error, uint32_t *ret_value)
{
	const char *value = xml_attr(node, name);
	unsigned long number;
	char *end = NULL;

	*ret_value = fallback;
	if (!value)
		return 0;
	errno = 0;
	number = strtoul(value, &end, base);
	if (!isdigit((unsigned char)*value) || *end || errno)
		return domain_refuse(error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Invalid value for attribute '%s' in element '%s': '" SHOWN
			"'. Expected non-negative integer value",
			name, name_of(node), value);
	if (number > max)
		return domain_refuse(error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Invalid value for attribute '%s' in element '%s': '" SHOWN
			"', must be <= %u",
			name, name_of(node), value, max);
	*ret_value = (uint32_t)number;
	return 0;
}

static bool
is_text(const xmlNode *node)
{
	return node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE;
}

int
xml_text(xmlNode *node, char **ret_text)
{
	size_t size = 0, used = 0;
	char *text;

	for (const xmlNode *n = node->children; n; n = n->next)
		if (is_text(n))
			size += strlen((const char *)n->content);
	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	for (xmlNode *n = node->children; n; n = n->next) {
		if (is_text(n)) {
			size_t part = strlen((const char *)n->content);

			memcpy(text + used, n->content, part);
			used += part;
			n->_private = &mark_read;
		}
	}
	text[used] = '\0';
	*ret_text = text;
	return 0;
}

int
xml_child_text(xmlNode *node, const char *name, char **ret_text)
{
	xmlNode *child = xml_child(node, name);
	free_auto char *text = NULL;
	int r;

	*ret_text = NULL;
	if (!child)
		return 0;
	r = xml_text(child, &text);
	if (r == 0 && *text)
		*ret_text = take_ptr(text);
	return r;
}

/* --- what is left ------------------------------------------------------------------------- */

void
xml_read_whole(xmlNode *node)
{
	node->_private = &mark_whole;
}

static bool
is_blank(const xmlNode *text)
{
	return text->content[strspn((const char *)text->content, " \t\r\n")] == '\0';
}

static int
refuse_node(const xmlNode *node, struct rpc_error *error)
{
	const char *space = node->ns && node->ns->prefix ? (const char *)node->ns->prefix : "";

	for (const xmlNode *n = node->prev; n; n = n->prev)
		if (!node->ns && xml_is(n, name_of(node)) && n->_private)
			return domain_refuse(error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN,
				"element <" SHOWN "> stands more than once below <" SHOWN ">",
				name_of(node), name_of(node->parent));
	return domain_refuse(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
		"element <" SHOWN "%s" SHOWN "> below <" SHOWN "> is not supported by qemud yet",
		space, *space ? ":" : "", name_of(node), name_of(node->parent));
}

static int
refuse_attribute(const xmlAttr *attribute, struct rpc_error *error)
{
	const xmlNode *node = attribute->parent;
	bool top = node->parent->type != XML_ELEMENT_NODE;

	return domain_refuse(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
		"attribute '" SHOWN "' of element <" SHOWN ">%s" SHOWN
		"%s is not supported by qemud yet",
		(const char *)attribute->name, name_of(node), top ? "" : " below <",
		top ? "" : name_of(node->parent), top ? "" : ">");
}

/* The depth of the recursion is bounded by SCAN_DEPTH_MAX. */
int
xml_refuse_unread(xmlNode *root, struct rpc_error *error)
{
	int r;

	for (const xmlAttr *a = root->properties; a; a = a->next)
		if (!a->_private)
			return refuse_attribute(a, error);
	for (xmlNode *n = root->children; n; n = n->next) {
		if (is_text(n) && !n->_private && !is_blank(n))
			return domain_refuse(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
				"a text stands in element <" SHOWN ">, which takes none",
				name_of(root));
		if (n->type != XML_ELEMENT_NODE || n->_private == &mark_whole)
			continue;
		if (!n->_private)
			return refuse_node(n, error);
		r = xml_refuse_unread(n, error);
		if (r)
			return r;
	}
	return 0;
}
