/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The document of capabilities says what was read of the host and of QEMU, in libvirt's words, and
 * no more.
 */
#include "worker/qemu/capabilities_xml.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>

#include "lib/take.h"
#include "tests/unit/host_tree.h"
#include "tests/unit/test.h"

static xmlDoc *document;

static void
want(const char *path, const char *value)
{
	xmlXPathContext *context = xmlXPathNewContext(document);
	char expression[256];
	xmlXPathObject *found;

	(void)snprintf(expression, sizeof(expression), "string(/capabilities/%s)", path);
	found = xmlXPathEvalExpression((const xmlChar *)expression, context);
	CHECK_STR(found ? (const char *)found->stringval : NULL, value);
	if (test_this_failed)
		printf("# %s\n", path);
	xmlXPathFreeObject(found);
	xmlXPathFreeContext(context);
}

static void
want_count(const char *path, unsigned n)
{
	xmlXPathContext *context = xmlXPathNewContext(document);
	char expression[256];
	xmlXPathObject *found;

	(void)snprintf(expression, sizeof(expression), "count(/capabilities/%s)", path);
	found = xmlXPathEvalExpression((const xmlChar *)expression, context);
	CHECK(found && found->floatval == n);
	xmlXPathFreeObject(found);
	xmlXPathFreeContext(context);
}

static void
make_document(const struct capabilities *capabilities)
{
	free_auto char *xml = NULL;
	struct host host;

	CHECK(host_read(host_root, &host) == 0);
	CHECK(capabilities_xml(&host, capabilities, "/usr/bin/qemu-<&'\">", &xml) == 0);
	xmlFreeDoc(document);
	document = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);
	CHECK(document != NULL);
	host_fini(&host);
}

static struct capabilities *
some_capabilities(void)
{
	static const struct capabilities_machine machines[] = {
		{.name = "none", .max_vcpus = 1},
		{.name = "pc-q35-7.2", .alias = "q35", .cpu = "qemu64", .max_vcpus = 288},
		{.name = "microvm", .cpu = "qemu64", .max_vcpus = 288},
		{.name = "pc-i440fx-1.7", .cpu = "qemu64", .max_vcpus = 255, .deprecated = true},
		{.name = "pc-i440fx-7.2",
			.alias = "pc",
			.cpu = "qemu64",
			.max_vcpus = 255,
			.is_default = true},
	};
	struct capabilities *capabilities = capabilities_new();

	(void)capabilities_name_set(capabilities->arch, "x86_64");
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		CHECK(capabilities_add_machine(capabilities, &machines[i]) == 0);
	return capabilities;
}

static void
document_of_host(void)
{
	host_small();
	make_document(NULL);
	want("host/cpu/vendor", "AMD");
	want("host/cpu/microcode/@version", "16777317");
	want("host/cpu/signature/@family", "25");
	want("host/cpu/topology/@cores", "2");
	want("host/cpu/maxphysaddr/@bits", "48");
	want_count("host/cpu/model", 0);
	want_count("host/cpu/feature", 0);
	want_count("host/cpu/pages", 3);
	want("host/topology/cells/@num", "1");
	want("host/topology/cells/cell/memory", "7301336");
	/* What is reserved in huge pages is not there in small ones. */
	want("host/topology/cells/cell/pages[@size='4']", "1563190");
	want("host/topology/cells/cell/pages[@size='1048576']", "1");
	want("host/topology/cells/cell/cpus/@num", "2");
	want("host/topology/cells/cell/cpus/cpu[2]/@siblings", "1");
	want("host/secmodel/model", "none");
	want_count("guest", 0);
	host_large();
	make_document(NULL);
	want("host/topology/cells/@num", "2");
	want("host/topology/cells/cell[2]/@id", "2");
	want("host/topology/cells/cell[2]/distances/sibling[1]/@value", "21");
	want("host/topology/cells/cell[2]/distances/sibling[2]/@id", "2");
	want("host/topology/cells/cell[2]/cpus/cpu[3]/@id", "6");
	want("host/topology/cells/cell[2]/cpus/cpu[3]/@siblings", "2,6");
	want("host/topology/cells/cell[2]/cpus/cpu[3]/@socket_id", "1");
	want_count("host/cpu/pages", 1);
}

static void
document_of_guests(void)
{
	capabilities_auto struct capabilities *capabilities = some_capabilities();

	host_small();
	make_document(capabilities);
	want("guest/os_type", "hvm");
	want("guest/arch/@name", "x86_64");
	want("guest/arch/wordsize", "64");
	want("guest/arch/emulator", "/usr/bin/qemu-<&'\">");
	/* The default first, each alias after its own; none that no definition may have. */
	want_count("guest/arch/machine", 5);
	want("guest/arch/machine[1]", "pc-i440fx-7.2");
	want("guest/arch/machine[2]", "pc");
	want("guest/arch/machine[2]/@canonical", "pc-i440fx-7.2");
	want("guest/arch/machine[2]/@maxCpus", "255");
	want("guest/arch/machine[3]", "pc-q35-7.2");
	want("guest/arch/machine[4]/@maxCpus", "288");
	want("guest/arch/machine[5]/@deprecated", "yes");
	want_count("guest/arch/machine[@deprecated]", 1);
	want_count("guest/arch/domain", 1);
	want("guest/arch/domain/@type", "qemu");
	want("guest/features/acpi/@toggle", "yes");
	want_count("guest/features/disksnapshot", 0);
	capabilities->kvm = true;
	make_document(capabilities);
	want_count("guest/arch/domain", 2);
	want("guest/arch/domain[2]/@type", "kvm");
}

int
main(void)
{
	host_tree_init();
	TEST("the host", document_of_host);
	TEST("guests", document_of_guests);
	xmlFreeDoc(document);
	xmlCleanupParser();
	host_tree_fini();
	return TEST_END();
}
