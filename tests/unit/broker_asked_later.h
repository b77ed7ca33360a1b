/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_asked_later.h: what the starter is asked while the broker serves; of each: how far
 * things are before it, that it is asked, that an error is told to who wanted it (which returns whether
 * the broker goes on), and the answer that is right.
 */
#ifndef TESTS_UNIT_BROKER_ASKED_LATER_H
#define TESTS_UNIT_BROKER_ASKED_LATER_H

#include "tests/unit/broker_asked.h"

/* --- for who connects ----------------------------------------------------------------------- */

static inline void
begin_bob(void)
{
	stage_ready();
	at.bob = idle_worker(BOB);
}

static inline void
ask_account(void)
{
	if (at.n_asked > 0)
		user_of(ALICE)->lookup_again_ns = 0;
	connect_anew(IPC_SOCKET_RW, ALICE);
	hear(IPC_RESOLVE);
}

static inline bool
told_account(int err)
{
	if (err == -ENOENT)
		(void)expect_refusal(IPC_REFUSAL_NOBODY);
	else
		refused_for(err);
	return true;
}

static inline void
answer_alice(void)
{
	struct account account = account_of_uid(ALICE);

	answer_account(&at.ask, &account);
	at.alice = worker(ALICE);
	CHECK(serve(&at.alice).uid == ALICE);
}

static inline void
ask_worker(void)
{
	connect_anew(IPC_SOCKET_RW, ALICE);
	if (at.n_asked == 0)
		resolve(ALICE);
	hear(IPC_WORKER);
}

static inline bool
told_start(int err)
{
	refused_for(err);
	return true;
}

static inline void
answer_worker(void)
{
	at.alice = started(true);
	hello(&at.alice);
	CHECK(serve(&at.alice).uid == ALICE);
}

static inline void
ask_view(void)
{
	connect_anew(IPC_SOCKET_RO, 0);
	hear(IPC_VIEW);
}

static inline void
ask_ctl(void)
{
	connect_anew(IPC_SOCKET_CTL, 0);
	hear(IPC_VIEW);
}

static inline void
answer_view(void)
{
	at.view = started(false);
	hello(&at.view);
	CHECK(serve(&at.view).uid == 0);
}

/* --- for what a worker wants ---------------------------------------------------------------- */

static inline void
begin_alice(void)
{
	begin_bob();
	at.alice = idle_worker(ALICE);
}

static inline void
begin_vm(void)
{
	begin_alice();
	at.vm = vm_for(&at.alice, ALICE, 1);
}

static inline void
alice_says(enum ipc_type type, const void *body, size_t size)
{
	at.serial = ++next_serial;
	say(at.alice.link, (struct ipc_header){.type = (uint16_t)type, .serial = at.serial}, body,
		size, NULL, 0);
}

/* A worker or view is answered that. Returns the descriptor that came, or -1. */
static inline int
is_answered(const struct kid *kid, enum ipc_type type, int err)
{
	AUTO(packet_fini) struct packet packet = {.size = 0};

	expect_answer(kid->link, type, &packet);
	CHECK(header_of(&packet).serial == at.serial && header_of(&packet).err == err);
	return packet.n_fds > 0 ? take_fd(&packet.fds[0]) : -1;
}

static inline void
has_socket(enum ipc_type type)
{
	fd_auto int fd = -1;

	at.seed = started(false);
	fd = is_answered(&at.alice, type, 0);
	CHECK(fd >= 0 && is_alive(&at.seed));
}

static inline void
ask_tool(void)
{
	alice_says(IPC_TOOL, &(struct ipc_tool){.kind = IPC_TOOL_PROBE}, sizeof(struct ipc_tool));
	hear(IPC_BOX);
}

static inline bool
told_tool(int err)
{
	CHECK(is_answered(&at.alice, IPC_TOOL_READY, err) < 0);
	CHECK(broker.tools.n == 0 && user_of(ALICE)->tools.n == 0);
	return true;
}

static inline void
answer_tool(void)
{
	has_socket(IPC_TOOL_READY);
}

static inline void
ask_vm(void)
{
	at.serial = ask_lease(&at.alice, 1);
	hear(IPC_BOX);
	at.vm.id = ((const struct ipc_box *)body_of(&at.ask))->id;
}

static inline bool
told_vm(int err)
{
	CHECK(expect_leased(&at.alice, at.serial, err).sock < 0);
	/* Something may run of it, of which nothing is known: all of that is ended. */
	if (err == LINK_CUT || at.cheated) {
		CHECK(uses(ALICE, 1));
		end_leaf(ALICE, at.vm.id, 1, 0);
	}
	expect_gone(&at.alice, at.vm.id);
	CHECK(uses(ALICE, 0) && !user_of(ALICE)->leases.first);
	return true;
}

