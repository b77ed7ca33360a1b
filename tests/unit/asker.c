/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * asker.c: qemudctl is answered from what the broker says and workers list, once whole; a worker that
 * does not answer is waited for for a second, a client that says or reads nothing not for ever.
 */
#include "view/asker.h"

#include <errno.h>
#include <sys/socket.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/memfd.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "protocol/verb.h"
#include "tests/unit/test.h"

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

static void
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

static struct known *
find(uint32_t uid)
{
	for (unsigned i = 0; i < USERS; i++)
		if (rig.known[i].uid == uid)
			return &rig.known[i];
	return NULL;
}

/* The generation of an owner is 1 + her place. */
static void
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
static bool
may_know(const struct known *known)
{
	if (known != &rig.known[1] || rig.lost_after == 0)
		return true;
	rig.lost_after -= rig.lost_after > 1;
	return rig.lost_after > 1;
}

static void
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

static void
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

static void
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

static void
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

static bool
is_for_later(const struct packet *packet)
{
	struct ipc_header header;

	memcpy(&header, packet->data, sizeof header);
	return rig.status_sleeps && header.type >= IPC_STATUS;
}

static void
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

static void
forget(struct uplink *uplink, struct uplink_conn *conn)
{
	(void)uplink;
	rig.n_forgotten++;
	asker_free(container_of(conn, struct asker, conn));
}

static int
pass(struct uplink *uplink, const struct ipc_conn_pass *body, int fd)
{
	(void)uplink;
	return asker_start(&rig.askers, body, fd);
}

static void
stopped(struct uplink *uplink, enum ipc_fault fault, uint16_t type)
{
	(void)uplink;
	(void)type;
	CHECK(fault == IPC_OK);
}

static void
found(struct uplink *uplink, int err, const struct ipc_inventory_found *body, int fd)
{
	(void)uplink;
	owners_found(&rig.askers.owners, err, body, fd);
}

static void
told(struct uplink *uplink, uint64_t cookie, int err, const void *body)
{
	(void)uplink;
	askers_told(&rig.askers, cookie, err, body);
}

static void
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
static void
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

static void
turn(int ms)
{
	ASSERT(loop_once(&rig.loop, ms) == 0);
	if (rig.askers.n_open > rig.most_open)
		rig.most_open = rig.askers.n_open;
	play_broker();
}

static void
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

static void
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

static void
say(const char *text, size_t size)
{
	CHECK(send(rig.client, text, size, MSG_NOSIGNAL) == (ssize_t)size);
}

/* What comes until it is closed, NUL-terminated. False: it is not closed. */
static bool
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
static const char *
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

static const struct talk_value *
at(const struct talk_row *row, unsigned column)
{
	return &row->values[column];
}

/* --- answers ------------------------------------------------------------------------------ */

static void
test_status(void)
{
	struct talk_row rows[16];

	start();
	CHECK_STR(ask("1\tstatus\n", rows, 16), "huu");
	CHECK(at(&rows[0], TALK_HOST_SINCE)->number == 100);
	CHECK_STR(at(&rows[0], TALK_HOST_LIMITS)->text, "count");
	CHECK_STR(at(&rows[0], TALK_HOST_CONTROLLERS)->text, "all");
	CHECK(!at(&rows[0], TALK_HOST_VMS)->known && !at(&rows[0], TALK_HOST_AUDIT)->known);
	CHECK_STR(at(&rows[1], TALK_USER_NAME)->text, "alice");
	CHECK(at(&rows[1], TALK_USER_OWN)->number == 1);
	CHECK(at(&rows[1], TALK_USER_ANSWERS)->number == 1);
	CHECK(at(&rows[1], TALK_USER_REPORTED_VMS)->number == 2);
	CHECK_STR(at(&rows[2], TALK_USER_NAME)->text, "bob");
	CHECK_STR(at(&rows[2], TALK_USER_WORKER)->text, "none");
	CHECK(!at(&rows[2], TALK_USER_ANSWERS)->known);
	CHECK(at(&rows[2], TALK_USER_REPORTED_VMS)->number == 3);
	/* Who sees everybody is told of the host. */
	rig.status.all = 1;
	rig.status.audit = IPC_AUDIT_STUCK;
	rig.status.audit_lost = 4;
	CHECK_STR(ask("1\tstatus\n", rows, 16), "huu");
	CHECK_STR(at(&rows[0], TALK_HOST_AUDIT)->text, "stuck");
	CHECK(at(&rows[0], TALK_HOST_AUDIT_LOST)->number == 4);
	stop();
}

