/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_children.c: whatever a child does or leaves undone, nobody whom it had not taken is lost,
 * and nobody waits for it without an end.
 */
#include "broker/child.h"

#include "tests/unit/broker_stage.h"

/* --- a child that does not do its part ---------------------------------------------------- */

static void
test_does_not_take(void)
{
	enum { N_WAITING = CHILD_UNTAKEN_MAX + 100 };
	int clients[N_WAITING], bob_client;
	struct kid alice, bob;
	uint64_t last = 0;

	stage_ready();
	alice = first_connection(ALICE, &clients[0]);
	for (int i = 1; i < N_WAITING; i++)
		clients[i] = connect_as(ALICE);
	CHECK(users_find(&broker.users, ALICE)->child.passed.n == CHILD_UNTAKEN_MAX);
	CHECK(users_find(&broker.users, ALICE)->child.waiting.n == N_WAITING - CHILD_UNTAKEN_MAX);
	expect_nothing(refuser.link);
	/* Bob has nothing to do with it. */
	bob = first_connection(BOB, &bob_client);
	(void)serve(&bob);
	/* When it takes them after all, they come in their order. */
	for (int i = 0; i < N_WAITING; i++) {
		struct ipc_conn_pass pass = serve(&alice);

		CHECK(pass.conn_id > last || i == 0);
		last = pass.conn_id;
	}
	expect_nothing(alice.link);
	for (int i = 0; i < N_WAITING; i++)
		fd_close(&clients[i]);
	fd_close(&bob_client);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

static void
test_waiting_has_an_end(void)
{
	int clients[CHILD_UNTAKEN_MAX + 1];
	struct child *child;
	struct kid alice;

	stage_ready();
	alice = first_connection(ALICE, &clients[0]);
	for (int i = 1; i <= CHILD_UNTAKEN_MAX; i++)
		clients[i] = connect_as(ALICE);
	child = &users_find(&broker.users, ALICE)->child;
	CHECK(child->waiting.n == 1 && timer_is_set(&child->timer));
	CHECK(child->waiting.first->deadline_ns <= loop_now(&broker.loop) + LOOP_S(CHILD_WAIT_S));
	child->waiting.first->deadline_ns = 0;
	be_due(&child->timer);
	CHECK(strstr(expect_refusal(IPC_REFUSAL_WORKER).reason, "within 10 seconds"));
	CHECK(is_alive(&alice) && child->passed.n == CHILD_UNTAKEN_MAX);
	for (int i = 0; i <= CHILD_UNTAKEN_MAX; i++)
		fd_close(&clients[i]);
	end_kid(&alice);
	alice = worker(ALICE);
	for (int i = 0; i < CHILD_UNTAKEN_MAX; i++)
		(void)serve(&alice);
	end_kid(&alice);
	stage_close();
}

static void
test_cannot_take(void)
{
	struct packet pass;
	struct kid alice;
	int client;

	stage_ready();
	alice = first_connection(ALICE, &client);
	expect(alice.link, IPC_CONN_PASS, &pass);
	answer_error(alice.link, &pass, -EMFILE, sizeof(struct ipc_conn_taken));
	packet_fini(&pass);
	CHECK(strstr(expect_refusal(IPC_REFUSAL_WORKER).reason, "Too many open files"));
	CHECK(is_alive(&alice));
	fd_close(&client);
	end_kid(&alice);
	stage_close();
}

static void
test_no_hello(void)
{
	struct child *child;
	struct kid alice, next;
	int client;

	stage_ready();
	client = connect_as(ALICE);
	resolve(ALICE);
	alice = start_kid(IPC_WORKER, ALICE);
	turn();
	child = &users_find(&broker.users, ALICE)->child;
	CHECK(child->state == CHILD_STARTING);
	child->state_deadline_ns = 0;
	be_due(&child->timer);
	reap(&alice, SIGKILL);
	next = worker(ALICE);
	(void)serve(&next);
	fd_close(&client);
	end_kid(&next);
	stage_close();
}

/* --- its end ------------------------------------------------------------------------------ */

static void
test_untaken_go_on(void)
{
	uint64_t ids[CHILD_UNTAKEN_MAX + 2];
	int clients[CHILD_UNTAKEN_MAX + 2];
	struct kid alice, next;
	struct packet pass;

	stage_ready();
	alice = first_connection(ALICE, &clients[0]);
	for (int i = 1; i < CHILD_UNTAKEN_MAX + 2; i++)
		clients[i] = connect_as(ALICE);
	for (int i = 0; i < CHILD_UNTAKEN_MAX; i++) {
		expect(alice.link, IPC_CONN_PASS, &pass);
		packet_fini(&pass);
		ids[i] = ((const struct ipc_conn_pass *)body_of(&pass))->conn_id;
		if (i == 2)
			taken(&alice, &pass);
	}
	end_kid(&alice);
	CHECK(is_closed(clients[2]));
	next = worker(ALICE);
	for (int i = 0; i < CHILD_UNTAKEN_MAX + 2; i++) {
		if (i == 2)
			continue;
		CHECK(!is_closed(clients[i]));
		ids[0] = serve(&next).conn_id;
		CHECK(i >= CHILD_UNTAKEN_MAX || i == 0 || ids[0] == ids[i]);
		CHECK(is_closed(clients[i]));
	}
	for (int i = 0; i < CHILD_UNTAKEN_MAX + 2; i++)
		fd_close(&clients[i]);
	end_kid(&next);
	stage_close();
}

/* What it said is heard, though its process has ended before the broker looks. */
static void
test_last_words(void)
{
	struct packet passes[CHILD_UNTAKEN_MAX];
	int clients[CHILD_UNTAKEN_MAX];
	struct kid alice;
	int status;

	stage_ready();
	alice = first_connection(ALICE, &clients[0]);
	for (int i = 1; i < CHILD_UNTAKEN_MAX; i++)
		clients[i] = connect_as(ALICE);
	for (int i = 0; i < CHILD_UNTAKEN_MAX; i++)
		expect(alice.link, IPC_CONN_PASS, &passes[i]);
	/* More messages than a link receives in one go. */
	for (int i = 0; i < CHILD_UNTAKEN_MAX; i++) {
		struct ipc_conn_taken body = {
			.conn_id = ((const struct ipc_conn_pass *)body_of(&passes[i]))->conn_id};

		answer(alice.link, &passes[i], &body, sizeof body, NULL, 0);
		say(alice.link, (struct ipc_header){.type = IPC_IDLE_ASK, .serial = 1}, NULL, 0,
			NULL, 0);
		say(alice.link, (struct ipc_header){.type = IPC_IDLE_ASK, .serial = 2}, NULL, 0,
			NULL, 0);
		packet_fini(&passes[i]);
	}
	CHECK(kill(alice.pid, SIGTERM) == 0 && waitpid(alice.pid, &status, 0) == alice.pid);
	fd_close(&alice.link);
	turn();
	/* All were taken: none is passed to another worker, which would see half a conversation. */
	expect_nothing(starter_fd);
	for (int i = 0; i < CHILD_UNTAKEN_MAX; i++) {
		CHECK(is_closed(clients[i]));
		fd_close(&clients[i]);
	}
	CHECK(broker.conns.n_used == 0);
	stage_close();
}

/* Somebody else still holds the ended child's link: no reason to wait for long. */
static void
test_link_outlives(void)
{
	struct child *child;
	struct kid alice, next;
	int client, status, held;

	stage_ready();
	alice = first_connection(ALICE, &client);
	held = alice.link;
	CHECK(kill(alice.pid, SIGTERM) == 0 && waitpid(alice.pid, &status, 0) == alice.pid);
	turn();
	child = &users_find(&broker.users, ALICE)->child;
	CHECK(child->state == CHILD_ENDED);
	expect_nothing(starter_fd);
	child->state_deadline_ns = 0;
	be_due(&child->timer);
	next = worker(ALICE);
	(void)serve(&next);
	fd_close(&client);
	fd_close(&held);
	end_kid(&next);
	stage_close();
}

static void
test_closes_its_link(void)
{
	struct child *child;
	struct kid alice, next;
	int client;

	stage_ready();
	alice = first_connection(ALICE, &client);
	fd_close(&alice.link);
	turn();
	child = &users_find(&broker.users, ALICE)->child;
	CHECK(child->state == CHILD_LEAVING && is_alive(&alice));
	/* It has some seconds to end in; then it is ended. */
	child->state_deadline_ns = 0;
	be_due(&child->timer);
	reap(&alice, SIGKILL);
	next = worker(ALICE);
	(void)serve(&next);
	fd_close(&client);
	end_kid(&next);
	stage_close();
}

static void
test_in_vain(void)
{
	struct kid kid;
	int client, again;

	stage_ready();
	client = connect_as(ALICE);
	resolve(ALICE);
	for (int i = 0; i < CHILD_VAIN_MAX; i++) {
		kid = worker(ALICE);
		end_kid(&kid);
	}
	CHECK(strstr(expect_refusal(IPC_REFUSAL_WORKER).reason, "cannot be started"));
	/* For a while the next one is refused without another try. */
	again = connect_as(ALICE);
	(void)expect_refusal(IPC_REFUSAL_WORKER);
	expect_nothing(starter_fd);
	fd_close(&again);
	users_find(&broker.users, ALICE)->child.awaited.since_ns = 0;
	again = connect_as(ALICE);
	kid = worker(ALICE);
	(void)serve(&kid);
	fd_close(&client);
	fd_close(&again);
	end_kid(&kid);
	stage_close();
}

/* It takes the first of those who wait, and ends. */
static void
take_one(struct kid *kid)
{
	struct packet pass;

	expect(kid->link, IPC_CONN_PASS, &pass);
	packet_fini(&pass);
	taken(kid, &pass);
	end_kid(kid);
}

static void
test_not_in_vain(void)
{
	enum { N = 7 };
	struct kid kid;
	int clients[N];

	stage_ready();
	kid = first_connection(ALICE, &clients[0]);
	for (int i = 1; i < N; i++)
		clients[i] = connect_as(ALICE);
	/* Each serves somebody, so that there is no end of trying ... */
	for (int i = 0; i < N - 2; i++) {
		take_one(&kid);
		kid = worker(ALICE);
	}
	/* ... and two ends in vain are forgotten when the third has served somebody. */
	end_kid(&kid);
	kid = worker(ALICE);
	end_kid(&kid);
	kid = worker(ALICE);
	take_one(&kid);
	kid = worker(ALICE);
	end_kid(&kid);
	kid = worker(ALICE);
	CHECK(serve(&kid).refusal == IPC_REFUSAL_NONE);
	expect_nothing(refuser.link);
	for (int i = 0; i < N; i++)
		fd_close(&clients[i]);
	end_kid(&kid);
	stage_close();
}

/* Time for the next child is given so often and no more, however slowly children end. */
static void
test_time_is_bounded(void)
{
	struct child *child;
	uint64_t deadline_ns = 0;
	struct kid kid;
	int client;

	stage_ready();
	kid = first_connection(ALICE, &client);
	child = &users_find(&broker.users, ALICE)->child;
	for (int i = 0; i < CHILD_VAIN_MAX + 2; i++) {
		child->awaited.n = 0;
		end_kid(&kid);
		CHECK((child->waiting.first->deadline_ns > deadline_ns) == (i < CHILD_VAIN_MAX));
		deadline_ns = child->waiting.first->deadline_ns;
		kid = worker(ALICE);
	}
	(void)serve(&kid);
	fd_close(&client);
	end_kid(&kid);
	stage_close();
}

/* Its user ends it over and over: the starter is not kept busy by that. */
static void
test_starts_have_a_pace(void)
{
	struct child *child;
	struct packet pass;
	struct kid kid;
	int client, n = 0;

	stage_ready();
	kid = first_connection(ALICE, &client);
	child = &users_find(&broker.users, ALICE)->child;
	for (;;) {
		expect(kid.link, IPC_CONN_PASS, &pass);
		taken(&kid, &pass);
		packet_fini(&pass);
		end_kid(&kid);
		fd_close(&client);
		client = connect_as(ALICE);
		turn();
		if (++n == 10)
			break;
		CHECK(child->state == CHILD_ASKED);
		kid = worker(ALICE);
	}
	CHECK(child->state == CHILD_ABSENT && timer_is_set(&child->timer));
	expect_nothing(starter_fd);
	child->starts.full_ns -= LOOP_S(1);
	be_due(&child->timer);
	kid = worker(ALICE);
	(void)serve(&kid);
	fd_close(&client);
	end_kid(&kid);
	stage_close();
}

static void
test_cannot_be_started(void)
{
	struct packet ask;
	int client;

	stage_ready();
	client = connect_as(ALICE);
	resolve(ALICE);
	expect(starter_fd, IPC_WORKER, &ask);
	CHECK(ask.n_fds == 1);
	packet_fini(&ask);
	answer_error(starter_fd, &ask, -ENOENT, sizeof(struct ipc_started));
	CHECK(strstr(expect_refusal(IPC_REFUSAL_WORKER).reason, "No such file or directory"));
	fd_close(&client);
	stage_close();
}

/* --- idle --------------------------------------------------------------------------------- */

static void
test_idle(void)
{
	struct packet pass;
	struct kid alice, next;
	int client, later;

	stage_ready();
	alice = first_connection(ALICE, &client);
	expect(alice.link, IPC_CONN_PASS, &pass);
	/* Something is on its way to it. */
	ask_idle(&alice, false);
	taken(&alice, &pass);
	packet_fini(&pass);
	gone(&alice, ((const struct ipc_conn_pass *)body_of(&pass))->conn_id);
	ask_idle(&alice, true);
	/* Who comes now waits for the next one, which is started when this one has ended. */
	later = connect_as(ALICE);
	expect_nothing(alice.link);
	expect_nothing(starter_fd);
	end_kid(&alice);
	next = worker(ALICE);
	(void)serve(&next);
	fd_close(&client);
	fd_close(&later);
	end_kid(&next);
	stage_close();
}

static void
test_let_go_but_stays(void)
{
	struct child *child;
	struct kid alice;
	int client;

	stage_ready();
	alice = first_connection(ALICE, &client);
	(void)serve(&alice);
	ask_idle(&alice, true);
	child = &users_find(&broker.users, ALICE)->child;
	child->state_deadline_ns = 0;
	be_due(&child->timer);
	reap(&alice, SIGKILL);
	CHECK(child->state == CHILD_ABSENT && !timer_is_set(&child->timer));
	fd_close(&client);
	stage_close();
}

/* --- the refuser -------------------------------------------------------------------------- */

static void
test_refuser_ends(void)
{
	struct packet pass;
	int client;

	stage_ready();
	client = connect_as(65534);
	expect(refuser.link, IPC_CONN_PASS, &pass);
	packet_fini(&pass);
	end_kid(&refuser);
	CHECK(!is_closed(client));
	refuser = start_kid(IPC_VIEW, VIEW_UID);
	hello(&refuser);
	(void)expect_refusal(IPC_REFUSAL_NOBODY);
	CHECK(is_closed(client));
	fd_close(&client);
	stage_close();
}

static void
test_refuser_violates(void)
{
	struct kid alice;
	int client, refused;

	stage_ready();
	alice = first_connection(ALICE, &client);
	refused = connect_as(65534);
	gone(&refuser, 4711);
	reap(&refuser, SIGKILL);
	(void)serve(&alice);
	refuser = start_kid(IPC_VIEW, VIEW_UID);
	hello(&refuser);
	(void)expect_refusal(IPC_REFUSAL_NOBODY);
	fd_close(&client);
	fd_close(&refused);
	end_kid(&alice);
	stage_close();
}

static void
test_refuser_full(void)
{
	enum { N_ROOM = CHILD_UNTAKEN_MAX + CHILD_REFUSALS_MAX };
	static int clients[N_ROOM + 3];
	struct kid alice;
	int client;

	stage_ready();
	for (int i = 0; i < N_ROOM + 3; i++)
		clients[i] = connect_as(65534);
	for (int i = 0; i < N_ROOM + 3; i++)
		CHECK(is_closed(clients[i]) == (i >= N_ROOM));
	alice = first_connection(ALICE, &client);
	(void)serve(&alice);
	for (int i = 0; i < N_ROOM; i++)
		(void)expect_refusal(IPC_REFUSAL_NOBODY);
	for (int i = 0; i < N_ROOM + 3; i++)
		fd_close(&clients[i]);
	CHECK(broker.users.strangers[STRANGERS_NEAR].n_conns == 0);
	fd_close(&client);
	end_kid(&alice);
	stage_close();
}

/* --- the end of the broker ---------------------------------------------------------------- */

static void
test_stop(void)
{
	struct kid alice, bob;
	struct packet stop;
	int a, b;

	stage_ready();
	alice = first_connection(ALICE, &a);
	(void)serve(&alice);
	b = connect_as(BOB);
	resolve(BOB);
	bob = start_kid(IPC_WORKER, BOB);
	turn();
	broker_stop(&broker);
	broker_stop(&broker);
	expect(alice.link, IPC_STOP, &stop);
	expect(refuser.link, IPC_STOP, &stop);
	/* STOP and HELLO cross each other: no violation. */
	expect(bob.link, IPC_STOP, &stop);
	hello(&bob);
	CHECK(is_alive(&bob) && !broker.loop.quit);
	end_kid(&alice);
	end_kid(&bob);
	CHECK(!broker.loop.quit);
	end_kid(&refuser);
	CHECK(broker.loop.quit && broker.loop.status == EXIT_SUCCESS);
	expect_nothing(starter_fd);
	fd_close(&a);
	fd_close(&b);
	stage_close();
}

static void
test_stop_late(void)
{
	struct packet ask;
	struct kid alice;
	int a, b;

	stage_ready();
	alice = first_connection(ALICE, &a);
	(void)serve(&alice);
	b = connect_as(BOB);
	resolve(BOB);
	expect(starter_fd, IPC_WORKER, &ask);
	packet_fini(&ask);
	broker_stop(&broker);
	/* A child that comes now is told at once. */
	alice = (struct kid){.pid = alice.pid, .link = alice.link};
	CHECK(timer_is_set(&broker.deadline) && !broker.loop.quit);
	be_due(&broker.deadline);
	CHECK(broker.loop.quit && broker.loop.status == EXIT_SUCCESS);
	fd_close(&a);
	fd_close(&b);
	/* It has not ended in its time: it must not stand beside the next broker's. */
	reap(&alice, SIGKILL);
	reap(&refuser, SIGKILL);
	stage_close();
}

int
main(void)
{
	log_open("broker_children", 0);
	TEST("who does not take gets no more, and costs nobody else", test_does_not_take);
	TEST("waiting has an end, in words", test_waiting_has_an_end);
	TEST("whom a child cannot take is told so", test_cannot_take);
	TEST("a child that does not say HELLO is ended", test_no_hello);
	TEST("whom an ended child had not taken the next one gets, in order", test_untaken_go_on);
	TEST("what an ended child had said is heard", test_last_words);
	TEST("a link that outlives its child is not waited for", test_link_outlives);
	TEST("a child that closes its link has to end", test_closes_its_link);
	TEST("three ends in vain are enough", test_in_vain);
	TEST("an end after serving somebody was not in vain", test_not_in_vain);
	TEST("waiting has an end also when child after child ends", test_time_is_bounded);
	TEST("a worker is not started over and over", test_starts_have_a_pace);
	TEST("a worker that cannot be started is told of", test_cannot_be_started);
	TEST("idle is granted when nothing is on its way", test_idle);
	TEST("who was let go has to end", test_let_go_but_stays);
	TEST("the refuser's untaken connections go to the next one", test_refuser_ends);
	TEST("a refuser that breaks a rule is killed, workers go on", test_refuser_violates);
	TEST("past a full refuser connections are closed", test_refuser_full);
	TEST("at the end every child is told, and waited for", test_stop);
	TEST("at the end nobody is waited for long", test_stop_late);
	return TEST_END();
}
