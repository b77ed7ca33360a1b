/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_tickets.c: what an open connection may do is changed wherever it is by then, its child says
 * that it is so, and a child that does not costs its own connections alone.
 */
#include "broker/tickets.h"

#include "protocol/verb.h"
#include "tests/unit/broker_stage.h"

enum { POWER = VERB_VIEW | VERB_POWER, MANY = 100 };

/* The connection of a pass. */
static struct conn *
conn_of(uint64_t id)
{
	struct conn *conn = conns_find(&broker.conns, id);

	CHECK(conn);
	return conn;
}

/* A connection that its worker has taken; returns its id. */
static uint64_t
take_one(const struct kid *kid)
{
	AUTO(packet_fini) struct packet pass;

	expect(kid->link, IPC_CONN_PASS, &pass);
	taken(kid, &pass);
	return ((const struct ipc_conn_pass *)body_of(&pass))->conn_id;
}

/* The next change that the child is told. */
static struct ipc_ticket_change
expect_change(const struct kid *kid, struct packet *ask)
{
	struct ipc_ticket_change change;

	expect(kid->link, IPC_TICKET_CHANGE, ask);
	memcpy(&change, body_of(ask), sizeof change);
	return change;
}

static void
acknowledge(const struct kid *kid, const struct packet *ask, int err)
{
	if (err == 0)
		answer(kid->link, ask, NULL, 0, NULL, 0);
	else
		answer_error(kid->link, ask, err, 0);
	turn();
}

/* It is told this of that connection, and acknowledges. */
static void
changed(const struct kid *kid, uint64_t id, uint32_t verbs, const char *reason)
{
	AUTO(packet_fini) struct packet ask;
	struct ipc_ticket_change change = expect_change(kid, &ask);

	CHECK(change.conn_id == id && change.verbs == verbs);
	CHECK_STR(change.reason, reason);
	acknowledge(kid, &ask, 0);
}

static struct child *
child_of(uint32_t uid)
{
	return &users_find(&broker.users, uid)->child;
}

static void
test_taken(void)
{
	struct kid alice;
	uint64_t id;
	int client;

	stage_ready();
	alice = first_connection(ALICE, &client);
	id = take_one(&alice);
	tickets_change(&broker, conn_of(id), POWER, "a longer reason");
	changed(&alice, id, POWER, "a longer reason");
	CHECK(child_of(ALICE)->tickets.n == 0);
	/* Nothing is said twice. */
	tickets_change(&broker, conn_of(id), POWER, "a longer reason");
	expect_nothing(alice.link);
	/* That it is for another reason is told. */
	tickets_change(&broker, conn_of(id), POWER, "shorter");
	changed(&alice, id, POWER, "shorter");
	tickets_change(&broker, conn_of(id), VERBS_ALL, "");
	changed(&alice, id, VERBS_ALL, "");
	/* Two changes before the first was heard of: both, in their order. */
	tickets_change(&broker, conn_of(id), VERBS_VIEW, "one");
	tickets_change(&broker, conn_of(id), POWER, "two");
	changed(&alice, id, VERBS_VIEW, "one");
	changed(&alice, id, POWER, "two");
	gone(&alice, id);
	CHECK(is_alive(&alice));
	fd_close(&client);
	end_kid(&alice);
	stage_close();
}

static void
test_on_its_way(void)
{
	AUTO(packet_fini) struct packet pass;
	struct kid alice;
	uint64_t id;
	int client;

	stage_ready();
	alice = first_connection(ALICE, &client);
	expect(alice.link, IPC_CONN_PASS, &pass);
	id = ((const struct ipc_conn_pass *)body_of(&pass))->conn_id;
	CHECK(((const struct ipc_conn_pass *)body_of(&pass))->verbs == VERBS_ALL);
	/* Behind the connection itself, before it was taken. */
	tickets_change(&broker, conn_of(id), POWER, "why");
	taken(&alice, &pass);
	changed(&alice, id, POWER, "why");
	gone(&alice, id);
	fd_close(&client);
	end_kid(&alice);
	stage_close();
}

