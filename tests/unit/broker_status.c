/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_status.c: qemudctl is served by a view of whoever calls it, which is told of her, of owners
 * whom she may see, and of the host if that is everybody; one that asks for more is killed.
 */
#include "broker/status.h"

#include "protocol/verb.h"
#include "tests/unit/broker_looking.h"
#include "tests/unit/broker_vms.h"

/* --- asking ------------------------------------------------------------------------------- */

/* What it is told; zero with an error, which is returned. */
static int
ask(const struct kid *kid, enum ipc_type type, const void *body, size_t size, void *ret,
	size_t ret_size)
{
	AUTO(packet_fini) struct packet told;

	say(kid->link, (struct ipc_header){.type = (uint16_t)type, .serial = 12}, body, size, NULL,
		0);
	expect_answer(kid->link, (enum ipc_type)(type + 1), &told);
	memcpy(ret, body_of(&told), ret_size);
	return header_of(&told).err;
}

static struct ipc_status
status_of(const struct kid *kid)
{
	struct ipc_status status;

	CHECK(ask(kid, IPC_STATUS, NULL, 0, &status, sizeof status) == 0);
	return status;
}

static int
user_told(const struct kid *kid, uint32_t uid, struct ipc_status_user_told *ret)
{
	struct ipc_status_user body = {.uid = uid};

	return ask(kid, IPC_STATUS_USER, &body, sizeof body, ret, sizeof *ret);
}

static int
limit_told(const struct kid *kid, uint32_t uid, enum ipc_limit limit,
	struct ipc_status_limit_told *ret)
{
	struct ipc_status_limit body = {.uid = uid, .limit = limit};

	return ask(kid, IPC_STATUS_LIMIT, &body, sizeof body, ret, sizeof *ret);
}

static int
vm_told(const struct kid *kid, uint32_t uid, uint32_t after, struct ipc_status_vm_told *ret)
{
	struct ipc_status_vm body = {.uid = uid, .after = after};

	return ask(kid, IPC_STATUS_VM, &body, sizeof body, ret, sizeof *ret);
}

static void
read_rules(const char *rules)
{
	struct policy *policy = broker.rulebook.now;

	policy_clear(policy);
	CHECK(policy_parse(policy, "policy.conf", rules, strlen(rules)) == 0);
}

/* She calls qemudctl, and her view has said HELLO and has the connection. */
static struct kid
call(uint32_t uid, int *ret_client, uint64_t *ret_conn)
{
	struct kid view;

	*ret_client = connect_to(IPC_SOCKET_CTL, uid);
	view = start_view_as(IPC_VIEW_CTL);
	*ret_conn = take_one(&view).conn_id;
	return view;
}

/* --- routes ------------------------------------------------------------------------------- */

static void
test_route(void)
{
	struct ipc_conn_pass pass;
	struct kid alice, view, roots;
	int clients[3];

	stage_ready();
	alice = idle_worker(ALICE);
	clients[0] = connect_to(IPC_SOCKET_CTL, ALICE);
	view = start_view_as(IPC_VIEW_CTL);
	pass = take_one(&view);
	CHECK(pass.uid == ALICE && pass.socket == IPC_SOCKET_CTL && pass.verbs == VERB_VIEW);
	CHECK_STR(pass.label, "u2001");
	clients[1] = connect_to(IPC_SOCKET_CTL, ALICE);
	CHECK(take_one(&view).uid == ALICE);
	expect_nothing(alice.link);
	clients[2] = connect_to(IPC_SOCKET_CTL, 0);
	roots = start_view_as(IPC_VIEW_CTL);
	CHECK(take_one(&roots).uid == 0);
	for (unsigned i = 0; i < 3; i++)
		fd_close(&clients[i]);
	end_kid(&view);
	end_kid(&roots);
	end_kid(&alice);
	stage_close();
}

/* Whoever is refused is refused there, with the socket that says how to tell her. */
static void
test_refused(void)
{
	struct ipc_conn_pass pass;
	int client;

	stage_ready();
	client = connect_to(IPC_SOCKET_CTL, 4000);
	resolve_error(-ENOENT);
	pass = expect_refusal(IPC_REFUSAL_NOBODY);
	CHECK(pass.socket == IPC_SOCKET_CTL);
	fd_close(&client);
	read_rules("allow everyone manage own\ndeny uid 2002\n");
	client = connect_to(IPC_SOCKET_CTL, BOB);
	resolve(BOB);
	pass = expect_refusal(IPC_REFUSAL_POLICY);
	CHECK(pass.socket == IPC_SOCKET_CTL && strstr(pass.reason, "policy.conf:2"));
	fd_close(&client);
	stage_close();
}

