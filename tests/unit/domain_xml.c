/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A document is read within its bounds and without help from outside, whatever nobody asked for is
 * found, and a failing allocation of the parser costs the document and nothing else.
 */
#include "worker/domain/xml.h"

#include <errno.h>
#include <libxml/xmlmemory.h>

#include "tests/unit/test.h"
#include "worker/domain/scan.h"

static struct rpc_error error;

static int
read_text(const char *text, xmlDoc **ret_document)
{
	return xml_read("domain_definition", text, strlen(text), &error, ret_document);
}

/* head, middle n times, tail; the caller frees it. */
static char *
repeat(const char *head, const char *middle, unsigned n, const char *tail)
{
	size_t size = strlen(head) + strlen(middle) * n + strlen(tail) + 1;
	char *text = calloc(1, size), *end = text;

	end = stpcpy(end, head);
	for (unsigned i = 0; i < n; i++)
		end = stpcpy(end, middle);
	(void)stpcpy(end, tail);
	return text;
}

static int
read_repeated(const char *head, const char *middle, unsigned n, const char *tail)
{
	free_auto char *text = repeat(head, middle, n, tail);
	xml_doc_auto xmlDoc *document = NULL;

	return read_text(text, &document);
}

static void
at_the_bounds(void)
{
	/* One less than too many, then one too many. */
	CHECK(read_repeated("<a>", "<b/>", SCAN_ELEMENTS_MAX - 1, "</a>") == 0);
	CHECK(read_repeated("<a>", "<b/>", SCAN_ELEMENTS_MAX, "</a>") == DOMAIN_E_REFUSED);
	CHECK(read_repeated("<a>", "x", SCAN_SIZE_MAX - 7, "</a>") == 0);
	CHECK(read_repeated("<a>", "x", SCAN_SIZE_MAX - 6, "</a>") == DOMAIN_E_REFUSED);
	CHECK(strstr(error.message, "1 MiB") != NULL);
	CHECK(read_repeated("<a>", "<b c='' d=''/>", SCAN_ATTRIBUTES_MAX / 2, "</a>") == 0);
	CHECK(read_repeated("<a>", "<b c='' d=''/>", SCAN_ATTRIBUTES_MAX / 2 + 1, "</a>") ==
		DOMAIN_E_REFUSED);
	CHECK(scan_document("<a b='1' c=\"2\">", 15) == NULL);
}

static void
depth_is_bounded(void)
{
	free_auto char *inner = repeat("", "</a>", SCAN_DEPTH_MAX, "");
	free_auto char *more = repeat("", "</a>", SCAN_DEPTH_MAX + 1, "");

	CHECK(read_repeated("", "<a>", SCAN_DEPTH_MAX, inner) == 0);
	CHECK(read_repeated("", "<a>", SCAN_DEPTH_MAX + 1, more) == DOMAIN_E_REFUSED);
	/* Not fooled by what only looks like elements. */
	CHECK(read_repeated("<a>", "<!-- <a> -->", 200, "</a>") == 0);
	CHECK(read_repeated("<a>", "<![CDATA[<a>]]>", 200, "</a>") == 0);
	CHECK(read_repeated("<a>", "<?pi <a>?>", 200, "</a>") == 0);
	CHECK(read_repeated("<a>", "<b c='>' d=\"/>'\"/>", 200, "</a>") == 0);
}

static void
attributes_are_bounded(void)
{
	char head[SCAN_ELEMENT_ATTRIBUTES_MAX * 12 + 32];
	xml_doc_auto xmlDoc *document = NULL;
	size_t used = 2;

	(void)strcpy(head, "<a");
	for (unsigned i = 0; i < SCAN_ELEMENT_ATTRIBUTES_MAX; i++)
		used += (size_t)snprintf(head + used, sizeof(head) - used, " a%u=''", i);
	(void)strcpy(head + used, "/>");
	CHECK(read_text(head, &document) == 0);
	(void)strcpy(head + used, " z=''/>");
	xmlFreeDoc(document);
	document = NULL;
	CHECK(read_text(head, &document) == DOMAIN_E_REFUSED);
}

static void
no_entities(void)
{
	static const char *const texts[] = {
		"<!DOCTYPE a><a/>",
		"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
		"<!-- x --><?p q?>\n<!DOCTYPE a SYSTEM 'http://127.0.0.1/'><a/>",
		"<a><!DOCTYPE a></a>",
		"<a><!ENTITY b 'c'></a>",
		"<a>&b;</a>",
		"<a b='&c;'/>",
		"<!--><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		xml_doc_auto xmlDoc *document = NULL;

		CHECK(read_text(texts[i], &document) == DOMAIN_E_REFUSED);
		CHECK(error.code == VIR_ERR_XML_DETAIL && error.message[0]);
	}
}

