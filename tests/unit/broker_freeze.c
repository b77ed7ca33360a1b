/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_freeze.c: a virtual machine ends, stands still and goes on without its user's worker; how it
 * ended is told.
 */
#include "broker/leases.h"

#include "tests/unit/broker_vms.h"

/* What the kernel had to do with its end, and what somebody else had, is told. */
static void
test_how_it_ended(void)
{
	static const enum ipc_gone hows[] = {IPC_GONE_MEMORY, IPC_GONE_HOST_MEMORY};
	AUTO(packet_fini) struct packet ask = {.n_fds = 0};
	struct kid alice;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	for (size_t i = 0; i < 2; i++) {
		vm = vm_for(&alice, ALICE, 1);
		end_kid(&vm.kid);
		expect_leaf_end(ALICE, vm.id, 1, &ask);
		leaf_ended_how(&ask, hows[i]);
		expect_gone_how(&alice, vm.id, hows[i]);
		fd_close(&vm.sock);
	}
	CHECK(leases_force_stop(user_of(ALICE), vm.id) == -ENOENT);
	vm = vm_for(&alice, ALICE, 1);
	CHECK(leases_force_stop(user_of(ALICE), vm.id) == 0);
	CHECK(leases_force_stop(user_of(ALICE), vm.id + 1) == -ENOENT);
	reap(&vm.kid, SIGKILL);
	/* Its memory has nothing to do with that. */
	end_leaf(ALICE, vm.id, 1, 0);
	expect_gone_how(&alice, vm.id, IPC_GONE_STOPPED);
	fd_close(&vm.sock);
	end_kid(&alice);
	stage_close();
}

/* Her worker stands still, reads nothing and does nothing: it ends all the same. */
static void
test_stopped_without_worker(void)
{
	struct kid alice;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	CHECK(kill(alice.pid, SIGSTOP) == 0);
	while (packet_send(user_of(ALICE)->child.link.fd, "x", 1, NULL, 0) == 0) {}
	CHECK(leases_force_stop(user_of(ALICE), vm.id) == 0);
	reap(&vm.kid, SIGKILL);
	end_leaf(ALICE, vm.id, 1, 0);
	CHECK(!user_of(ALICE)->leases.first && uses(ALICE, 0));
	reap(&alice, SIGKILL); /* it does not read what it is told */
	fd_close(&vm.sock);
	stage_close();
}

static unsigned n_frozen;
static int frozen_err;

static void
frozen(void *arg, int err)
{
	CHECK(arg == &n_frozen);
	n_frozen++;
	frozen_err = err;
}

/* The starter is asked for that. */
static void
expect_freeze(uint32_t id, uint8_t n, bool on, struct packet *ask)
{
	struct ipc_leaf_freeze want = {
		.leaf = {.uid = ALICE, .id = id, .uuid = {[15] = n}}, .on = on};

	expect(starter_fd, IPC_LEAF_FREEZE, ask);
	CHECK(memcmp(body_of(ask), &want, sizeof want) == 0);
}

static void
test_freeze(void)
{
	AUTO(packet_fini) struct packet ask = {.n_fds = 0};
	struct kid alice;
	struct user *user;
	struct vm vm, next;

	stage_ready();
	alice = idle_worker(ALICE);
	user = user_of(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	CHECK(leases_freeze(user, vm.id + 1, true, frozen, &n_frozen) == -ENOENT);
	CHECK(leases_freeze(user, vm.id, true, frozen, &n_frozen) == 0);
	expect_freeze(vm.id, 1, true, &ask);
	CHECK(leases_freeze(user, vm.id, false, frozen, &n_frozen) == -EBUSY && n_frozen == 0);
	answer(starter_fd, &ask, NULL, 0, NULL, 0);
	turn();
	CHECK(n_frozen == 1 && frozen_err == 0);
	CHECK(leases_freeze(user, vm.id, false, frozen, &n_frozen) == 0);
	expect_freeze(vm.id, 1, false, &ask);
	answer_error(starter_fd, &ask, -ENOENT, 0);
	turn();
	CHECK(n_frozen == 2 && frozen_err == -EOPNOTSUPP);
	expect_nothing(alice.link);

	/* It is over before that is answered: the next one is another. */
	CHECK(leases_freeze(user, vm.id, true, frozen, &n_frozen) == 0);
	expect_freeze(vm.id, 1, true, &ask);
	CHECK(leases_force_stop(user, vm.id) == 0);
	reap(&vm.kid, SIGKILL);
	CHECK(leases_freeze(user, vm.id, true, frozen, &n_frozen) == -ENOENT ||
		leases_freeze(user, vm.id, true, frozen, &n_frozen) == -EBUSY);
	end_leaf(ALICE, vm.id, 1, 0);
	expect_gone_how(&alice, vm.id, IPC_GONE_STOPPED);
	fd_close(&vm.sock);
	next = vm_for(&alice, ALICE, 1);
	CHECK(next.id == vm.id + 1);
	answer_error(starter_fd, &ask, -ENOENT, 0);
	turn();
	CHECK(n_frozen == 3 && frozen_err == -ESRCH && leases_by_id(user, next.id));
	/* And before it is asked for: it is not asked for. */
	broker.starter.lanes[LANE_KNOWN].n_sent += LINK_ASKS_MAX;
	CHECK(leases_freeze(user, next.id, true, frozen, &n_frozen) == 0);
	end_vm(&alice, ALICE, 1, &next);
	broker.starter.lanes[LANE_KNOWN].n_sent -= LINK_ASKS_MAX;
	loop_defer(&broker.loop, &broker.starter.sending, broker.starter.sending.fn);
	expect_nothing(starter_fd);
	CHECK(n_frozen == 4 && frozen_err == -ESRCH);
	end_kid(&alice);
	stage_close();
}

int
main(void)
{
	log_open("broker_freeze", 0);
	TEST("how it ended is told", test_how_it_ended);
	TEST("it ends without its user's worker", test_stopped_without_worker);
	TEST("it stands still and goes on without its user's worker", test_freeze);
	return TEST_END();
}
