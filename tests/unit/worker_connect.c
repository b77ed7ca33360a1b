/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The calls around a connection answer as libvirt 9.0.0's daemon did when it was asked the same.
 */
#include "tests/unit/test.h"

#include "tests/unit/worker.h"

static const struct {
	const char *name;
	const char *uri;   /* that is then told; NULL: refused */
	const char *error; /* CODE/DOMAIN */
	const char *message;
} names[] = {
	{"qemu:///system", "qemu:///system", NULL, NULL},
	{"qemu:///session", "qemu:///session", NULL, NULL},
	{"", "qemu:///session", NULL, NULL},
	{"qemu:///system?foo=bar", "qemu:///system?foo=bar", NULL, NULL},
	{"qemu:///session?x=y#frag", "qemu:///session?x=y#frag", NULL, NULL},
	{"qemu:///system?socket=/x", "qemu:///system?socket=/x", NULL, NULL},
	{"qemu://user@/system", "qemu://user@/system", NULL, NULL},
	{"qemu:///%73ystem", "qemu:///system", NULL, NULL},
	{NULL, NULL, "1/7", "internal error: connection not open"},
	{"qemu:///other", NULL, "1/0",
		"internal error: unexpected qemu URI path '/other', try qemu:///system"},
	{"qemu:///", NULL, "1/0",
		"internal error: unexpected qemu URI path '/', try qemu:///system"},
	{"qemu:system", NULL, "1/0",
		"internal error: unexpected qemu URI path 'system', try qemu:///system"},
	{"qemu:////system", NULL, "1/0",
		"internal error: unexpected qemu URI path '//system', try qemu:///system"},
	{"qemu:///system/", NULL, "1/0",
		"internal error: unexpected qemu URI path '/system/', try qemu:///system"},
	{"qemu", NULL, "5/0",
		"no connection driver available for URI 'qemu' does not include a driver name"},
	{"qemu://host/system", NULL, "5/0",
		"no connection driver available for qemu://host/system"},
	{"qemu+unix:///system", NULL, "5/0",
		"no connection driver available for qemu+unix:///system"},
	{"xen:///", NULL, "5/0", "no connection driver available for xen:///"},
	{"QEMU:///system", NULL, "5/0", "no connection driver available for QEMU:///system"},
	{"://", NULL, "1/45", "internal error: Unable to parse URI ://"},
	{"qemu:///system?%zz", NULL, "1/45",
		"internal error: Unable to parse URI qemu:///system?%zz"},
	{"foo bar", NULL, "1/45", "internal error: Unable to parse URI foo bar"},
	{"qemu:///syst\303\251m", NULL, "1/45",
		"internal error: Unable to parse URI qemu:///syst\303\251m"},
};

static void
test_open_names(void)
{
	rig_start();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct rpc_connect_open_args args = {.name = NULL};
		struct rpc_connect_get_uri_ret ret = {0};
		int sock = rig_connect(VERBS_ALL);

		if (names[i].name)
			args.name = rpc_arena_strdup(&rig.arena, names[i].name);
		if (names[i].uri) {
			CHECK(call(sock, RPC_PROC_CONNECT_OPEN, &args, NULL) == 0);
			CHECK(call(sock, RPC_PROC_CONNECT_GET_URI, NULL, &ret) == 0);
			CHECK_STR(ret.uri, names[i].uri);
		} else {
			CHECK(call(sock, RPC_PROC_CONNECT_OPEN, &args, NULL) > 0);
			CHECK_STR(call_error_kind(), names[i].error);
			CHECK_STR(call_error.message, names[i].message);
			CHECK(call(sock, RPC_PROC_CONNECT_GET_URI, NULL, &ret) ==
				VIR_ERR_INTERNAL_ERROR);
		}
		fd_close(&sock);
	}
	rig_stop();
}

/* An empty name leaves the choice to the server: root's is the host's, everybody else's her own. */
static void
test_open_default(void)
{
	struct rpc_connect_open_args args = {.flags = 0};
	struct rpc_connect_get_uri_ret ret = {0};
	int sock;

	rig_start();
	sock = rig_connect(VERBS_ALL);
	rig_client()->uid = 0;
	args.name = rpc_arena_strdup(&rig.arena, "");
	CHECK(call(sock, RPC_PROC_CONNECT_OPEN, &args, NULL) == 0);
	CHECK(call(sock, RPC_PROC_CONNECT_GET_URI, NULL, &ret) == 0);
	CHECK_STR(ret.uri, "qemu:///system");
	fd_close(&sock);
	rig_stop();
}

