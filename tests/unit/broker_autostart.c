/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_autostart.c: when the host has begun, those whose machines start with it get a worker
 * without connecting: once, a few at a time, never in the way of those who connect; what fails is
 * tried again. What a worker says of it is kept, and never written more often than its pace.
 */
#include "broker/autostart.h"

#include "broker/registry.h"
#include "tests/unit/broker_stage.h"

enum { FIRST = 3000 };

static uint32_t n_marked;

/* So many users are marked, and BOB is registered and not. */
static void
mark_all(void)
{
	struct account bob = account_of_uid(BOB);

	for (uint32_t uid = FIRST; uid < FIRST + n_marked; uid++) {
		struct account account = account_of_uid(uid);

		CHECK(registry_mark(broker.places.registry_fd, &account, 1, true) == 0);
	}
	CHECK(registry_keep(broker.places.registry_fd, &bob, 1) == 0);
}

static void
open_with(uint32_t n)
{
	n_marked = n;
	stage_before = mark_all;
	stage_ready();
	turn();
}

static void
say_state(const struct kid *kid, enum ipc_autostart_state state)
{
	struct ipc_autostart body = {.state = state};

	say(kid->link, (struct ipc_header){.type = IPC_AUTOSTART}, &body, sizeof body, NULL, 0);
	turn();
}

static bool
has_file(uint32_t uid)
{
	char name[16];

	(void)snprintf(name, sizeof name, "%u", uid);
	return faccessat(broker.places.started_fd, name, F_OK, 0) == 0;
}

/* A worker that is to open what its user has comes; it has said HELLO. */
static struct kid
woken(uint32_t uid)
{
	struct kid kid = {.pid = fork_idle(), .link = -1, .is_worker = true, .place_fd = -1};
	AUTO(packet_fini) struct packet ask;
	const struct ipc_worker *body = body_of(&ask);

	expect(starter_fd, IPC_WORKER, &ask);
	CHECK(body->uid == uid && body->wake == 1);
	answer_started(&kid, &ask);
	hello(&kid);
	return kid;
}

static void
test_starts(void)
{
	struct kid kid;

	open_with(1);
	resolve(FIRST);
	kid = woken(FIRST);
	/* Not before it has opened all. */
	ask_idle(&kid, false);
	CHECK(!has_file(FIRST));
	say_state(&kid, IPC_AUTOSTART_SOME);
	CHECK(has_file(FIRST) && broker.autostart.n_starting == 0);
	/* Nothing of hers runs: it may end, and no other comes. */
	ask_idle(&kid, true);
	end_kid(&kid);
	expect_nothing(starter_fd);
	CHECK(!users_find(&broker.users, BOB));
	stage_close();
}

