/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Procedures about domains that do not run answer as libvirt 9.0.0's daemon does: results, codes
 * and words.
 */
#include "tests/unit/test.h"

#include <fcntl.h>

#include "tests/unit/worker_domains.h"

static struct rpc_domain vm;

/* Make a call about a domain; more is what follows it in the procedure's arguments. */
static int
call_about(int sock, int32_t procedure, const struct rpc_domain *dom, uint32_t flags, void *ret)
{
	/* All of the procedures here take a domain alone, or flags behind it. */
	struct rpc_domain_get_state_args args = {.dom = *dom, .flags = flags};

	return call(sock, procedure, &args, ret);
}

static void
failed_as(int r, int code, const char *kind, const char *message)
{
	CHECK(r == code);
	CHECK_STR(call_error_kind(), kind);
	CHECK_STR(call_error.message, message);
}

static int
begin(void)
{
	int sock;

	farm_start();
	sock = rig_open(VERBS_ALL);
	CHECK(farm_define(sock, "vm", 1, "<title>A &amp; B</title>", &vm) == 0);
	return sock;
}

static void
end(int sock)
{
	fd_close(&sock);
	farm_stop();
}

/* --- define, undefine --------------------------------------------------------------------- */

static void
test_define(void)
{
	struct rpc_domain_define_xml_flags_args flags = {.flags = 1};
	struct rpc_domain_define_xml_flags_ret ret;
	struct rpc_domain other;
	int sock = begin();

	CHECK_STR(vm.name, "vm");
	CHECK(vm.id == -1 && memcmp(vm.uuid, farm_domain(1)->config->uuid, 16) == 0);
	failed_as(farm_define(sock, "vm", 2, "", &other), 9, "9/20",
		"operation failed: domain 'vm' already exists with uuid "
		"00000000-0000-4000-8000-000000000001");
	failed_as(farm_define(sock, "other", 1, "", &other), 9, "9/20",
		"operation failed: domain 'vm' is already defined with uuid "
		"00000000-0000-4000-8000-000000000001");
	flags.xml = farm_xml("flagged", 3, "");
	CHECK(call(sock, RPC_PROC_DOMAIN_DEFINE_XML_FLAGS, &flags, &ret) == 0);
	CHECK_STR(ret.dom.name, "flagged");
	flags.flags = 3;
	failed_as(call(sock, RPC_PROC_DOMAIN_DEFINE_XML_FLAGS, &flags, &ret), 8, "8/10",
		"unsupported flags (0x2) in function virDomainDefineXMLFlags");
	CHECK(rig.estate.domains.n == 2);
	end(sock);
}

static void
test_undefine(void)
{
	/* flag by flag, then both of each pair */
	static const uint32_t good[] = {0, 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x37};
	int sock = begin();

	CHECK(call_about(sock, RPC_PROC_DOMAIN_UNDEFINE, &vm, 0, NULL) == 0);
	CHECK(!farm_domain(1));
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK(farm_define(sock, "vm", 1, "", &vm) == 0);
		CHECK(call_about(sock, RPC_PROC_DOMAIN_UNDEFINE_FLAGS, &vm, good[i], NULL) == 0);
	}
	CHECK(farm_define(sock, "vm", 1, "", &vm) == 0);
	failed_as(call_about(sock, RPC_PROC_DOMAIN_UNDEFINE_FLAGS, &vm, 0xc, NULL), 55, "55/10",
		"Requested operation is not valid: cannot both keep and delete nvram");
	failed_as(call_about(sock, RPC_PROC_DOMAIN_UNDEFINE_FLAGS, &vm, 0x60, NULL), 55, "55/10",
		"Requested operation is not valid: cannot both keep and delete TPM");
	CHECK(farm_domain(1) != NULL);
	end(sock);
}

