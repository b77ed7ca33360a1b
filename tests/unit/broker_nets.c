/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is asked for the network of a VM goes to the worker that asked, for a VM of its user's that
 * runs, and in bounds; it outlives the worker, ends with the VM, and none is left.
 */
#include "broker/nets.h"

#include "tests/unit/broker_vms.h"
#include "tests/unit/descriptors.h"

static uint32_t
ask_net(const struct kid *kid, uint32_t id, enum ipc_net_kind kind)
{
	struct ipc_net body = {.id = id, .kind = kind};

	say(kid->link, (struct ipc_header){.type = IPC_NET, .serial = ++next_serial}, &body,
		sizeof body, NULL, 0);
	turn();
	return next_serial;
}

/* The worker is answered that. Returns the socket, or -1. */
static int
expect_net(const struct kid *kid, uint32_t serial, int err)
{
	AUTO(packet_fini) struct packet packet;

	expect(kid->link, IPC_NET_READY, &packet);
	CHECK(header_of(&packet).serial == serial && header_of(&packet).err == err);
	return take_fd(&packet.fds[0]);
}

static void
refused_net(const struct kid *kid, uint32_t id, enum ipc_net_kind kind, int err)
{
	CHECK(expect_net(kid, ask_net(kid, id, kind), err) < 0);
}

/* It is policy that refuses, by that line or for want of one. */
static void
refused_by(const struct kid *kid, uint32_t id, enum ipc_net_kind kind, const char *where)
{
	uint32_t serial = ask_net(kid, id, kind);
	AUTO(packet_fini) struct packet packet;
	char want[IPC_REASON_MAX];

	(void)snprintf(want, sizeof want,
		"this account has no network of kind user (%s); root of this host can change that",
		where);
	expect(kid->link, IPC_LEASE_REFUSED, &packet);
	CHECK_STR(((const struct ipc_lease_refused *)body_of(&packet))->why, want);
	CHECK(expect_net(kid, serial, -EPERM) < 0);
}

static struct kid
net_for(const struct kid *kid, uint32_t uid, uint32_t id, enum ipc_net_kind kind)
{
	uint32_t serial = ask_net(kid, id, kind);
	struct kid net = start_kid(IPC_BOX, uid);
	int sock = expect_net(kid, serial, 0);

	CHECK(sock >= 0 && is_alive(&net));
	fd_close(&sock);
	return net;
}

static void
none_left(uint32_t uid)
{
	struct user *user = user_of(uid);

	turn();
	CHECK(user->nets.n == 0);
	for (struct lease *lease = user->leases.first; lease; lease = lease->next)
		CHECK(!lease->nets);
}

static void
test_granted(void)
{
	static const struct {
		enum ipc_net_kind kind;
		uint32_t box;
	} kinds[] = {{IPC_NET_RELAY, IPC_BOX_RELAY}, {IPC_NET_PASST, IPC_BOX_PASST}};
	struct kid alice;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	for (unsigned i = 0; i < 2; i++) {
		struct ipc_box want = {.uid = ALICE,
			.kind = kinds[i].box,
			.n_files = NETS_FILES,
			.id = vm.id,
			.uuid = {[15] = 1}};
		AUTO(packet_fini) struct packet ask, through = {.n_fds = 0};
		struct kid net = {.pid = fork_idle(), .link = -1};
		struct ipc_started started = {.pid = (uint32_t)net.pid};
		uint32_t serial = ask_net(&alice, vm.id, kinds[i].kind);
		struct account account;
		int pair[2], fds[2], sock;

		expect(starter_fd, IPC_BOX, &ask);
		CHECK(memcmp(body_of(&ask), &want, sizeof want) == 0);
		CHECK(broker_read_account(ask.fds[0], &account) == 0 && account.uid == ALICE);
		CHECK(packet_pair(pair) == 0);
		fds[0] = pair[0];
		fds[1] = pidfd_open(net.pid, 0);
		answer(starter_fd, &ask, &started, sizeof started, fds, 2);
		fd_close(&fds[0]);
		fd_close(&fds[1]);
		net.link = pair[1];
		sock = expect_net(&alice, serial, 0);
		CHECK(packet_send(sock, "P", 1, NULL, 0) == 0 &&
			packet_recv(net.link, &through) == 0);
		/* The broker has no copy of it. */
		fd_close(&sock);
		expect_end(net.link);
		/* It ends by itself: the VM does not. */
		end_kid(&net);
		none_left(ALICE);
		CHECK(is_alive(&vm.kid));
	}
	end_vm(&alice, ALICE, 1, &vm);
	end_kid(&alice);
	stage_close();
}

