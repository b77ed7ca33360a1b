/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_leases.c: a virtual machine is its user's from the ask until nothing of it runs; nobody
 * else can have it, end it or see it.
 */
#include "broker/leases.h"

#include "broker/wishes.h"
#include "protocol/ipc/account.h"
#include "tests/unit/broker_vms.h"
#include "tests/unit/descriptors.h"

/* --- a life ------------------------------------------------------------------------------- */

static void
test_granted(void)
{
	AUTO(packet_fini) struct packet ask, through = {.n_fds = 0};
	struct ipc_started started;
	struct account account;
	struct ipc_box want = {.uid = ALICE,
		.kind = IPC_BOX_VM,
		.n_files = LEASES_FILES,
		.id = 1,
		.uuid = {[15] = 7},
		.grant = grant_of(7),
		.share = {.tasks = INT32_MAX, .cpu_weight = 100}};
	struct vm vm, second, seed = running(1);
	struct kid alice;
	int pair[2], fds[2];
	uint32_t serial;

	stage_ready();
	alice = idle_worker(ALICE);
	serial = ask_lease(&alice, 7);
	expect(starter_fd, IPC_BOX, &ask);
	CHECK(memcmp(body_of(&ask), &want, sizeof want) == 0);
	CHECK(broker_read_account(ask.fds[0], &account) == 0 && account.uid == ALICE);
	expect_nothing(alice.link);

	CHECK(packet_pair(pair) == 0);
	started = (struct ipc_started){.pid = (uint32_t)seed.kid.pid};
	fds[0] = pair[0];
	fds[1] = pidfd_open(seed.kid.pid, 0);
	answer(starter_fd, &ask, &started, sizeof started, fds, 2);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	vm = expect_leased(&alice, serial, 0);
	CHECK(vm.id == 1 && vm.kid.pid == seed.kid.pid);
	CHECK(packet_send(vm.sock, "P", 1, NULL, 0) == 0 && packet_recv(pair[1], &through) == 0);
	CHECK(through.size == 1 && through.data[0] == 'P');
	/* The broker has no copy of it. */
	fd_close(&vm.sock);
	expect_end(pair[1]);
	fd_close(&pair[1]);

	second = vm_for(&alice, ALICE, 8);
	CHECK(second.id == 2);
	/* It is over when the starter says so, and not before. */
	end_kid(&seed.kid);
	expect_nothing(alice.link);
	end_leaf(ALICE, 1, 7, 0);
	expect_gone(&alice, 1);
	CHECK(is_alive(&second.kid) && user_of(ALICE)->leases.first);
	end_vm(&alice, ALICE, 8, &second);
	CHECK(!user_of(ALICE)->leases.first && is_alive(&alice));
	expect_nothing(starter_fd);
	end_kid(&alice);
	expect_nothing(starter_fd);
	stage_close();
}