static void
test_rename(void)
{
	struct rpc_domain_rename_args args = {.flags = 1};
	struct rpc_domain_rename_ret ret = {.retcode = -1};
	int sock = begin();

	args.dom = vm;
	failed_as(call(sock, RPC_PROC_DOMAIN_RENAME, &args, &ret), 8, "8/20",
		"new_name in virDomainRename must not be NULL");
	args.new_name = rpc_arena_strdup(&rig.arena, "");
	failed_as(call(sock, RPC_PROC_DOMAIN_RENAME, &args, &ret), 8, "8/20",
		"string new_name in virDomainRename must not be empty");
	args.new_name = rpc_arena_strdup(&rig.arena, "web");
	failed_as(call(sock, RPC_PROC_DOMAIN_RENAME, &args, &ret), 8, "8/10",
		"unsupported flags (0x1) in function virDomainRename");
	args.flags = 0;
	CHECK(call(sock, RPC_PROC_DOMAIN_RENAME, &args, &ret) == 0 && ret.retcode == 0);
	CHECK_STR(farm_domain(1)->config->name, "web");
	/* The name in a client's object counts for nothing. */
	failed_as(call(sock, RPC_PROC_DOMAIN_RENAME, &args, &ret), 55, "55/20",
		"Requested operation is not valid: Can't rename domain to itself");
	args.dom.uuid[15] = 9;
	CHECK(call(sock, RPC_PROC_DOMAIN_RENAME, &args, &ret) == VIR_ERR_NO_DOMAIN);
	end(sock);
}

static void
test_autostart(void)
{
	struct rpc_domain_set_autostart_args args;
	struct rpc_domain_get_autostart_ret ret = {.autostart = 7};
	int sock = begin();

	args = (struct rpc_domain_set_autostart_args){.dom = vm};
	CHECK(call_about(sock, RPC_PROC_DOMAIN_GET_AUTOSTART, &vm, 0, &ret) == 0);
	CHECK(ret.autostart == 0);
	for (int i = 1; i < 4; i++) {
		args.autostart = i;
		CHECK(call(sock, RPC_PROC_DOMAIN_SET_AUTOSTART, &args, NULL) == 0);
		CHECK(call_about(sock, RPC_PROC_DOMAIN_GET_AUTOSTART, &vm, 0, &ret) == 0);
		CHECK(ret.autostart == 1);
	}
	args.autostart = 0;
	CHECK(call(sock, RPC_PROC_DOMAIN_SET_AUTOSTART, &args, NULL) == 0);
	CHECK(call_about(sock, RPC_PROC_DOMAIN_GET_AUTOSTART, &vm, 0, &ret) == 0);
	CHECK(ret.autostart == 0);
	end(sock);
}

/* --- what is told of one ------------------------------------------------------------------ */

static void
test_info(void)
{
	union {
		struct rpc_domain_get_info_ret info;
		struct rpc_domain_get_state_ret state;
		struct rpc_domain_is_active_ret active;
		struct rpc_domain_is_persistent_ret persistent;
		struct rpc_domain_get_os_type_ret os;
		struct rpc_domain_has_managed_save_image_ret saved;
		struct rpc_domain_snapshot_num_ret snapshots;
		struct rpc_domain_get_messages_ret messages;
		struct rpc_domain_get_security_label_ret label;
	} ret;
	int sock = begin();

	memset(&ret, 0xff, sizeof(ret));
	CHECK(call_about(sock, RPC_PROC_DOMAIN_GET_INFO, &vm, 0, &ret) == 0);
	CHECK(ret.info.state == 5 && ret.info.maxMem == 65536 && ret.info.memory == 32768);
	CHECK(ret.info.nrVirtCpu == 1 && ret.info.cpuTime == 0);
	memset(&ret, 0xff, sizeof(ret));
	CHECK(call_about(sock, RPC_PROC_DOMAIN_GET_STATE, &vm, 0, &ret) == 0);
	CHECK(ret.state.state == 5 && ret.state.reason == 0);
	memset(&ret, 0xff, sizeof(ret));
	CHECK(call_about(sock, RPC_PROC_DOMAIN_IS_ACTIVE, &vm, 0, &ret) == 0);
	CHECK(ret.active.active == 0);
	memset(&ret, 0xff, sizeof(ret));
	CHECK(call_about(sock, RPC_PROC_DOMAIN_IS_PERSISTENT, &vm, 0, &ret) == 0);
	CHECK(ret.persistent.persistent == 1);
	CHECK(call_about(sock, RPC_PROC_DOMAIN_GET_OS_TYPE, &vm, 0, &ret) == 0);
	CHECK_STR(ret.os.type, "hvm");
	memset(&ret, 0xff, sizeof(ret));
	CHECK(call_about(sock, RPC_PROC_DOMAIN_HAS_MANAGED_SAVE_IMAGE, &vm, 0, &ret) == 0);
	CHECK(ret.saved.result == 0);
	memset(&ret, 0xff, sizeof(ret));
	CHECK(call_about(sock, RPC_PROC_DOMAIN_SNAPSHOT_NUM, &vm, 0, &ret) == 0);
	CHECK(ret.snapshots.num == 0);
	memset(&ret, 0xff, sizeof(ret));
	CHECK(call_about(sock, RPC_PROC_DOMAIN_GET_MESSAGES, &vm, 0, &ret) == 0);
	CHECK(ret.messages.n_msgs == 0);
	CHECK(call_about(sock, RPC_PROC_DOMAIN_GET_SECURITY_LABEL, &vm, 0, &ret) == 0);
	CHECK(ret.label.n_label == 1 && ret.label.label[0] == '\0' && ret.label.enforcing == 0);
	end(sock);
}