/* What is left of a text when the elements a, c and the attribute b of each have been read. */
static int
left(const char *text)
{
	xml_doc_auto xmlDoc *document = NULL;
	xmlNode *root, *c = NULL;

	if (read_text(text, &document))
		return -1;
	root = xmlDocGetRootElement(document);
	(void)xml_attr(root, "b");
	while ((c = xml_each(root, "c", c)))
		(void)xml_attr(c, "b");
	return xml_refuse_unread(root, &error);
}

static void
unread_is_found(void)
{
	CHECK(left("<a b='1'> <c b='2'/>\n<c/><!-- d --><?e?></a>") == 0);
	CHECK(left("<a><c><d/></c></a>") == DOMAIN_E_REFUSED);
	CHECK(strstr(error.message, "element <d> below <c>") != NULL);
	CHECK(left("<a f='1'/>") == DOMAIN_E_REFUSED);
	CHECK(left("<a xmlns:n='u' n:b='1'/>") == DOMAIN_E_REFUSED);
	CHECK(left("<a xmlns:n='u'><n:c/></a>") == DOMAIN_E_REFUSED);
	CHECK(strstr(error.message, "element <n:c> below <a>") != NULL);
	CHECK(left("<a><c xmlns='u'/></a>") == DOMAIN_E_REFUSED);
	CHECK(left("<a>text</a>") == DOMAIN_E_REFUSED);
	CHECK(left("<a><![CDATA[text]]></a>") == DOMAIN_E_REFUSED);
	CHECK(left("<a xmlns:n='u'/>") == 0);
}

static unsigned allocations_left;

static void *
failing_malloc(size_t size)
{
	return allocations_left > 0 && --allocations_left > 0 ? malloc(size) : NULL;
}

static void *
failing_realloc(void *p, size_t size)
{
	return allocations_left > 0 && --allocations_left > 0 ? realloc(p, size) : NULL;
}

static char *
failing_strdup(const char *text)
{
	return allocations_left > 0 && --allocations_left > 0 ? strdup(text) : NULL;
}

/* Where libxml2 has no parser yet, it would tell the terminal. */
static void
silent(void *context, const char *fmt, ...)
{
	(void)context;
	(void)fmt;
}

static void
without_memory(void)
{
	static const char text[] =
		"<a xmlns:n='u' b='1&#10;2'>t &amp; <c b='2'>u<!-- d --></c></a>";
	bool enough = false;

	xmlSetGenericErrorFunc(NULL, silent);
	(void)xmlMemSetup(free, failing_malloc, failing_realloc, failing_strdup);
	for (unsigned n = 1; n < 1000 && !enough; n++) {
		xml_doc_auto xmlDoc *document = NULL;
		int r;

		allocations_left = n;
		r = read_text(text, &document);
		CHECK(r == 0 || r == -ENOMEM || r == DOMAIN_E_REFUSED);
		CHECK((r == 0) == (document != NULL));
		enough = allocations_left > 0;
		CHECK(!enough || r == 0);
	}
	(void)xmlMemSetup(free, malloc, realloc, strdup);
	CHECK(enough);
}

static void
broken_text_in_errors(void)
{
	CHECK(domain_refuse(&error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
		      "a\xff"
		      "b") == DOMAIN_E_REFUSED);
	CHECK_STR(error.message, "XML error: a?b");
	(void)domain_refuse(&error, VIR_ERR_XML_DETAIL, VIR_FROM_XML, "%01022d\u00e9", 0);
	CHECK(strlen(error.message) == 1023 && error.message[1022] == '?');
}

int
main(void)
{
	TEST("sizes and counts are taken up to their bounds and not beyond", at_the_bounds);
	TEST("depth is bounded, and counted as XML counts it", depth_is_bounded);
	TEST("attributes of an element are bounded", attributes_are_bounded);
	TEST("no document type and no entity, wherever it stands", no_entities);
	TEST("what nobody read is found, in every namespace", unread_is_found);
	TEST("errors are UTF-8, however broken their subject", broken_text_in_errors);
	TEST("each allocation of the parser may fail", without_memory);
	return TEST_END();
}