/* Their number does not depend on that of the others, and root has a place. */
static void
test_room(void)
{
	struct kid host, alice, root;
	int clients[4];

	stage_ready();
	broker.views.size = 2;
	clients[0] = connect_as(0);
	host = start_view();
	(void)take_one(&host);
	clients[1] = connect_to(IPC_SOCKET_CTL, ALICE);
	resolve(ALICE);
	alice = start_view_as(IPC_VIEW_CTL);
	(void)take_one(&alice);
	clients[2] = connect_to(IPC_SOCKET_CTL, BOB);
	resolve(BOB);
	CHECK(strstr(expect_refusal(IPC_REFUSAL_HOST).reason, "max_views"));
	clients[3] = connect_to(IPC_SOCKET_CTL, 0);
	root = start_view_as(IPC_VIEW_CTL);
	(void)take_one(&root);
	for (unsigned i = 0; i < 4; i++)
		fd_close(&clients[i]);
	end_kid(&host);
	end_kid(&alice);
	end_kid(&root);
	stage_close();
}

/* --- the host ----------------------------------------------------------------------------- */

static void
test_host(void)
{
	struct scene scene = set_scene(IPC_SOCKET_CTL);
	struct vm vm = vm_for(&scene.alice, ALICE, 1);
	struct ipc_status status = status_of(&scene.view), empty = {.all = 0};
	struct kid view;
	uint64_t conn;
	int client;

	CHECK(status.all == 1 && status.n_vms == 1 && status.n_workers == 2);
	CHECK(status.n_connections == broker.conns.n_used && status.n_connections == 1);
	CHECK(status.memory_kib == broker.memory_kib && status.audit == IPC_AUDIT_OFF);
	CHECK(status.since_s == broker.since_s && status.since_s > 0 && status.policy_s > 0);
	CHECK(status.limits == IPC_LIMITS_COUNT && status.controllers == IPC_CONTROLLERS_NONE);
	CHECK(status.reload_failed == 0);
	/* Whoever sees less is told when and how, and no sums. */
	broker.rulebook.failed = true;
	broker.config.limits = CONFIG_LIMITS_ENFORCE;
	view = call(ALICE, &client, &conn);
	status = status_of(&view);
	CHECK(status.since_s == broker.since_s && status.reload_failed == 1);
	CHECK(status.limits == IPC_LIMITS_ENFORCE);
	CHECK(memcmp(&status.all, &empty.all, sizeof status - offsetof(struct ipc_status, all)) ==
		0);
	/* Nor is root, from whom somebody is hidden. */
	read_rules("allow everyone manage own\ndeny uid 0 view uid 2002\n");
	CHECK(status_of(&scene.view).all == 0);
	fd_close(&client);
	end_kid(&view);
	CHECK(kill(vm.kid.pid, SIGTERM) == 0);
	reap(&vm.kid, SIGTERM);
	end_leaf(ALICE, vm.id, 1, 0);
	fd_close(&vm.sock);
	end_scene(&scene);
}