static void
test_xml(void)
{
	struct rpc_domain_get_xml_desc_ret whole = {0}, other = {0};
	struct rpc_domain_define_xml_args again;
	struct rpc_domain_define_xml_ret ret;
	int sock = begin();

	CHECK(call_about(sock, RPC_PROC_DOMAIN_GET_XML_DESC, &vm, 0, &whole) == 0);
	CHECK(strstr(whole.xml, "  <title>A &amp; B</title>\n") != NULL);
	CHECK(strstr(whole.xml, "<audio id='1' type='none'/>") != NULL);
	for (uint32_t flags = 1; flags < 8; flags++) {
		CHECK(call_about(sock, RPC_PROC_DOMAIN_GET_XML_DESC, &vm, flags, &other) == 0);
		CHECK_STR(other.xml, whole.xml);
	}
	/* Migratable: without what a board has anyway. */
	CHECK(call_about(sock, RPC_PROC_DOMAIN_GET_XML_DESC, &vm, 8, &other) == 0);
	CHECK(strstr(other.xml, "<controller") == NULL && strstr(other.xml, "keyboard") == NULL);
	CHECK(strstr(other.xml, "<audio") == NULL && strstr(other.xml, "'mouse'") != NULL);
	/* What was dumped, either way, defined again, dumps the same. */
	again.xml = other.xml;
	CHECK(call(sock, RPC_PROC_DOMAIN_DEFINE_XML, &again, &ret) == 0);
	CHECK(call_about(sock, RPC_PROC_DOMAIN_GET_XML_DESC, &vm, 0, &other) == 0);
	CHECK_STR(other.xml, whole.xml);
	end(sock);
}

/* One metadata question: its text, or NULL. */
static char *
metadata(int sock, const struct rpc_domain *dom, int32_t type, char *uri, uint32_t flags)
{
	struct rpc_domain_get_metadata_args args = {
		.dom = *dom, .type = type, .uri = uri, .flags = flags};
	struct rpc_domain_get_metadata_ret ret = {0};

	return call(sock, RPC_PROC_DOMAIN_GET_METADATA, &args, &ret) == 0 ? ret.metadata : NULL;
}

static void
test_metadata(void)
{
	static char uri_x[] = "urn:x", uri_y[] = "urn:y", uri_d[] = "urn:d";
	struct rpc_domain rich;
	int sock = begin();

	CHECK(farm_define(sock, "rich", 2,
		      "<title>T</title><description>two\nlines</description><metadata>"
		      "<x:y xmlns:x='urn:x' x:k='1' z='2'><x:w>text</x:w><q/>"
		      "<o:p xmlns:o='urn:o' o:k='3'/></x:y><d xmlns='urn:d'/></metadata>",
		      &rich) == 0);
	CHECK_STR(metadata(sock, &rich, 0, NULL, 0), "two\nlines");
	CHECK_STR(metadata(sock, &rich, 1, NULL, 2), "T");
	CHECK_STR(metadata(sock, &rich, 2, uri_x, 0), "<y k=\"1\" z=\"2\">\n  <w>text</w>\n  <q/>\n"
						      "  <o:p xmlns:o=\"urn:o\" o:k=\"3\"/>\n</y>");
	CHECK_STR(metadata(sock, &rich, 2, uri_d, 2), "<d/>");
	CHECK(!metadata(sock, &rich, 2, uri_y, 0));
	failed_as(call_error.code, 80, "80/20",
		"metadata not found: Requested metadata element is not present");
	CHECK(!metadata(sock, &vm, 0, NULL, 0) && call_error.code == 80);
	CHECK(!metadata(sock, &rich, 0, NULL, 1));
	failed_as(call_error.code, 55, "55/20",
		"Requested operation is not valid: domain is not running");
	CHECK(!metadata(sock, &rich, 3, NULL, 0));
	failed_as(call_error.code, 8, "8/20", "invalid argument: unknown metadata type '3'");
	CHECK(!metadata(sock, &rich, 2, NULL, 0) && call_error.code == 8);
	CHECK(!metadata(sock, &rich, 0, NULL, 4));
	CHECK_STR(call_error_kind(), "8/20");
	end(sock);
}

