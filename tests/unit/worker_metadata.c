/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Title, description and elements of other programs change as with libvirt 9.0.0, in the domain that
 * runs, in its definition, or in both or neither; what is kept can be read again.
 */
#include "tests/unit/test.h"

#include "tests/unit/vm_stage.h"
#include "worker/store/happening.h"

enum { DESCRIPTION, TITLE, ELEMENT }; /* virDomainMetadataType */
enum { LIVE = 1, CONFIG = 2 };

static int32_t watching; /* the id of the watcher's subscription */

static char *
copy(const char *text)
{
	return text ? rpc_arena_strdup(&rig.arena, text) : NULL;
}

static int
set(int32_t type, const char *text, const char *key, const char *uri, uint32_t flags)
{
	struct rpc_domain_set_metadata_args args = {.dom = stage.dom,
		.type = type,
		.metadata = copy(text),
		.key = copy(key),
		.uri = copy(uri),
		.flags = flags};

	return call(stage.client, RPC_PROC_DOMAIN_SET_METADATA, &args, NULL);
}

/* "" when there is none. */
static const char *
get(int32_t type, const char *uri, uint32_t flags)
{
	struct rpc_domain_get_metadata_args args = {
		.dom = stage.dom, .type = type, .uri = copy(uri), .flags = flags};
	struct rpc_domain_get_metadata_ret ret = {0};

	return call(stage.client, RPC_PROC_DOMAIN_GET_METADATA, &args, &ret) == 0 ? ret.metadata
										  : "";
}

/* The watcher is told of this change and of no other. */
static void
check_told(int32_t type, const char *uri, int32_t id)
{
	const struct rpc_procedure *row = rpc_procedure_find(
		RPC_PROGRAM_REMOTE, RPC_PROC_DOMAIN_EVENT_CALLBACK_METADATA_CHANGE);
	struct rpc_domain_event_callback_metadata_change_msg msg = {.type = -1};
	struct rpc_frame frame;

	ASSERT(receive_frame(stage.watcher, &frame));
	CHECK(frame.header.procedure == RPC_PROC_DOMAIN_EVENT_CALLBACK_METADATA_CHANGE);
	ASSERT(rpc_decode(row->args, frame.payload, frame.size, &rig.arena, &msg) == 0);
	CHECK(msg.callbackID == watching && msg.type == type && msg.dom.id == id);
	CHECK(!uri == !msg.nsuri);
	if (uri)
		CHECK_STR(msg.nsuri, uri);
	CHECK(is_silent(stage.watcher));
}

static void
refused(int r, int code, const char *kind, const char *message)
{
	CHECK(r == code);
	CHECK_STR(call_error_kind(), kind);
	CHECK_STR(call_error.message, message);
	CHECK(is_silent(stage.watcher));
}

static void
watch(void)
{
	watching = subscribe(stage.watcher, HAPPENED_METADATA_CHANGE, NULL);
}

