/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_hostile.c: a child that says what it may not say is killed, whatever it says and whenever;
 * nobody else notices. A starter that does so ends the broker, which trusts it with everything.
 *
 * test: timeout=360 heavy
 */
#include "broker/child.h"

#include "tests/unit/broker_stage.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/messages.h"
#include "tests/unit/wrong.h"

/* --- every message, in every state, in every wrong way ------------------------------------ */

/* How far the child has come when it misbehaves. */
enum moment { BEFORE_HELLO, NOTHING_PASSED, ONE_PASSED, ONE_TAKEN, LET_GO, N_MOMENTS };

static const char *const moment_names[N_MOMENTS] = {
	"before HELLO", "with nothing passed", "with one passed", "with one taken", "let go"};

static bool
is_views(enum ipc_type type)
{
	return type == IPC_INVENTORY_NEXT || type == IPC_CHANNEL || type == IPC_VM_STOP ||
	       type == IPC_VM_FREEZE || (type >= IPC_STATUS && type <= IPC_STATUS_VM);
}

/* What may be said then, of the messages that messages.h calls good. */
static bool
is_permitted(const struct expected *message, enum moment moment)
{
	if (message->type == IPC_HELLO)
		return moment == BEFORE_HELLO;
	/* The others name a connection that there is not, or an ask that is not open. */
	return message->link == CHILD && message->sender == PEER && !is_views(message->type) &&
	       (message->kind == ASK || message->type == IPC_LEASE_STOP ||
		       message->type == IPC_AUTOSTART) &&
	       moment != BEFORE_HELLO;
}

struct scene {
	struct kid kid;
	int client;
	bool waiting; /* the client's connection was not taken */
};

/* A new user, whose worker has come as far as that. */
static struct scene
set_scene(uint32_t uid, enum moment moment)
{
	struct scene scene = {.waiting = true};

	scene.client = connect_as(uid);
	resolve(uid);
	scene.kid = start_kid(IPC_WORKER, uid);
	if (moment == BEFORE_HELLO) {
		turn();
		return scene;
	}
	hello(&scene.kid);
	if (moment == ONE_PASSED)
		return scene;
	if (moment == ONE_TAKEN) {
		AUTO(packet_fini) struct packet pass;

		expect(scene.kid.link, IPC_CONN_PASS, &pass);
		taken(&scene.kid, &pass);
	} else {
		(void)serve(&scene.kid);
	}
	scene.waiting = false;
	if (moment == LET_GO) {
		AUTO(packet_fini) struct packet idle;

		say(scene.kid.link, (struct ipc_header){.type = IPC_IDLE_ASK, .serial = 9}, NULL, 0,
			NULL, 0);
		expect(scene.kid.link, IPC_IDLE_ANSWER, &idle);
		CHECK(((const struct ipc_idle_answer *)body_of(&idle))->granted == 1);
	}
	return scene;
}

/* The child is killed; whom it had not taken is not lost: the next child, or here the refuser. */
static void
check_killed(struct scene *scene)
{
	turn();
	reap(&scene->kid, SIGKILL);
	if (scene->waiting) {
		AUTO(packet_fini) struct packet ask;

		expect(starter_fd, IPC_WORKER, &ask);
		answer_error(starter_fd, &ask, -EIO, sizeof(struct ipc_started));
		(void)expect_refusal(IPC_REFUSAL_WORKER);
	}
	CHECK(is_closed(scene->client));
	fd_close(&scene->client);
}

static void
check_spared(struct scene *scene, bool box)
{
	CHECK(is_alive(&scene->kid));
	if (box) {
		AUTO(packet_fini) struct packet ask;

		expect(starter_fd, IPC_BOX, &ask);
		answer_error(starter_fd, &ask, -EIO, sizeof(struct ipc_started));
	}
	fd_close(&scene->client);
	end_kid(&scene->kid);
	if (scene->waiting) {
		AUTO(packet_fini) struct packet ask;

		expect(starter_fd, IPC_WORKER, &ask);
		answer_error(starter_fd, &ask, -EIO, sizeof(struct ipc_started));
		(void)expect_refusal(IPC_REFUSAL_WORKER);
	}
}

static void
test_every_message(void)
{
	struct kid bob;
	int bobs_first;
	uint32_t uid = 3000;
	unsigned n_before;

	stage_ready();
	/* It may take more than a minute: nobody is looked up meanwhile. */
	leavers_stop(&broker.leavers);
	bob = first_connection(BOB, &bobs_first);
	(void)serve(&bob);
	n_before = n_descriptors();
	for (int m = 0; m < N_MESSAGES; m++) {
		for (enum moment moment = 0; moment < N_MOMENTS; moment++) {
			for (enum way way = 0; way < N_WAYS; way++) {
				struct scene scene;
				bool said, changed;
				int failed_before = test_this_failed;

				scene = set_scene(++uid, moment);
				said = say_wrong(scene.kid.link, &messages[m],
					good_raw(&messages[m]), way, &changed);
				if (!said || (!changed && is_permitted(&messages[m], moment)))
					check_spared(&scene,
						said && moment != LET_GO &&
							(messages[m].type == IPC_TOOL ||
								messages[m].type == IPC_LEASE));
				else
					check_killed(&scene);
				if (test_this_failed && !failed_before)
					printf("# %s %s, %s\n", messages[m].name,
						moment_names[moment], way_names[way]);
			}
		}
		/* Meanwhile bob is served as ever, by the same worker. */
		int client = connect_as(BOB);

		CHECK(serve(&bob).uid == BOB && is_alive(&bob));
		fd_close(&client);
	}
	CHECK(n_descriptors() == n_before && broker.conns.n_used == 0 && broker.n_children == 2);
	fd_close(&bobs_first);
	end_kid(&bob);
	stage_close();
}