/* --- what is said of all ------------------------------------------------------------------ */

static void
test_unknown_domain(void)
{
	static const int32_t procedures[] = {RPC_PROC_DOMAIN_UNDEFINE,
		RPC_PROC_DOMAIN_UNDEFINE_FLAGS, RPC_PROC_DOMAIN_GET_AUTOSTART,
		RPC_PROC_DOMAIN_GET_XML_DESC, RPC_PROC_DOMAIN_GET_INFO, RPC_PROC_DOMAIN_GET_STATE,
		RPC_PROC_DOMAIN_IS_ACTIVE, RPC_PROC_DOMAIN_IS_PERSISTENT,
		RPC_PROC_DOMAIN_GET_OS_TYPE, RPC_PROC_DOMAIN_HAS_MANAGED_SAVE_IMAGE,
		RPC_PROC_DOMAIN_SNAPSHOT_NUM, RPC_PROC_DOMAIN_GET_MESSAGES,
		RPC_PROC_DOMAIN_GET_SECURITY_LABEL};
	struct rpc_domain_set_autostart_args autostart = {.autostart = 1};
	struct rpc_domain gone;
	int sock = begin();

	gone = vm;
	farm_uuid(99, gone.uuid);
	for (unsigned i = 0; i < sizeof(procedures) / sizeof(procedures[0]); i++)
		failed_as(call_about(sock, procedures[i], &gone, 0, NULL), 42, "42/10",
			"Domain not found: no domain with matching uuid "
			"'00000000-0000-4000-8000-000000000063' (vm)");
	autostart.dom = gone;
	CHECK(call(sock, RPC_PROC_DOMAIN_SET_AUTOSTART, &autostart, NULL) == 42);
	CHECK(!metadata(sock, &gone, 0, NULL, 0) && call_error.code == 42);
	end(sock);
}

/* A domain is found by its UUID alone: a wrong name or an old id does not matter. */
static void
test_found_by_uuid(void)
{
	static char wrong[] = "somebody else";
	struct rpc_domain_get_state_ret ret;
	int sock = begin();

	vm.name = wrong;
	vm.id = 17;
	CHECK(call_about(sock, RPC_PROC_DOMAIN_GET_STATE, &vm, 0, &ret) == 0);
	end(sock);
}

static void
test_flags(void)
{
	static const struct {
		int32_t procedure;
		uint32_t supported;
	} rows[] = {
		{RPC_PROC_DOMAIN_UNDEFINE_FLAGS, 0x7f},
		{RPC_PROC_DOMAIN_GET_XML_DESC, 0xf},
		{RPC_PROC_DOMAIN_GET_STATE, 0},
		{RPC_PROC_DOMAIN_HAS_MANAGED_SAVE_IMAGE, 0},
		{RPC_PROC_DOMAIN_SNAPSHOT_NUM, 0x7ff},
		{RPC_PROC_DOMAIN_GET_MESSAGES, 0x3},
	};
	union {
		struct rpc_domain_get_xml_desc_ret xml;
		struct rpc_domain_get_messages_ret messages;
	} ret;
	int sock = begin();

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned bit = 0; bit < 32; bit++) {
			uint32_t flag = UINT32_C(1) << bit;
			int r = call_about(sock, rows[i].procedure, &vm, flag, &ret);

			CHECK(r == (rows[i].supported & flag ? 0 : 8));
			if (r != 0)
				CHECK(call_error.domain == VIR_FROM_QEMU);
			if (!farm_domain(1))
				CHECK(farm_define(sock, "vm", 1, "", &vm) == 0);
		}
	end(sock);
}

