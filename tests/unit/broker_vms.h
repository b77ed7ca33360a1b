/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_vms.h: what workers and the starter say of virtual machines to the broker on the stage.
 */
#ifndef TESTS_UNIT_BROKER_VMS_H
#define TESTS_UNIT_BROKER_VMS_H

#include "tests/unit/broker_stage.h"

static uint32_t next_serial;

/* A virtual machine: the process in its box, and the socket that its worker got. */
struct vm {
	struct kid kid;
	uint32_t id;
	int sock;
};

static inline struct user *
user_of(uint32_t uid)
{
	return users_find(&broker.users, uid);
}

/* --- the worker's part -------------------------------------------------------------------- */

/* The n-th definition of its user. */
static inline struct ipc_lease
lease_of(uint8_t n)
{
	return (struct ipc_lease){.uuid = {[15] = n}, .memory_kib = 1048576, .vcpus = 2};
}

/* What it is granted. */
static inline struct ipc_grant
grant_of(uint8_t n)
{
	struct ipc_lease lease = lease_of(n);

	return quota_grant(&lease);
}

/* Does she have so many, as those above are? */
static inline bool
uses(uint32_t uid, uint32_t n)
{
	const struct user *user = user_of(uid);
	struct quota_amounts each;
	struct ipc_grant grant = grant_of(0);
	bool right = true;

	each = quota_of(&grant);
	for (enum quota_key key = QUOTA_VMS; user && key < QUOTA_HOST_VMS; key++)
		right &= user->leases.used.of[key] == n * each.of[key];
	return user ? right : n == 0;
}

static inline uint32_t
ask_lease(const struct kid *kid, uint8_t n)
{
	struct ipc_lease body = lease_of(n);

	say(kid->link, (struct ipc_header){.type = IPC_LEASE, .serial = ++next_serial}, &body,
		sizeof body, NULL, 0);
	turn();
	return next_serial;
}

/* The worker is answered that. Returns what it has then. */
static inline struct vm
expect_leased(const struct kid *kid, uint32_t serial, int err)
{
	AUTO(packet_fini) struct packet packet;
	struct vm vm = {.kid = {.link = -1}};
	struct ipc_leased leased;

	expect(kid->link, IPC_LEASED, &packet);
	CHECK(header_of(&packet).serial == serial && header_of(&packet).err == err);
	memcpy(&leased, body_of(&packet), sizeof leased);
	vm.id = leased.id;
	vm.kid.pid = (pid_t)leased.pid;
	vm.sock = take_fd(&packet.fds[0]);
	return vm;
}

static inline void
refused(const struct kid *kid, uint8_t n, int err)
{
	CHECK(expect_leased(kid, ask_lease(kid, n), err).sock < 0);
}

/* A limit is against it; the words are these (NULL: some). */
static inline void
refused_in_words(const struct kid *kid, uint8_t n, const char *words)
{
	uint32_t serial = ask_lease(kid, n);
	AUTO(packet_fini) struct packet packet;

	expect(kid->link, IPC_LEASE_REFUSED, &packet);
	if (words)
		CHECK_STR(((const struct ipc_lease_refused *)body_of(&packet))->why, words);
	CHECK(expect_leased(kid, serial, -EDQUOT).sock < 0);
}

static inline struct vm
vm_for(const struct kid *kid, uint32_t uid, uint8_t n)
{
	uint32_t serial = ask_lease(kid, n);
	struct kid seed = start_kid(IPC_BOX, uid);
	struct vm vm = expect_leased(kid, serial, 0);

	CHECK(vm.sock >= 0 && vm.kid.pid == seed.pid && is_alive(&seed));
	vm.kid = seed;
	return vm;
}

static inline void
stop_lease(const struct kid *kid, uint32_t id)
{
	struct ipc_lease_stop body = {.id = id};

	say(kid->link, (struct ipc_header){.type = IPC_LEASE_STOP}, &body, sizeof body, NULL, 0);
	turn();
}

/* What comes after that id; an error has the id 0. */
static inline struct ipc_lease_found
next_lease(const struct kid *kid, uint32_t after)
{
	AUTO(packet_fini) struct packet packet;
	struct ipc_lease_next body = {.after = after};
	struct ipc_lease_found found;

	say(kid->link, (struct ipc_header){.type = IPC_LEASE_NEXT, .serial = ++next_serial}, &body,
		sizeof body, NULL, 0);
	expect(kid->link, IPC_LEASE_FOUND, &packet);
	CHECK(header_of(&packet).serial == next_serial);
	memcpy(&found, body_of(&packet), sizeof found);
	CHECK(header_of(&packet).err == (found.id == 0 ? -ENOENT : 0));
	return found;
}

static inline void
expect_gone_how(const struct kid *kid, uint32_t id, enum ipc_gone how)
{
	AUTO(packet_fini) struct packet packet;
	struct ipc_grant grant = grant_of(0);
	struct ipc_lease_gone gone;

	expect(kid->link, IPC_LEASE_GONE, &packet);
	memcpy(&gone, body_of(&packet), sizeof gone);
	CHECK(gone.id == id && gone.how == how);
	CHECK(gone.limit_kib == 0 || gone.limit_kib == grant.memory_kib + grant.overhead_kib);
}

static inline void
expect_gone(const struct kid *kid, uint32_t id)
{
	expect_gone_how(kid, id, IPC_GONE_ENDED);
}

/* --- the starter's part ------------------------------------------------------------------- */

/* The starter is asked to end the leaf of that definition. */
static inline void
expect_leaf_end(uint32_t uid, uint32_t id, uint8_t n, struct packet *ask)
{
	struct ipc_leaf want = {.uid = uid, .id = id, .uuid = {[15] = n}};

	expect(starter_fd, IPC_LEAF_END, ask);
	CHECK(memcmp(body_of(ask), &want, sizeof want) == 0);
}

static inline void
leaf_ended_how(const struct packet *ask, enum ipc_gone how)
{
	struct ipc_leaf_ended body = {.how = how};

	answer(starter_fd, ask, &body, sizeof body, NULL, 0);
}

static inline void
end_leaf(uint32_t uid, uint32_t id, uint8_t n, int err)
{
	AUTO(packet_fini) struct packet ask;

	expect_leaf_end(uid, id, n, &ask);
	if (err < 0)
		answer_error(starter_fd, &ask, err, sizeof(struct ipc_leaf_ended));
	else
		leaf_ended_how(&ask, IPC_GONE_ENDED);
	turn();
}

/* What the VM of that user runs as ends by itself, and then the lease. */
static inline void
end_vm(const struct kid *worker_kid, uint32_t uid, uint8_t n, struct vm *vm)
{
	end_kid(&vm->kid);
	end_leaf(uid, vm->id, n, 0);
	expect_gone(worker_kid, vm->id);
	fd_close(&vm->sock);
}

/* A process that runs, whoever started it. */
static inline struct vm
running(uint32_t id)
{
	return (struct vm){.kid = {.pid = fork_idle(), .link = -1}, .id = id, .sock = -1};
}

#endif