static void
put_text(int dir_fd, const char *name, const char *text)
{
	fd_auto int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void
test_controllers(void)
{
	static const struct {
		const char *text;
		enum ipc_controllers want;
	} cases[] = {{"cpu memory pids\n", IPC_CONTROLLERS_ALL},
		{"cpuset cpu io memory pids misc\n", IPC_CONTROLLERS_ALL},
		{"cpuset memory pids\n", IPC_CONTROLLERS_SOME}, {"pids\n", IPC_CONTROLLERS_SOME},
		{"cpuset io\n", IPC_CONTROLLERS_NONE}, {"\n", IPC_CONTROLLERS_NONE},
		{"", IPC_CONTROLLERS_NONE}};
	char dir[] = "/tmp/qemud-controllers-XXXXXX";
	fd_auto int fd = -1;

	CHECK(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(census_controllers(-1) == IPC_CONTROLLERS_NONE);
	CHECK(census_controllers(fd) == IPC_CONTROLLERS_NONE);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		put_text(fd, "cgroup.subtree_control", cases[i].text);
		CHECK(census_controllers(fd) == cases[i].want);
	}
	CHECK(unlinkat(fd, "cgroup.subtree_control", 0) == 0 && rmdir(dir) == 0);
}

/* --- users -------------------------------------------------------------------------------- */

static void
test_user(void)
{
	AUTO(packet_fini) struct packet ping = {.size = 0};
	struct scene scene = set_scene(IPC_SOCKET_CTL);
	struct ipc_status_user_told told;
	struct vm vm;

	CHECK(user_told(&scene.view, ALICE, &told) == 0);
	CHECK(told.worker == IPC_WORKER_SERVES && told.reads == 1 && told.n_vms == 0);
	/* It was told something then, and has not read it. */
	CHECK(user_told(&scene.view, ALICE, &told) == 0 && told.reads == 0);
	expect(scene.alice.link, IPC_PING, &ping);
	expect_nothing(scene.alice.link);
	CHECK(user_told(&scene.view, ALICE, &told) == 0 && told.reads == 1);
	packet_fini(&ping);
	expect(scene.alice.link, IPC_PING, &ping);
	vm = vm_for(&scene.alice, ALICE, 1);
	CHECK(user_told(&scene.view, ALICE, &told) == 0);
	CHECK(told.n_vms == 1 && told.vcpus == 2 && told.memory_kib == 1048576);
	CHECK(told.overhead_kib == grant_of(1).overhead_kib);
	/* Whose worker there is not; and who was never here, but is an owner. */
	end_kid(&scene.bob);
	CHECK(user_told(&scene.view, BOB, &told) == 0 && told.worker == IPC_WORKER_NONE);
	CHECK(told.reads == 0 && told.n_connections == 0);
	CHECK(user_told(&scene.view, VM_UID, &told) == 0 && told.worker == IPC_WORKER_NONE);
	scene.bob = next_worker(BOB);
	CHECK(kill(vm.kid.pid, SIGTERM) == 0);
	reap(&vm.kid, SIGTERM);
	end_leaf(ALICE, vm.id, 1, 0);
	fd_close(&vm.sock);
	end_scene(&scene);
}

static void
test_limits(void)
{
	static const char rules[] = "allow everyone manage own\nlimit everyone vms 1 memory 2G\n"
				    "limit uid 2002 pids 100\nlimit host vms 9\n";
	struct scene scene = set_scene(IPC_SOCKET_CTL);
	struct ipc_status_limit_told told;
	struct vm vm = vm_for(&scene.alice, ALICE, 1);

	read_rules(rules);
	CHECK(limit_told(&scene.view, ALICE, IPC_LIMIT_VMS, &told) == 0);
	CHECK(told.used == 1 && told.max == 1);
	CHECK_STR(told.rule, "policy.conf:2");
	CHECK(limit_told(&scene.view, ALICE, IPC_LIMIT_MEMORY, &told) == 0);
	CHECK(told.used == 1048576 && told.max == 2 << 20);
	CHECK(limit_told(&scene.view, ALICE, IPC_LIMIT_VCPUS, &told) == 0);
	CHECK(told.used == 2 && told.max == UINT64_MAX && told.rule[0] == '\0');
	CHECK(limit_told(&scene.view, ALICE, IPC_LIMIT_VM_VCPUS, &told) == 0);
	CHECK(told.used == UINT64_MAX && told.max == UINT64_MAX);
	CHECK(limit_told(&scene.view, BOB, IPC_LIMIT_PIDS, &told) == 0);
	CHECK(told.used == UINT64_MAX && told.max == 100);
	CHECK_STR(told.rule, "policy.conf:3");
	CHECK(limit_told(&scene.view, BOB, IPC_LIMIT_CPU_WEIGHT, &told) == 0 && told.max == 100);
	CHECK(limit_told(&scene.view, VM_UID, IPC_LIMIT_VMS, &told) == 0);
	CHECK(told.used == 0 && told.max == 1);
	CHECK(limit_told(&scene.view, ALICE, IPC_LIMIT_CONNECTIONS, &told) == 0);
	CHECK(told.used == 0 && told.max == broker.config.user_connections);
	CHECK(limit_told(&scene.view, 0, IPC_LIMIT_HOST_VMS, &told) == 0);
	CHECK(told.used == 1 && told.max == 9);
	CHECK_STR(told.rule, "policy.conf:4");
	CHECK(limit_told(&scene.view, 0, IPC_LIMIT_HOST_MEMORY, &told) == 0);
	CHECK(told.used == grant_of(1).memory_kib + grant_of(1).overhead_kib);
	CHECK(limit_told(&scene.view, 0, IPC_LIMIT_HOST_CONNECTIONS, &told) == 0);
	CHECK(told.used == 1 && told.max == broker.max_conns);
	/* What grants leases says the same. */
	refused_in_words(&scene.alice, 2, NULL);
	/* The host's are for who sees everybody. */
	read_rules("allow everyone manage own\ndeny uid 0 view uid 2002\n");
	CHECK(limit_told(&scene.view, 0, IPC_LIMIT_HOST_VMS, &told) == -EACCES);
	CHECK(kill(vm.kid.pid, SIGTERM) == 0);
	reap(&vm.kid, SIGTERM);
	end_leaf(ALICE, vm.id, 1, 0);
	fd_close(&vm.sock);
	end_scene(&scene);
}

static void
test_vms(void)
{
	struct scene scene = set_scene(IPC_SOCKET_CTL);
	struct vm one = vm_for(&scene.alice, ALICE, 1), two = vm_for(&scene.alice, ALICE, 2);
	struct vm vms[] = {one, two};
	struct ipc_status_vm_told told;

	CHECK(vm_told(&scene.view, ALICE, 0, &told) == 0);
	CHECK(told.id == one.id && told.uuid[15] == 1 && told.state == IPC_VM_RUNS);
	CHECK(told.grant.vcpus == 2 && told.grant.memory_kib == 1048576);
	CHECK(vm_told(&scene.view, ALICE, one.id, &told) == 0 && told.id == two.id);
	CHECK(vm_told(&scene.view, ALICE, two.id, &told) == -ENOENT);
	CHECK(vm_told(&scene.view, ALICE, INT32_MAX, &told) == -ENOENT);
	CHECK(vm_told(&scene.view, BOB, 0, &told) == -ENOENT);
	leases_by_id(user_of(ALICE), one.id)->frozen = true;
	CHECK(vm_told(&scene.view, ALICE, 0, &told) == 0 && told.state == IPC_VM_STANDS);
	stop_lease(&scene.alice, one.id);
	CHECK(vm_told(&scene.view, ALICE, 0, &told) == 0 && told.state == IPC_VM_ENDS);
	for (unsigned i = 0; i < 2; i++) {
		if (i > 0)
			CHECK(kill(vms[i].kid.pid, SIGKILL) == 0);
		reap(&vms[i].kid, SIGKILL);
		end_leaf(ALICE, vms[i].id, (uint8_t)(i + 1), 0);
		fd_close(&vms[i].sock);
	}
	end_scene(&scene);
}

/* --- who may know what -------------------------------------------------------------------- */

/* Herself, always: though she is no owner, and may see nothing of her own. */
static void
test_own(void)
{
	struct ipc_status_user_told told;
	struct ipc_status_limit_told limit;
	struct ipc_status_vm_told vm;
	struct kid view;
	uint64_t conn;
	int client;

	stage_ready();
	client = connect_to(IPC_SOCKET_CTL, ALICE);
	resolve(ALICE);
	view = start_view_as(IPC_VIEW_CTL);
	conn = take_one(&view).conn_id;
	CHECK(user_told(&view, ALICE, &told) == 0 && told.n_connections == 1);
	CHECK(limit_told(&view, ALICE, IPC_LIMIT_VMS, &limit) == 0);
	CHECK(vm_told(&view, ALICE, 0, &vm) == -ENOENT);
	gone(&view, conn);
	fd_close(&client);
	end_kid(&view);
	stage_close();
}

/* Nor how many others have: what is hers by max_vms is told as if there was nobody else. */
static void
test_not_others(void)
{
	struct ipc_status_limit_told limit;
	struct scene scene = set_scene(IPC_SOCKET_CTL);
	int client = connect_to(IPC_SOCKET_CTL, ALICE);
	struct kid view = start_view_as(IPC_VIEW_CTL);
	uint64_t conn = take_one(&view).conn_id;
	struct vm vm;

	broker.config.max_vms = 9;
	CHECK(limit_told(&view, ALICE, IPC_LIMIT_VMS, &limit) == 0 && limit.max == 5);
	CHECK_STR(limit.rule, "at most half of max_vms in qemud.conf");
	CHECK(limit_told(&scene.view, ALICE, IPC_LIMIT_VMS, &limit) == 0 && limit.max == 5);
	vm = vm_for(&scene.bob, BOB, 1);
	CHECK(limit_told(&view, ALICE, IPC_LIMIT_VMS, &limit) == 0);
	CHECK(limit.max == 5 && limit.used == 0);
	CHECK_STR(limit.rule, "at most half of max_vms in qemud.conf");
	/* Who sees everybody is told what holds now. */
	CHECK(limit_told(&scene.view, ALICE, IPC_LIMIT_VMS, &limit) == 0 && limit.max == 4);
	CHECK_STR(limit.rule, "half of what other users leave of max_vms in qemud.conf");
	end_vm(&scene.bob, BOB, 1, &vm);
	gone(&view, conn);
	fd_close(&client);
	end_kid(&view);
	end_scene(&scene);
}

/* An owner whom she could see is no more for her to know. */
static void
test_lost(void)
{
	struct scene scene = set_scene(IPC_SOCKET_CTL);
	struct ipc_status_user_told told;
	struct ipc_status_limit_told limit;
	struct ipc_status_vm_told vm;

	read_rules("allow everyone manage own\ndeny uid 0 view uid 2002\n");
	CHECK(user_told(&scene.view, BOB, &told) == -EACCES);
	CHECK(limit_told(&scene.view, BOB, IPC_LIMIT_VMS, &limit) == -EACCES);
	CHECK(vm_told(&scene.view, BOB, 0, &vm) == -EACCES);
	CHECK(user_told(&scene.view, ALICE, &told) == 0);
	end_scene(&scene);
}

/* One who asks for what is not its own to ask is killed. */
static void
test_wrong(void)
{
	static const struct ipc_status_user bob = {.uid = BOB};
	static const struct ipc_status_vm bobs_vm = {.uid = BOB};
	static const struct ipc_status_limit bobs = {.uid = BOB, .limit = IPC_LIMIT_VMS};
	static const struct ipc_status_limit no_ones = {.uid = 0, .limit = IPC_LIMIT_VMS};
	static const struct ipc_status_limit hosts = {.uid = ALICE, .limit = IPC_LIMIT_HOST_VMS};
	struct ipc_channel channel = {.uid = ALICE};
	struct ipc_vm_stop stop = {.uid = ALICE, .id = 1};
	struct ipc_vm_freeze freeze = {.vm = stop, .on = 1};
	const struct {
		enum ipc_type type;
		const void *body;
		size_t size;
	} asks[] = {
		{IPC_STATUS_USER, &bob, sizeof bob},
		{IPC_STATUS_VM, &bobs_vm, sizeof bobs_vm},
		{IPC_STATUS_LIMIT, &bobs, sizeof bobs},
		{IPC_STATUS_LIMIT, &no_ones, sizeof no_ones},
		{IPC_STATUS_LIMIT, &hosts, sizeof hosts},
		{IPC_CHANNEL, &channel, sizeof channel},
		{IPC_VM_STOP, &stop, sizeof stop},
		{IPC_VM_FREEZE, &freeze, sizeof freeze},
	};
	struct kid alice;

	stage_ready();
	alice = idle_worker(ALICE);
	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
		struct kid view;
		uint64_t conn;
		int client;

		view = call(ALICE, &client, &conn);
		channel.conn_id = stop.conn_id = freeze.vm.conn_id = conn;
		say(view.link, (struct ipc_header){.type = (uint16_t)asks[i].type, .serial = 3},
			asks[i].body, asks[i].size, NULL, 0);
		turn();
		reap(&view, SIGKILL);
		fd_close(&client);
	}
	end_kid(&alice);
	stage_close();
}