static void
test_lookup(void)
{
	static char name[] = "vm", none[] = "nobody";
	struct rpc_domain_lookup_by_name_args by_name = {.name = name};
	struct rpc_domain_lookup_by_uuid_args by_uuid;
	struct rpc_domain_lookup_by_id_args by_id = {.id = 1};
	struct rpc_domain_lookup_by_name_ret ret;
	int sock = begin();

	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_NAME, &by_name, &ret) == 0);
	CHECK(ret.dom.id == -1 && memcmp(ret.dom.uuid, vm.uuid, 16) == 0);
	by_name.name = none;
	failed_as(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_NAME, &by_name, &ret), 42, "42/10",
		"Domain not found: no domain with matching name 'nobody'");
	farm_uuid(1, by_uuid.uuid);
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_UUID, &by_uuid, &ret) == 0);
	CHECK_STR(ret.dom.name, "vm");
	farm_uuid(2, by_uuid.uuid);
	failed_as(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_UUID, &by_uuid, &ret), 42, "42/10",
		"Domain not found: no domain with matching uuid "
		"'00000000-0000-4000-8000-000000000002'");
	failed_as(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_ID, &by_id, &ret), 42, "42/10",
		"Domain not found: no domain with matching id 1");
	farm_domain(1)->id = 1;
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_ID, &by_id, &ret) == 0);
	CHECK(ret.dom.id == 1);
	by_id.id = -1;
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_ID, &by_id, &ret) == 8);
	end(sock);
}

/* --- the list ----------------------------------------------------------------------------- */

/* Of each pair or group of flags one holds for a domain; 0x30 stands for running and paused. */
static const struct {
	uint32_t holds;
	int32_t id;
	int state;
	bool autostart;
} kinds[] = {
	{0x2 | 0x4 | 0x40 | 0x200 | 0x800 | 0x2000 | 0x8000, -1, DOMAIN_STATE_SHUTOFF, false},
	{0x2 | 0x4 | 0x40 | 0x200 | 0x400 | 0x2000 | 0x8000, -1, DOMAIN_STATE_SHUTOFF, true},
	{0x1 | 0x4 | 0x10 | 0x200 | 0x800 | 0x2000 | 0x8000, 1, DOMAIN_STATE_RUNNING, false},
	{0x1 | 0x4 | 0x20 | 0x200 | 0x400 | 0x2000 | 0x8000, 2, DOMAIN_STATE_PAUSED, true},
	{0x1 | 0x4 | 0x80 | 0x200 | 0x800 | 0x2000 | 0x8000, 3, DOMAIN_STATE_CRASHED, false},
};

enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static bool
wanted(uint32_t holds, uint32_t flags)
{
	static const uint32_t groups[] = {0x3, 0xc, 0xf0, 0x300, 0xc00, 0x3000, 0xc000};

	for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if ((flags & groups[i]) && !(flags & groups[i] & holds))
			return false;
	return true;
}

static void
test_list_filters(void)
{
	struct rpc_connect_list_all_domains_args args = {.need_results = 1};
	struct rpc_domain dom;
	char name[16];
	int sock;

	farm_start();
	sock = rig_open(VERBS_ALL);
	for (unsigned i = 0; i < N_KINDS; i++) {
		(void)snprintf(name, sizeof(name), "vm%u", i);
		CHECK(farm_define(sock, name, i, "", &dom) == 0);
		farm_domain(i)->id = kinds[i].id;
		farm_domain(i)->state = (enum domain_state)kinds[i].state;
		farm_domain(i)->autostart = kinds[i].autostart;
	}
	for (args.flags = 0; args.flags < 0x10000; args.flags++) {
		struct rpc_connect_list_all_domains_ret ret = {0};
		uint32_t n = 0;

		CHECK(call(sock, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, &args, &ret) == 0);
		for (unsigned i = 0; i < N_KINDS; i++) {
			if (!wanted(kinds[i].holds, args.flags))
				continue;
			CHECK(n < ret.n_domains && ret.domains[n].id == kinds[i].id);
			n++;
		}
		CHECK(ret.n_domains == n && ret.ret == n);
		if (test_this_failed) {
			printf("# flags 0x%x\n", args.flags);
			break;
		}
		if (args.flags % 256 == 0)
			rpc_arena_reset(&rig.arena);
	}
	end(sock);
}

static void
test_list_without_results(void)
{
	struct rpc_connect_list_all_domains_args args = {.need_results = 0};
	struct rpc_connect_list_all_domains_ret ret = {.n_domains = 7};
	int sock = begin();

	CHECK(call(sock, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, &args, &ret) == 0);
	CHECK(ret.n_domains == 0 && ret.ret == 1);
	args.flags = 0x10000;
	failed_as(call(sock, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, &args, &ret), 8, "8/10",
		"unsupported flags (0x10000) in function virConnectListAllDomains");
	end(sock);
}