/* By the broker's word what runs, by the worker's what it is called, and what does not. */
static void
test_vms(void)
{
	struct talk_row rows[16];

	start();
	CHECK_STR(ask("1\tvms\n", rows, 16), "huuvv");
	CHECK_STR(at(&rows[3], TALK_VM_REPORTED_NAME)->text, "box");
	CHECK(!at(&rows[3], TALK_VM_ID)->known && !at(&rows[3], TALK_VM_STATE)->known);
	CHECK_STR(at(&rows[3], TALK_VM_REPORTED_STATE)->text, "shut off");
	CHECK_STR(at(&rows[4], TALK_VM_REPORTED_NAME)->text, "web");
	CHECK(at(&rows[4], TALK_VM_ID)->number == 7 && at(&rows[4], TALK_VM_VCPUS)->number == 2);
	CHECK_STR(at(&rows[4], TALK_VM_STATE)->text, "running");
	CHECK_STR(at(&rows[4], TALK_VM_UUID)->text, UUID_B);
	/* One of which no worker tells runs all the same; of what nobody wrote down nothing is said. */
	rig.known[1].vms[1] = (struct ipc_status_vm_told){.id = 9, .state = IPC_VM_STANDS};
	memcpy(rig.known[1].vms[1].uuid, uuid_c, UUID_SIZE);
	CHECK_STR(ask("1\tvms\n", rows, 16), "huuvvv");
	CHECK_STR(at(&rows[5], TALK_VM_OWNER)->text, "bob");
	CHECK_STR(at(&rows[5], TALK_VM_UUID)->text, UUID_C);
	CHECK_STR(at(&rows[5], TALK_VM_STATE)->text, "frozen");
	CHECK(!at(&rows[5], TALK_VM_REPORTED_NAME)->known && !at(&rows[5], TALK_VM_VCPUS)->known);
	stop();
}

static void
test_limits(void)
{
	struct talk_row rows[64];

	start();
	CHECK_STR(ask("1\tlimits\n", rows, 64), "hllllllllllllllll");
	CHECK_STR(at(&rows[1], TALK_LIMIT_NAME)->text, "alice");
	CHECK_STR(at(&rows[1], TALK_LIMIT_KEY)->text, "vms");
	CHECK(at(&rows[1], TALK_LIMIT_USED)->number == 1);
	CHECK(at(&rows[1], TALK_LIMIT_MAX)->number == IPC_LIMIT_VMS);
	CHECK_STR(at(&rows[1], TALK_LIMIT_RULE)->text, "policy.conf:3");
	CHECK_STR(at(&rows[6], TALK_LIMIT_KEY)->text, "pids");
	CHECK(!at(&rows[6], TALK_LIMIT_USED)->known && !at(&rows[6], TALK_LIMIT_MAX)->known);
	CHECK_STR(at(&rows[9], TALK_LIMIT_NAME)->text, "bob");
	/* The host's come first, for who sees everybody and asks for all. */
	rig.status.all = 1;
	rig.status.audit = IPC_AUDIT_OFF;
	CHECK_STR(ask("1\tlimits\n", rows, 64), "hllllllllllllllllllll");
	CHECK(!at(&rows[1], TALK_LIMIT_UID)->known && at(&rows[1], TALK_LIMIT_USED)->number == 7);
	CHECK_STR(at(&rows[4], TALK_LIMIT_KEY)->text, "connections");
	CHECK_STR(at(&rows[5], TALK_LIMIT_NAME)->text, "alice");
	CHECK_STR(ask("1\tlimits\t1001\n", rows, 64), "hllllllll");
	CHECK_STR(at(&rows[8], TALK_LIMIT_NAME)->text, "bob");
	CHECK_STR(ask("1\tlimits\talice\n", rows, 64), "hllllllll");
	stop();
}

/* Who is not shown is nobody, in the same words. */
static void
test_unknown(void)
{
	static const char *const others[] = {"1\tlimits\tcarol\n", "1\tlimits\t1002\n",
		"1\tlimits\tnobody\n", "1\tlimits\tcanary\n"};
	struct talk_row rows[16];

	start();
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		CHECK_STR(ask(others[i], rows, 16), "he");
		CHECK_STR(at(&rows[1], TALK_ERROR_CODE)->text, TALK_CODE_UNKNOWN);
		CHECK_STR(at(&rows[1], TALK_ERROR_TEXT)->text,
			"there is no such user here, or none whose limits you may see");
	}
	stop();
}

