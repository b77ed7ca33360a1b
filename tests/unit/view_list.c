/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A view lists and finds the machines of all whom its principal may see: her own under their names,
 * others' behind "OWNER:" under derived UUIDs; what an inventory lies about is its owner's row.
 */
#include "tests/unit/view.h"

#include "lib/derived_uuid.h"
#include "lib/uuid.h"
#include "tests/unit/test.h"

static int
list(int sock, uint32_t flags, struct rpc_connect_list_all_domains_ret *ret)
{
	struct rpc_connect_list_all_domains_args args = {.need_results = 1, .flags = flags};

	return call(sock, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, &args, ret);
}

/* The names in a list, each behind a blank. */
static const char *
names(int sock, uint32_t flags)
{
	static char text[1024];
	struct rpc_connect_list_all_domains_ret ret;

	text[0] = '\0';
	if (list(sock, flags, &ret) != 0)
		return reply.message;
	for (uint32_t i = 0; i < ret.n_domains; i++) {
		strcat(text, " ");
		strcat(text, ret.domains[i].name);
	}
	return text;
}

static void
test_all(void)
{
	struct rpc_connect_list_all_domains_ret ret;
	uint8_t derived[UUID_SIZE];
	int sock;

	rig_start();
	sock = rig_open();
	CHECK_STR(names(sock, 0), " box web bob:box bob:db system:box");
	CHECK(list(sock, 0, &ret) == 0 && ret.ret == 5 && ret.n_domains == 5);
	CHECK(memcmp(ret.domains[0].uuid, uuid_a, UUID_SIZE) == 0 && ret.domains[0].id == -1);
	CHECK(memcmp(ret.domains[1].uuid, uuid_b, UUID_SIZE) == 0 && ret.domains[1].id == 7);
	derived_uuid(1001, uuid_a, derived);
	CHECK(memcmp(ret.domains[2].uuid, derived, UUID_SIZE) == 0 && ret.domains[2].id == 8);
	derived_uuid(990, uuid_a, derived);
	CHECK(memcmp(ret.domains[4].uuid, derived, UUID_SIZE) == 0);
	CHECK(rig.n_channels == 0);
	fd_close(&sock);
	rig_stop();
}

static void
test_filters(void)
{
	int sock;

	rig_start();
	sock = rig_open();
	CHECK_STR(names(sock, 0x1), " web bob:box");
	CHECK_STR(names(sock, 0x2), " box bob:db system:box");
	CHECK_STR(names(sock, 0x8), " bob:box");
	CHECK_STR(names(sock, 0x10), " web");
	CHECK_STR(names(sock, 0x20), " bob:box");
	CHECK_STR(names(sock, 0x100), "");
	CHECK_STR(names(sock, 0x400), " web");
	CHECK_STR(names(sock, 0x2 | 0x4 | 0x200), " box bob:db system:box");
	CHECK_STR(names(sock, 0x1000), "");
	CHECK(strstr(names(sock, 0x10000), "unsupported flags"));
	fd_close(&sock);
	rig_stop();
}

static void
test_older(void)
{
	struct rpc_connect_num_of_domains_ret n;
	struct rpc_connect_list_domains_args ids_args = {.maxids = 10};
	struct rpc_connect_list_domains_ret ids;
	struct rpc_connect_list_defined_domains_args names_args = {.maxnames = 2};
	struct rpc_connect_list_defined_domains_ret defined;
	int sock;

	rig_start();
	sock = rig_open();
	CHECK(call(sock, RPC_PROC_CONNECT_NUM_OF_DOMAINS, NULL, &n) == 0 && n.num == 2);
	CHECK(call(sock, RPC_PROC_CONNECT_NUM_OF_DEFINED_DOMAINS, NULL, &n) == 0 && n.num == 3);
	CHECK(call(sock, RPC_PROC_CONNECT_LIST_DOMAINS, &ids_args, &ids) == 0);
	CHECK(ids.n_ids == 2 && ids.ids[0] == 7 && ids.ids[1] == 8);
	CHECK(call(sock, RPC_PROC_CONNECT_LIST_DEFINED_DOMAINS, &names_args, &defined) == 0);
	CHECK(defined.n_names == 2);
	CHECK_STR(defined.names[1], "bob:db");
	names_args.maxnames = -1;
	CHECK(call(sock, RPC_PROC_CONNECT_LIST_DEFINED_DOMAINS, &names_args, &defined) ==
		VIR_ERR_INTERNAL_ERROR);
	fd_close(&sock);
	rig_stop();
}

