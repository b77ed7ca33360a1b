/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_growth.c: a virtual machine that runs is granted more within the limits, and less; what it
 * has counts, and while that changes the larger of both, whatever becomes of it.
 */
#include "broker/growth.h"

#include "tests/unit/broker_vms.h"

static uint32_t
ask_change(const struct kid *kid, uint32_t id, uint32_t vcpus, uint64_t memory_kib)
{
	struct ipc_lease_change body = {.id = id, .vcpus = vcpus, .memory_kib = memory_kib};

	say(kid->link, (struct ipc_header){.type = IPC_LEASE_CHANGE, .serial = ++next_serial},
		&body, sizeof body, NULL, 0);
	turn();
	return next_serial;
}

static void
expect_changed(const struct kid *kid, uint32_t serial, int err)
{
	AUTO(packet_fini) struct packet packet;

	expect(kid->link, IPC_LEASE_CHANGED, &packet);
	CHECK(header_of(&packet).serial == serial && header_of(&packet).err == err);
}

static void
expect_limit(uint32_t id, const struct ipc_grant *grant, struct packet *ask)
{
	struct ipc_leaf_limit want = {
		.leaf = {.uid = ALICE, .id = id, .uuid = {[15] = 1}}, .grant = *grant};

	expect(starter_fd, IPC_LEAF_LIMIT, ask);
	CHECK(memcmp(body_of(ask), &want, sizeof want) == 0);
}

/* What she has together. */
static void
has(uint64_t vcpus, uint64_t memory_kib)
{
	CHECK(user_of(ALICE)->leases.used.of[QUOTA_VCPUS] == vcpus);
	CHECK(user_of(ALICE)->leases.used.of[QUOTA_MEMORY] == memory_kib);
	CHECK(broker.leases.used.of[QUOTA_HOST_VCPUS] == vcpus);
}

/* lease_of(1): 2 processors, 1 GiB. */
enum { HALF = 524288, ONE = 1048576, TWO = 2097152 };