static void
test_open_long_name(void)
{
	struct rpc_connect_open_args args = {.name = NULL};
	size_t size = 4000000;
	int sock;

	rig_start();
	args.name = rpc_arena_bytes(&rig.arena, size + 1);
	memset(args.name, 'q', size);
	args.name[size] = '\0';
	sock = rig_connect(VERBS_ALL);
	CHECK(call(sock, RPC_PROC_CONNECT_OPEN, &args, NULL) == VIR_ERR_INTERNAL_ERROR);
	CHECK_STR(call_error.message,
		"internal error: a URI has at most 4096 bytes, this one has 4000000");
	fd_close(&sock);
	rig_stop();
}

static void
test_open_twice(void)
{
	struct rpc_connect_open_args args = {.flags = 0};
	struct rpc_connect_get_type_ret ret = {0};
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	args.name = rpc_arena_strdup(&rig.arena, "qemu:///session");
	CHECK(call(sock, RPC_PROC_CONNECT_OPEN, &args, NULL) > 0);
	CHECK_STR(call_error_kind(), "1/7");
	CHECK_STR(call_error.message, "internal error: connection already open");
	CHECK(call(sock, RPC_PROC_CONNECT_GET_TYPE, NULL, &ret) == 0);
	fd_close(&sock);
	rig_stop();
}

/* Flag 1 takes verbs away, on whichever socket; no flag gives any; other bits mean nothing here. */
static void
test_open_read_only(void)
{
	static const struct {
		uint32_t verbs, flags, left;
	} cases[] = {
		{VERBS_ALL, 0, VERBS_ALL},
		{VERBS_ALL, 1, VERBS_VIEW},
		{VERBS_ALL, 6, VERBS_ALL},
		{VERBS_ALL, 7, VERBS_VIEW},
		{VERBS_ALL, 0xfff0, VERBS_ALL},
		{VERBS_VIEW, 0, VERBS_VIEW},
		{VERBS_VIEW, UINT32_MAX, VERBS_VIEW},
		{VERB_VIEW | VERB_POWER, 1, VERBS_VIEW},
	};

	rig_start();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rpc_connect_open_args args = {.flags = cases[i].flags};
		int sock = rig_connect(cases[i].verbs);

		args.name = rpc_arena_strdup(&rig.arena, "qemu:///system");
		CHECK(call(sock, RPC_PROC_CONNECT_OPEN, &args, NULL) == 0);
		CHECK(rig_client()->rights.verbs == cases[i].left);
		fd_close(&sock);
	}
	rig_stop();
}

/* A name that is refused takes nothing away either: the client may try another. */
static void
test_open_refused_read_only(void)
{
	struct rpc_connect_open_args args = {.flags = 1};
	int sock;

	rig_start();
	sock = rig_connect(VERBS_ALL);
	args.name = rpc_arena_strdup(&rig.arena, "xen:///");
	CHECK(call(sock, RPC_PROC_CONNECT_OPEN, &args, NULL) == VIR_ERR_NO_CONNECT);
	CHECK(rig_client()->rights.verbs == VERBS_ALL);
	fd_close(&sock);
	rig_stop();
}