/* --- what no table can judge -------------------------------------------------------------- */

static void
test_taken_twice(void)
{
	struct packet pass;
	struct kid alice;
	int client;

	stage_ready();
	alice = first_connection(ALICE, &client);
	expect(alice.link, IPC_CONN_PASS, &pass);
	taken(&alice, &pass);
	CHECK(is_alive(&alice));
	taken(&alice, &pass);
	packet_fini(&pass);
	reap(&alice, SIGKILL);
	CHECK(is_closed(client));
	fd_close(&client);
	stage_close();
}

static void
test_gone_before_taken(void)
{
	struct packet pass;
	struct kid alice, next;
	int client;

	stage_ready();
	alice = first_connection(ALICE, &client);
	expect(alice.link, IPC_CONN_PASS, &pass);
	packet_fini(&pass);
	gone(&alice, ((const struct ipc_conn_pass *)body_of(&pass))->conn_id);
	reap(&alice, SIGKILL);
	/* The client is still there, and is served by the next worker. */
	next = worker(ALICE);
	CHECK(serve(&next).uid == ALICE);
	fd_close(&client);
	end_kid(&next);
	stage_close();
}

static void
test_others_connection(void)
{
	struct packet bobs, alices;
	struct kid alice, bob;
	int alice_client, bob_client;
	uint64_t bobs_id;

	stage_ready();
	bob = first_connection(BOB, &bob_client);
	expect(bob.link, IPC_CONN_PASS, &bobs);
	taken(&bob, &bobs);
	bobs_id = ((const struct ipc_conn_pass *)body_of(&bobs))->conn_id;
	alice = first_connection(ALICE, &alice_client);
	expect(alice.link, IPC_CONN_PASS, &alices);
	taken(&alice, &alices);
	gone(&alice, bobs_id);
	/* It is not listened to any more, also while it still runs. */
	expect_end(alice.link);
	reap(&alice, SIGKILL);
	CHECK(conns_find(&broker.conns, bobs_id) && is_alive(&bob));
	CHECK(users_find(&broker.users, BOB)->budget.n_conns == 1);
	packet_fini(&bobs);
	packet_fini(&alices);
	fd_close(&alice_client);
	fd_close(&bob_client);
	end_kid(&bob);
	stage_close();
}

/* The id of the second connection in the answer about the first. */
static void
test_wrong_id(void)
{
	struct packet first, second;
	struct kid alice, next;
	struct ipc_conn_taken body;
	int one, two;

	stage_ready();
	alice = first_connection(ALICE, &one);
	two = connect_as(ALICE);
	expect(alice.link, IPC_CONN_PASS, &first);
	expect(alice.link, IPC_CONN_PASS, &second);
	body.conn_id = ((const struct ipc_conn_pass *)body_of(&second))->conn_id;
	answer(alice.link, &first, &body, sizeof body, NULL, 0);
	turn();
	packet_fini(&first);
	packet_fini(&second);
	reap(&alice, SIGKILL);
	next = worker(ALICE);
	(void)serve(&next);
	(void)serve(&next);
	fd_close(&one);
	fd_close(&two);
	end_kid(&next);
	stage_close();
}

/* --- the starter -------------------------------------------------------------------------- */

static void
test_starter(void)
{
	for (int m = 0; m < N_MESSAGES; m++) {
		for (enum way way = 0; way < N_WAYS; way++) {
			bool changed;

			/* The first question is RESOLVE, with serial 1: a good RESOLVED is the
			 * answer. */
			stage_open();
			turn();
			if (say_wrong(starter_fd, &messages[m], good_raw(&messages[m]), way,
				    &changed)) {
				bool good = messages[m].type == IPC_RESOLVED && !changed;

				turn();
				CHECK(broker.loop.quit == !good);
				CHECK(good || broker.loop.status == EXIT_FAILURE);
				if (test_this_failed)
					printf("# %s %s\n", messages[m].name, way_names[way]);
			}
			stage_close();
		}
	}
}

static void
test_starter_ends(void)
{
	struct kid alice;
	int client;

	stage_ready();
	alice = first_connection(ALICE, &client);
	(void)serve(&alice);
	fd_close(&starter_fd);
	turn();
	CHECK(broker.loop.quit && broker.loop.status == EXIT_FAILURE);
	fd_close(&client);
	end_kid(&alice);
	stage_close();
}

int
main(void)
{
	log_open("broker_hostile", 0);
	TEST("every message, in every state, in every wrong way", test_every_message);
	TEST("a connection is taken once", test_taken_twice);
	TEST("a connection goes after it was taken", test_gone_before_taken);
	TEST("nobody speaks for another's connection", test_others_connection);
	TEST("an answer is about what was asked", test_wrong_id);
	TEST("every message of the starter, in every wrong way", test_starter);
	TEST("without the starter the broker ends", test_starter_ends);
	return TEST_END();
}
