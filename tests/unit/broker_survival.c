/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_survival.c: virtual machines run on whatever becomes of workers and brokers, and the next
 * worker, of this broker or of the next one, has them.
 */
#include "broker/leases.h"

#include "tests/unit/broker_vms.h"
#include "tests/unit/descriptors.h"

/* The starter is asked what runs, and tells of one. */
static void
found(uint32_t uid, uint32_t id, uint8_t n, const struct vm *vm)
{
	AUTO(packet_fini) struct packet ask;
	struct ipc_leaf_found body = {.leaf = {.uid = uid, .id = id, .uuid = {[15] = n}},
		.pid = (uint32_t)vm->kid.pid,
		.grant = grant_of(n)};
	fd_auto int fd = pidfd_open(vm->kid.pid, 0);

	expect(starter_fd, IPC_LEAF_NEXT, &ask);
	answer(starter_fd, &ask, &body, sizeof body, &fd, 1);
	turn();
}

static void
refuser_starts(void)
{
	refuser = start_kid(IPC_VIEW, VIEW_UID);
	CHECK(!broker.ready);
	hello(&refuser);
	CHECK(broker.ready && !broker.loop.quit);
}

/* After the end of the broker: it runs; then it is ended. */
static void
still_runs(struct kid *kid)
{
	CHECK(waitpid(kid->pid, NULL, WNOHANG) == 0);
	CHECK(kill(kid->pid, SIGKILL) == 0 && waitpid(kid->pid, NULL, 0) == kid->pid);
	fd_close(&kid->link);
}

/* --- workers come and go ------------------------------------------------------------------ */

static void
test_worker_ends(void)
{
	AUTO(packet_fini) struct packet later;
	struct kid alice, asked;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	/* The starter is asked for two; another waits for its turn to be asked for. */
	(void)ask_lease(&alice, 2);
	(void)ask_lease(&alice, 3);
	broker.starter.lanes[LANE_KNOWN].n_sent += LINK_ASKS_MAX;
	(void)ask_lease(&alice, 4);
	end_kid(&alice);
	broker.starter.lanes[LANE_KNOWN].n_sent -= LINK_ASKS_MAX;
	asked = start_kid(IPC_BOX, ALICE);
	expect(starter_fd, IPC_BOX, &later);

	/* Though nobody connects there is a worker at once. */
	alice = start_kid(IPC_WORKER, ALICE);
	reap(&asked, SIGKILL);
	/* It has not said HELLO, so that it cannot be told; it asks when it has. */
	end_leaf(ALICE, 2, 2, 0);
	hello(&alice);
	expect_nothing(alice.link);
	/* It gets no answer to what it has not asked. */
	answer_error(starter_fd, &later, -EIO, sizeof(struct ipc_started));
	expect_gone(&alice, 3);
	expect_nothing(alice.link);
	CHECK(is_alive(&vm.kid));
	CHECK(next_lease(&alice, 0).id == vm.id && next_lease(&alice, vm.id).id == 0);
	/* What its predecessor had is its own now. */
	refused(&alice, 1, -EEXIST);
	stop_lease(&alice, vm.id);
	reap(&vm.kid, SIGKILL);
	end_leaf(ALICE, vm.id, 1, 0);
	expect_gone(&alice, vm.id);
	fd_close(&vm.sock);
	end_kid(&alice);
	expect_nothing(starter_fd);
	stage_close();
}

/* The lease ends while there is no worker yet. */
static void
test_ends_unheard(void)
{
	AUTO(packet_fini) struct packet ask;
	struct kid alice;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	end_kid(&alice);
	expect(starter_fd, IPC_WORKER, &ask);
	end_kid(&vm.kid);
	end_leaf(ALICE, vm.id, 1, 0);
	CHECK(!user_of(ALICE)->leases.first);
	answer_error(starter_fd, &ask, -EIO, sizeof(struct ipc_started));
	expect_nothing(starter_fd);
	CHECK(!timer_is_set(&user_of(ALICE)->child.timer));
	fd_close(&vm.sock);
	stage_close();
}