static void
test_facts(void)
{
	struct rpc_connect_get_type_ret type = {0};
	struct rpc_connect_get_lib_version_ret version = {0};
	struct rpc_connect_get_hostname_ret name = {0};
	struct rpc_connect_is_secure_ret secure = {0};
	char hostname[256];
	int sock;

	rig_start();
	sock = rig_open(VERBS_VIEW);
	CHECK(call(sock, RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
	CHECK_STR(type.type, "QEMU");
	CHECK(call(sock, RPC_PROC_CONNECT_GET_LIB_VERSION, NULL, &version) == 0);
	CHECK(version.lib_ver == 9000000);
	CHECK(gethostname(hostname, sizeof hostname) == 0);
	CHECK(call(sock, RPC_PROC_CONNECT_GET_HOSTNAME, NULL, &name) == 0);
	CHECK_STR(name.hostname, hostname);
	CHECK(call(sock, RPC_PROC_CONNECT_IS_SECURE, NULL, &secure) == 0 && secure.secure == 1);
	fd_close(&sock);
	rig_stop();
}

static void
test_features(void)
{
	struct rpc_connect_supports_feature_args args;
	struct rpc_connect_supports_feature_ret ret = {0};
	int sock;

	rig_start();
	sock = rig_connect(VERBS_VIEW);
	args.feature = 14;
	CHECK(call(sock, RPC_PROC_CONNECT_SUPPORTS_FEATURE, &args, &ret) == VIR_ERR_INTERNAL_ERROR);
	CHECK(!timer_is_set(&rig_client()->pulse));
	args.feature = 10;
	CHECK(call(sock, RPC_PROC_CONNECT_SUPPORTS_FEATURE, &args, &ret) == 0);
	CHECK(ret.supported == 1);
	CHECK(timer_is_set(&rig_client()->pulse));
	fd_close(&sock);
	sock = rig_open(VERBS_VIEW);
	for (int32_t i = -1; i < 40; i++) {
		args.feature = i;
		CHECK(call(sock, RPC_PROC_CONNECT_SUPPORTS_FEATURE, &args, &ret) == 0);
		CHECK(ret.supported == (i == 8 || i == 9 || i == 10 || i == 14 || i == 15));
	}
	fd_close(&sock);
	rig_stop();
}

static void
test_auth(void)
{
	struct rpc_auth_sasl_start_args start = {.mech = NULL};
	struct rpc_auth_sasl_step_args step = {.nil = 0};
	struct rpc_auth_sasl_init_ret init_ret = {0};
	struct rpc_auth_sasl_start_ret start_ret = {0};
	struct rpc_auth_polkit_ret polkit_ret = {0};
	struct rpc_auth_list_ret list = {0};
	int sock;

	rig_start();
	sock = rig_connect(VERBS_VIEW);
	start.mech = rpc_arena_strdup(&rig.arena, "PLAIN");
	CHECK(call(sock, RPC_PROC_AUTH_LIST, NULL, &list) == 0);
	CHECK(list.n_types == 1 && list.types[0] == 0);
	CHECK(call(sock, RPC_PROC_AUTH_POLKIT, NULL, &polkit_ret) == VIR_ERR_AUTH_FAILED);
	CHECK(call(sock, RPC_PROC_AUTH_SASL_INIT, NULL, &init_ret) == VIR_ERR_AUTH_FAILED);
	CHECK(call(sock, RPC_PROC_AUTH_SASL_START, &start, &start_ret) == VIR_ERR_AUTH_FAILED);
	CHECK(call(sock, RPC_PROC_AUTH_SASL_STEP, &step, &start_ret) == VIR_ERR_AUTH_FAILED);
	CHECK_STR(call_error_kind(), "45/7");
	fd_close(&sock);
	rig_stop();
}

static void
test_close_callback(void)
{
	int sock;

	rig_start();
	sock = rig_connect(VERBS_VIEW);
	CHECK(call(sock, RPC_PROC_CONNECT_REGISTER_CLOSE_CALLBACK, NULL, NULL) ==
		VIR_ERR_INTERNAL_ERROR);
	fd_close(&sock);
	sock = rig_open(VERBS_VIEW);
	for (unsigned i = 0; i < 2; i++)
		CHECK(call(sock, RPC_PROC_CONNECT_REGISTER_CLOSE_CALLBACK, NULL, NULL) == 0);
	for (unsigned i = 0; i < 3; i++)
		CHECK(call(sock, RPC_PROC_CONNECT_UNREGISTER_CLOSE_CALLBACK, NULL, NULL) == 0);
	fd_close(&sock);
	rig_stop();
}

static void
test_close(void)
{
	struct rpc_header after = call_header(RPC_PROC_CONNECT_GET_TYPE, 99);
	struct rpc_frame frame = {.size = 0};
	int sock;

	rig_start();
	sock = rig_open(VERBS_VIEW);
	CHECK(call(sock, RPC_PROC_CONNECT_CLOSE, NULL, NULL) == 0);
	CHECK(is_closed(sock));
	CHECK(!send_raw(sock, &after, NULL, 0));
	fd_close(&sock);
	/* Before it was opened. */
	sock = rig_connect(VERBS_VIEW);
	CHECK(call(sock, RPC_PROC_CONNECT_CLOSE, NULL, NULL) == 0);
	CHECK(!receive_frame(sock, &frame));
	fd_close(&sock);
	rig_stop();
}

static void
test_lookups(void)
{
	struct rpc_domain_lookup_by_name_args name;
	struct rpc_domain_lookup_by_uuid_args uuid;
	struct rpc_domain_lookup_by_id_args id = {.id = 7};
	struct rpc_domain_lookup_by_name_ret ret = {0};
	int sock;

	rig_start();
	sock = rig_open(VERBS_VIEW);
	name.name = rpc_arena_strdup(&rig.arena, "nosuch");
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_NAME, &name, &ret) == VIR_ERR_NO_DOMAIN);
	CHECK_STR(call_error_kind(), "42/10");
	CHECK_STR(call_error.message, "Domain not found: no domain with matching name 'nosuch'");
	for (uint8_t i = 0; i < 16; i++)
		uuid.uuid[i] = i;
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_UUID, &uuid, &ret) == VIR_ERR_NO_DOMAIN);
	CHECK_STR(call_error_kind(), "42/10");
	CHECK_STR(call_error.message, "Domain not found: no domain with matching uuid "
				      "'00010203-0405-0607-0809-0a0b0c0d0e0f'");
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_ID, &id, &ret) == VIR_ERR_NO_DOMAIN);
	CHECK_STR(call_error_kind(), "42/10");
	CHECK_STR(call_error.message, "Domain not found: no domain with matching id 7");
	id.id = -1;
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_ID, &id, &ret) == VIR_ERR_INVALID_ARG);
	CHECK_STR(call_error_kind(), "8/20");
	fd_close(&sock);
	rig_stop();
}