static void
test_whose(void)
{
	struct kid alice, bob;
	struct vm vm;
	uint32_t serial;

	stage_ready();
	alice = idle_worker(ALICE);
	bob = idle_worker(BOB);
	refused_net(&alice, 1, IPC_NET_PASST, -ENOENT);
	/* Not yet a VM. */
	serial = ask_lease(&alice, 1);
	refused_net(&alice, user_of(ALICE)->leases.first->id, IPC_NET_PASST, -ENOENT);
	vm.kid = start_kid(IPC_BOX, ALICE);
	{
		struct kid seed = vm.kid;

		vm = expect_leased(&alice, serial, 0);
		vm.kid = seed;
	}
	refused_net(&bob, vm.id, IPC_NET_PASST, -ENOENT);
	refused_net(&alice, vm.id + 1, IPC_NET_PASST, -ENOENT);
	expect_nothing(starter_fd);
	/* Not a VM any more. */
	stop_lease(&alice, vm.id);
	refused_net(&alice, vm.id, IPC_NET_PASST, -ENOENT);
	reap(&vm.kid, SIGKILL);
	refused_net(&alice, vm.id, IPC_NET_RELAY, -ENOENT);
	end_leaf(ALICE, vm.id, 1, 0);
	expect_gone(&alice, vm.id);
	refused_net(&alice, vm.id, IPC_NET_RELAY, -ENOENT);
	fd_close(&vm.sock);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

static void
test_bounds(void)
{
	struct kid alice, relay, passts[NETS_PASSTS_MAX], other;
	struct vm vm, second;
	uint32_t serial;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	second = vm_for(&alice, ALICE, 2);
	relay = net_for(&alice, ALICE, vm.id, IPC_NET_RELAY);
	refused_net(&alice, vm.id, IPC_NET_RELAY, -EDQUOT);
	for (int i = 0; i < NETS_PASSTS_MAX; i++)
		passts[i] = net_for(&alice, ALICE, vm.id, IPC_NET_PASST);
	refused_net(&alice, vm.id, IPC_NET_PASST, -EDQUOT);
	other = net_for(&alice, ALICE, second.id, IPC_NET_PASST);
	expect_nothing(starter_fd);
	/* One that was asked for counts; one that has ended, or came to nothing, does not. */
	end_kid(&passts[0]);
	serial = ask_net(&alice, vm.id, IPC_NET_PASST);
	refused_net(&alice, vm.id, IPC_NET_PASST, -EDQUOT);
	{
		AUTO(packet_fini) struct packet ask;

		expect(starter_fd, IPC_BOX, &ask);
		answer_error(starter_fd, &ask, -EMFILE, sizeof(struct ipc_started));
		CHECK(expect_net(&alice, serial, -EMFILE) < 0);
	}
	passts[0] = net_for(&alice, ALICE, vm.id, IPC_NET_PASST);
	/* The VM ends: all of its own, and no others. */
	end_kid(&vm.kid);
	reap(&relay, SIGKILL);
	for (int i = 0; i < NETS_PASSTS_MAX; i++)
		reap(&passts[i], SIGKILL);
	end_leaf(ALICE, vm.id, 1, 0);
	expect_gone(&alice, vm.id);
	CHECK(is_alive(&other) && user_of(ALICE)->nets.n == 1);
	fd_close(&vm.sock);
	end_kid(&second.kid);
	reap(&other, SIGKILL);
	end_leaf(ALICE, second.id, 2, 0);
	expect_gone(&alice, second.id);
	fd_close(&second.sock);
	none_left(ALICE);
	end_kid(&alice);
	stage_close();
}

static void
test_refused(void)
{
	static const char rules[] = "allow everyone manage own\nnetwork uid 2001 none\n";
	static const char others[] = "allow everyone manage own\nnetwork uid 2002 user\n";
	struct kid alice;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	broker.config.network = CONFIG_NETWORK_NONE;
	refused_net(&alice, vm.id, IPC_NET_PASST, -EACCES);
	refused_net(&alice, vm.id, IPC_NET_RELAY, -EACCES);
	broker.config.network = CONFIG_NETWORK_USER;
	/* Her policy gives her none; on this host there is no file otherwise. */
	CHECK(policy_parse(broker.rulebook.now, "policy.conf", rules, strlen(rules)) == 0);
	refused_by(&alice, vm.id, IPC_NET_PASST, "policy.conf:2");
	refused_by(&alice, vm.id, IPC_NET_RELAY, "policy.conf:2");
	policy_clear(broker.rulebook.now);
	CHECK(policy_parse(broker.rulebook.now, "policy.conf", others, strlen(others)) == 0);
	refused_by(&alice, vm.id, IPC_NET_PASST, "no line of policy.conf gives it one");
	policy_clear(broker.rulebook.now);
	user_of(ALICE)->nets.pace.full_ns = loop_now(&broker.loop) + LOOP_S(3600);
	refused_net(&alice, vm.id, IPC_NET_PASST, -EAGAIN);
	user_of(ALICE)->nets.pace.full_ns = 0;
	/* The host has no place for one more. */
	broker.nets.n_touched = broker.nets.size;
	refused_net(&alice, vm.id, IPC_NET_PASST, -EAGAIN);
	broker.nets.n_touched = 0;
	/* She has as many as are left for all others. */
	user_of(ALICE)->nets.n = broker.nets.n = broker.nets.size / 2;
	refused_net(&alice, vm.id, IPC_NET_PASST, -EAGAIN);
	user_of(ALICE)->nets.n = broker.nets.n = 0;
	expect_nothing(starter_fd);
	end_vm(&alice, ALICE, 1, &vm);
	end_kid(&alice);
	stage_close();
}

static void
test_worker_ends(void)
{
	struct kid alice, runs, late;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	/* One runs; the starter is asked for another; a third waits for its turn. */
	runs = net_for(&alice, ALICE, vm.id, IPC_NET_RELAY);
	(void)ask_net(&alice, vm.id, IPC_NET_PASST);
	broker.starter.lanes[LANE_KNOWN].n_sent += LINK_ASKS_MAX;
	(void)ask_net(&alice, vm.id, IPC_NET_PASST);
	CHECK(user_of(ALICE)->nets.n == 3);
	end_kid(&alice);
	broker.starter.lanes[LANE_KNOWN].n_sent -= LINK_ASKS_MAX;
	late = start_kid(IPC_BOX, ALICE);
	/* What runs goes on, what nobody waits for any more does not. */
	turn();
	reap(&late, SIGKILL);
	alice = worker(ALICE);
	CHECK(is_alive(&runs) && is_alive(&vm.kid) && user_of(ALICE)->nets.n == 1);
	/* The next worker's are counted with it. */
	refused_net(&alice, vm.id, IPC_NET_RELAY, -EDQUOT);
	end_kid(&runs);
	runs = net_for(&alice, ALICE, vm.id, IPC_NET_RELAY);
	end_kid(&vm.kid);
	reap(&runs, SIGKILL);
	end_leaf(ALICE, vm.id, 1, 0);
	expect_gone(&alice, vm.id);
	none_left(ALICE);
	fd_close(&vm.sock);
	end_kid(&alice);
	stage_close();
}

static void
test_vm_ends_meanwhile(void)
{
	struct kid alice, late;
	struct vm vm;
	uint32_t serial;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	serial = ask_net(&alice, vm.id, IPC_NET_PASST);
	end_kid(&vm.kid);
	/* The answer comes after the end: nobody gets it, and it ends. */
	late = start_kid(IPC_BOX, ALICE);
	CHECK(expect_net(&alice, serial, -ENOENT) < 0);
	turn();
	reap(&late, SIGKILL);
	end_leaf(ALICE, vm.id, 1, 0);
	expect_gone(&alice, vm.id);
	none_left(ALICE);
	fd_close(&vm.sock);
	end_kid(&alice);
	stage_close();
}

static void
test_does_not_read(void)
{
	enum { MANY = 5000 };
	struct kid alice;
	struct vm vm;
	int n = 0;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	while (n++ < MANY && user_of(ALICE)->child.state == CHILD_SERVING)
		(void)ask_net(&alice, vm.id + 1, IPC_NET_PASST);
	CHECK(n < MANY);
	reap(&alice, SIGKILL);
	alice = worker(ALICE);
	end_vm(&alice, ALICE, 1, &vm);
	end_kid(&alice);
	stage_close();
}

static void
test_refuser(void)
{
	stage_ready();
	(void)ask_net(&refuser, 1, IPC_NET_PASST);
	reap(&refuser, SIGKILL);
	stage_close();
}

static unsigned n_at_start;

static void
test_nothing_left(void)
{
	CHECK(n_descriptors() == n_at_start);
}

int
main(void)
{
	log_open("broker_nets", 0);
	n_at_start = n_descriptors();
	TEST("relay and passt go to the worker that asked, once", test_granted);
	TEST("they are for a VM of one's own that runs", test_whose);
	TEST("a VM has one relay and eight passts at a time, and they end with it", test_bounds);
	TEST("none where the host has none to give, and none too often", test_refused);
	TEST("what runs outlives its worker, what was asked for does not", test_worker_ends);
	TEST("a VM that ends meanwhile leaves none behind", test_vm_ends_meanwhile);
	TEST("a worker that does not read its answers is killed", test_does_not_read);
	TEST("the refuser may not ask for one", test_refuser);
	TEST("no descriptor is left", test_nothing_left);
	return TEST_END();
}
