/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_broker.c: what a worker that was taken over says to root's broker, one message after the
 * other, while its clients come and go, boxes start and end, and another user is served.
 *
 * Input: two bytes each for what happens next and how; a message's body is the good one of
 * tests/unit/messages.h with some bytes changed. Oracle: the broker goes on, the other user is
 * served by the same worker, and nothing of all this is left.
 */
#include <stdint.h>
#include <unistd.h>

#include "broker/tickets.h"
#include "fuzz/check.h"

#include "tests/unit/broker_stage.h"
#include "tests/unit/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 64, KIDS_MAX = 3, BOXES_MAX = 8, CLIENTS_MAX = 8, SETTLE_TURNS = 400 };

static struct kid bob;

/* The one whose worker says anything. */
static struct {
	uint32_t uid;
	struct kid kid;
	unsigned n_kids;
	struct kid boxes[BOXES_MAX];
	unsigned n_boxes;
	int clients[CLIENTS_MAX];
	unsigned n_clients;
	uint32_t pass_serial;   /* of the last CONN_PASS */
	uint32_t change_serial; /* of the last TICKET_CHANGE */
	uint64_t conn_id;
	bool helps; /* the starter starts what it is asked for */
} alice;

static struct {
	const uint8_t *data;
	size_t size;
} input;

static uint8_t
take(void)
{
	if (input.size == 0)
		return 0;
	input.size--;
	return *input.data++;
}

/* --- the starter, and honest children ------------------------------------------------------- */

static void
start_for(const struct packet *ask, struct kid *kid)
{
	struct ipc_started started;
	int pair[2], fds[2];

	*kid = (struct kid){.pid = fork_idle(), .link = -1};
	started = (struct ipc_started){.pid = (uint32_t)kid->pid};
	ASSERT(packet_pair(pair) == 0);
	fds[0] = pair[0];
	fds[1] = pidfd_open(kid->pid, 0);
	answer(starter_fd, ask, &started, sizeof(started), fds, 2);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	kid->link = pair[1];
}

static void
starter_hears(const struct packet *ask)
{
	struct ipc_resolve resolve;
	struct account account;
	uint32_t uid;

	switch (header_of(ask).type) {
	case IPC_RESOLVE:
		memcpy(&resolve, body_of(ask), sizeof(resolve));
		account = account_of_uid(resolve.uid);
		answer_account(ask, &account);
		break;
	case IPC_WORKER:
		memcpy(&uid, body_of(ask), sizeof(uid));
		ASSERT(uid == alice.uid);
		if (!alice.helps || alice.n_kids == KIDS_MAX || alice.kid.pid > 0) {
			answer_error(starter_fd, ask, -EIO, sizeof(struct ipc_started));
			break;
		}
		alice.n_kids++;
		start_for(ask, &alice.kid);
		break;
	case IPC_BOX:
		memcpy(&uid, body_of(ask), sizeof(uid));
		ASSERT(uid == alice.uid);
		if (alice.helps && alice.n_boxes < BOXES_MAX)
			start_for(ask, &alice.boxes[alice.n_boxes++]);
		else
			answer_error(starter_fd, ask, -EIO, sizeof(struct ipc_started));
		break;
	case IPC_LEAF_LIMIT:
		answer(starter_fd, ask, NULL, 0, NULL, 0);
		break;
	case IPC_LEAF_END:
		answer(starter_fd, ask, &(struct ipc_leaf_ended){.how = IPC_GONE_ENDED},
			sizeof(struct ipc_leaf_ended), NULL, 0);
		break;
	default:
		abort(); /* it is asked for nothing else */
	}
}

/* A connection is taken, and over. Returns whether there was one. */
static bool
honest(const struct kid *kid)
{
	AUTO(packet_fini) struct packet packet = {.size = 0};
	uint64_t id;

	if (packet_recv(kid->link, &packet) != 0 || header_of(&packet).type != IPC_CONN_PASS)
		return false;
	memcpy(&id, body_of(&packet), sizeof(id));
	taken(kid, &packet);
	gone(kid, id);
	return true;
}

static void
pump(void)
{
	struct packet packet;

	turn();
	while (packet_recv(starter_fd, &packet) == 0) {
		starter_hears(&packet);
		packet_fini(&packet);
		turn();
	}
	while (alice.kid.link >= 0 && packet_recv(alice.kid.link, &packet) == 0) {
		if (header_of(&packet).type == IPC_CONN_PASS) {
			alice.pass_serial = header_of(&packet).serial;
			memcpy(&alice.conn_id, body_of(&packet), sizeof(alice.conn_id));
		}
		if (header_of(&packet).type == IPC_TICKET_CHANGE)
			alice.change_serial = header_of(&packet).serial;
		packet_fini(&packet);
	}
	while (honest(&refuser))
		continue;
	if (alice.kid.pid > 0 && waitpid(alice.kid.pid, NULL, WNOHANG) == alice.kid.pid) {
		fd_close(&alice.kid.link);
		alice.kid.pid = -1;
	}
}

/* --- what happens --------------------------------------------------------------------------- */