static void
test_look_up(void)
{
	struct rpc_domain_lookup_by_uuid_args by_uuid;
	struct rpc_domain_lookup_by_uuid_ret found;
	struct rpc_domain_lookup_by_id_args by_id = {.id = 8};
	struct rpc_domain_lookup_by_id_ret with_id;
	struct rpc_domain dom;
	int sock;

	rig_start();
	sock = rig_open();
	CHECK(look_up(sock, "bob:box", &dom) == 0 && dom.id == 8);
	memcpy(by_uuid.uuid, dom.uuid, UUID_SIZE);
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_UUID, &by_uuid, &found) == 0);
	CHECK_STR(found.dom.name, "bob:box");
	memcpy(by_uuid.uuid, uuid_a, UUID_SIZE);
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_UUID, &by_uuid, &found) == 0);
	CHECK_STR(found.dom.name, "box");
	by_uuid.uuid[0] ^= 1;
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_UUID, &by_uuid, &found) == VIR_ERR_NO_DOMAIN);
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_ID, &by_id, &with_id) == 0);
	CHECK_STR(with_id.dom.name, "bob:box");
	by_id.id = 9;
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_ID, &by_id, &with_id) == VIR_ERR_NO_DOMAIN);
	CHECK(look_up(sock, "alice:box", &dom) == VIR_ERR_NO_DOMAIN);
	CHECK(look_up(sock, "db", &dom) == VIR_ERR_NO_DOMAIN);
	fd_close(&sock);
	rig_stop();
}

static void
turns(void)
{
	broker_send(IPC_INVENTORY_CHANGED, 0, 0, NULL, 0, -1);
	for (unsigned i = 0; i < 20; i++)
		rig_turn(1);
}

/* Her worker says by itself that she has that, as when it is asked for a list. */
static void
worker_told(uint32_t uid, const char *name, int32_t id)
{
	struct owner *owner = owners_find(&rig.host.owners, uid);
	char copy[16];
	struct rpc_domain dom = {.name = copy, .uuid = {[15] = 0xee}, .id = id};

	(void)snprintf(copy, sizeof copy, "%s", name);
	owners_told(&rig.host.owners, owner, &dom, 1);
}

/* Whoever claims an id that the broker gave to somebody else, or to nobody, takes it from nobody. */
static void
test_ids_twice(void)
{
	struct rpc_domain_lookup_by_id_args by_id = {.id = 7};
	struct rpc_domain_lookup_by_id_ret found;
	struct rpc_domain dom;
	int sock;

	rig_start();
	sock = rig_open();
	tell(1, 1001, "bob", VERBS_ALL,
		"7\t1\t1\tp\t" UUID_A "\tbox\n9\t1\t1\tp\t" UUID_C "\tdb\n+0\n")
		->ended = 7;
	tell(3, 1002, "ann", VERBS_ALL, "9\t1\t1\tp\t" UUID_C "\tdb\n+0\n")->ended = 9;
	turns();
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_ID, &by_id, &found) == 0);
	CHECK_STR(found.dom.name, "web");
	by_id.id = 9;
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_ID, &by_id, &found) == 0);
	CHECK_STR(found.dom.name, "bob:db");
	CHECK(look_up(sock, "ann:db", &dom) == 0 && dom.id == -1);
	worker_told(1002, "liar", 9);
	CHECK(look_up(sock, "ann:liar", &dom) == 0 && dom.id == -1);
	worker_told(1002, "liar", 77);
	CHECK(look_up(sock, "ann:liar", &dom) == 0 && dom.id == -1);
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_ID, &by_id, &found) == 0);
	CHECK_STR(found.dom.name, "bob:db");
	fd_close(&sock);
	rig_stop();
}

/* Whoever has more than there is room for is cut, and nobody else, in every list. */
static void
test_many(void)
{
	enum { MOST = 16384 };
	static struct rpc_domain doms[MOST];
	static char many_names[MOST][8];
	struct rpc_connect_list_all_domains_args count_args = {.need_results = 0};
	struct rpc_connect_list_defined_domains_args names_args = {.maxnames = MOST};
	struct rpc_connect_list_defined_domains_ret defined;
	struct rpc_connect_list_all_domains_ret ret;
	struct rpc_domain dom;
	unsigned n_others = 0;
	int sock;

	rig_start();
	sock = rig_open();
	turns();
	for (int i = 0; i < MOST; i++) {
		(void)snprintf(many_names[i], sizeof many_names[i], "n%05d", i);
		doms[i] = (struct rpc_domain){.name = many_names[i], .id = -1};
	}
	owners_told(&rig.host.owners, owners_find(&rig.host.owners, 1001), doms, MOST);
	CHECK(list(sock, 0, &ret) == 0 && ret.ret == ret.n_domains);
	CHECK(ret.n_domains > MOST / 2 && ret.n_domains <= MOST);
	for (uint32_t i = 0; i < ret.n_domains; i++)
		n_others += strncmp(ret.domains[i].name, "bob:", 4) != 0;
	CHECK(n_others == 3);
	CHECK_STR(ret.domains[0].name, "box");
	CHECK_STR(ret.domains[ret.n_domains - 1].name, "system:box");
	CHECK(call(sock, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, &count_args, &ret) == 0);
	CHECK(ret.ret <= MOST);
	CHECK(call(sock, RPC_PROC_CONNECT_LIST_DEFINED_DOMAINS, &names_args, &defined) == 0);
	CHECK_STR(defined.names[defined.n_names - 1], "system:box");
	/* What is not listed is found. */
	CHECK(look_up(sock, "bob:n16383", &dom) == 0);
	fd_close(&sock);
	rig_stop();
}