static void
test_waiting(void)
{
	struct ipc_conn_pass pass;
	int clients[2];
	struct kid alice;
	struct conn *conn;

	stage_ready();
	for (int i = 0; i < 2; i++)
		clients[i] = connect_as(ALICE);
	/* Not decided yet: it will be, by what holds then. */
	conn = users_find(&broker.users, ALICE)->pending.first;
	tickets_change(&broker, conn, 0, "too early");
	CHECK(conn->pass.verbs == 0 && conn->pass.reason[0] == '\0');
	resolve(ALICE);
	alice = start_kid(IPC_WORKER, ALICE);
	CHECK(child_of(ALICE)->waiting.n == 2);
	conn = child_of(ALICE)->waiting.first;
	tickets_change(&broker, conn->next, 0, "nothing for you");
	pass = expect_refusal(IPC_REFUSAL_POLICY);
	CHECK_STR(pass.reason, "nothing for you");
	tickets_change(&broker, conn, VERBS_VIEW, "why");
	hello(&alice);
	pass = serve(&alice);
	CHECK(pass.verbs == VERBS_VIEW && pass.refusal == IPC_REFUSAL_NONE);
	CHECK_STR(pass.reason, "why");
	CHECK(is_closed(clients[1]));
	for (int i = 0; i < 2; i++)
		fd_close(&clients[i]);
	end_kid(&alice);
	stage_close();
}

/* Who waited for the time that another worker may be started at was all that it was for. */
static void
test_last_waiting(void)
{
	struct kid alice;
	int client;

	stage_ready();
	alice = idle_worker(ALICE);
	child_of(ALICE)->starts.full_ns = loop_clock() + LOOP_S(60);
	end_kid(&alice);
	client = connect_as(ALICE);
	CHECK(child_of(ALICE)->state == CHILD_ABSENT && timer_is_set(&child_of(ALICE)->timer));
	tickets_change(&broker, child_of(ALICE)->waiting.first, 0, "no more");
	CHECK(child_is_absent(child_of(ALICE)) && !timer_is_set(&child_of(ALICE)->timer));
	CHECK_STR(expect_refusal(IPC_REFUSAL_POLICY).reason, "no more");
	fd_close(&client);
	stage_close();
}

static void
test_nothing_left(void)
{
	struct kid alice;
	uint64_t id;
	int client;

	stage_ready();
	alice = first_connection(ALICE, &client);
	id = take_one(&alice);
	tickets_change(&broker, conn_of(id), 0, "over");
	changed(&alice, id, 0, "over");
	/* Its child closes it: it counts until then, and gets nothing back. */
	tickets_change(&broker, conn_of(id), VERBS_ALL, "");
	expect_nothing(alice.link);
	CHECK(users_find(&broker.users, ALICE)->budget.n_conns == 1);
	gone(&alice, id);
	CHECK(broker.conns.n_used == 0);
	fd_close(&client);
	end_kid(&alice);
	stage_close();
}

/* The child ends before it has taken them. */
static void
test_next_child(void)
{
	struct ipc_conn_pass pass;
	struct kid alice;
	struct conn *conn;
	int clients[3];

	stage_ready();
	alice = idle_worker(ALICE);
	for (int i = 0; i < 3; i++)
		clients[i] = connect_as(ALICE);
	conn = child_of(ALICE)->passed.first;
	CHECK(child_of(ALICE)->passed.n == 3);
	tickets_change(&broker, conn, VERBS_VIEW, "less");
	tickets_change(&broker, conn->next, 0, "nothing");
	end_kid(&alice);
	CHECK(child_of(ALICE)->tickets.n == 0);
	pass = expect_refusal(IPC_REFUSAL_POLICY);
	CHECK_STR(pass.reason, "nothing");
	alice = worker(ALICE);
	pass = serve(&alice);
	CHECK(pass.verbs == VERBS_VIEW);
	CHECK_STR(pass.reason, "less");
	pass = serve(&alice);
	CHECK(pass.verbs == VERBS_ALL && pass.reason[0] == '\0');
	expect_nothing(alice.link);
	for (int i = 0; i < 3; i++)
		fd_close(&clients[i]);
	end_kid(&alice);
	stage_close();
}