static void
test_list(void)
{
	struct rpc_connect_list_all_domains_args args = {.need_results = 1};
	struct rpc_connect_list_all_domains_ret ret = {0};
	int sock;

	rig_start();
	sock = rig_open(VERBS_VIEW);
	for (args.flags = 1; args.flags <= 0x8000; args.flags <<= 1) {
		CHECK(call(sock, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, &args, &ret) == 0);
		CHECK(ret.n_domains == 0 && ret.ret == 0);
	}
	for (; args.flags != 0; args.flags <<= 1)
		CHECK(call(sock, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, &args, &ret) ==
			VIR_ERR_INVALID_ARG);
	args.flags = 0x3ffff;
	CHECK(call(sock, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, &args, &ret) == VIR_ERR_INVALID_ARG);
	CHECK_STR(call_error_kind(), "8/10");
	CHECK_STR(call_error.message,
		"unsupported flags (0x30000) in function virConnectListAllDomains");
	fd_close(&sock);
	rig_stop();
}

static int
subscribe(int sock, int32_t event, struct rpc_domain *dom, int32_t *ret_id)
{
	struct rpc_connect_domain_event_callback_register_any_args args = {
		.eventID = event, .dom = dom};
	struct rpc_connect_domain_event_callback_register_any_ret ret = {.callbackID = -1};
	int r = call(sock, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, &args, &ret);

	*ret_id = ret.callbackID;
	return r;
}

static int
unsubscribe(int sock, int32_t id)
{
	struct rpc_connect_domain_event_callback_deregister_any_args args = {.callbackID = id};

	return call(sock, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, &args, NULL);
}

static void
test_events(void)
{
	static const int32_t bad[] = {-1, 27, 28, INT32_MAX, INT32_MIN};
	struct rpc_domain dom = {.uuid = {7}, .id = -1};
	int32_t ids[27], id;
	int sock;

	rig_start();
	sock = rig_open(VERBS_VIEW);
	for (int32_t i = 0; i < 27; i++) {
		CHECK(subscribe(sock, i, NULL, &ids[i]) == 0);
		for (int32_t k = 0; k < i; k++)
			CHECK(ids[i] != ids[k]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK(subscribe(sock, bad[i], NULL, &id) > 0);
		CHECK_STR(call_error_kind(), "1/7");
	}
	/* The same again is refused; for one domain, known by its UUID alone, it is another. */
	CHECK(subscribe(sock, 0, NULL, &id) > 0);
	CHECK_STR(call_error_kind(), "8/0");
	CHECK_STR(call_error.message, "invalid argument: event callback already tracked");
	dom.name = rpc_arena_strdup(&rig.arena, "a");
	CHECK(subscribe(sock, 0, &dom, &id) == 0);
	dom.name = rpc_arena_strdup(&rig.arena, "b");
	CHECK(subscribe(sock, 0, &dom, &id) > 0);
	CHECK(unsubscribe(sock, ids[5]) == 0);
	CHECK(unsubscribe(sock, ids[5]) > 0);
	CHECK_STR(call_error_kind(), "1/7");
	CHECK(unsubscribe(sock, -1) > 0);
	CHECK_STR(call_error.message, "internal error: domain event callback -1 not registered");
	CHECK(subscribe(sock, 5, NULL, &id) == 0 && id != ids[5]);
	fd_close(&sock);
	rig_stop();
}

int
main(void)
{
	TEST("CONNECT_OPEN takes and refuses the names that libvirtd does", test_open_names);
	TEST("an empty name is chosen by who connects", test_open_default);
	TEST("a name of megabytes is refused in words", test_open_long_name);
	TEST("CONNECT_OPEN works once", test_open_twice);
	TEST("flag 1 makes a connection read-only, nothing makes it more", test_open_read_only);
	TEST("a refused CONNECT_OPEN changes nothing", test_open_refused_read_only);
	TEST("type, version, host name, security", test_facts);
	TEST("features are those that exist; 10 is known before CONNECT_OPEN", test_features);
	TEST("nobody has to authenticate, or can", test_auth);
	TEST("close callbacks are accepted as often as they come", test_close_callback);
	TEST("CONNECT_CLOSE is answered, then the connection ends", test_close);
	TEST("domains that are not found are told in libvirt's words", test_lookups);
	TEST("the list is empty, its flags are checked", test_list);
	TEST("event callbacks have ids of their own and can be removed", test_events);
	return TEST_END();
}
