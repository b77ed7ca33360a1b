/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_room.c: a broker that may open no descriptor more loses what the starter answers just then:
 * that ask fails, in words, nothing stays behind that nobody watches, and nobody else notices.
 */
#include "tests/unit/broker_recording.h"
#include "tests/unit/broker_vms.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/hostile.h"
#include "tests/unit/messages.h"
#include "tests/unit/no_room.h"

/* The broker hears what was said, and has room for n more meanwhile. */
static void
turn_without_room(unsigned n)
{
	no_room_begin(n);
	turn();
	no_room_end();
	CHECK(!broker.loop.quit);
}

/* bob, who has a worker, is served as ever. */
static void
check_other(const struct kid *bob)
{
	int client = connect_as(BOB);

	CHECK(serve(bob).uid == BOB && is_alive(bob));
	fd_close(&client);
}

static void
test_account(void)
{
	struct kid alice, bob;
	struct account account = account_of_uid(ALICE);
	AUTO(packet_fini) struct packet ask = {.size = 0};
	int client;

	stage_ready();
	bob = idle_worker(BOB);
	client = connect_as(ALICE);
	expect(starter_fd, IPC_RESOLVE, &ask);
	answer_account(&ask, &account);
	turn_without_room(0);
	/* Whether there is such an account is not known. */
	CHECK(strstr(expect_refusal(IPC_REFUSAL_HOST).reason, strerror(-LINK_CUT)));
	fd_close(&client);
	check_other(&bob);
	/* It is looked up again before long. */
	user_of(ALICE)->lookup_again_ns = 0;
	alice = idle_worker(ALICE);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

static void
test_worker(void)
{
	struct kid bob, alice;
	unsigned n_before;
	int client_of_alice;

	stage_ready();
	bob = idle_worker(BOB);
	for (unsigned room = 0; room < 2; room++) {
		int client = connect_as(ALICE);

		if (room == 0)
			resolve(ALICE);
		n_before = n_descriptors();
		alice = start_kid(IPC_WORKER, ALICE);
		turn_without_room(room);
		/* Its link has lost its other end: it ends by itself. */
		expect_end(alice.link);
		end_kid(&alice);
		CHECK(n_descriptors() == n_before);
		CHECK(strstr(expect_refusal(IPC_REFUSAL_WORKER).reason, "cannot be started"));
		fd_close(&client);
		check_other(&bob);
	}
	client_of_alice = connect_as(ALICE);
	alice = worker(ALICE);
	(void)serve(&alice);
	fd_close(&client_of_alice);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

static void
test_vm(void)
{
	struct kid alice, seed;
	struct vm vm;
	uint32_t serial;
	unsigned n_before;

	stage_ready();
	alice = idle_worker(ALICE);
	for (unsigned room = 0; room < 2; room++) {
		n_before = n_descriptors();
		serial = ask_lease(&alice, 1);
		seed = start_kid(IPC_BOX, ALICE);
		turn_without_room(room);
		CHECK(expect_leased(&alice, serial, LINK_CUT).sock < 0);
		expect_end(seed.link);
		/* All in its leaf is ended, and only then it is over. */
		CHECK(user_of(ALICE)->leases.first && uses(ALICE, 1));
		end_leaf(ALICE, room + 1, 1, 0);
		expect_gone(&alice, room + 1);
		CHECK(!user_of(ALICE)->leases.first && uses(ALICE, 0));
		end_kid(&seed);
		CHECK(n_descriptors() == n_before);
	}
	vm = vm_for(&alice, ALICE, 1);
	end_vm(&alice, ALICE, 1, &vm);
	end_kid(&alice);
	stage_close();
}

static void
test_tool(void)
{
	static const struct ipc_tool tool = {.kind = IPC_TOOL_PROBE};
	AUTO(packet_fini) struct packet ready = {.size = 0};
	struct kid alice, seed;

	stage_ready();
	alice = idle_worker(ALICE);
	say(alice.link, (struct ipc_header){.type = IPC_TOOL, .serial = 3}, &tool, sizeof tool,
		NULL, 0);
	turn();
	seed = start_kid(IPC_BOX, ALICE);
	turn_without_room(1);
	expect(alice.link, IPC_TOOL_READY, &ready);
	CHECK(header_of(&ready).err == LINK_CUT && is_alive(&alice));
	expect_end(seed.link);
	end_kid(&seed);
	end_kid(&alice);
	stage_close();
}

static void
test_auditor(void)
{
	struct kid alice;

	open_stage(CONFIG_AUDIT_CONTINUE);
	keep_all();
	end_kid(&auditor);
	be_due(&broker.audit.auditor.timer);
	answer_audit_account();
	auditor = start_kid(IPC_AUDIT, AUDIT_UID);
	turn_without_room(0);
	expect_end(auditor.link);
	end_kid(&auditor);
	alice = idle_worker(ALICE);
	be_due(&broker.audit.auditor.timer);
	answer_audit_account();
	auditor = start_kid(IPC_AUDIT, AUDIT_UID);
	keep_all();
	end_kid(&alice);
	close_stage();
}

/* What runs is known, or the broker does not begin: what was lost now would be unwatched for ever. */
static void
test_leaf(void)
{
	AUTO(packet_fini) struct packet ask = {.size = 0};
	struct ipc_leaf_found found = good_leaf_found;
	struct vm vm = running(1);
	int fd = pidfd_open(vm.kid.pid, 0);

	stage_accounts();
	expect(starter_fd, IPC_LEAF_NEXT, &ask);
	found.pid = (uint32_t)vm.kid.pid;
	answer(starter_fd, &ask, &found, sizeof found, &fd, 1);
	fd_close(&fd);
	no_room_begin(0);
	turn();
	no_room_end();
	CHECK(broker.loop.quit && broker.loop.status == EXIT_FAILURE);
	end_kid(&vm.kid);
	refuser.pid = -1;
	stage_close();
}

/* A child that sends some is killed, whether there is room for them or not. */
static void
test_child(void)
{
	static const unsigned counts[] = {1, 2, HOSTILE_FDS_MAX};
	struct kid bob;

	stage_ready();
	bob = idle_worker(BOB);
	for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct raw raw = {
			.header = {.version = IPC_VERSION, .type = IPC_IDLE_ASK, .serial = 1},
			.size = sizeof raw.header};
		uint32_t uid = 3000 + i;
		struct kid kid = idle_worker(uid);

		raw.header.n_fds = (uint16_t)(i % 2);
		hostile_send(kid.link, &raw, raw.size, counts[i]);
		turn_without_room(i % 2);
		reap(&kid, SIGKILL);
		check_other(&bob);
	}
	end_kid(&bob);
	stage_close();
}

int
main(void)
{
	log_open("broker_room", 0);
	TEST("an account that was told is asked for again", test_account);
	TEST("a worker ends, and who waits for it is told why", test_worker);
	TEST("a virtual machine is ended with all in its leaf, and may start again", test_vm);
	TEST("a tool is not there", test_tool);
	TEST("qemud-audit is started again", test_auditor);
	TEST("what ran before is not forgotten: the broker does not begin", test_leaf);
	TEST("a child that sends descriptors is killed all the same", test_child);
	return TEST_END();
}