static void
test_worker_ends_at_once(void)
{
	struct child *child;
	struct kid alice;
	struct vm vm;
	int client;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	child = &user_of(ALICE)->child;
	end_kid(&alice);
	for (int i = 0; i < CHILD_VAIN_MAX; i++) {
		alice = start_kid(IPC_WORKER, ALICE);
		end_kid(&alice);
	}
	/* For a while that is enough ... */
	expect_nothing(starter_fd);
	CHECK(child->state == CHILD_ABSENT && timer_is_set(&child->timer));
	CHECK(child->timer.node.key == child->alone.since_ns + LOOP_S(CHILD_VAIN_S));
	/* ... but for a client, who has it started as ever ... */
	client = connect_as(ALICE);
	alice = worker(ALICE);
	(void)serve(&alice);
	fd_close(&client);
	expect_nothing(refuser.link);
	for (int i = 0; i < CHILD_VAIN_MAX; i++) {
		end_kid(&alice);
		CHECK(child->state == CHILD_ASKED);
		alice = worker(ALICE);
	}
	end_kid(&alice);
	expect_nothing(starter_fd);
	/* ... and it is tried again when the time is over. */
	child->alone.since_ns -= LOOP_S(CHILD_VAIN_S);
	be_due(&child->timer);
	alice = worker(ALICE);
	CHECK(next_lease(&alice, 0).id == vm.id && is_alive(&vm.kid));
	end_vm(&alice, ALICE, 1, &vm);
	end_kid(&alice);
	expect_nothing(starter_fd);
	stage_close();
}

static void
test_worker_cannot_be_started(void)
{
	struct child *child;
	struct kid alice;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	child = &user_of(ALICE)->child;
	end_kid(&alice);
	for (int i = 0; i < CHILD_VAIN_MAX; i++) {
		AUTO(packet_fini) struct packet ask;

		expect(starter_fd, IPC_WORKER, &ask);
		answer_error(starter_fd, &ask, -ENOSPC, sizeof(struct ipc_started));
	}
	expect_nothing(starter_fd);
	CHECK(timer_is_set(&child->timer) && is_alive(&vm.kid));
	/* When the lease ends meanwhile, nothing is left to be waited for. */
	end_kid(&vm.kid);
	end_leaf(ALICE, vm.id, 1, 0);
	CHECK(!timer_is_set(&child->timer) && child_is_absent(child));
	fd_close(&vm.sock);
	stage_close();
}

/* --- brokers come and go ------------------------------------------------------------------ */

static void
test_broker_stops(void)
{
	struct packet stop;
	struct kid alice, asked;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	(void)ask_lease(&alice, 2);
	broker_stop(&broker);
	expect(alice.link, IPC_STOP, &stop);
	refused(&alice, 3, -ESHUTDOWN);
	/* What it had asked for it still gets, and what ends it still hears of. */
	asked = start_kid(IPC_BOX, ALICE);
	fd_close(&(int){expect_leased(&alice, next_serial - 1, 0).sock});
	end_kid(&asked);
	end_leaf(ALICE, 2, 2, 0);
	expect_gone(&alice, 2);
	end_kid(&alice);
	expect_nothing(starter_fd);
	end_kid(&refuser);
	CHECK(broker.loop.quit && broker.loop.status == EXIT_SUCCESS);
	CHECK(is_alive(&vm.kid));
	stage_close();
	still_runs(&vm.kid);
	fd_close(&vm.sock);
}

static void
test_broker_is_late(void)
{
	struct kid alice;
	struct vm vm;

	stage_ready();
	alice = idle_worker(ALICE);
	vm = vm_for(&alice, ALICE, 1);
	broker_stop(&broker);
	be_due(&broker.deadline);
	reap(&alice, SIGKILL);
	reap(&refuser, SIGKILL);
	CHECK(is_alive(&vm.kid));
	stage_close();
	still_runs(&vm.kid);
	fd_close(&vm.sock);
}