/* She is told of herself though she may see nothing, and is no owner yet. */
static void
test_alone(void)
{
	struct talk_row rows[16];

	start();
	rig.known[0].shown = rig.known[1].shown = false;
	CHECK_STR(ask("1\tvms\n", rows, 16), "huv");
	CHECK(at(&rows[1], TALK_USER_UID)->number == 1000);
	CHECK(!at(&rows[1], TALK_USER_REPORTED_VMS)->known);
	CHECK(!at(&rows[2], TALK_VM_REPORTED_NAME)->known);
	stop();
}

/* Who is lost in the middle of an answer is not in it. */
static void
test_lost(void)
{
	struct talk_row rows[16];

	start();
	turn(0);
	for (unsigned i = 0; i < 8; i++)
		turn(0);
	rig.known[1].shown = false;
	CHECK_STR(ask("1\tvms\n", rows, 16), "huvv");
	stop();
}

/* At whatever ask that is: no row has of her what is somebody else's. */
static void
test_lost_midway(void)
{
	struct talk_row rows[64];

	start();
	/* bob is between alice and carol, whom she sees then. */
	rig.known[2].shown = true;
	for (unsigned i = 0; i < 2; i++) {
		rig.known[1].vms[i] = (struct ipc_status_vm_told){
			.id = 20 + i, .uuid = {(uint8_t)(i + 1)}, .state = IPC_VM_RUNS};
	}
	for (unsigned asks = 2; asks < 12; asks++) {
		const char *kinds;

		rig.lost_after = asks;
		kinds = ask("1\tlimits\n", rows, 64);
		for (unsigned i = 1, of_bob = 0, of_carol = 0; kinds[i]; i++) {
			of_bob += at(&rows[i], TALK_LIMIT_UID)->number == 1001;
			of_carol += at(&rows[i], TALK_LIMIT_UID)->number == 1002;
			CHECK(of_bob < asks && (kinds[i + 1] || of_carol == 8));
		}
		rig.lost_after = asks;
		kinds = ask("1\tvms\n", rows, 64);
		for (unsigned i = 1; kinds[i]; i++)
			if (kinds[i] == 'v' && at(&rows[i], TALK_VM_ID)->number >= 20)
				CHECK(at(&rows[i], TALK_VM_UID)->number == 1001);
	}
	stop();
}

/* --- time --------------------------------------------------------------------------------- */

static void
test_patience(void)
{
	struct talk_row rows[16];
	uint64_t begun_ns;

	start();
	rig.known[0].told.reads = 0;
	/* The second time that it is asked about, it has read. */
	rig.reads_after = 2;
	CHECK_STR(ask("1\tstatus\n", rows, 16), "huu");
	CHECK(at(&rows[1], TALK_USER_ANSWERS)->number == 1);
	rig.known[0].told.reads = 0;
	begun_ns = loop_now(&rig.loop);
	CHECK_STR(ask("1\tstatus\n", rows, 16), "huu");
	CHECK(at(&rows[1], TALK_USER_ANSWERS)->known);
	CHECK(at(&rows[1], TALK_USER_ANSWERS)->number == 0);
	CHECK(loop_now(&rig.loop) - begun_ns >= LOOP_MS(ASKER_PATIENCE_MS));
	stop();
}

static struct asker *
first(void)
{
	return LIST_FIRST(&rig.askers.list);
}

static void
test_silence(void)
{
	start();
	/* Nothing, the beginning of a question, the end before a question. */
	call();
	turn(0);
	CHECK(first()->step == ASKER_LISTENS);
	timer_set(&rig.loop, &first()->deadline, 0, first()->deadline.fn);
	CHECK(hear() && rig.size == 0);
	call();
	say("1\tsta", 5);
	turn(0);
	turn(0);
	CHECK(first()->step == ASKER_LISTENS && timer_is_set(&first()->deadline));
	say("tus\n", 4);
	CHECK(hear() && rig.size > 0);
	call();
	CHECK(shutdown(rig.client, SHUT_WR) == 0 && hear() && rig.size == 0);
	/* Whom the broker does not answer. */
	rig.broker_sleeps = true;
	call();
	say("1\tstatus\n", 9);
	for (unsigned i = 0; i < 8; i++)
		turn(0);
	CHECK(first() && first()->step != ASKER_LISTENS);
	timer_set(&rig.loop, &first()->deadline, 0, first()->deadline.fn);
	CHECK(hear());
	stop();
}