/* Whoever runs a machine and tells nobody of it is seen doing so. */
static void
test_untold(void)
{
	static const char name[] = "bob:.dddddddd-2222-4333-8444-555555555555";
	struct rpc_domain dom;
	uint64_t begin;
	int sock;

	rig_start();
	sock = rig_open();
	tell(1, 1001, "bob", VERBS_ALL, "0\t5\t1\tp\t" UUID_A "\tbox\n+0\n")->untold = 12;
	turns();
	CHECK_STR(names(sock, 0), " box web bob:box system:box");
	begin = loop_now(&rig.loop);
	while (look_up(sock, name, &dom) != 0 && loop_now(&rig.loop) < begin + LOOP_S(60))
		rig_turn(50);
	CHECK(loop_now(&rig.loop) >= begin + LOOP_S(ROWS_UNTOLD_S - 1));
	CHECK(dom.id == 12);
	CHECK_STR(names(sock, 0x1), " web bob:.dddddddd-2222-4333-8444-555555555555");
	CHECK_STR(names(sock, 0x2), " box bob:box system:box");
	/* It has a name of its own at last; what has ended is nowhere. */
	tell(1, 1001, "bob", VERBS_ALL,
		"12\t1\t1\tp\tdddddddd-2222-4333-8444-555555555555\td\n+0\n")
		->untold = 0;
	turns();
	CHECK_STR(names(sock, 0), " box web bob:d system:box");
	tell(1, 1001, "bob", VERBS_ALL, "+0\n");
	turns();
	CHECK_STR(names(sock, 0), " box web system:box");
	fd_close(&sock);
	rig_stop();
}

static void
test_changes(void)
{
	int sock;

	rig_start();
	sock = rig_open();
	tell(1, 1001, "bob", VERBS_ALL, "+0\n");
	tell(3, 1002, "eve", VERBS_VIEW, "0\t5\t1\tp\t" UUID_A "\tbox\n+0\n");
	turns();
	CHECK_STR(names(sock, 0), " box web eve:box system:box");
	/* What cannot be read changes nothing; who is shown no more is gone. */
	tell(3, 1002, "eve", VERBS_VIEW, "0\t5\t1\tp\t" UUID_A "\tx:y\n+0\n");
	tell(2, 990, "qemud-vm", 0, "+0\n");
	turns();
	CHECK_STR(names(sock, 0), " box web eve:box");
	fd_close(&sock);
	rig_stop();
}

/* What the broker says of what runs goes before the worker's word, which may be old. */
static void
test_runs(void)
{
	struct rpc_domain dom;
	int sock;

	rig_start();
	sock = rig_open();
	rig.told[1].frozen = 8;
	tell(1, 1001, "bob", VERBS_ALL,
		"8\t1\t1\tp\t" UUID_A "\tbox\n9\t1\t1\t-\t" UUID_C "\tdb\n+0\n");
	turns();
	CHECK_STR(names(sock, 0x10), " web bob:db");
	CHECK_STR(names(sock, 0x20), " bob:box");
	/* One that is being ended is there, and neither runs nor stands still. */
	rig.told[1].ending = 8;
	tell(1, 1001, "bob", VERBS_ALL,
		"8\t1\t1\tp\t" UUID_A "\tbox\n9\t1\t1\t-\t" UUID_C "\tdb\n+0\n");
	turns();
	CHECK_STR(names(sock, 0x1), " web bob:box bob:db");
	CHECK_STR(names(sock, 0x30), " web bob:db");
	rig.told[1].frozen = 0;
	rig.told[1].ended = 8;
	tell(1, 1001, "bob", VERBS_ALL,
		"8\t1\t1\tp\t" UUID_A "\tbox\n9\t1\t1\t-\t" UUID_C "\tdb\n+0\n");
	turns();
	CHECK(look_up(sock, "bob:box", &dom) == 0 && dom.id == -1);
	CHECK_STR(names(sock, 0x40), " box bob:box system:box");
	/* Without a definition there is none any more. */
	rig.told[1].ended = 9;
	tell(1, 1001, "bob", VERBS_ALL,
		"8\t1\t1\tp\t" UUID_A "\tbox\n9\t1\t1\t-\t" UUID_C "\tdb\n+0\n");
	turns();
	CHECK_STR(names(sock, 0), " box web bob:box system:box");
	fd_close(&sock);
	rig_stop();
}