/* What the file of the definition holds; what is between the marks. */
static const char *
on_disk(void)
{
	static char text[16384];
	FILE *file = fopen("../.qemud/domains/vm.xml", "re");

	ASSERT(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	(void)fclose(file);
	return text;
}

static void
test_texts(void)
{
	stage_open("<title>old</title>");
	watch();
	for (int32_t type = DESCRIPTION; type <= TITLE; type++) {
		CHECK(set(type, "a <new> & \"text\"", NULL, NULL, 0) == 0);
		check_told(type, NULL, -1);
		CHECK_STR(get(type, NULL, 0), "a <new> & \"text\"");
		CHECK(set(type, "of the definition", NULL, NULL, CONFIG) == 0);
		check_told(type, NULL, -1);
		CHECK(strstr(on_disk(), ">of the definition</"));
		refused(set(type, "x", NULL, NULL, LIVE), 55, "55/20",
			"Requested operation is not valid: domain is not running");
		refused(set(type, "x", NULL, NULL, LIVE | CONFIG), 55, "55/20",
			"Requested operation is not valid: domain is not running");
		for (int i = 0; i < 2; i++) {
			CHECK(set(type, i ? NULL : "", NULL, NULL, 0) == 0);
			check_told(type, NULL, -1);
			CHECK_STR(get(type, NULL, 0), "");
		}
	}
	refused(set(TITLE, "x", NULL, NULL, 4), 8, "8/10",
		"unsupported flags (0x4) in function virDomainSetMetadata");
	refused(set(TITLE, "a\nb", NULL, NULL, 0), 8, "8/20",
		"metadata title can't contain newlines");
	refused(set(TITLE, "a", "k", "u", 0), 8, "8/20",
		"uri in virDomainSetMetadata must be NULL");
	refused(set(DESCRIPTION, "a", "k", NULL, 0), 8, "8/20",
		"key in virDomainSetMetadata must be NULL");
	refused(set(3, "x", "k", "u", 0), 8, "8/20", "invalid argument: unknown metadata type '3'");
	refused(set(-1, "x", "k", "u", 0), 8, "8/20",
		"invalid argument: unknown metadata type '-1'");
	/* What XML cannot keep is not lost in silence. */
	CHECK(set(DESCRIPTION, "a\x01z", NULL, NULL, 0) != 0 &&
		set(DESCRIPTION, "a\xffz", NULL, NULL, 0) != 0);
	CHECK(is_silent(stage.watcher));
	CHECK_STR(get(DESCRIPTION, NULL, 0), "");
	stage_close();
}

static void
test_elements(void)
{
	static const struct {
		const char *text, *key, *uri;
		int code;
		const char *kind, *message;
	} bad[] = {
		{"<x/>", "k", NULL, 8, "8/20", "uri in virDomainSetMetadata must not be NULL"},
		{"<x/>", NULL, "u", 8, "8/20", "key in virDomainSetMetadata must not be NULL"},
		{"<x", "k", "u", 35, "35/20",
			"(metadata_xml):1: Couldn't find end of Start Tag x line 1\n<x\n--^"},
		{"text", "k", "u", 35, "35/20",
			"(metadata_xml):1: Start tag expected, '<' not found\ntext\n^"},
		{"<a/><b/>", "k", "u", 35, "35/20",
			"(metadata_xml):1: Extra content at the end of the document\n"
			"<a/><b/>\n----^"},
		{"", "k", "u", 35, "35/20", "(metadata_xml):1: Document is empty"},
		{"<k:a xmlns:k='u'/>", "k", "u", 1, "1/5",
			"internal error: failed to create a new XML namespace"},
		{"<a/>", "k k<", "u", 1, "1/5",
			"internal error: failed to validate prefix for a new XML namespace"},
		{"<a/>", "", "u", 1, "1/5",
			"internal error: failed to validate prefix for a new XML namespace"},
		{"<q:a xmlns:q='q'/>", "k", "u", 8, "8/20",
			"invalid argument: the element is in the namespace 'q', not in 'u'"},
	};

	stage_open("");
	watch();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(set(ELEMENT, bad[i].text, bad[i].key, bad[i].uri, 0), bad[i].code,
			bad[i].kind, bad[i].message);
	CHECK(!strstr(on_disk(), "<metadata"));
	CHECK(set(ELEMENT, "<x>\n <y a='1'/>\n</x>", "k", "urn:u", 0) == 0);
	check_told(ELEMENT, "urn:u", -1);
	CHECK_STR(get(ELEMENT, "urn:u", 0), "<x>\n  <y a=\"1\"/>\n</x>");
	CHECK(strstr(on_disk(), "\n  <metadata>\n    <k:x xmlns:k=\"urn:u\">\n"
				"      <k:y a=\"1\"/>\n    </k:x>\n  </metadata>\n"));
	/* In its place, under another prefix; beside another program's. */
	CHECK(set(ELEMENT, "<z>te<b/>xt</z>", "kk", "urn:u", 0) == 0);
	CHECK(set(ELEMENT, "<?xml version='1.0'?><!-- c --><q:z xmlns:q='urn:v'/>", "k", "urn:v",
		      0) == 0);
	CHECK(strstr(on_disk(), "\n  <metadata>\n    <kk:z xmlns:kk=\"urn:u\">te<kk:b/>xt</kk:z>\n"
				"    <q:z xmlns:q=\"urn:v\" xmlns:k=\"urn:v\"/>\n  </metadata>\n"));
	(void)is_silent(stage.watcher);
	CHECK(set(ELEMENT, NULL, NULL, "urn:u", 0) == 0);
	CHECK(set(ELEMENT, NULL, "k", "urn:none", 0) == 0);
	CHECK_STR(get(ELEMENT, "urn:u", 0), "");
	CHECK_STR(get(ELEMENT, "urn:v", 0), "<z/>");
	CHECK(set(ELEMENT, NULL, NULL, "urn:v", 0) == 0);
	CHECK(strstr(on_disk(), "\n  <metadata/>\n"));
	stage_close();
}

/* A domain that runs, and its definition: each flag changes what it says. */
static void
test_running(void)
{
	static const struct {
		uint32_t flags;
		const char *live, *config;
	} cases[] = {
		{0, "0", "old"},
		{LIVE, "1", "old"},
		{CONFIG, "1", "2"},
		{LIVE | CONFIG, "3", "3"},
	};
	struct domain_def *note = NULL;
	char text[2] = "";

	stage_run("<title>old</title>");
	watch();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text[0] = (char)('0' + i);
		CHECK(set(TITLE, text, NULL, NULL, cases[i].flags) == 0);
		check_told(TITLE, NULL, ID);
		CHECK_STR(get(TITLE, NULL, 0), cases[i].live);
		CHECK_STR(get(TITLE, NULL, LIVE), cases[i].live);
		CHECK_STR(get(TITLE, NULL, CONFIG), cases[i].config);
		/* The next worker finds it so. */
		CHECK(vm_status_read_def(stage.dom.uuid, &rig.estate.env, &note) == 0);
		CHECK_STR(note->title, cases[i].live);
		note = domain_def_free(note);
	}
	CHECK(set(ELEMENT, "<e/>", "k", "urn:r", 0) == 0);
	check_told(ELEMENT, "urn:r", ID);
	CHECK_STR(get(ELEMENT, "urn:r", 0), "<e/>");
	CHECK_STR(get(ELEMENT, "urn:r", CONFIG), "");
	broker_ends(ID);
	CHECK_STR(get(TITLE, NULL, 0), "3");
	stage_close();
}