static void
test_gone_crosses(void)
{
	AUTO(packet_fini) struct packet ask;
	struct kid alice;
	int client, other;
	uint64_t id;

	stage_ready();
	alice = first_connection(ALICE, &client);
	id = take_one(&alice);
	tickets_change(&broker, conn_of(id), POWER, "why");
	(void)expect_change(&alice, &ask);
	gone(&alice, id);
	acknowledge(&alice, &ask, -ENOENT);
	CHECK(is_alive(&alice));
	/* Or it says first that there is no such connection. */
	other = connect_as(ALICE);
	id = take_one(&alice);
	tickets_change(&broker, conn_of(id), POWER, "why");
	packet_fini(&ask);
	(void)expect_change(&alice, &ask);
	acknowledge(&alice, &ask, -ENOENT);
	gone(&alice, id);
	CHECK(is_alive(&alice) && broker.conns.n_used == 0);
	fd_close(&client);
	fd_close(&other);
	end_kid(&alice);
	stage_close();
}

static void
test_many(void)
{
	AUTO(packet_fini) struct packet ask;
	static int clients[MANY];
	uint64_t ids[MANY];
	struct kid alice;

	stage_ready();
	alice = first_connection(ALICE, &clients[0]);
	for (unsigned i = 1; i < MANY; i++)
		clients[i] = connect_as(ALICE);
	for (unsigned i = 0; i < MANY; i++)
		ids[i] = take_one(&alice);
	for (unsigned i = 0; i < MANY; i++)
		tickets_change(&broker, conn_of(ids[i]), POWER, "why");
	turn();
	CHECK(child_of(ALICE)->tickets.n == TICKETS_OPEN_MAX);
	/* One goes while it is still to be told of. */
	gone(&alice, ids[MANY - 1]);
	for (unsigned i = 0; i < MANY - 1; i++) {
		struct ipc_ticket_change change = expect_change(&alice, &ask);

		CHECK(change.verbs == POWER && change.conn_id != ids[MANY - 1]);
		CHECK(!conn_of(change.conn_id)->untold);
		acknowledge(&alice, &ask, 0);
		packet_fini(&ask);
	}
	for (unsigned i = 0; i < MANY - 1; i++)
		CHECK(!conn_of(ids[i])->untold && conn_of(ids[i])->pass.verbs == POWER);
	expect_nothing(alice.link);
	CHECK(child_of(ALICE)->tickets.n == 0 && is_alive(&alice));
	for (unsigned i = 0; i < MANY; i++)
		fd_close(&clients[i]);
	end_kid(&alice);
	stage_close();
}

static void
test_deadlines(void)
{
	struct kid alice, bob;
	struct child *child;
	int client, bobs;
	uint64_t id, now_ns;

	stage_ready();
	bob = first_connection(BOB, &bobs);
	(void)take_one(&bob);
	alice = first_connection(ALICE, &client);
	id = take_one(&alice);
	child = child_of(ALICE);
	now_ns = loop_now(&broker.loop);
	tickets_change(&broker, conn_of(id), VERBS_VIEW, "why");
	CHECK(tickets_due(child) <= loop_now(&broker.loop) + LOOP_S(TICKETS_LOSS_S));
	CHECK(tickets_due(child) >= now_ns + LOOP_S(TICKETS_LOSS_S));
	changed(&alice, id, VERBS_VIEW, "why");
	CHECK(tickets_due(child) == UINT64_MAX);
	/* What is given has time; what is lost meanwhile has none of that. */
	tickets_change(&broker, conn_of(id), VERBS_ALL, "");
	CHECK(tickets_due(child) > loop_now(&broker.loop) + LOOP_S(TICKETS_LOSS_S + 1));
	tickets_change(&broker, conn_of(id), VERBS_VIEW, "why");
	CHECK(tickets_due(child) <= loop_now(&broker.loop) + LOOP_S(TICKETS_LOSS_S));
	child->tickets.open[(child->tickets.first + 1) % TICKETS_OPEN_MAX].deadline_ns = 1;
	be_due(&child->timer);
	reap(&alice, SIGKILL);
	CHECK(is_alive(&bob) && broker.conns.n_used == 1);
	fd_close(&client);
	fd_close(&bobs);
	end_kid(&bob);
	stage_close();
}