static void
say_message(uint8_t how)
{
	const struct expected *expected = &messages[take() % N_MESSAGES];
	struct raw raw = good_raw(expected);
	int fds[PACKET_FDS_MAX] = {0};
	unsigned n_fds = expected->n_fds;

	if (expected->type == IPC_CONN_TAKEN)
		raw.header.serial = alice.pass_serial;
	if (expected->type == IPC_TICKET_CHANGED)
		raw.header.serial = alice.change_serial;
	if (expected->type == IPC_CONN_TAKEN || expected->type == IPC_CONN_GONE)
		memcpy(raw.body, &alice.conn_id, sizeof(alice.conn_id));
	if (expected->kind == ASK)
		raw.header.serial = 1 + take();
	for (unsigned i = 0; i < (how & 3); i++) {
		size_t at = take() % (sizeof(raw.header) + (expected->size ? expected->size : 1));

		((uint8_t *)&raw)[at] = take();
	}
	if (how & 0x40)
		n_fds = take() % PACKET_FDS_MAX;
	if (how & 0x80)
		raw.size = 1 + take() % (sizeof(raw.header) + expected->size);
	for (unsigned i = 0; i < n_fds; i++)
		fds[i] = alice.kid.link;
	if (alice.kid.link >= 0)
		(void)packet_send(alice.kid.link, &raw, raw.size, fds, n_fds);
}

/* Killed or not. */
static void
end_box(struct kid *box)
{
	if (box->pid <= 0)
		return;
	(void)kill(box->pid, SIGTERM);
	ASSERT(waitpid(box->pid, NULL, 0) == box->pid);
	box->pid = -1;
	fd_close(&box->link);
}

/* Policy says something else of the connection that was passed last. */
static void
change_ticket(uint8_t how)
{
	static const uint32_t verbs[] = {0, 1, 3, 5, 7, 15};
	uint32_t now = verbs[how % 6];
	struct conn *conn = conns_find(&broker.conns, alice.conn_id);

	if (conn)
		tickets_change(&broker, conn, now, now == 15 ? "" : "policy");
}

static void
step(void)
{
	uint8_t what = take(), how = take();
	unsigned i;

	switch (what % 8) {
	case 0:
		if (alice.n_clients < CLIENTS_MAX)
			alice.clients[alice.n_clients++] = connect_as(alice.uid);
		break;
	case 1:
		if (alice.n_clients > 0)
			fd_close(&alice.clients[--alice.n_clients]);
		break;
	case 2:
		/* A box, or what became of it, ends. */
		i = how % BOXES_MAX;
		if (i < alice.n_boxes)
			end_box(&alice.boxes[i]);
		break;
	case 3:
		alice.helps = how & 1;
		break;
	case 4:
		change_ticket(how);
		break;
	default:
		say_message(how);
		break;
	}
	/* Some things happen at once. */
	if (!(how & 0x20))
		pump();
}

/* --- one worker's life ---------------------------------------------------------------------- */

static void
close_all(void)
{
	end_kid(&bob);
	stage_close();
}

static void
begin(void)
{
	static uint32_t last_uid = 3000;

	if (starter_fd < 0) {
		int client;

		log_open("fuzz", LEVEL_ERROR);
		/* The children's too, whatever libFuzzer has made of it. */
		ASSERT(signal(SIGTERM, SIG_DFL) != SIG_ERR);
		stage_ready();
		bob = first_connection(BOB, &client);
		(void)serve(&bob);
		fd_close(&client);
		ASSERT(atexit(close_all) == 0);
	}
	memset(&alice, 0, sizeof(alice));
	last_uid = last_uid < 50000 ? last_uid + 1 : 3000;
	alice.uid = last_uid;
	alice.helps = true;
	alice.kid = (struct kid){.pid = -1, .link = -1};
	alice.clients[alice.n_clients++] = connect_as(alice.uid);
	pump();
	ASSERT(alice.kid.pid > 0);
}

static void
check_bob(void)
{
	int client = connect_as(BOB);

	ASSERT(honest(&bob) && is_alive(&bob));
	ASSERT(is_closed(client));
	fd_close(&client);
}

static void
end(void)
{
	char name[16];

	alice.helps = false;
	while (alice.n_clients > 0)
		fd_close(&alice.clients[--alice.n_clients]);
	pump();
	if (alice.kid.pid > 0) {
		ASSERT(kill(alice.kid.pid, SIGKILL) == 0);
		ASSERT(waitpid(alice.kid.pid, NULL, 0) == alice.kid.pid);
		fd_close(&alice.kid.link);
		alice.kid.pid = -1;
	}
	for (unsigned i = 0; i < alice.n_boxes; i++)
		end_box(&alice.boxes[i]);
	for (unsigned i = 0; i < SETTLE_TURNS &&
			     (broker.n_children > 2 || broker.leases.used.of[QUOTA_HOST_VMS] > 0 ||
				     broker.conns.n_used > 0);
		i++)
		pump();
	ASSERT(broker.n_children == 2 && broker.leases.used.of[QUOTA_HOST_MEMORY] == 0 &&
		broker.conns.n_used == 0);
	(void)snprintf(name, sizeof(name), "%u", alice.uid);
	(void)unlinkat(broker.places.registry_fd, name, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input.data = data;
	input.size = size;
	begin();
	for (unsigned i = 0; i < STEPS_MAX && input.size > 0; i++)
		step();
	pump();
	ASSERT(!broker.loop.quit);
	check_bob();
	end();
	check_bob();
	return 0;
}