static void
test_found(void)
{
	struct vm a = running(40), b = running(12), c = running(7), next;
	struct kid alice, bob;

	stage_accounts();
	found(ALICE, a.id, 1, &a);
	found(BOB, b.id, 2, &b);
	found(ALICE, c.id, 3, &c);
	CHECK(!broker.leases.known);
	no_leaf();
	resolve(ALICE);
	resolve(BOB);
	refuser_starts();
	/* Nobody connects; both have their workers. */
	alice = worker(ALICE);
	bob = worker(BOB);
	CHECK(next_lease(&alice, 0).id == 7 && next_lease(&alice, 7).id == 40);
	CHECK(next_lease(&alice, 7).pid == (uint32_t)a.kid.pid &&
		next_lease(&alice, 7).uuid[15] == 1);
	CHECK(next_lease(&alice, 40).id == 0 && next_lease(&bob, 0).id == 12);
	refused(&alice, 1, -EEXIST);
	ask_idle(&alice, false);
	/* Ids go on where they were. */
	next = vm_for(&bob, BOB, 1);
	CHECK(next.id == 41);
	end_vm(&bob, BOB, 1, &next);
	stop_lease(&bob, 40);
	stop_lease(&alice, 40);
	reap(&a.kid, SIGKILL);
	end_leaf(ALICE, 40, 1, 0);
	expect_gone(&alice, 40);
	end_vm(&bob, BOB, 2, &b);
	end_vm(&alice, ALICE, 3, &c);
	ask_idle(&alice, true);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

/* It has ended between two looks. */
static void
test_found_ended(void)
{
	AUTO(packet_fini) struct packet ask;
	struct vm vm = running(INT32_MAX), next;
	siginfo_t info;
	struct kid alice;

	CHECK(kill(vm.kid.pid, SIGKILL) == 0);
	CHECK(waitid(P_PID, (id_t)vm.kid.pid, &info, WEXITED | WNOWAIT) == 0);
	stage_accounts();
	found(ALICE, vm.id, 1, &vm);
	CHECK(waitpid(vm.kid.pid, NULL, 0) == vm.kid.pid);
	expect(starter_fd, IPC_LEAF_NEXT, &ask);
	end_leaf(ALICE, vm.id, 1, 0);
	answer_error(starter_fd, &ask, -ENOENT, sizeof(struct ipc_leaf_found));
	refuser_starts();
	expect_nothing(starter_fd);
	/* The largest id was given: the next is the smallest. */
	alice = idle_worker(ALICE);
	next = vm_for(&alice, ALICE, 1);
	CHECK(next.id == 1);
	end_vm(&alice, ALICE, 1, &next);
	end_kid(&alice);
	stage_close();
}

static void
test_found_without_account(void)
{
	struct vm a = running(1), b = running(2), c = running(3);
	struct kid alice, bob;
	int client;

	stage_accounts();
	found(ALICE, a.id, 1, &a);
	found(BOB, b.id, 2, &b);
	found(ALICE, c.id, 3, &c);
	no_leaf();
	resolve_error(-ENOENT);
	resolve_error(-ETIMEDOUT);
	refuser_starts();
	expect_nothing(starter_fd);
	/* What could not be told is asked again; what is not there is not. */
	CHECK(!timer_is_set(&user_of(ALICE)->timer));
	be_due(&user_of(BOB)->timer);
	resolve(BOB);
	bob = worker(BOB);
	CHECK(next_lease(&bob, 0).id == 2);
	CHECK(is_alive(&a.kid) && is_alive(&b.kid));
	end_kid(&c.kid);
	end_leaf(ALICE, 3, 3, 0);
	CHECK(!timer_is_set(&user_of(ALICE)->child.timer));
	expect_nothing(starter_fd);
	/* It is made again, and somebody connects. */
	user_of(ALICE)->lookup_again_ns = 1;
	client = connect_as(ALICE);
	resolve(ALICE);
	alice = worker(ALICE);
	(void)serve(&alice);
	CHECK(next_lease(&alice, 0).id == 1);
	fd_close(&client);
	end_vm(&alice, ALICE, 1, &a);
	end_vm(&bob, BOB, 2, &b);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

/* What the broker before has granted counts as it did. */
static void
test_found_counts(void)
{
	struct vm vms[3] = {running(1), running(2), running(3)};
	struct kid alice, bob;

	stage_accounts();
	found(ALICE, 1, 1, &vms[0]);
	found(BOB, 2, 1, &vms[1]);
	found(ALICE, 3, 2, &vms[2]);
	no_leaf();
	resolve(ALICE);
	resolve(BOB);
	refuser_starts();
	alice = worker(ALICE);
	bob = worker(BOB);
	CHECK(uses(ALICE, 2) && uses(BOB, 1));
	broker.config.max_vms = 4;
	refused_in_words(&alice, 3, NULL);
	end_vm(&alice, ALICE, 1, &vms[0]);
	CHECK(uses(ALICE, 1));
	end_vm(&alice, ALICE, 2, &vms[2]);
	end_vm(&bob, BOB, 1, &vms[1]);
	CHECK(uses(ALICE, 0) && uses(BOB, 0));
	for (enum quota_key key = 0; key < QUOTA_N; key++)
		CHECK(broker.leases.used.of[key] == 0);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

/* Nobody can tell which process it is: a pipe says when nobody is in its leaf any more. */
static void
test_found_without_process(void)
{
	int ends[2][2] = {{-1, -1}, {-1, -1}};
	struct kid alice;

	stage_accounts();
	for (uint32_t i = 0; i < 2; i++) {
		AUTO(packet_fini) struct packet ask;
		struct ipc_leaf_found body = {.leaf = {.uid = ALICE, .id = i + 1}};

		body.leaf.uuid[15] = (uint8_t)(i + 1);
		CHECK(pipe2(ends[i], O_CLOEXEC) == 0);
		expect(starter_fd, IPC_LEAF_NEXT, &ask);
		answer(starter_fd, &ask, &body, sizeof body, &ends[i][0], 1);
		fd_close(&ends[i][0]);
		turn();
	}
	no_leaf();
	resolve(ALICE);
	refuser_starts();
	alice = worker(ALICE);
	CHECK(next_lease(&alice, 0).id == 1 && next_lease(&alice, 1).pid == 0);
	refused(&alice, 1, -EEXIST);
	refused(&alice, 2, -EEXIST);
	expect_nothing(starter_fd);
	/* One ends by itself; the other is ended by its leaf. */
	fd_close(&ends[0][1]);
	end_leaf(ALICE, 1, 1, 0);
	expect_gone(&alice, 1);
	stop_lease(&alice, 2);
	stop_lease(&alice, 2);
	end_leaf(ALICE, 2, 2, -EBUSY);
	stop_lease(&alice, 2);
	refused(&alice, 2, -EEXIST);
	be_due(&user_of(ALICE)->leases.first->retry);
	end_leaf(ALICE, 2, 2, 0);
	expect_gone(&alice, 2);
	expect_nothing(starter_fd);
	fd_close(&ends[1][1]);
	end_kid(&alice);
	stage_close();
}

/* An administrator has lowered the limits: all that runs is kept, and no more is started. */
static void
test_more_than_may(void)
{
	enum { N = 20 };
	struct vm vms[N];
	struct kid kids[N], kid;
	int client;

	stage_census = (struct census){.n_users = 70, .n_vms = 2000};
	stage_open();
	CHECK(broker.users.size == 71 && broker.leases.size == 2000);
	stage_close();
	stage_census = (struct census){.n_users = N, .n_vms = N};
	stage_accounts();
	stage_census = (struct census){.n_users = 0};
	broker.config.max_vms = 2;
	for (uint32_t i = 0; i < N; i++) {
		vms[i] = running(i + 1);
		found(ALICE + i, i + 1, 1, &vms[i]);
	}
	no_leaf();
	for (uint32_t i = 0; i < N; i++)
		resolve(ALICE + i);
	refuser_starts();
	for (uint32_t i = 0; i < N; i++) {
		kids[i] = worker(ALICE + i);
		CHECK(next_lease(&kids[i], 0).id == i + 1);
	}
	refused_in_words(&kids[0], 2, NULL);
	kid = first_connection(1999, &client);
	(void)serve(&kid);
	refused_in_words(&kid, 1, NULL);
	fd_close(&client);
	for (uint32_t i = 0; i + 1 < N; i++)
		end_vm(&kids[i], ALICE + i, 1, &vms[i]);
	vms[0] = vm_for(&kid, 1999, 1);
	end_vm(&kid, 1999, 1, &vms[0]);
	end_vm(&kids[N - 1], ALICE + N - 1, 1, &vms[N - 1]);
	for (uint32_t i = 0; i < N; i++)
		end_kid(&kids[i]);
	end_kid(&kid);
	stage_close();
}

/* Without knowing all that runs, and holding it, there is no start. */
static void
test_cannot_be_found(void)
{
	AUTO(packet_fini) struct packet ask;
	struct vm a = running(1), b = running(2);

	stage_accounts();
	found(ALICE, a.id, 1, &a);
	expect(starter_fd, IPC_LEAF_NEXT, &ask);
	answer_error(starter_fd, &ask, -EIO, sizeof(struct ipc_leaf_found));
	turn();
	CHECK(broker.loop.quit && broker.loop.status == EXIT_FAILURE && !broker.ready);
	stage_close();

	stage_accounts();
	broker.leases.size = 1;
	found(ALICE, a.id, 1, &a);
	CHECK(!broker.loop.quit);
	found(ALICE, b.id, 2, &b);
	CHECK(broker.loop.quit && broker.loop.status == EXIT_FAILURE && !broker.ready);
	stage_close();

	stage_accounts();
	broker.users.size = 2;
	found(ALICE, a.id, 1, &a);
	CHECK(!broker.loop.quit);
	found(BOB, b.id, 2, &b);
	CHECK(broker.loop.quit && broker.loop.status == EXIT_FAILURE && !broker.ready);
	stage_close();
	still_runs(&a.kid);
	still_runs(&b.kid);
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
	log_open("broker_survival", 0);
	n_at_start = n_descriptors();
	TEST("a worker's end ends nothing that runs, and another is started", test_worker_ends);
	TEST("a lease may end while nobody listens", test_ends_unheard);
	TEST("a worker that keeps ending is not started over and over", test_worker_ends_at_once);
	TEST("a worker that cannot be started is not tried over and over",
		test_worker_cannot_be_started);
	TEST("a broker that ends leaves virtual machines alone", test_broker_stops);
	TEST("also when it had to kill its workers", test_broker_is_late);
	TEST("a new broker has what runs, and starts the workers", test_found);
	TEST("what was granted before counts as it did", test_found_counts);
	TEST("what ended before it was found is ended", test_found_ended);
	TEST("without an account there is no worker, and nothing ends", test_found_without_account);
	TEST("what runs as nobody knows what is there until its leaf is empty",
		test_found_without_process);
	TEST("a lowered limit ends nothing, and keeps no broker from starting", test_more_than_may);
	TEST("a broker that cannot have all that runs does not start", test_cannot_be_found);
	TEST("no descriptor is left", test_nothing_left);
	return TEST_END();
}
