/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metadata.c: keeps <metadata> verbatim.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/metadata.h"

#include <errno.h>
#include <stdio.h>
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

/* format: with line breaks and indentation where there is no text, as at that level. */
static int
dump(xmlNode *node, int level, int format, char **ret_xml)
{
	AUTO(cleanup_buffer) xmlBuffer *buffer = xmlBufferCreate();

	if (!buffer || xmlNodeDump(buffer, node->doc, node, level, format) < 0)
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
	return r ? r : dump(copy, 0, 0, &p->def->metadata);
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

/* What stands between elements alone is layout, and goes. Recursion as above. */
static void
drop_layout(xmlNode *node)
{
	bool elements = false, text = false;

	for (const xmlNode *n = node->children; n; n = n->next) {
		elements |= n->type == XML_ELEMENT_NODE;
		text |= n->type != XML_ELEMENT_NODE && n->type != XML_COMMENT_NODE &&
			!xmlIsBlankNode(n);
	}
	for (xmlNode *n = node->children, *next; n; n = next) {
		next = n->next;
		if (n->type == XML_ELEMENT_NODE) {
			drop_layout(n);
		} else if (elements && !text && xmlIsBlankNode(n) &&
			   xmlNodeGetSpacePreserve(node) != 1) {
			xmlUnlinkNode(n);
			xmlFreeNode(n);
		}
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
	if (xml_read("metadata_xml", def->metadata, strlen(def->metadata), &error, &document) != 0)
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
		drop_layout(copy);
		r = dump(copy, 0, 1, ret_xml);
	}
	return r;
}

/* --- changes ------------------------------------------------------------------------------ */

/* Whatever is in no namespace is in this one from here on. Recursion as above. */
static void
enter_namespace(xmlNode *node, xmlNs *ns)
{
	if (node->type != XML_ELEMENT_NODE)
		return;
	if (!node->ns)
		xmlSetNs(node, ns);
	for (xmlNode *n = node->children; n; n = n->next)
		enter_namespace(n, ns);
}

/* The new element, in its namespace. The errors are libvirt's (virXMLInjectNamespace). */
static int
read_element(const struct domain_metadata *change, struct rpc_error *error, xmlDoc **ret_document)
{
	xml_doc_auto xmlDoc *document = NULL;
	xmlNode *root;
	xmlNs *ns;
	int r = xml_read("metadata_xml", change->text, strlen(change->text), error, &document);

	if (r)
		return r;
	root = xmlDocGetRootElement(document);
	if (xmlValidateNCName((const xmlChar *)change->key, 0) != 0)
		return domain_refuse(error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_XML,
			"failed to validate prefix for a new XML namespace");
	if (root->ns && strcmp((const char *)root->ns->href, change->uri) != 0)
		return domain_refuse(error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"the element is in the namespace '%.200s', not in '%.200s'",
			(const char *)root->ns->href, change->uri);
	drop_layout(root);
	ns = xmlNewNs(root, (const xmlChar *)change->uri, (const xmlChar *)change->key);
	if (!ns)
		return domain_refuse(error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_XML,
			"failed to create a new XML namespace");
	enter_namespace(root, ns);
	*ret_document = take_ptr(document);
	return 0;
}

/* Put a child of <metadata> on a line of its own. */
static int
add_child(FILE *out, xmlNode *node)
{
	/* A copy stands alone, as above. */
	AUTO(cleanup_node) xmlNode *copy = xmlDocCopyNode(node, node->doc, 1);
	free_auto char *xml = NULL;
	int r = copy ? dump(copy, 2, 1, &xml) : -ENOMEM;

	return r < 0 || fprintf(out, "\n    %s", xml) < 0 ? -ENOMEM : 0;
}

/* All that was there but the element of that namespace, and the new one behind it. */
static int
write_elements(FILE *out, const xmlDoc *old, const xmlDoc *new, const char *uri)
{
	xmlNode *n = old ? xmlDocGetRootElement(old)->children : NULL;
	int r = 0;

	for (; n && r == 0; n = n->next) {
		bool same = n->type == XML_ELEMENT_NODE && n->ns &&
			    strcmp((const char *)n->ns->href, uri) == 0;

		if (!same && !xmlIsBlankNode(n))
			r = add_child(out, n);
	}
	if (r == 0 && new)
		r = add_child(out, xmlDocGetRootElement(new));
	return r;
}

/* <metadata> after the change; NULL when there is none. */
static int
change_element(const struct domain_def *def, const struct domain_metadata *change,
	struct rpc_error *error, char **ret_xml)
{
	xml_doc_auto xmlDoc *old = NULL, *new = NULL;
	free_auto char *elements = NULL;
	size_t size = 0;
	FILE *out;
	int r = 0;

	if (change->text)
		r = read_element(change, error, &new);
	if (r == 0 && def->metadata)
		r = xml_read("metadata_xml", def->metadata, strlen(def->metadata), error, &old);
	if (r)
		return r;
	out = open_memstream(&elements, &size);
	if (!out)
		return -ENOMEM;
	r = write_elements(out, old, new, change->uri);
	if (fclose(out) != 0 || r < 0)
		return -ENOMEM;
	*ret_xml = NULL;
	/* As in libvirt: what was there once is there. */
	if (size == 0)
		r = old ? asprintf(ret_xml, "<metadata/>") : 0;
	else
		r = asprintf(ret_xml, "<metadata>%s\n  </metadata>", elements);
	return r < 0 ? -ENOMEM : 0;
}

static int
check_change(const struct domain_metadata *change, struct rpc_error *error)
{
	const char *wrong = NULL;

	switch (change->type) {
	case DOMAIN_METADATA_TITLE:
		if (change->text && strchr(change->text, '\n'))
			wrong = "metadata title can't contain newlines";
		else if (change->uri)
			wrong = "uri in virDomainSetMetadata must be NULL";
		else if (change->key)
			wrong = "key in virDomainSetMetadata must be NULL";
		break;
	case DOMAIN_METADATA_DESCRIPTION:
		if (change->uri)
			wrong = "uri in virDomainSetMetadata must be NULL";
		else if (change->key)
			wrong = "key in virDomainSetMetadata must be NULL";
		break;
	case DOMAIN_METADATA_ELEMENT:
		if (!change->uri)
			wrong = "uri in virDomainSetMetadata must not be NULL";
		else if (change->text && !change->key)
			wrong = "key in virDomainSetMetadata must not be NULL";
		break;
	default:
		return domain_refuse(error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"unknown metadata type '%d'", (int)change->type);
	}
	if (!wrong)
		return 0;
	(void)rpc_error_set(error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN, "%s", wrong);
	return DOMAIN_E_REFUSED;
}

int
domain_metadata_change(const struct domain_def *def, const struct domain_metadata *change,
	unsigned flags, const struct domain_env *env, struct rpc_error *error,
	struct domain_def **ret_def)
{
	struct domain_def changed = *def; /* borrows all but what is new */
	char *text = change->text && *change->text ? change->text : NULL;
	free_auto char *metadata = NULL, *xml = NULL;
	int r = check_change(change, error);

	if (r)
		return r;
	switch (change->type) {
	case DOMAIN_METADATA_DESCRIPTION:
		changed.description = text;
		break;
	case DOMAIN_METADATA_TITLE:
		changed.title = text;
		break;
	case DOMAIN_METADATA_ELEMENT:
		r = change_element(def, change, error, &metadata);
		changed.metadata = metadata;
		break;
	}
	/* What is kept can be read again. */
	if (r == 0)
		r = domain_def_format(&changed, flags | DOMAIN_DEF_SECURE, 0, &xml);
	return r ? r : domain_def_parse(xml, strlen(xml), flags, env, error, ret_def);
}
