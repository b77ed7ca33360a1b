/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * asker.h: what answers qemudctl, with a broker that is played here and one client at a time.
 */
#ifndef TESTS_UNIT_ASKER_H
#define TESTS_UNIT_ASKER_H

#include <errno.h>
#include <sys/socket.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/memfd.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "protocol/verb.h"
#include "tests/unit/test.h"
#include "view/asker.h"

enum { USERS = 8, TURNS = 4000, TEXT_MAX = 4 * 1024 * 1024 };

/* What the broker knows of somebody. */
struct known {
	uint32_t uid;
	const char *name, *inventory;
	bool own, shown;
	struct ipc_status_user_told told;
	struct ipc_status_vm_told vms[2];
};

static struct rig {
	struct loop loop;
	struct uplink uplink;
	struct askers askers;
	int broker_fd;
	unsigned n_forgotten, n_asks, reads_after;
	unsigned lost_after; /* so many asks about bob he is to be seen no more; 0: never */
	bool is_occupied, broker_sleeps;
	bool status_sleeps; /* what is asked of STATUS is kept, and answered when that is over */
	struct packet kept[LINK_ASKS_MAX];
	unsigned n_kept, most_open;
	struct ipc_status status;
	struct known known[USERS];
	int client;
	uint64_t last_conn;
	char text[TEXT_MAX];
	size_t size;
} rig;

/* --- the broker --------------------------------------------------------------------------- */

static inline void
answer(const struct ipc_header *ask, int err, const void *body, size_t size, int fd)
{
	struct {
		struct ipc_header header;
		uint8_t body[IPC_MESSAGE_MAX];
	} packet = {.header = {.version = IPC_VERSION,
			    .type = (uint16_t)(ask->type + 1),
			    .size = (uint16_t)size,
			    .n_fds = fd >= 0,
			    .serial = ask->serial,
			    .err = err}};

	if (err == 0)
		memcpy(packet.body, body, size);
	ASSERT(packet_send(rig.broker_fd, &packet, sizeof packet.header + size, &fd, fd >= 0) == 0);
}

static inline struct known *
find(uint32_t uid)
{
	for (unsigned i = 0; i < USERS; i++)
		if (rig.known[i].uid == uid)
			return &rig.known[i];
	return NULL;
}

/* The generation of an owner is 1 + her place. */
static inline void
tell_inventory(const struct ipc_header *ask, uint64_t after)
{
	struct ipc_inventory_found found = {.generation = after};
	const struct known *known = NULL;
	int fd;

	while (found.generation < USERS && !known) {
		known = &rig.known[found.generation++];
		if (known->uid == 0 || !known->shown)
			known = NULL;
	}
	if (!known) {
		answer(ask, -ENOENT, NULL, sizeof found, -1);
		return;
	}
	found.uid = known->uid;
	found.own = known->own;
	found.verbs = VERB_VIEW;
	(void)snprintf(found.name, sizeof found.name, "%s", known->name);
	fd = memfd_make("inventory", known->inventory, strlen(known->inventory));
	answer(ask, 0, &found, sizeof found, fd);
	fd_close(&fd);
}

/* Whether she may still know of that user. */
static inline bool
may_know(const struct known *known)
{
	if (known != &rig.known[1] || rig.lost_after == 0)
		return true;
	rig.lost_after -= rig.lost_after > 1;
	return rig.lost_after > 1;
}

static inline void
tell_user(const struct ipc_header *ask, uint32_t uid)
{
	struct known *known = find(uid);

	ASSERT(known);
	answer(ask, (known->shown || known->own) && may_know(known) ? 0 : -EACCES, &known->told,
		sizeof known->told, -1);
	/* A worker that was told something has read it by the next time, or the one after. */
	if (known->told.worker == IPC_WORKER_SERVES && rig.reads_after > 0 &&
		--rig.reads_after == 0)
		known->told.reads = 1;
}

static inline void
tell_limit(const struct ipc_header *ask, const struct ipc_status_limit *asked)
{
	struct ipc_status_limit_told told = {.used = asked->uid == 0 ? 7 : 1, .max = asked->limit};

	ASSERT((asked->uid == 0) == (asked->limit == IPC_LIMIT_HOST_CONNECTIONS ||
					    (asked->limit >= IPC_LIMIT_HOST_VMS &&
						    asked->limit <= IPC_LIMIT_HOST_MEMORY)));
	if (asked->limit == IPC_LIMIT_PIDS)
		told.used = told.max = UINT64_MAX;
	else
		(void)snprintf(told.rule, sizeof told.rule, "policy.conf:%u", asked->limit);
	answer(ask, asked->uid == 0 || may_know(find(asked->uid)) ? 0 : -EACCES, &told, sizeof told,
		-1);
}