/* Nor may a view of the host ask it, nor a worker. */
static void
test_others(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RO);
	struct ipc_status_user bob = {.uid = BOB};

	say(scene.alice.link, (struct ipc_header){.type = IPC_STATUS, .serial = 3}, NULL, 0, NULL,
		0);
	turn();
	reap(&scene.alice, SIGKILL);
	say(scene.view.link, (struct ipc_header){.type = IPC_STATUS_USER, .serial = 3}, &bob,
		sizeof bob, NULL, 0);
	turn();
	reap(&scene.view, SIGKILL);
	scene.alice = next_worker(ALICE);
	end_scene(&scene);
}

int
main(void)
{
	TEST("whoever calls qemudctl has a view of her own", test_route);
	TEST("whoever is refused is refused on that socket, too", test_refused);
	TEST("as many as there may be, and root", test_room);
	TEST("the host is told as it is, its sums to who sees everybody", test_host);
	TEST("which controllers there are is read where they are given", test_controllers);
	TEST("a user is told as she is, and whether her worker reads", test_user);
	TEST("limits are what leases are granted by", test_limits);
	TEST("what has a lease is told, one after the other", test_vms);
	TEST("everybody may know of herself", test_own);
	TEST("and nothing of what others have", test_not_others);
	TEST("whoever may be seen no more is nobody's to know", test_lost);
	TEST("a view that asks for more is killed", test_wrong);
	TEST("others have nothing to ask", test_others);
	return TEST_END();
}