/* Nothing more is asked for while nobody reads what there is; then it goes on. */
static void
test_slow_reader(void)
{
	static char inventory[INVENTORY_MAX];
	struct inventory_writer writer;
	struct inventory_vm vm = {.state = 5, .persistent = true};
	struct talk_reader reader = {.text = rig.text};
	unsigned n_rows = 0, n_asks;
	struct talk_row row;

	start();
	inventory_write(&writer, inventory, sizeof inventory - 1);
	for (unsigned i = 0; i < 1000; i++) {
		vm.uuid[0] = (uint8_t)i;
		(void)snprintf(vm.name, sizeof vm.name, "vm%06u", i);
		ASSERT(inventory_add(&writer, &vm) == 0);
	}
	inventory[inventory_end(&writer)] = '\0';
	for (unsigned i = 0; i < USERS; i++)
		rig.known[i] = (struct known){.uid = 2000 + i,
			.name = (const char *[]){"a", "b", "c", "d", "e", "f", "g", "h"}[i],
			.inventory = inventory,
			.shown = true,
			.told = {.worker = IPC_WORKER_NONE}};
	rig.known[0].uid = 1000;
	rig.known[0].own = true;
	call();
	say("1\tvms\n", 6);
	for (unsigned i = 0; i < 64; i++)
		turn(0);
	n_asks = rig.n_asks;
	for (unsigned i = 0; i < 64; i++)
		turn(0);
	CHECK(first() && first()->step == ASKER_VMS && rig.n_asks == n_asks);
	CHECK(hear());
	reader.size = rig.size;
	while (talk_next(&reader, &row) == TALK_ROW)
		n_rows++;
	CHECK(n_rows == 1 + USERS + USERS * 1000 && !reader.error);
	stop();
}

/* As many as the broker may have open, and no more; who goes, or is refused, has no turn. */
static void
test_crowd(void)
{
	enum { CROWD = 100 };
	struct ipc_ticket_change change = {.conn_id = CROWD - 1, .reason = "no more"};
	struct talk_reader reader;
	int clients[CROWD];
	struct talk_row row;

	start();
	for (unsigned i = 0; i < 8; i++)
		turn(0);
	for (unsigned i = 0; i < CROWD; i++) {
		call();
		say(i % 2 ? "1\tvms\n" : "1\tstatus\n", i % 2 ? 6 : 9);
		clients[i] = rig.client;
	}
	/* It knows of owners, and is slow with all else. */
	rig.status_sleeps = true;
	for (unsigned i = 0; i < TURNS && rig.askers.n_open < ASKERS_OPEN_MAX; i++)
		turn(0);
	for (unsigned i = 0; i < CROWD; i++)
		turn(0);
	CHECK(rig.askers.n_open == ASKERS_OPEN_MAX && rig.n_kept == ASKERS_OPEN_MAX);
	/* The one that has waited longest for an answer, and the one that is to wait longest. */
	for (unsigned i = 0; i < CROWD; i += CROWD - 1)
		fd_close(&clients[i]);
	CHECK(askers_change(&rig.askers, &change) == 0);
	for (unsigned i = 0; i < CROWD; i++)
		turn(0);
	CHECK(rig.askers.n_open == ASKERS_OPEN_MAX && rig.n_kept == ASKERS_OPEN_MAX);
	rig.status_sleeps = false;
	for (unsigned i = 1; i < CROWD - 1; i++) {
		rig.client = clients[i];
		rig.size = 0;
		CHECK(hear());
		reader = (struct talk_reader){.text = rig.text, .size = rig.size};
		while (talk_next(&reader, &row) == TALK_ROW)
			CHECK((row.kind == TALK_ERROR) == (i == CROWD - 2));
		CHECK(!reader.error);
	}
	CHECK(rig.most_open == ASKERS_OPEN_MAX);
	CHECK(rig.askers.n_open == 0 && TAILQ_EMPTY(&rig.askers.waiting));
	stop();
}