static inline void
tell_vm(const struct ipc_header *ask, const struct ipc_status_vm *asked)
{
	const struct known *known = find(asked->uid);
	const struct ipc_status_vm_told *next = NULL;

	ASSERT(known);
	for (unsigned i = 0; i < 2 && !next; i++)
		if (known->vms[i].id > asked->after)
			next = &known->vms[i];
	answer(ask, !may_know(known) ? -EACCES : next ? 0 : -ENOENT, next, sizeof *next, -1);
}

static inline void
play_ask(const struct packet *packet)
{
	const void *body = packet->data + sizeof(struct ipc_header);
	struct ipc_header header;

	memcpy(&header, packet->data, sizeof header);
	rig.n_asks += header.type >= IPC_STATUS;
	if (header.type == IPC_INVENTORY_NEXT)
		tell_inventory(&header, ((const struct ipc_inventory_next *)body)->after);
	else if (header.type == IPC_STATUS)
		answer(&header, 0, &rig.status, sizeof rig.status, -1);
	else if (header.type == IPC_STATUS_USER)
		tell_user(&header, ((const struct ipc_status_user *)body)->uid);
	else if (header.type == IPC_STATUS_LIMIT)
		tell_limit(&header, body);
	else if (header.type == IPC_STATUS_VM)
		tell_vm(&header, body);
}

static inline bool
is_for_later(const struct packet *packet)
{
	struct ipc_header header;

	memcpy(&header, packet->data, sizeof header);
	return rig.status_sleeps && header.type >= IPC_STATUS;
}

static inline void
play_broker(void)
{
	struct packet packet;

	while (!rig.broker_sleeps && packet_recv(rig.broker_fd, &packet) == 0) {
		if (is_for_later(&packet)) {
			rig.kept[rig.n_kept++] = packet;
			continue;
		}
		play_ask(&packet);
		packet_fini(&packet);
	}
	for (; !rig.status_sleeps && rig.n_kept > 0; rig.n_kept--) {
		play_ask(&rig.kept[rig.n_kept - 1]);
		packet_fini(&rig.kept[rig.n_kept - 1]);
	}
}

/* --- the rig ------------------------------------------------------------------------------ */

static inline void
forget(struct uplink *uplink, struct uplink_conn *conn)
{
	(void)uplink;
	rig.n_forgotten++;
	asker_free(container_of(conn, struct asker, conn));
}

static inline int
pass(struct uplink *uplink, const struct ipc_conn_pass *body, int fd)
{
	(void)uplink;
	return asker_start(&rig.askers, body, fd);
}

static inline void
stopped(struct uplink *uplink, enum ipc_fault fault, uint16_t type)
{
	(void)uplink;
	(void)type;
	CHECK(fault == IPC_OK);
}

static inline void
found(struct uplink *uplink, int err, const struct ipc_inventory_found *body, int fd)
{
	(void)uplink;
	owners_found(&rig.askers.owners, err, body, fd);
}

static inline void
told(struct uplink *uplink, uint64_t cookie, int err, const void *body)
{
	(void)uplink;
	askers_told(&rig.askers, cookie, err, body);
}

static inline void
occupied(struct askers *askers, bool is_occupied)
{
	CHECK(askers == &rig.askers && rig.is_occupied != is_occupied);
	rig.is_occupied = is_occupied;
}

static const struct uplink_ops ops = {
	.pass = pass, .forget = forget, .stop = stopped, .inventory_found = found, .status = told};

#define UUID_A "11111111-2222-4333-8444-555555555555"
#define UUID_B "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
#define UUID_C "99999999-2222-4333-8444-555555555555"

static const uint8_t uuid_b[UUID_SIZE] = {0xaa, 0xaa, 0xaa, 0xaa, 0xbb, 0xbb, 0x4c, 0xcc, 0x8d,
	0xdd, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee};
static const uint8_t uuid_c[UUID_SIZE] = {0x99, 0x99, 0x99, 0x99, 0x22, 0x22, 0x43, 0x33, 0x84,
	0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55};