static inline void
answer_vm(void)
{
	struct kid seed = started(false);
	struct vm vm = expect_leased(&at.alice, at.serial, 0);

	at.vm = (struct vm){.kid = seed, .id = vm.id, .sock = vm.sock};
	CHECK(vm.kid.pid == seed.pid && vm.sock >= 0 && uses(ALICE, 1));
}

static inline void
ask_net(enum ipc_net_kind kind)
{
	alice_says(
		IPC_NET, &(struct ipc_net){.id = at.vm.id, .kind = kind}, sizeof(struct ipc_net));
	hear(IPC_BOX);
}

static inline void
ask_relay(void)
{
	ask_net(IPC_NET_RELAY);
}

static inline void
ask_passt(void)
{
	ask_net(IPC_NET_PASST);
}

static inline bool
told_net(int err)
{
	CHECK(is_answered(&at.alice, IPC_NET_READY, err) < 0);
	CHECK(broker.nets.n == 0 && user_of(ALICE)->nets.n == 0);
	return true;
}

static inline void
answer_net(void)
{
	has_socket(IPC_NET_READY);
}

static inline void
ask_more(void)
{
	struct ipc_lease_change body = {.id = at.vm.id, .vcpus = 3, .memory_kib = 2097152};

	alice_says(IPC_LEASE_CHANGE, &body, sizeof body);
	hear(IPC_LEAF_LIMIT);
}

/* It has what it had. */
static inline bool
told_more(int err)
{
	CHECK(is_answered(&at.alice, IPC_LEASE_CHANGED, err) < 0 && uses(ALICE, 1));
	return true;
}

static inline void
answer_more(void)
{
	answer(starter_fd, &at.ask, NULL, 0, NULL, 0);
	CHECK(is_answered(&at.alice, IPC_LEASE_CHANGED, 0) < 0 && !uses(ALICE, 1));
}

static inline void
ask_end(void)
{
	if (at.vm.kid.pid > 0)
		end_kid(&at.vm.kid);
	else
		be_due(&user_of(ALICE)->leases.first->retry);
	hear(IPC_LEAF_END);
}

/* It is not over, and counts, until it is. */
static inline bool
told_end(int err)
{
	(void)err;
	expect_nothing(at.alice.link);
	CHECK(uses(ALICE, 1) && timer_is_set(&user_of(ALICE)->leases.first->retry));
	return true;
}

static inline void
answer_end(void)
{
	leaf_ended_how(&at.ask, IPC_GONE_ENDED);
	expect_gone(&at.alice, at.vm.id);
	CHECK(uses(ALICE, 0));
}

/* --- for what a view wants, and policy ------------------------------------------------------ */

static inline void
begin_looking(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RW);

	at.alice = scene.alice;
	at.bob = scene.bob;
	at.view = scene.view;
	at.client = scene.client;
	at.conn_id = scene.conn_id;
	at.vm = vm_for(&at.alice, ALICE, 1);
}

static inline void
ask_freeze(void)
{
	struct ipc_vm_freeze body = {
		.vm = {.conn_id = at.conn_id, .uid = ALICE, .id = at.vm.id}, .on = 1};

	at.serial = ++next_serial;
	say(at.view.link, (struct ipc_header){.type = IPC_VM_FREEZE, .serial = at.serial}, &body,
		sizeof body, NULL, 0);
	hear(IPC_LEAF_FREEZE);
}

static inline bool
told_freeze(int err)
{
	/* Without control groups there is no leaf of what runs. */
	(void)is_answered(&at.view, IPC_VM_FROZEN, err == -ENOENT ? -EOPNOTSUPP : err);
	CHECK(!user_of(ALICE)->leases.first->frozen);
	return true;
}

static inline void
answer_freeze(void)
{
	answer(starter_fd, &at.ask, NULL, 0, NULL, 0);
	(void)is_answered(&at.view, IPC_VM_FROZEN, 0);
	CHECK(user_of(ALICE)->leases.first->frozen);
}

static inline void
begin_ruled(void)
{
	open_with(OWN);
	begin_bob();
}

static inline void
ask_share(void)
{
	reload(OWN "limit everyone pids 500\n");
	hear(IPC_USER_LIMIT);
}

/* It is said again with the next reload. */
static inline bool
told_share(int err)
{
	(void)err;
	expect_nothing(at.bob.link);
	return true;
}

static inline void
answer_share(void)
{
	answer(starter_fd, &at.ask, NULL, 0, NULL, 0);
	reload(OWN "limit everyone pids 500\n");
	expect_nothing(starter_fd);
}

static inline void
ask_staff(void)
{
	reload(STAFF);
	hear(IPC_RESOLVE);
}

/* What was in force stays, unless it is only that there is no such group. */
static inline bool
told_staff(int err)
{
	resolve_root(0);
	CHECK(broker.rulebook.failed == (err != -ENOENT));
	return true;
}

static inline void
answer_reloaded(void)
{
	answer_staff();
	resolve_root(0);
	CHECK(!broker.rulebook.failed && rulebook_policy(&broker.rulebook)->n_names == 1);
}

#endif