/* --- what is no question ------------------------------------------------------------------ */

static void
test_no_question(void)
{
	static const char *const questions[] = {"nonsense\n", "2\tstatus\n", "\n"};
	char endless[1000];
	struct talk_row rows[4];

	start();
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
		CHECK_STR(ask(questions[i], rows, 4), "e");
		CHECK_STR(at(&rows[0], TALK_ERROR_CODE)->text, TALK_CODE_QUESTION);
	}
	memset(endless, 'x', sizeof endless);
	call();
	say(endless, sizeof endless);
	CHECK(hear() && strncmp(rig.text, "error\tquestion\t", 15) == 0);
	CHECK(rig.n_asks == 0);
	stop();
}

/* --- ends --------------------------------------------------------------------------------- */

static void
test_client_gone(void)
{
	start();
	rig.broker_sleeps = true;
	call();
	say("1\tstatus\n", 9);
	for (unsigned i = 0; i < 8; i++)
		turn(0);
	fd_close(&rig.client);
	for (unsigned i = 0; i < 8; i++)
		turn(0);
	CHECK(rig.askers.n == 0 && rig.n_forgotten == 1);
	/* What the broker says then is about nobody. */
	rig.broker_sleeps = false;
	for (unsigned i = 0; i < 8; i++)
		turn(0);
	stop();
}

static void
test_ticket(void)
{
	struct ipc_ticket_change change = {.conn_id = 1, .verbs = VERB_VIEW};

	start();
	CHECK(askers_change(&rig.askers, &change) == -ENOENT);
	call();
	CHECK(askers_change(&rig.askers, &change) == 0 && first()->step == ASKER_LISTENS);
	change.verbs = 0;
	(void)snprintf(change.reason, sizeof change.reason, "policy.conf:3 denies it");
	CHECK(askers_change(&rig.askers, &change) == 0);
	CHECK(hear());
	CHECK_STR(rig.text, "error\trefused\tpolicy.conf:3 denies it\nend\t1\n");
	stop();
}

static void
test_broker_gone(void)
{
	start();
	rig.broker_sleeps = true;
	call();
	say("1\tstatus\n", 9);
	for (unsigned i = 0; i < 8; i++)
		turn(0);
	fd_close(&rig.broker_fd);
	for (unsigned i = 0; i < 8; i++)
		ASSERT(loop_once(&rig.loop, 0) == 0);
	rig.n_forgotten = 0;
	while (recv(rig.client, rig.text, sizeof rig.text, MSG_DONTWAIT) > 0)
		CHECK(strncmp(rig.text, "error\tfailed\t", 13) == 0);
	askers_fini(&rig.askers);
	uplink_fini(&rig.uplink);
	loop_fini(&rig.loop);
	fd_close(&rig.client);
	CHECK(rig.n_forgotten <= 1);
}

/* Told to end, it answers who has asked. */
static void
test_drain(void)
{
	int silent;

	start();
	call();
	silent = rig.client;
	call();
	say("1\tstatus\n", 9);
	turn(0);
	askers_drain(&rig.askers);
	CHECK(hear() && strstr(rig.text, "\nend\t3\n"));
	rig.client = silent;
	CHECK(hear() && rig.size > 0);
	stop();
}

int
main(void)
{
	rig.client = -1;
	TEST("status tells of oneself and of whom one may see", test_status);
	TEST("what runs is the broker's word, what it is called the worker's", test_vms);
	TEST("limits of all, or of one, and of the host for who sees everybody", test_limits);
	TEST("who may not be seen is nobody", test_unknown);
	TEST("everybody is told of herself", test_alone);
	TEST("who may be seen no more is left out", test_lost);
	TEST("so is who is lost midway, and nothing of hers is another's", test_lost_midway);
	TEST("a worker that does not answer is waited for for a second", test_patience);
	TEST("who says nothing, or is not answered, is not there for ever", test_silence);
	TEST("who does not read is told no more until she does", test_slow_reader);
	TEST("a crowd is answered, by turns", test_crowd);
	TEST("what is no question is told", test_no_question);
	TEST("a client that goes leaves nothing", test_client_gone);
	TEST("who may do nothing any more is told by which line", test_ticket);
	TEST("the end of the broker is told", test_broker_gone);
	TEST("at the end who has asked is answered", test_drain);
	return TEST_END();
}