/* alice asks, and sees bob; carol is not for her to see. */
static inline void
start(void)
{
	int fds[2];

	rig.n_forgotten = rig.n_asks = rig.reads_after = rig.lost_after = 0;
	rig.last_conn = 0;
	rig.is_occupied = rig.broker_sleeps = rig.status_sleeps = false;
	rig.most_open = 0;
	rig.status = (struct ipc_status){.since_s = 100,
		.policy_s = 200,
		.n_rules = 3,
		.n_files = 1,
		.limits = IPC_LIMITS_COUNT,
		.controllers = IPC_CONTROLLERS_ALL};
	memset(rig.known, 0, sizeof rig.known);
	rig.known[0] = (struct known){.uid = 1000,
		.name = "alice",
		.inventory = "0\t5\t1\tp\t" UUID_A "\tbox\n7\t1\t1\tpa\t" UUID_B "\tweb\n+0\n",
		.own = true,
		.shown = true,
		.told = {.worker = IPC_WORKER_SERVES, .reads = 1, .n_connections = 2, .n_vms = 1}};
	rig.known[0].vms[0] = (struct ipc_status_vm_told){.id = 7,
		.state = IPC_VM_RUNS,
		.grant = {.memory_kib = 1024, .overhead_kib = 10, .vcpus = 2}};
	memcpy(rig.known[0].vms[0].uuid, uuid_b, UUID_SIZE);
	rig.known[1] = (struct known){.uid = 1001,
		.name = "bob",
		.inventory = "+3\n",
		.shown = true,
		.told = {.worker = IPC_WORKER_NONE}};
	rig.known[2] = (struct known){.uid = 1002,
		.name = "carol",
		.inventory = "0\t5\t1\tp\t" UUID_A "\tcanary\n+0\n",
		.told = {.worker = IPC_WORKER_NONE}};
	ASSERT(loop_init(&rig.loop) == 0 && packet_pair(fds) == 0);
	rig.broker_fd = fds[0];
	askers_init(&rig.askers, &rig.loop, &rig.uplink, occupied);
	ASSERT(uplink_start(&rig.uplink, &rig.loop, fds[1], &ops) == 0);
	owners_refresh(&rig.askers.owners);
}

static inline void
turn(int ms)
{
	ASSERT(loop_once(&rig.loop, ms) == 0);
	if (rig.askers.n_open > rig.most_open)
		rig.most_open = rig.askers.n_open;
	play_broker();
}

static inline void
stop(void)
{
	askers_fini(&rig.askers);
	for (unsigned i = 0; rig.n_forgotten < rig.last_conn && i < 100; i++)
		turn(10);
	CHECK(rig.n_forgotten == rig.last_conn && !rig.is_occupied);
	uplink_fini(&rig.uplink);
	loop_fini(&rig.loop);
	fd_close(&rig.broker_fd);
	fd_close(&rig.client);
}

static inline void
call(void)
{
	struct ipc_conn_pass body = {.conn_id = ++rig.last_conn,
		.uid = 1000,
		.verbs = VERB_VIEW,
		.socket = IPC_SOCKET_CTL,
		.origin = IPC_ORIGIN_UNIX,
		.label = "alice"};
	int fds[2];

	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	ASSERT(asker_start(&rig.askers, &body, fds[1]) == 0);
	rig.client = fds[0];
	rig.size = 0;
}

static inline void
say(const char *text, size_t size)
{
	CHECK(send(rig.client, text, size, MSG_NOSIGNAL) == (ssize_t)size);
}

/* What comes until it is closed, NUL-terminated. False: it is not closed. */
static inline bool
hear(void)
{
	for (unsigned i = 0; i < TURNS; i++) {
		ssize_t n =
			recv(rig.client, rig.text + rig.size, sizeof rig.text - rig.size - 1, 0);

		if (n == 0 || (n < 0 && errno == ECONNRESET)) {
			rig.text[rig.size] = '\0';
			fd_close(&rig.client);
			return true;
		}
		if (n > 0)
			rig.size += (size_t)n;
		else
			turn(10);
	}
	return false;
}

/* The answer to a question. Returns the kinds of its rows, by their first letters. */
static inline const char *
ask(const char *question, struct talk_row *rows, unsigned max)
{
	static char kinds[256];
	struct talk_reader reader = {.text = rig.text};
	enum talk_result result;
	unsigned n = 0;

	call();
	say(question, strlen(question));
	CHECK(hear());
	reader.size = rig.size;
	while ((result = talk_next(&reader, &rows[n])) == TALK_ROW && n + 1 < max) {
		kinds[n] = talk_kinds[rows[n].kind].name[0];
		n++;
	}
	CHECK(result == TALK_WHOLE);
	kinds[n] = '\0';
	return kinds;
}

static inline const struct talk_value *
at(const struct talk_row *row, unsigned column)
{
	return &row->values[column];
}

static inline struct asker *
first(void)
{
	return LIST_FIRST(&rig.askers.list);
}

#endif