/* An account that is called "system" is not the system account, nor by a number that of its uid. */
static void
test_names(void)
{
	int sock;

	rig_start();
	tell(3, 1002, "system", VERBS_VIEW, "0\t5\t1\tp\t" UUID_A "\tbox\n+0\n");
	tell(4, 1003, "", VERBS_VIEW, "0\t5\t1\tp\t" UUID_A "\tbox\n+0\n");
	tell(5, 1004, "1003", VERBS_VIEW, "0\t5\t1\tp\t" UUID_A "\tbox\n+0\n");
	sock = rig_open();
	CHECK_STR(names(sock, 0), " box web 1002:box 1003:box 1004:box bob:box bob:db system:box");
	fd_close(&sock);
	rig_stop();
}

/* The machines stay what they are, under the name that their owner has now. */
static void
test_renamed(void)
{
	struct rpc_domain_get_state_args state;
	struct rpc_domain_get_state_ret ret;
	struct rpc_domain dom;
	int sock;

	rig_start();
	sock = rig_open();
	CHECK(look_up(sock, "bob:box", &state.dom) == 0);
	state.dom.name = (char *)(uintptr_t) "bob:box";
	CHECK(call(sock, RPC_PROC_DOMAIN_GET_STATE, &state, &ret) == 0 && rig.n_channels == 1);
	tell(1, 1001, "zoe", VERBS_ALL,
		"8\t3\t1\t-\t" UUID_A "\tbox\n0\t5\t2\tp\t" UUID_C "\tdb\n+0\n");
	turns();
	CHECK_STR(names(sock, 0), " box web system:box zoe:box zoe:db");
	CHECK(look_up(sock, "bob:box", &dom) == VIR_ERR_NO_DOMAIN);
	CHECK(look_up(sock, "zoe:box", &dom) == 0 && dom.id == 8);
	CHECK(memcmp(dom.uuid, state.dom.uuid, UUID_SIZE) == 0);
	/* A handle of before holds, and her worker is told her name anew. */
	CHECK(call(sock, RPC_PROC_DOMAIN_GET_STATE, &state, &ret) == 0 && rig.n_channels == 2);
	CHECK_STR(rig.called_name, "box");
	/* The name goes to another's account. */
	tell(1, 1001, "bob", VERBS_ALL, "8\t3\t1\t-\t" UUID_A "\tbox\n+0\n");
	tell(3, 1002, "zoe", VERBS_ALL, "0\t5\t1\tp\t" UUID_A "\tbox\n+0\n");
	turns();
	CHECK_STR(names(sock, 0), " box web bob:box system:box zoe:box");
	CHECK(look_up(sock, "zoe:box", &dom) == 0 && dom.id == -1);
	fd_close(&sock);
	rig_stop();
}

static void
test_session(void)
{
	struct rpc_connect_get_uri_ret uri;
	struct rpc_domain dom;
	int sock;

	rig_start();
	sock = rig_connect(false);
	CHECK(open_as(sock, "qemu:///session", 0) == 0);
	CHECK_STR(names(sock, 0), " box web");
	CHECK(look_up(sock, "bob:box", &dom) == VIR_ERR_NO_DOMAIN);
	CHECK(look_up(sock, "box", &dom) == 0);
	CHECK(call(sock, RPC_PROC_CONNECT_GET_URI, NULL, &uri) == 0);
	CHECK_STR(uri.uri, "qemu:///session");
	fd_close(&sock);
	rig_stop();
}

int
main(void)
{
	TEST("all machines are listed, others' under derived UUIDs, without asking a worker",
		test_all);
	TEST("the filters of a list hold", test_filters);
	TEST("the older lists tell the same", test_older);
	TEST("a machine is found by name, UUID and id", test_look_up);
	TEST("an id is that of the machine to which the broker gave it, whoever claims it",
		test_ids_twice);
	TEST("whoever has more than a list has room for is cut, alone", test_many);
	TEST("what runs and is not told of is shown, and can be looked up", test_untold);
	TEST("what changes is told by the broker; a text that lies changes nothing", test_changes);
	TEST("the broker's word on what runs goes before the worker's", test_runs);
	TEST("no account passes for another", test_names);
	TEST("who is renamed is shown so, and her machines are the same", test_renamed);
	TEST("qemu:///session is the principal's own", test_session);
	return TEST_END();
}