static void
test_once(void)
{
	AUTO(packet_fini) struct packet ask;
	struct kid alice, bob, seed;
	struct vm vm, bobs;
	uint32_t serial;

	stage_ready();
	alice = idle_worker(ALICE);
	bob = idle_worker(BOB);
	/* While it is asked for, while it runs, and until nothing of it is left. */
	serial = ask_lease(&alice, 1);
	refused(&alice, 1, -EEXIST);
	seed = start_kid(IPC_BOX, ALICE);
	vm = expect_leased(&alice, serial, 0);
	refused(&alice, 1, -EEXIST);
	/* Who has copied the UUID is no concern of hers. */
	bobs = vm_for(&bob, BOB, 1);
	CHECK(bobs.id == vm.id + 1);
	end_kid(&seed);
	refused(&alice, 1, -EEXIST);
	expect_leaf_end(ALICE, vm.id, 1, &ask);
	refused(&alice, 1, -EEXIST);
	leaf_ended_how(&ask, IPC_GONE_ENDED);
	expect_gone(&alice, vm.id);
	fd_close(&vm.sock);
	/* Then it may again, under an id that nobody had. */
	vm = vm_for(&alice, ALICE, 1);
	CHECK(vm.id == bobs.id + 1);
	end_vm(&alice, ALICE, 1, &vm);
	end_vm(&bob, BOB, 1, &bobs);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

static void
test_ids_wrap(void)
{
	struct vm first, last, next;
	struct kid alice;

	stage_ready();
	alice = idle_worker(ALICE);
	first = vm_for(&alice, ALICE, 1);
	broker.leases.last_id = INT32_MAX - 1;
	last = vm_for(&alice, ALICE, 2);
	next = vm_for(&alice, ALICE, 3);
	CHECK(first.id == 1 && last.id == INT32_MAX && next.id == 2);
	CHECK(next_lease(&alice, 0).id == 1 && next_lease(&alice, 1).id == 2);
	CHECK(next_lease(&alice, 2).id == INT32_MAX && next_lease(&alice, INT32_MAX).id == 0);
	end_vm(&alice, ALICE, 1, &first);
	end_vm(&alice, ALICE, 2, &last);
	end_vm(&alice, ALICE, 3, &next);
	end_kid(&alice);
	stage_close();
}

static void
test_cannot_start(void)
{
	AUTO(packet_fini) struct packet ask;
	struct kid alice;
	uint32_t serial;

	stage_ready();
	alice = idle_worker(ALICE);
	serial = ask_lease(&alice, 1);
	expect(starter_fd, IPC_BOX, &ask);
	answer_error(starter_fd, &ask, -EMFILE, sizeof(struct ipc_started));
	CHECK(expect_leased(&alice, serial, -EMFILE).sock < 0);
	expect_gone(&alice, 1);
	CHECK(!user_of(ALICE)->leases.first);
	expect_nothing(starter_fd);
	end_kid(&alice);
	expect_nothing(starter_fd);
	stage_close();
}

/* --- LEASE_STOP, LEASE_NEXT --------------------------------------------------------------- */

static void
test_stop(void)
{
	struct kid alice, bob;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	bob = idle_worker(BOB);
	vm = vm_for(&alice, ALICE, 1);
	/* No id but one of her own does anything. */
	stop_lease(&bob, vm.id);
	stop_lease(&alice, vm.id + 1);
	CHECK(is_alive(&vm.kid) && is_alive(&alice) && is_alive(&bob));
	stop_lease(&alice, vm.id);
	reap(&vm.kid, SIGKILL);
	stop_lease(&alice, vm.id);
	end_leaf(ALICE, vm.id, 1, 0);
	expect_gone(&alice, vm.id);
	stop_lease(&alice, vm.id);
	expect_nothing(alice.link);
	expect_nothing(starter_fd);
	fd_close(&vm.sock);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

static void
test_stop_asked(void)
{
	uint32_t serial, id;
	struct kid alice, seed;

	stage_ready();
	alice = idle_worker(ALICE);
	/* The starter makes it: it ends as soon as it is there. */
	serial = ask_lease(&alice, 1);
	id = next_lease(&alice, 0).id;
	CHECK(id == 1);
	stop_lease(&alice, id);
	seed = start_kid(IPC_BOX, ALICE);
	CHECK(expect_leased(&alice, serial, -ECANCELED).sock < 0);
	reap(&seed, SIGKILL);
	end_leaf(ALICE, id, 1, 0);
	expect_gone(&alice, id);
	/* The starter has not been asked yet: it never is. */
	broker.starter.lanes[LANE_KNOWN].n_sent += LINK_ASKS_MAX;
	serial = ask_lease(&alice, 1);
	id = next_lease(&alice, 0).id;
	stop_lease(&alice, id);
	broker.starter.lanes[LANE_KNOWN].n_sent -= LINK_ASKS_MAX;
	loop_defer(&broker.loop, &broker.starter.sending, broker.starter.sending.fn);
	CHECK(expect_leased(&alice, serial, -ECANCELED).sock < 0);
	expect_gone(&alice, id);
	expect_nothing(starter_fd);
	end_kid(&alice);
	stage_close();
}

static void
test_next(void)
{
	struct ipc_lease_found first, asked;
	struct kid alice, bob, seed;
	struct vm a, b, c;
	uint32_t serial;

	stage_ready();
	alice = idle_worker(ALICE);
	bob = idle_worker(BOB);
	CHECK(next_lease(&alice, 0).id == 0);
	a = vm_for(&alice, ALICE, 1);
	b = vm_for(&bob, BOB, 2);
	serial = ask_lease(&alice, 3);
	first = next_lease(&alice, 0);
	CHECK(first.id == a.id && first.pid == (uint32_t)a.kid.pid && first.uuid[15] == 1);
	asked = next_lease(&alice, first.id);
	CHECK(asked.id == b.id + 1 && asked.pid == 0 && asked.uuid[15] == 3);
	/* What each was granted is said: lease_of(). */
	CHECK(first.vcpus == grant_of(1).vcpus && first.memory_kib == grant_of(1).memory_kib);
	CHECK(asked.vcpus == grant_of(3).vcpus && asked.memory_kib == grant_of(3).memory_kib);
	CHECK(next_lease(&alice, asked.id).id == 0);
	CHECK(next_lease(&bob, 0).id == b.id && next_lease(&bob, b.id).id == 0);
	seed = start_kid(IPC_BOX, ALICE);
	c = expect_leased(&alice, serial, 0);
	CHECK(c.id == asked.id);
	c.kid = seed;
	CHECK(next_lease(&alice, a.id).pid == (uint32_t)c.kid.pid);
	/* One that ends is there until it is gone. */
	end_kid(&a.kid);
	CHECK(next_lease(&alice, 0).id == a.id);
	end_leaf(ALICE, a.id, 1, 0);
	expect_gone(&alice, a.id);
	CHECK(next_lease(&alice, 0).id == c.id);
	fd_close(&a.sock);
	end_vm(&bob, BOB, 2, &b);
	end_vm(&alice, ALICE, 3, &c);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

/* --- its end ------------------------------------------------------------------------------ */

static void
test_busy(void)
{
	static const int errors[] = {-EBUSY, -EIO, -EBUSY};
	struct lease *lease;
	struct kid alice;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	lease = user_of(ALICE)->leases.first;
	CHECK(uses(ALICE, 1));
	end_kid(&vm.kid);
	for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++) {
		uint64_t now = loop_now(&broker.loop);

		end_leaf(ALICE, vm.id, 1, errors[i]);
		expect_nothing(alice.link);
		expect_nothing(starter_fd);
		CHECK(uses(ALICE, 1));
		CHECK(lease->state == LEASE_ENDING && timer_is_set(&lease->retry));
		CHECK(lease->retry.node.key >= now + LOOP_S(LEASES_RETRY_S));
		refused(&alice, 1, -EEXIST);
		be_due(&lease->retry);
	}
	end_leaf(ALICE, vm.id, 1, 0);
	expect_gone(&alice, vm.id);
	CHECK(!timer_is_set(&lease->retry) && !user_of(ALICE)->leases.first);
	fd_close(&vm.sock);
	end_kid(&alice);
	stage_close();
}

static void
test_idle(void)
{
	struct kid alice;
	struct vm vm;
	uint32_t serial;

	stage_ready();
	alice = idle_worker(ALICE);
	serial = ask_lease(&alice, 1);
	ask_idle(&alice, false);
	vm.kid = start_kid(IPC_BOX, ALICE);
	vm = (struct vm){vm.kid, 1, expect_leased(&alice, serial, 0).sock};
	ask_idle(&alice, false);
	end_kid(&vm.kid);
	ask_idle(&alice, false);
	end_leaf(ALICE, vm.id, 1, 0);
	expect_gone(&alice, vm.id);
	ask_idle(&alice, true);
	/* Who was let go gets none. */
	refused(&alice, 1, -ESHUTDOWN);
	fd_close(&vm.sock);
	end_kid(&alice);
	expect_nothing(starter_fd);
	stage_close();
}

/* The starter cannot limit what the site wants limited: in words. */
static void
test_cannot_be_limited(void)
{
	AUTO(packet_fini) struct packet ask = {.n_fds = 0}, packet = {.n_fds = 0};
	struct kid alice;
	uint32_t serial;

	stage_ready();
	alice = idle_worker(ALICE);
	broker.config.limits = CONFIG_LIMITS_ENFORCE;
	serial = ask_lease(&alice, 1);
	expect(starter_fd, IPC_BOX, &ask);
	answer_error(starter_fd, &ask, -EOPNOTSUPP, sizeof(struct ipc_started));
	expect(alice.link, IPC_LEASE_REFUSED, &packet);
	CHECK(strstr(((const struct ipc_lease_refused *)body_of(&packet))->why,
		"limits = enforce in qemud.conf"));
	CHECK(expect_leased(&alice, serial, -EDQUOT).sock < 0);
	expect_gone(&alice, 1);
	CHECK(uses(ALICE, 0));
	end_kid(&alice);
	stage_close();
}

/* --- bounds ------------------------------------------------------------------------------- */

static void
test_pace(void)
{
	struct user *user;
	struct kid alice;

	stage_ready();
	alice = idle_worker(ALICE);
	user = user_of(ALICE);
	/* Thirty-two at once, even such as come to nothing. */
	for (int i = 0; i < 32; i++) {
		AUTO(packet_fini) struct packet ask;
		uint32_t serial = ask_lease(&alice, 1);

		expect(starter_fd, IPC_BOX, &ask);
		answer_error(starter_fd, &ask, -EMFILE, sizeof(struct ipc_started));
		CHECK(expect_leased(&alice, serial, -EMFILE).sock < 0);
		expect_gone(&alice, (uint32_t)i + 1);
	}
	CHECK(user->leases.pace.full_ns > loop_now(&broker.loop));
	user->leases.pace.full_ns = loop_now(&broker.loop) + LOOP_S(3600);
	refused(&alice, 1, -EAGAIN);
	expect_nothing(starter_fd);
	end_kid(&alice);
	stage_close();
}

static void
test_full(void)
{
	static const char words[] = "limit vms (half of what other users leave of max_vms in "
				    "qemud.conf): 0 in use, 1 more asked for; root of this host "
				    "can change it";
	struct kid alice, bob;
	struct vm a, b;

	stage_ready();
	broker.config.max_vms = 2;
	alice = idle_worker(ALICE);
	bob = idle_worker(BOB);
	a = vm_for(&alice, ALICE, 1);
	b = vm_for(&bob, BOB, 1);
	refused_in_words(&alice, 2,
		"limit vms (half of what other users leave of max_vms in "
		"qemud.conf): 1 in use, 1 more asked for; root of this host "
		"can change it");
	refused_in_words(&bob, 2, NULL);
	broker.config.max_vms = 1;
	end_vm(&bob, BOB, 1, &b);
	refused_in_words(&bob, 2, words);
	expect_nothing(starter_fd);
	/* There is room again when one is gone. */
	end_vm(&alice, ALICE, 1, &a);
	a = vm_for(&alice, ALICE, 2);
	end_vm(&alice, ALICE, 2, &a);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

/* Whoever has many leaves as many to the others. */
static void
test_nobody_takes_all(void)
{
	struct vm alices[4], bobs[2];
	struct kid alice, bob;

	stage_ready();
	broker.config.max_vms = 8;
	alice = idle_worker(ALICE);
	bob = idle_worker(BOB);
	for (uint8_t i = 0; i < 4; i++)
		alices[i] = vm_for(&alice, ALICE, i);
	refused_in_words(&alice, 4, NULL);
	for (uint8_t i = 0; i < 2; i++)
		bobs[i] = vm_for(&bob, BOB, i);
	refused_in_words(&bob, 2, NULL);
	/* One ends, and it is hers to start until she has as many as are left. */
	end_vm(&alice, ALICE, 0, &alices[0]);
	refused_in_words(&alice, 0, NULL);
	end_vm(&bob, BOB, 0, &bobs[0]);
	end_vm(&bob, BOB, 1, &bobs[1]);
	alices[0] = vm_for(&alice, ALICE, 0);
	for (uint8_t i = 0; i < 4; i++)
		end_vm(&alice, ALICE, i, &alices[i]);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

/* What is refused takes nothing, and is refused at once however often it is asked for. */
static void
test_refused_at_once(void)
{
	enum { MANY = 100 };
	struct kid alice;
	struct vm vm;

	stage_ready();
	broker.config.max_vms = 1;
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 0);
	for (uint8_t i = 1; i <= MANY; i++)
		refused_in_words(&alice, i, NULL);
	CHECK(uses(ALICE, 1));
	expect_nothing(starter_fd);
	end_vm(&alice, ALICE, 0, &vm);
	CHECK(uses(ALICE, 0));
	end_kid(&alice);
	stage_close();
}

/* Reads what it was answered. Returns how often it was refused; fd is that of what was granted. */
static unsigned
read_answers(const struct kid *kid, uint32_t *ret_serial, int *ret_fd)
{
	unsigned n_refused = 0;

	for (;;) {
		AUTO(packet_fini) struct packet packet;

		if (packet_recv(kid->link, &packet) != 0)
			return n_refused;
		if (header_of(&packet).type != IPC_LEASED)
			continue;
		n_refused += header_of(&packet).err == -EDQUOT;
		if (header_of(&packet).err == 0) {
			CHECK(*ret_fd < 0);
			*ret_serial = header_of(&packet).serial;
			*ret_fd = take_fd(&packet.fds[0]);
		}
	}
}

/* Of what is asked for before anything is answered, as much is granted as there is room for. */
static void
test_at_once(void)
{
	enum { MANY = 100, AT_ONCE = 50 };
	uint32_t first = next_serial + 1, granted = 0;
	unsigned n_refused = 0;
	struct kid alice, seed;
	struct vm vm;
	int fd = -1;

	stage_ready();
	broker.config.max_vms = 1;
	alice = idle_worker(ALICE);
	for (unsigned i = 0; i < MANY; i++) {
		struct ipc_lease body = lease_of((uint8_t)i);

		say(alice.link, (struct ipc_header){.type = IPC_LEASE, .serial = ++next_serial},
			&body, sizeof body, NULL, 0);
		if (i % AT_ONCE == AT_ONCE - 1) {
			turn();
			n_refused += read_answers(&alice, &granted, &fd);
		}
	}
	CHECK(n_refused == MANY - 1 && fd < 0 && uses(ALICE, 1));
	seed = start_kid(IPC_BOX, ALICE);
	turn();
	n_refused += read_answers(&alice, &granted, &fd);
	CHECK(n_refused == MANY - 1 && fd >= 0 && granted == first);
	expect_nothing(starter_fd);
	vm = (struct vm){seed, 1, fd};
	end_vm(&alice, ALICE, 0, &vm);
	CHECK(uses(ALICE, 0));
	end_kid(&alice);
	stage_close();
}

/* Ends that take the starter their time are asked for, and keep it from nothing else. */
static void
test_ends_hold_nobody_up(void)
{
	enum { MANY = LINK_ASKS_MAX + 8 };
	struct packet asks[MANY];
	struct vm vms[MANY], vm;
	struct kid alice, bob;

	stage_ready();
	alice = idle_worker(ALICE);
	for (uint8_t i = 0; i < MANY; i++) {
		user_of(ALICE)->leases.pace.full_ns = 0;
		vms[i] = vm_for(&alice, ALICE, i);
	}
	for (unsigned i = 0; i < MANY; i++)
		end_kid(&vms[i].kid);
	for (unsigned i = 0; i < STARTER_ENDS_MAX; i++)
		expect(starter_fd, IPC_LEAF_END, &asks[i]);
	expect_nothing(starter_fd);
	bob = idle_worker(BOB);
	vm = vm_for(&bob, BOB, 1);
	/* Each that is answered makes room for another. */
	for (unsigned i = 0; i < MANY; i++) {
		leaf_ended_how(&asks[i], IPC_GONE_ENDED);
		turn();
		if (i + STARTER_ENDS_MAX < MANY)
			expect(starter_fd, IPC_LEAF_END, &asks[i + STARTER_ENDS_MAX]);
		fd_close(&vms[i].sock);
	}
	CHECK(!user_of(ALICE)->leases.first && uses(ALICE, 0));
	end_vm(&bob, BOB, 1, &vm);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

static void
test_does_not_read(void)
{
	enum { MANY = 5000 };
	struct ipc_lease_next body = {.after = 0};
	struct kid alice;
	struct vm vm;
	int n = 0;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	while (n < MANY && user_of(ALICE)->child.state == CHILD_SERVING) {
		say(alice.link, (struct ipc_header){.type = IPC_LEASE_NEXT, .serial = 1}, &body,
			sizeof body, NULL, 0);
		turn();
		n++;
	}
	CHECK(n < MANY);
	reap(&alice, SIGKILL);
	CHECK(is_alive(&vm.kid));
	/* One that does not hear of an end: the next one asks. */
	alice = worker(ALICE);
	while (packet_send(user_of(ALICE)->child.link.fd, "x", 1, NULL, 0) == 0) {}
	end_kid(&vm.kid);
	end_leaf(ALICE, vm.id, 1, 0);
	reap(&alice, SIGKILL);
	CHECK(!user_of(ALICE)->leases.first);
	expect_nothing(starter_fd);
	fd_close(&vm.sock);
	stage_close();
}

/* What it was given is in flight as long as it does not read, though the leases are over. */
static void
test_in_flight(void)
{
	enum { MANY = WISHES_UNREAD_FDS + 8 };
	unsigned n_given = 0, n_refused = 0;
	struct kid alice;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	for (unsigned i = 0; i < MANY; i++) {
		struct kid seed;
		uint32_t id;

		user_of(ALICE)->leases.pace.full_ns = 0;
		(void)ask_lease(&alice, 1);
		id = user_of(ALICE)->leases.first->id;
		seed = start_kid(IPC_BOX, ALICE);
		turn();
		/* One that was not granted has been killed already. */
		CHECK(kill(seed.pid, SIGKILL) == 0);
		reap(&seed, SIGKILL);
		end_leaf(ALICE, id, 1, 0);
	}
	CHECK(user_of(ALICE)->child.state == CHILD_SERVING);
	for (unsigned i = 0; i < 2 * MANY; i++) {
		AUTO(packet_fini) struct packet packet;

		CHECK(packet_recv(alice.link, &packet) == 0);
		if (header_of(&packet).type != IPC_LEASED)
			continue;
		CHECK(header_of(&packet).err == 0 || header_of(&packet).err == -EAGAIN);
		n_given += header_of(&packet).err == 0;
		n_refused += header_of(&packet).err != 0;
	}
	CHECK(n_given >= 16 && n_given < WISHES_UNREAD_FDS && n_refused == MANY - n_given);
	/* When it has read all there is more. */
	user_of(ALICE)->leases.pace.full_ns = 0;
	vm = vm_for(&alice, ALICE, 1);
	end_vm(&alice, ALICE, 1, &vm);
	end_kid(&alice);
	stage_close();
}

static void
test_refuser(void)
{
	stage_ready();
	(void)ask_lease(&refuser, 1);
	reap(&refuser, SIGKILL);
	stage_close();
	stage_ready();
	stop_lease(&refuser, 1);
	reap(&refuser, SIGKILL);
	stage_close();
	stage_ready();
	say(refuser.link, (struct ipc_header){.type = IPC_LEASE_NEXT, .serial = 1},
		&(struct ipc_lease_next){.after = 0}, sizeof(struct ipc_lease_next), NULL, 0);
	turn();
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
	log_open("broker_leases", 0);
	n_at_start = n_descriptors();
	TEST("a seed goes to the worker that asked; the lease ends with its leaf", test_granted);
	TEST("what has a lease gets no second one until nothing of it is left", test_once);
	TEST("past the largest id come those that are not in use", test_ids_wrap);
	TEST("what cannot be started leaves nothing", test_cannot_start);
	TEST("a user ends her own, and nobody else's", test_stop);
	TEST("what is stopped before it is there ends when it comes", test_stop_asked);
	TEST("a user's leases are told one after the other, and no others", test_next);
	TEST("what cannot be ended yet is tried again, and is not over before", test_busy);
	TEST("a worker stays while its user has leases", test_idle);
	TEST("what cannot be limited though it must is refused in words", test_cannot_be_limited);
	TEST("who asks too often is told so", test_pace);
	TEST("a host that has as many as it may says so", test_full);
	TEST("no user can have all of them", test_nobody_takes_all);
	TEST("what is refused takes nothing, and is refused at once", test_refused_at_once);
	TEST("a hundred at once at limit minus one: one is granted", test_at_once);
	TEST("what takes long to end holds nobody up", test_ends_hold_nobody_up);
	TEST("a worker that does not read is killed, and its VMs go on", test_does_not_read);
	TEST("one that does not read has few descriptors in flight", test_in_flight);
	TEST("the refuser may not speak of leases", test_refuser);
	TEST("no descriptor is left", test_nothing_left);
	return TEST_END();
}