/* What a child may not say of changes. */
static void
test_violations(void)
{
	enum { ANOTHER_FIRST, REFUSED, UNASKED, TWICE, N_WAYS };

	stage_ready();
	for (unsigned way = 0; way < N_WAYS; way++) {
		AUTO(packet_fini) struct packet one, two;
		int clients[2];
		struct kid alice;
		uint64_t ids[2];

		clients[0] = connect_as(3000 + way);
		resolve(3000 + way);
		alice = worker(3000 + way);
		clients[1] = connect_as(3000 + way);
		for (int i = 0; i < 2; i++)
			ids[i] = take_one(&alice);
		for (int i = 0; i < 2; i++)
			tickets_change(&broker, conn_of(ids[i]), VERBS_VIEW, "why");
		(void)expect_change(&alice, &one);
		(void)expect_change(&alice, &two);
		if (way == ANOTHER_FIRST)
			acknowledge(&alice, &two, 0);
		if (way == REFUSED)
			acknowledge(&alice, &one, -EPERM);
		if (way == UNASKED)
			say(alice.link,
				(struct ipc_header){.type = IPC_TICKET_CHANGED, .serial = 4711},
				NULL, 0, NULL, 0);
		for (int i = 0; i < 2 && way == TWICE; i++)
			answer(alice.link, &one, NULL, 0, NULL, 0);
		turn();
		reap(&alice, SIGKILL);
		for (int i = 0; i < 2; i++) {
			CHECK(is_closed(clients[i]));
			fd_close(&clients[i]);
		}
	}
	CHECK(broker.conns.n_used == 0 && broker.n_children == 1);
	stage_close();
}

static void
test_leaving(void)
{
	struct kid alice;
	uint64_t id;
	int client;

	stage_ready();
	alice = first_connection(ALICE, &client);
	id = take_one(&alice);
	child_stop(child_of(ALICE));
	{
		AUTO(packet_fini) struct packet stop;

		expect(alice.link, IPC_STOP, &stop);
	}
	/* It serves no call any more. */
	tickets_change(&broker, conn_of(id), 0, "over");
	expect_nothing(alice.link);
	fd_close(&client);
	end_kid(&alice);
	CHECK(broker.conns.n_used == 0);
	stage_close();
}

int
main(void)
{
	log_open("qemud", LEVEL_ERROR);
	TEST("of a connection that its worker has taken", test_taken);
	TEST("of one that is on its way", test_on_its_way);
	TEST("of one that waits, with and without anything left", test_waiting);
	TEST("of the last that waits for a worker", test_last_waiting);
	TEST("with nothing left it is over", test_nothing_left);
	TEST("a worker that ends first: the next one has it with what holds by then",
		test_next_child);
	TEST("a connection that goes meanwhile", test_gone_crosses);
	TEST("of many, some at a time, each once", test_many);
	TEST("a worker that does not acknowledge is ended in its time", test_deadlines);
	TEST("a worker that acknowledges wrongly is ended", test_violations);
	TEST("a worker that leaves is told nothing", test_leaving);
	return TEST_END();
}