static void
test_more_and_less(void)
{
	AUTO(packet_fini) struct packet ask = {.n_fds = 0};
	struct ipc_grant first = grant_of(1), more = quota_regrant(&first, 3, TWO),
			 less = quota_regrant(&more, 4, HALF);
	struct kid alice, bob;
	uint32_t serial;
	struct vm vm;

	CHECK(more.overhead_kib == first.overhead_kib + 12 * 1024 + ONE / 128);
	stage_ready();
	alice = idle_worker(ALICE);
	bob = idle_worker(BOB);
	vm = vm_for(&alice, ALICE, 1);
	serial = ask_change(&alice, vm.id, 3, TWO);
	has(3, TWO);
	expect_limit(vm.id, &more, &ask);
	expect_nothing(alice.link);
	/* One at a time, and hers alone. */
	expect_changed(&alice, ask_change(&alice, vm.id, 1, ONE), -EBUSY);
	expect_changed(&bob, ask_change(&bob, vm.id, 1, ONE), -ENOENT);
	answer(starter_fd, &ask, NULL, 0, NULL, 0);
	expect_changed(&alice, serial, 0);
	has(3, TWO);
	/* More of one and less of the other: until it is so, the larger of both counts. */
	serial = ask_change(&alice, vm.id, 4, HALF);
	has(4, TWO);
	expect_limit(vm.id, &less, &ask);
	answer(starter_fd, &ask, NULL, 0, NULL, 0);
	expect_changed(&alice, serial, 0);
	has(4, HALF);
	/* It fails: all is as it was. */
	serial = ask_change(&alice, vm.id, 8, TWO);
	has(8, TWO);
	expect(starter_fd, IPC_LEAF_LIMIT, &ask);
	answer_error(starter_fd, &ask, -EBUSY, 0);
	expect_changed(&alice, serial, -EBUSY);
	has(4, HALF);
	end_kid(&vm.kid);
	end_leaf(ALICE, vm.id, 1, 0);
	turn();
	has(0, 0);
	CHECK(broker.leases.used.of[QUOTA_HOST_MEMORY] == 0);
	fd_close(&vm.sock);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

static void
test_limits(void)
{
	struct quota_amounts grown = {.of = {[QUOTA_VM_VCPUS] = 2, [QUOTA_VCPUS] = 2}}, used;
	struct quota_limits limits;
	struct quota_refusal why;
	struct kid alice;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	/* No more machines is no reason to give one less. */
	broker.config.max_vms = 1;
	CHECK(leases_decide(&broker.leases, user_of(ALICE), &user_of(ALICE)->leases.first->grant,
		      &grown, &why) == 0);
	/* What it has counts against what one machine may have. */
	quota_no_limits(&limits);
	limits.of[QUOTA_VM_VCPUS].max = 3;
	used = quota_of(&user_of(ALICE)->leases.first->grant);
	CHECK(quota_decide(&limits, &used, &grown) == QUOTA_VM_VCPUS);
	grown.of[QUOTA_VM_VCPUS] = 1;
	CHECK(quota_decide(&limits, &used, &grown) == QUOTA_N);
	end_vm(&alice, ALICE, 1, &vm);
	end_kid(&alice);
	stage_close();
}

static void
test_ends_meanwhile(void)
{
	AUTO(packet_fini) struct packet ask = {.n_fds = 0};
	struct kid alice, next;
	uint32_t serial;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	serial = ask_change(&alice, vm.id, 3, TWO);
	expect(starter_fd, IPC_LEAF_LIMIT, &ask);
	end_kid(&vm.kid);
	end_leaf(ALICE, vm.id, 1, 0);
	CHECK(user_of(ALICE)->leases.first == NULL);
	has(0, 0);
	{
		AUTO(packet_fini) struct packet gone;

		expect(alice.link, IPC_LEASE_GONE, &gone);
	}
	expect_changed(&alice, serial, -ENOENT);
	fd_close(&vm.sock);
	vm = vm_for(&alice, ALICE, 1);
	answer_error(starter_fd, &ask, -ENOENT, 0);
	expect_nothing(alice.link);
	has(2, ONE);

	/* Its worker ends: the next one is told nothing that it has not asked. */
	(void)ask_change(&alice, vm.id, 3, TWO);
	expect(starter_fd, IPC_LEAF_LIMIT, &ask);
	end_kid(&alice);
	next = worker(ALICE);
	answer(starter_fd, &ask, NULL, 0, NULL, 0);
	expect_nothing(next.link);
	has(3, TWO);
	expect_changed(&next, ask_change(&next, vm.id + 1, 3, TWO), -ENOENT);
	end_kid(&vm.kid);
	end_leaf(ALICE, vm.id, 1, 0);
	turn();
	has(0, 0);
	fd_close(&vm.sock);
	end_kid(&next);
	stage_close();
}

/* Each is work of the starter's, and a record. */
static void
test_pace(void)
{
	AUTO(packet_fini) struct packet ask = {.n_fds = 0};
	struct kid alice;
	uint32_t serial;
	unsigned n = 0;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	while (user_of(ALICE)->leases.changes.full_ns < loop_clock() + LOOP_S(4) - LOOP_MS(250)) {
		serial = ask_change(&alice, vm.id, 1 + n++ % 2, ONE);
		expect(starter_fd, IPC_LEAF_LIMIT, &ask);
		answer(starter_fd, &ask, NULL, 0, NULL, 0);
		expect_changed(&alice, serial, 0);
	}
	CHECK(n >= 15);
	user_of(ALICE)->leases.changes.full_ns = loop_clock() + LOOP_S(60);
	expect_changed(&alice, ask_change(&alice, vm.id, 1 + n % 2, ONE), -EAGAIN);
	expect_nothing(starter_fd);
	end_vm(&alice, ALICE, 1, &vm);
	end_kid(&alice);
	stage_close();
}

int
main(void)
{
	log_open("broker_growth", 0);
	TEST("more and less is granted, one change at a time, and counts", test_more_and_less);
	TEST("what it has already counts against its limits", test_limits);
	TEST("what ends meanwhile takes nothing along", test_ends_meanwhile);
	TEST("a worker that changes its mind all the time has to wait", test_pace);
	return TEST_END();
}
