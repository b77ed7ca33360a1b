/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whatever text is written as XML, a parser reads back byte for byte.
 */
#include "worker/domain/writer.h"

#include "tests/unit/test.h"
#include "worker/domain/xml.h"

/* Write a text as content and as attribute, read it, compare. */
static bool
comes_back(const char *text)
{
	AUTO(writer_fini) struct writer w = {0};
	xml_doc_auto xmlDoc *document = NULL;
	free_auto char *xml = NULL, *content = NULL;
	struct rpc_error error;
	xmlNode *root;
	const char *value;

	writer_start(&w, "root");
	writer_attr(&w, "value", text);
	writer_element(&w, "content", text);
	writer_end(&w, "root");
	xml = writer_take(&w);
	if (!xml || xml_read("domain_definition", xml, strlen(xml), &error, &document))
		return false;
	root = xmlDocGetRootElement(document);
	value = xml_attr(root, "value");
	if (!value || strcmp(value, text) != 0 || xml_child_text(root, "content", &content))
		return false;
	return strcmp(content ? content : "", text) == 0;
}

static void
every_character(void)
{
	char text[8] = "";

	for (char c = ' '; c < 0x7f; c++) {
		(void)snprintf(text, sizeof(text), "a%cb%c", c, c);
		CHECK(comes_back(text));
	}
	CHECK(comes_back(""));
	CHECK(comes_back("\t\n\r\r\n \t"));
	CHECK(comes_back("]]>"));
	CHECK(comes_back("<!-- & --> &amp; &#10; '\" <a b='c'/>"));
	CHECK(comes_back("\u00e9 \u6f22 \U0001f600 \xc2\x85 \u2028"));
}

static void
layout(void)
{
	AUTO(writer_fini) struct writer w = {0};
	free_auto char *xml = NULL;

	writer_start(&w, "a");
	writer_start(&w, "b");
	writer_attr_f(&w, "n", "0x%02x", 5);
	writer_end(&w, "b");
	writer_start(&w, "c");
	writer_attr(&w, "x", "'");
	writer_end_text_f(&w, "c", "%d", 7);
	writer_start(&w, "d");
	writer_raw(&w, "<raw/>");
	writer_end(&w, "d");
	writer_end(&w, "a");
	xml = writer_take(&w);
	CHECK_STR(xml,
		"<a>\n  <b n='0x05'/>\n  <c x='&apos;'>7</c>\n  <d>\n    <raw/>\n  </d>\n</a>\n");
}

int
main(void)
{
	TEST("a text comes back from content and attribute", every_character);
	TEST("elements are laid out as libvirt lays them out", layout);
	return TEST_END();
}
