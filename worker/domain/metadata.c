/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metadata.c: keeps <metadata> verbatim.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/metadata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool
same_namespace(const xmlNode *a, const xmlNode *b)
{
	return b->type == XML_ELEMENT_NODE &&
	       strcmp((const char *)a->ns->href, (const char *)b->ns->href) == 0;
}

/* libvirt drops what this refuses. */
static int
check(struct domain_parse *p, const xmlNode *metadata)
{
	for (const xmlNode *n = metadata->children; n; n = n->next) {
		if (n->type != XML_ELEMENT_NODE) {
			if (n->type != XML_COMMENT_NODE && !xmlIsBlankNode(n))
				return refuse_unsupported(p, "a text stands in element <metadata>, "
							     "which takes elements");
			continue;
		}
		if (!n->ns)
			return refuse_unsupported(p,
				"element <%.100s> below <metadata> needs a namespace of its own",
				(const char *)n->name);
		for (const xmlNode *before = metadata->children; before != n; before = before->next)
			if (same_namespace(n, before))
				return refuse_unsupported(p,
					"<metadata> holds more than one element of the namespace "
					"'%.200s'; keep them below one",
					(const char *)n->ns->href);
	}
	return 0;
}

/*
 * libxml2 writes the names of namespaces without escapes (but for &, which it keeps as a
 * reference): one that would not be read back the same is refused. The depth of the recursion is
 * bounded by SCAN_DEPTH_MAX.
 */
static int
check_namespaces(struct domain_parse *p, const xmlNode *node)
{
	int r = 0;

	if (node->type != XML_ELEMENT_NODE)
		return 0;
	for (const xmlNs *ns = node->nsDef; ns; ns = ns->next)
		for (const unsigned char *c = ns->href; c && *c; c++)
			if (*c < 0x20 || strchr("<\"", *c))
				return refuse_unsupported(p,
					"namespace '%.200s' in <metadata> holds a character that "
					"cannot be kept",
					(const char *)ns->href);
	for (const xmlNode *n = node->children; n && r == 0; n = n->next)
		r = check_namespaces(p, n);
	return r;
}

static void
cleanup_node(xmlNode **node)
{
	xmlFreeNode(*node);
}

static void
cleanup_buffer(xmlBuffer **buffer)
{
	xmlBufferFree(*buffer);
}

/* format: with line breaks and indentation where there is no text. */
static int
dump(xmlNode *node, int format, char **ret_xml)
{
	AUTO(cleanup_buffer) xmlBuffer *buffer = xmlBufferCreate();

	if (!buffer || xmlNodeDump(buffer, node->doc, node, 0, format) < 0)
		return -ENOMEM;
	*ret_xml = strdup((const char *)xmlBufferContent(buffer));
	return *ret_xml ? 0 : -ENOMEM;
}

int
domain_metadata_parse(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *metadata = xml_child(domain, "metadata");
	AUTO(cleanup_node) xmlNode *copy = NULL;
	int r;

	if (!metadata)
		return 0;
	xml_read_whole(metadata);
	r = check(p, metadata);
	if (r)
		return r;
	/* A copy stands alone, so it declares all namespaces that it uses. */
	copy = xmlDocCopyNode(metadata, metadata->doc, 1);
	if (!copy)
		return -ENOMEM;
	r = check_namespaces(p, copy);
	return r ? r : dump(copy, 0, &p->def->metadata);
}

/* Below node nothing is in that namespace any more. Recursion as above. */
static void
leave_namespace(xmlNode *node, const char *uri)
{
	if (node->type != XML_ELEMENT_NODE)
		return;
	if (node->ns && strcmp((const char *)node->ns->href, uri) == 0)
		node->ns = NULL;
	for (xmlAttr *a = node->properties; a; a = a->next)
		if (a->ns && strcmp((const char *)a->ns->href, uri) == 0)
			a->ns = NULL;
	for (xmlNode *n = node->children; n; n = n->next)
		leave_namespace(n, uri);
	/* Whoever used them is below and has left. */
	for (xmlNs **ns = &node->nsDef; *ns;) {
		xmlNs *declared = *ns;

		if (!declared->href || strcmp((const char *)declared->href, uri) != 0) {
			ns = &declared->next;
			continue;
		}
		*ns = declared->next;
		xmlFreeNs(declared);
	}
}

int
domain_metadata_find(const struct domain_def *def, const char *uri, char **ret_xml)
{
	xml_doc_auto xmlDoc *document = NULL;
	struct rpc_error error;
	xmlNode *n = NULL;
	int r = 0;

	*ret_xml = NULL;
	if (!def->metadata)
		return 0;
	/* What was kept has been read before: it can only fail for want of memory. */
	if (xml_read(def->metadata, strlen(def->metadata), &error, &document) != 0)
		return -ENOMEM;
	for (n = xmlDocGetRootElement(document)->children; n; n = n->next)
		if (n->type == XML_ELEMENT_NODE && n->ns &&
			strcmp((const char *)n->ns->href, uri) == 0)
			break;
	if (n) {
		AUTO(cleanup_node) xmlNode *copy = xmlDocCopyNode(n, document, 1);

		if (!copy)
			return -ENOMEM;
		leave_namespace(copy, uri);
		r = dump(copy, 1, ret_xml);
	}
	return r;
}