/* What cannot be written has not happened: not in memory either, nor in the other half. */
static void
test_unwritable(void)
{
	struct domain_def *note = NULL;

	stage_run("<title>old</title>");
	watch();
	ASSERT(system("mkdir ../.qemud/domains/.vm.xml.new") == 0);
	CHECK(set(TITLE, "new", NULL, NULL, LIVE | CONFIG) == VIR_ERR_SYSTEM_ERROR);
	CHECK(is_silent(stage.watcher));
	CHECK_STR(get(TITLE, NULL, LIVE), "old");
	CHECK_STR(get(TITLE, NULL, CONFIG), "old");
	CHECK(vm_status_read_def(stage.dom.uuid, &rig.estate.env, &note) == 0);
	CHECK_STR(note->title, "old");
	note = domain_def_free(note);
	CHECK(set(TITLE, "new", NULL, NULL, LIVE) == 0);
	CHECK_STR(get(TITLE, NULL, LIVE), "new");
	ASSERT(system("rmdir ../.qemud/domains/.vm.xml.new") == 0);
	stage_close();
}

int
main(void)
{
	TEST("title and description", test_texts);
	TEST("elements of other programs", test_elements);
	TEST("a domain that runs has it twice", test_running);
	TEST("what cannot be written has not happened", test_unwritable);
	return TEST_END();
}