static void
mark_and_note(void)
{
	fd_auto int fd = -1;

	mark_all();
	fd = openat(broker.places.started_fd, "3000", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
}

/* A broker that is started again. */
static void
test_once(void)
{
	n_marked = 1;
	stage_before = mark_and_note;
	stage_ready();
	expect_nothing(starter_fd);
	CHECK(!users_find(&broker.users, FIRST));
	stage_close();
}

static void
test_connected(void)
{
	struct kid kid;
	int client;

	open_with(0);
	/* Whose worker has said so by itself is not started any more either. */
	kid = first_connection(FIRST, &client);
	(void)serve(&kid);
	say_state(&kid, IPC_AUTOSTART_NONE);
	CHECK(has_file(FIRST));
	fd_close(&client);
	end_kid(&kid);
	stage_close();
}

static void
test_pace(void)
{
	struct kid kids[AUTOSTART_AT_ONCE], alice;
	int client;

	open_with(40);
	for (uint32_t i = 0; i < AUTOSTART_AT_ONCE; i++)
		resolve(FIRST + i);
	for (uint32_t i = 0; i < AUTOSTART_AT_ONCE; i++)
		kids[i] = woken(FIRST + i);
	expect_nothing(starter_fd);
	CHECK(broker.autostart.n_starting == AUTOSTART_AT_ONCE);
	/* Who connects does not wait for them. */
	alice = first_connection(ALICE, &client);
	CHECK(serve(&alice).uid == ALICE);
	/* All four at once were had: the fifth waits for its time, too. */
	say_state(&kids[0], IPC_AUTOSTART_SOME);
	CHECK(timer_is_set(&broker.autostart.timer));
	resolve(FIRST + AUTOSTART_AT_ONCE);
	CHECK(broker.autostart.n_starting == AUTOSTART_AT_ONCE);
	fd_close(&client);
	end_kid(&alice);
	for (uint32_t i = 0; i < AUTOSTART_AT_ONCE; i++)
		end_kid(&kids[i]);
	stage_close();
}

/* What is put off is told once, and tried again when its time has come. */
static void
test_again(void)
{
	struct kid kid;

	open_with(1);
	for (unsigned i = 1; i < AUTOSTART_PASSES; i++) {
		/* There is no account; it cannot be looked up; the worker cannot be started, ends,
		 * cannot open her home, takes too long. */
		if (i == 1 || i == 2) {
			resolve_error(i == 1 ? -ENOENT : -EIO);
		} else {
			if (users_find(&broker.users, FIRST)->lookup_err < 0)
				resolve(FIRST);
			if (i == 3) {
				AUTO(packet_fini) struct packet ask;

				expect(starter_fd, IPC_WORKER, &ask);
				answer_error(starter_fd, &ask, -EIO, sizeof(struct ipc_started));
			} else {
				kid = woken(FIRST);
				if (i == 5)
					say_state(&kid, IPC_AUTOSTART_UNKNOWN);
				if (i == 6)
					be_due(&users_find(&broker.users, FIRST)
							->autostart.deadline);
				if (i == 5 || i == 6)
					ask_idle(&kid, true);
				end_kid(&kid);
			}
		}
		turn();
		CHECK(broker.autostart.n_starting == 0 && broker.autostart.pass == i);
		CHECK(!has_file(FIRST));
		expect_nothing(starter_fd);
		users_find(&broker.users, FIRST)->lookup_again_ns = 0;
		users_find(&broker.users, FIRST)->lookup_err = -EIO;
		users_find(&broker.users, FIRST)->child.alone.n = 0;
		be_due(&broker.autostart.timer);
	}
	/* The last time: there is no other. */
	resolve_error(-ENOENT);
	turn();
	CHECK(!timer_is_set(&broker.autostart.timer) && broker.autostart.n == 0);
	stage_close();
}

/* Its worker runs, and has not said anything: it is not told to open what it does not. */
static void
test_worker_there(void)
{
	struct kid kid;
	int client;

	n_marked = 1;
	stage_before = mark_all;
	stage_ready();
	/* In the first turn after `ready`. */
	client = connect_as(FIRST);
	resolve(FIRST);
	kid = woken(FIRST);
	(void)serve(&kid);
	fd_close(&client);
	/* It holds no place for longer than it may. */
	be_due(&users_find(&broker.users, FIRST)->autostart.deadline);
	CHECK(broker.autostart.n_starting == 0 && is_alive(&kid));
	be_due(&broker.autostart.timer);
	CHECK(broker.autostart.n_starting == 0 && broker.autostart.pass == 2);
	/* Late, and good all the same. */
	say_state(&kid, IPC_AUTOSTART_SOME);
	be_due(&broker.autostart.timer);
	CHECK(!timer_is_set(&broker.autostart.timer) && broker.autostart.n == 0);
	end_kid(&kid);
	stage_close();
}

/* One entry in eight stays for those who connect. */
static void
test_room(void)
{
	enum { TABLE = 65, SPARE = TABLE / AUTOSTART_SPARE, BUSY = TABLE - 1 - SPARE };
	struct user *users[BUSY];

	n_marked = 1;
	stage_before = mark_all;
	stage_accounts();
	CHECK(broker.users.size == TABLE);
	for (uint32_t i = 0; i < BUSY; i++) {
		users[i] = users_add(&broker.users, 9000 + i, false);
		users[i]->budget.n_conns = 1;
	}
	no_leaf();
	refuser = start_kid(IPC_VIEW, VIEW_UID);
	hello(&refuser);
	expect_nothing(starter_fd);
	CHECK(users_n_free(&broker.users) == SPARE && broker.autostart.next == 1);
	users[5]->budget.n_conns = 0;
	be_due(&broker.autostart.timer);
	resolve(FIRST);
	for (uint32_t i = 0; i < BUSY; i++)
		users[i]->budget.n_conns = 0;
	stage_close();
}

/* As many as a host may have: ready at once, each in its turn, some files a turn of the loop. */
static void
test_many(void)
{
	n_marked = 10000;
	stage_before = mark_all;
	stage_ready();
	CHECK(broker.autostart.n == 10001 && broker.autostart.next <= AUTOSTART_AT_ONCE + 1);
	for (uint32_t i = 0; i < AUTOSTART_AT_ONCE; i++)
		resolve(FIRST + i);
	stage_close();
}

/* --- what workers say --------------------------------------------------------------------- */

static bool
is_marked(uint32_t uid)
{
	return registry_autostart(broker.places.registry_fd, uid);
}

static void
test_said(void)
{
	struct kid kid;
	int client;

	open_with(0);
	kid = idle_worker(ALICE);
	CHECK(!is_marked(ALICE));
	say_state(&kid, IPC_AUTOSTART_UNKNOWN);
	CHECK(!is_marked(ALICE) && !has_file(ALICE));
	say_state(&kid, IPC_AUTOSTART_SOME);
	CHECK(is_marked(ALICE) && has_file(ALICE));
	say_state(&kid, IPC_AUTOSTART_NONE);
	CHECK(!is_marked(ALICE));
	/* The next one says how it is, which may be what the last one said. */
	say_state(&kid, IPC_AUTOSTART_SOME);
	end_kid(&kid);
	client = connect_as(ALICE);
	kid = worker(ALICE);
	(void)serve(&kid);
	fd_close(&client);
	say_state(&kid, IPC_AUTOSTART_SOME);
	CHECK(is_alive(&kid) && is_marked(ALICE));
	/* Not twice the same. */
	say_state(&kid, IPC_AUTOSTART_SOME);
	reap(&kid, SIGKILL);
	stage_close();
}

static void
test_flood(void)
{
	struct marks_share *share;
	struct kid kid;
	struct stat before, after;
	int fd;

	open_with(0);
	kid = idle_worker(ALICE);
	fd = broker.places.registry_fd;
	share = &users_find(&broker.users, ALICE)->marks;
	for (int i = 0; i < 4; i++)
		say_state(&kid, i % 2 ? IPC_AUTOSTART_NONE : IPC_AUTOSTART_SOME);
	CHECK(fstatat(fd, "2001", &before, 0) == 0 &&
		marks_are_written(users_find(&broker.users, ALICE)));
	for (int i = 0; i < 101; i++)
		say_state(&kid, i % 2 ? IPC_AUTOSTART_NONE : IPC_AUTOSTART_SOME);
	CHECK(fstatat(fd, "2001", &after, 0) == 0 && before.st_ino == after.st_ino);
	CHECK(timer_is_set(&share->timer) && !is_marked(ALICE) && is_alive(&kid));
	/* What was said last counts, also when the worker has gone, and whoever said it stays. */
	end_kid(&kid);
	CHECK(users_n_free(&broker.users) == broker.users.size - 2);
	share->writes.full_ns = 0;
	be_due(&share->timer);
	CHECK(is_marked(ALICE) && users_n_free(&broker.users) == broker.users.size - 1);
	stage_close();
}

/* The broker ends before it was time to write. */
static void
test_written_at_the_end(void)
{
	struct kid kid;

	open_with(0);
	kid = idle_worker(ALICE);
	for (int i = 0; i < 5; i++)
		say_state(&kid, i % 2 ? IPC_AUTOSTART_NONE : IPC_AUTOSTART_SOME);
	end_kid(&kid);
	CHECK(!is_marked(ALICE));
	marks_fini(users_find(&broker.users, ALICE));
	CHECK(is_marked(ALICE));
	stage_close();
}

/* It is a worker's to say. */
static void
test_refuser(void)
{
	open_with(0);
	say_state(&refuser, IPC_AUTOSTART_SOME);
	reap(&refuser, SIGKILL);
	stage_close();
}

int
main(void)
{
	log_open("broker_autostart", 0);
	TEST("who is marked gets a worker, which opens all; who is not does not", test_starts);
	TEST("not again while the host runs", test_once);
	TEST("nor is who has connected already", test_connected);
	TEST("a few at a time, and nobody who connects waits for them", test_pace);
	TEST("what fails is tried again, for so often", test_again);
	TEST("one that does not open what it has holds up nobody", test_worker_there);
	TEST("there is room for those who connect", test_room);
	TEST("ten thousand take their turns", test_many);
	TEST("what a worker says is kept, and said once", test_said);
	TEST("one that changes its mind all the time makes no writing of it", test_flood);
	TEST("what was said last is written at the end", test_written_at_the_end);
	TEST("the refuser has nothing to say of it", test_refuser);
	return TEST_END();
}
