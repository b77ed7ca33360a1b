/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Through a view, of somebody else's, a user's VMs have her name and another UUID in their
 * definitions, and what is given back is hers again; verbs hold as ever.
 */
#include "tests/unit/test.h"

#include "tests/unit/worker_domains.h"

static struct rpc_domain vm;

static char *
xml_of_vm(int sock, uint32_t flags)
{
	struct rpc_domain_get_xml_desc_args args = {.dom = vm, .flags = flags};
	struct rpc_domain_get_xml_desc_ret ret = {0};

	return call(sock, RPC_PROC_DOMAIN_GET_XML_DESC, &args, &ret) == 0 ? ret.xml : NULL;
}

static int
redefine(int sock, char *xml)
{
	struct rpc_domain_define_xml_args args = {.xml = xml};
	struct rpc_domain_define_xml_ret ret = {0};

	return call(sock, RPC_PROC_DOMAIN_DEFINE_XML, &args, &ret);
}

static void
test_shown(void)
{
	int own, other, plain, watcher;
	char *xml;

	farm_start();
	own = rig_open(VERBS_ALL);
	CHECK(farm_define(own, "vm", 1, "", &vm) == 0);
	other = rig_open_to("bob", VERBS_ALL);
	xml = xml_of_vm(other, 0);
	CHECK(xml && strstr(xml, "<name>bob:vm</name>") && strstr(xml, "owner=\"bob\""));
	CHECK(xml && strstr(xml, "uuid=\"00000000-0000-4000-8000-000000000001\""));
	CHECK(xml && !strstr(xml, "<uuid>00000000-0000"));
	/* Handles are hers. */
	CHECK(memcmp(farm_domain(1)->config->uuid, vm.uuid, sizeof vm.uuid) == 0);
	/* One's own through a view, and without one, are as they are. */
	plain = rig_connect_to("", VERBS_ALL);
	CHECK(strstr(xml_of_vm(own, 0), "<name>vm</name>"));
	CHECK(!strstr(xml_of_vm(own, 0), "owner="));
	/* Given back, also changed, it is the same VM. */
	CHECK(redefine(other, xml) == 0 && rig.estate.domains.n == 1);
	CHECK(!strstr(xml_of_vm(own, 0), "owner="));
	CHECK(strstr(xml_of_vm(own, 0), "<name>vm</name>"));
	/* Verbs are the connection's. */
	watcher = rig_open_to("bob", VERBS_VIEW);
	CHECK(strstr(xml_of_vm(watcher, 0), "bob:vm"));
	CHECK(!xml_of_vm(watcher, 1));
	CHECK_STR(call_error_kind(), "29/20");
	CHECK(redefine(watcher, xml) == 29);
	fd_close(&own);
	fd_close(&other);
	fd_close(&plain);
	fd_close(&watcher);
	rig_wait(0);
	farm_stop();
}

static const char *
element_of_vm(int sock, const char *uri)
{
	struct rpc_domain_get_metadata_args args = {
		.dom = vm, .type = 2, .uri = (char *)(uintptr_t)uri};
	struct rpc_domain_get_metadata_ret ret = {0};

	return call(sock, RPC_PROC_DOMAIN_GET_METADATA, &args, &ret) == 0 ? ret.metadata : NULL;
}

/* The element that a definition shows is found by itself, too. */
static void
test_metadata(void)
{
	static const char uri[] = "https://qemud.org/xmlns/vm/1";
	const char *text;
	int own, other;

	farm_start();
	own = rig_open(VERBS_ALL);
	CHECK(farm_define(own, "vm", 1, "<metadata><a:b xmlns:a='urn:a'>x</a:b></metadata>", &vm) ==
		0);
	other = rig_open_to("bob", VERBS_VIEW);
	text = element_of_vm(other, uri);
	CHECK(text && strstr(text, "owner=\"bob\""));
	CHECK(text && strstr(text, "uuid=\"00000000-0000-4000-8000-000000000001\""));
	CHECK(element_of_vm(other, "urn:a"));
	CHECK(!element_of_vm(own, uri));
	CHECK_STR(call_error_kind(), "80/20");
	fd_close(&own);
	fd_close(&other);
	rig_wait(0);
	farm_stop();
}

static void
test_refused(void)
{
	char xml[1024];
	int own, other;

	farm_start();
	own = rig_open(VERBS_ALL);
	other = rig_open_to("bob", VERBS_ALL);
	(void)snprintf(xml, sizeof(xml),
		"<domain type='qemu'><name>x</name><memory>65536</memory><os><type>hvm</type>"
		"<kernel>/etc/passwd</kernel></os></domain>");
	CHECK(redefine(other, xml) == 29);
	CHECK(strstr(call_error.message, "operation forbidden: '/etc/passwd' is neither below"));
	CHECK(rig.estate.domains.n == 0);
	CHECK(redefine(own, xml) == 0);
	fd_close(&own);
	fd_close(&other);
	rig_wait(0);
	farm_stop();
}

int
main(void)
{
	TEST("a definition is shown with its owner, and can be given back", test_shown);
	TEST("whose it is stands in its metadata", test_metadata);
	TEST("what a stranger may not name is refused", test_refused);
	return TEST_END();
}