/* More than a reply can hold. */
static void
test_list_too_long(void)
{
	enum { LIMIT = 16384, ALL = LIMIT + 1 };
	struct rpc_connect_list_all_domains_args args = {.need_results = 1};
	struct rpc_connect_list_all_domains_ret ret = {.ret = 0};
	struct domains *domains = &rig.estate.domains;
	struct domain *more = calloc(ALL, sizeof(*more));
	int sock = begin();

	ASSERT(more);
	for (unsigned i = 1; i < ALL; i++) {
		more[i] = *farm_domain(1);
		TAILQ_INSERT_TAIL(&domains->all, &more[i], entry);
		domains->n++;
	}
	failed_as(call(sock, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, &args, &ret), 1, "1/7",
		"internal error: Too many domains '16385' for limit '16384'");
	args.need_results = 0;
	CHECK(call(sock, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, &args, &ret) == 0);
	CHECK(ret.ret == ALL);
	args.need_results = 1;
	for (unsigned i = 1; i < ALL; i++) {
		TAILQ_REMOVE(&domains->all, &more[i], entry);
		domains->n--;
		if (i == 1)
			CHECK(call(sock, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, &args, &ret) == 0 &&
				ret.n_domains == LIMIT);
	}
	free(more);
	end(sock);
}

/* --- who may only look -------------------------------------------------------------------- */

/* The older way: how many, then ids of what runs and names of the rest. */
static void
test_counted(void)
{
	struct rpc_connect_list_domains_args ids_args = {.maxids = 16384};
	struct rpc_connect_list_defined_domains_args names_args = {.maxnames = 16384};
	struct rpc_connect_num_of_domains_ret active;
	struct rpc_connect_num_of_defined_domains_ret inactive;
	struct rpc_connect_list_domains_ret ids;
	struct rpc_connect_list_defined_domains_ret names;
	struct rpc_domain dom;
	int sock = begin();

	CHECK(farm_define(sock, "vm2", 2, "", &dom) == 0);
	CHECK(farm_define(sock, "vm3", 3, "", &dom) == 0);
	farm_domain(2)->id = 7;
	CHECK(call(sock, RPC_PROC_CONNECT_NUM_OF_DOMAINS, NULL, &active) == 0 && active.num == 1);
	CHECK(call(sock, RPC_PROC_CONNECT_NUM_OF_DEFINED_DOMAINS, NULL, &inactive) == 0);
	CHECK(inactive.num == 2);
	CHECK(call(sock, RPC_PROC_CONNECT_LIST_DOMAINS, &ids_args, &ids) == 0);
	CHECK(ids.n_ids == 1 && ids.ids[0] == 7);
	CHECK(call(sock, RPC_PROC_CONNECT_LIST_DEFINED_DOMAINS, &names_args, &names) == 0);
	CHECK(names.n_names == 2);
	CHECK_STR(names.names[1], "vm3");
	ids_args.maxids = 0;
	names_args.maxnames = 1;
	CHECK(call(sock, RPC_PROC_CONNECT_LIST_DOMAINS, &ids_args, &ids) == 0 && ids.n_ids == 0);
	CHECK(call(sock, RPC_PROC_CONNECT_LIST_DEFINED_DOMAINS, &names_args, &names) == 0);
	CHECK(names.n_names == 1);
	for (int i = 0; i < 2; i++) {
		ids_args.maxids = i ? -1 : 16385;
		names_args.maxnames = ids_args.maxids;
		CHECK(call(sock, RPC_PROC_CONNECT_LIST_DOMAINS, &ids_args, &ids) == 1);
		CHECK(call(sock, RPC_PROC_CONNECT_LIST_DEFINED_DOMAINS, &names_args, &names) == 1);
		CHECK_STR(call_error.message, "internal error: maxnames > REMOTE_DOMAIN_LIST_MAX");
	}
	farm_domain(2)->id = -1;
	end(sock);
}

static void
test_read_only(void)
{
	static const struct {
		int32_t procedure;
		uint32_t flags;
		const char *api;
	} rows[] = {
		{RPC_PROC_DOMAIN_UNDEFINE, 0, "virDomainUndefine"},
		{RPC_PROC_DOMAIN_UNDEFINE_FLAGS, 0, "virDomainUndefineFlags"},
		{RPC_PROC_DOMAIN_SET_AUTOSTART, 0, "virDomainSetAutostart"},
		{RPC_PROC_DOMAIN_GET_XML_DESC, 1, "virDomainGetXMLDesc"},
		{RPC_PROC_DOMAIN_GET_XML_DESC, 8, "virDomainGetXMLDesc"},
	};
	struct rpc_domain_get_xml_desc_ret xml;
	struct rpc_domain dom;
	char text[128];
	int sock = begin(), ro = rig_open(VERBS_VIEW);

	CHECK(farm_define(ro, "vm2", 2, "", &dom) == 29);
	CHECK_STR(call_error_kind(), "29/20");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(text, sizeof(text),
			"operation forbidden: read only access prevents %s", rows[i].api);
		CHECK(call_about(ro, rows[i].procedure, &vm, rows[i].flags, NULL) == 29);
		CHECK(strncmp(call_error.message, text, strlen(text)) == 0);
	}
	CHECK(call_about(ro, RPC_PROC_DOMAIN_GET_XML_DESC, &vm, 0, &xml) == 0);
	CHECK(call_about(ro, RPC_PROC_DOMAIN_GET_XML_DESC, &vm, 2, &xml) == 0);
	CHECK(rig.estate.domains.n == 1 && !farm_domain(1)->autostart);
	fd_close(&ro);
	end(sock);
}

/* --- the host ----------------------------------------------------------------------------- */

static void
test_node(void)
{
	struct rpc_connect_get_capabilities_ret xml;
	struct rpc_node_get_security_model_ret model;
	struct rpc_connect_get_version_ret version;
	struct rpc_node_get_info_ret info;
	struct capabilities_stamp stamp;
	free_auto char *text = NULL;
	fd_auto int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	size_t size;
	int sock = begin();

	text = domain_read_file("tests/golden/capabilities/qemu-7.2.22.capabilities", &size);
	ASSERT(text && capabilities_read(text, size, &stamp, &rig.estate.capabilities) == 0);
	ASSERT(root_fd >= 0 && host_read(root_fd, &rig.estate.host) == 0);
	CHECK(call(sock, RPC_PROC_CONNECT_GET_VERSION, NULL, &version) == 0);
	CHECK(version.hv_ver == 7002022);
	CHECK(call(sock, RPC_PROC_NODE_GET_INFO, NULL, &info) == 0);
	CHECK_STR(info.model, rig.estate.host.arch);
	CHECK(info.memory == rig.estate.host.memory_kib && info.memory > 0);
	CHECK(info.cpus == sysconf(_SC_NPROCESSORS_ONLN));
	CHECK(info.nodes * info.sockets * info.cores * info.threads >= info.cpus);
	CHECK(call(sock, RPC_PROC_CONNECT_GET_CAPABILITIES, NULL, &xml) == 0);
	CHECK(strstr(xml.capabilities, "<machine canonical='pc-i440fx-7.2'") != NULL);
	CHECK(strstr(xml.capabilities, "<model>none</model>") != NULL);
	CHECK(call(sock, RPC_PROC_NODE_GET_SECURITY_MODEL, NULL, &model) == 0);
	CHECK(model.n_model == 5 && model.n_doi == 2);
	CHECK_STR(model.model, "none");
	CHECK_STR(model.doi, "0");
	end(sock);
}

int
main(void)
{
	TEST("define answers with the domain, clashes and flags are refused", test_define);
	TEST("undefine takes every flag, and no contradiction", test_undefine);
	TEST("rename answers in libvirt's words", test_rename);
	TEST("autostart is on for everything but 0", test_autostart);
	TEST("what a domain is like is told", test_info);
	TEST("a dump, defined again, dumps the same; migratable is shorter", test_xml);
	TEST("title, description and metadata are told in libvirt's form", test_metadata);
	TEST("a domain that is not there is 42 for every procedure", test_unknown_domain);
	TEST("a domain is found by its UUID alone", test_found_by_uuid);
	TEST("flags that mean nothing are refused", test_flags);
	TEST("domains are looked up by name, UUID and id", test_lookup);
	TEST("the list is filtered by all 65,536 combinations of flags", test_list_filters);
	TEST("the list can be counted", test_list_without_results);
	TEST("a list that no reply can hold is refused", test_list_too_long);
	TEST("the older way to list counts, and gives no more than was asked for", test_counted);
	TEST("who may only look changes nothing", test_read_only);
	TEST("host, hypervisor and security model are told", test_node);
	return TEST_END();
}
