/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_route.c: a connection gets the child, the verbs and the label that its uid's account and
 * its socket say, or a refusal that says why; and what one uid does costs that uid.
 */
#include "broker/route.h"

#include <sys/mman.h>

#include "broker/registry.h"
#include "lib/fd.h"
#include "protocol/verb.h"
#include "tests/unit/broker_stage.h"
#include "tests/unit/descriptors.h"

enum { STRANGER = 100000 };

static struct user *
user_of(uint32_t uid)
{
	return users_find(&broker.users, uid);
}

/* --- who is served by whom ---------------------------------------------------------------- */

static void
test_own_worker(void)
{
	struct ipc_conn_pass pass;
	struct packet packet;
	struct kid alice;
	int rw, ro;

	stage_ready();
	alice = first_connection(ALICE, &rw);
	pass = serve(&alice);
	CHECK(pass.uid == ALICE && pass.gid == ALICE && pass.pid == 7);
	CHECK(pass.verbs == VERBS_ALL && pass.refusal == IPC_REFUSAL_NONE);
	CHECK(pass.socket == IPC_SOCKET_RW && pass.reason[0] == '\0');
	CHECK_STR(pass.label, "u2001");
	/* The read-only socket gives the same worker, and nothing but view. */
	ro = connect_to(IPC_SOCKET_RO, ALICE);
	expect(alice.link, IPC_CONN_PASS, &packet);
	memcpy(&pass, body_of(&packet), sizeof pass);
	CHECK(pass.verbs == VERBS_VIEW && pass.socket == IPC_SOCKET_RO);
	/* Once it is taken the broker has no copy: the worker's is the last. */
	packet_fini(&packet);
	CHECK(!is_closed(ro));
	taken(&alice, &packet);
	CHECK(is_closed(ro) && user_of(ALICE)->budget.n_conns == 1);
	CHECK(registry_has(broker.places.registry_fd, ALICE));
	fd_close(&rw);
	fd_close(&ro);
	end_kid(&alice);
	stage_close();
}

static void
test_root(void)
{
	struct ipc_conn_pass pass;
	struct kid view, vm;
	int root, own;

	stage_ready();
	/* Known since the start: nothing is looked up. */
	root = connect_as(0);
	view = start_view();
	pass = serve(&view);
	CHECK(pass.uid == 0 && pass.verbs == VERBS_ALL);
	CHECK_STR(pass.label, "root");
	/* The account whose machines are root's is looked up as anybody's, and has a worker. */
	own = connect_as(VM_UID);
	resolve(VM_UID);
	vm = worker(VM_UID);
	pass = serve(&vm);
	CHECK(pass.uid == VM_UID);
	CHECK_STR(pass.label, "u991");
	CHECK(broker.n_children == 3);
	fd_close(&root);
	fd_close(&own);
	end_kid(&view);
	end_kid(&vm);
	stage_close();
}

static void
test_root_without_account(void)
{
	AUTO(packet_fini) struct packet ask = {.size = 0};
	struct account view = account_of_uid(VIEW_UID), vm = account_of_uid(VM_UID);
	struct kid kid;
	int client;

	stage_open();
	resolve_error(-ENOENT);
	expect(starter_fd, IPC_RESOLVE, &ask);
	answer_account(&ask, &view);
	no_leaf();
	refuser = start_kid(IPC_VIEW, VIEW_UID);
	hello(&refuser);
	CHECK(broker.ready);
	client = connect_as(0);
	CHECK(strstr(expect_refusal(IPC_REFUSAL_WORKER).reason, "system account"));
	fd_close(&client);
	/* It is made; after some seconds it is asked for again, by name. */
	user_of(0)->lookup_again_ns = 1;
	client = connect_as(0);
	expect(starter_fd, IPC_RESOLVE, &ask);
	CHECK_STR(((const struct ipc_resolve *)body_of(&ask))->name, "qemud-vm");
	answer_account(&ask, &vm);
	kid = start_view();
	(void)serve(&kid);
	fd_close(&client);
	end_kid(&kid);
	stage_close();
}

static void
test_nobodies(void)
{
	static const uint32_t uids[] = {65534, UINT32_MAX, 61184, 65519};

	stage_ready();
	for (size_t i = 0; i < sizeof uids / sizeof *uids; i++) {
		int client = connect_as(uids[i]);
		struct ipc_conn_pass pass = expect_refusal(IPC_REFUSAL_NOBODY);
		char label[32];

		(void)snprintf(label, sizeof label, "uid %u", uids[i]);
		CHECK_STR(pass.label, label);
		CHECK(!user_of(uids[i]));
		fd_close(&client);
	}
	/* Nobody was even asked who that is. */
	expect_nothing(starter_fd);
	stage_close();
}

/* --- the account -------------------------------------------------------------------------- */

static void
test_no_account(void)
{
	struct kid alice;
	int client, again;

	stage_ready();
	client = connect_as(ALICE);
	resolve_error(-ENOENT);
	CHECK(strstr(expect_refusal(IPC_REFUSAL_NOBODY).reason, "no account"));
	again = connect_as(ALICE);
	(void)expect_refusal(IPC_REFUSAL_NOBODY);
	expect_nothing(starter_fd);
	/* The answer is not believed for long: the account may have been made since. */
	CHECK(user_of(ALICE)->lookup_again_ns <=
		loop_now(&broker.loop) + LOOP_S(ROUTE_NO_ACCOUNT_S));
	user_of(ALICE)->lookup_again_ns = 1;
	fd_close(&again);
	again = connect_as(ALICE);
	resolve(ALICE);
	alice = worker(ALICE);
	CHECK(!user_of(ALICE)->stranger);
	(void)serve(&alice);
	fd_close(&client);
	fd_close(&again);
	end_kid(&alice);
	stage_close();
}

static void
test_timed_out(void)
{
	int client;

	stage_ready();
	client = connect_as(ALICE);
	resolve_error(-ETIMEDOUT);
	CHECK(strstr(expect_refusal(IPC_REFUSAL_HOST).reason, "timed out"));
	CHECK(user_of(ALICE)->lookup_again_ns <=
		loop_now(&broker.loop) + LOOP_S(ROUTE_NO_ACCOUNT_S));
	fd_close(&client);
	stage_close();
}

/* What the resolver prints is checked: it runs as nobody. */
static void
test_bad_answers(void)
{
	static const char *const texts[] = {"", "nonsense",
		"name = u2001\nuid = 2002\ngid = 2001\nhome = /\ngroups = 2001\nsubordinate = no\n",
		"name = ../x\nuid = 2001\ngid = 2001\nhome = /\ngroups = 2001\nsubordinate = no\n"};
	AUTO(packet_fini) struct packet ask = {.size = 0};
	int client, fd;

	stage_ready();
	for (size_t i = 0; i <= sizeof texts / sizeof *texts; i++) {
		client = connect_as(ALICE);
		expect(starter_fd, IPC_RESOLVE, &ask);
		if (i == sizeof texts / sizeof *texts)
			fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
		else if (*texts[i])
			fd = memfd_make("account", texts[i], strlen(texts[i]));
		else
			fd = memfd_create("empty", MFD_CLOEXEC);
		answer(starter_fd, &ask, NULL, 0, &fd, 1);
		fd_close(&fd);
		CHECK(strstr(expect_refusal(IPC_REFUSAL_HOST).reason, "cannot be looked up"));
		CHECK(user_of(ALICE)->stranger);
		user_of(ALICE)->lookup_again_ns = 1;
		fd_close(&client);
	}
	stage_close();
}

static void
test_subordinate(void)
{
	AUTO(packet_fini) struct packet ask;
	struct account account = account_of_uid(STRANGER);
	int client;

	stage_ready();
	client = connect_as(STRANGER);
	expect(starter_fd, IPC_RESOLVE, &ask);
	account.subordinate = true;
	answer_account(&ask, &account);
	CHECK(strstr(expect_refusal(IPC_REFUSAL_NOBODY).reason, "subordinate"));
	CHECK(user_of(STRANGER)->stranger);
	fd_close(&client);
	stage_close();
}

static void
test_refresh(void)
{
	AUTO(packet_fini) struct packet ask = {.size = 0};
	struct account account = account_of_uid(ALICE);
	struct kid alice;
	int client;

	stage_ready();
	alice = first_connection(ALICE, &client);
	(void)serve(&alice);
	expect_nothing(starter_fd);
	fd_close(&client);
	/* Five minutes later: served from the old answer, while the new one is asked for. */
	CHECK(user_of(ALICE)->lookup_again_ns <=
		loop_now(&broker.loop) + LOOP_S(broker.config.account_seconds));
	user_of(ALICE)->lookup_again_ns = 1;
	client = connect_as(ALICE);
	(void)serve(&alice);
	expect(starter_fd, IPC_RESOLVE, &ask);
	/* Her home has moved: the registry has it at once. */
	(void)snprintf(account.home, sizeof account.home, "/srv/alice");
	answer_account(&ask, &account);
	turn();
	CHECK_STR(user_of(ALICE)->account.home, "/srv/alice");
	{
		fd_auto int fd = openat(broker.places.registry_fd, "2001", O_RDONLY | O_CLOEXEC);
		char text[512] = {0};

		CHECK(read(fd, text, sizeof text - 1) > 0 && strstr(text, "home = /srv/alice\n"));
	}
	fd_close(&client);
	/* A look-up that fails leaves her as she is. */
	user_of(ALICE)->lookup_again_ns = 1;
	client = connect_as(ALICE);
	(void)serve(&alice);
	resolve_error(-ETIMEDOUT);
	turn();
	fd_close(&client);
	client = connect_as(ALICE);
	(void)serve(&alice);
	fd_close(&client);
	/* Her account is gone: no more connections. */
	user_of(ALICE)->lookup_again_ns = 1;
	client = connect_as(ALICE);
	(void)serve(&alice);
	resolve_error(-ENOENT);
	turn();
	fd_close(&client);
	client = connect_as(ALICE);
	(void)expect_refusal(IPC_REFUSAL_NOBODY);
	fd_close(&client);
	end_kid(&alice);
	stage_close();
}

static void
test_pending(void)
{
	int clients[ROUTE_PENDING_MAX + 1];
	uint64_t last = 0;
	struct kid alice;

	stage_ready();
	for (int i = 0; i <= ROUTE_PENDING_MAX; i++)
		clients[i] = connect_as(ALICE);
	CHECK(user_of(ALICE)->pending.n == ROUTE_PENDING_MAX);
	CHECK(strstr(expect_refusal(IPC_REFUSAL_HOST).reason, "64 connections"));
	resolve(ALICE);
	alice = worker(ALICE);
	for (int i = 0; i < ROUTE_PENDING_MAX; i++) {
		uint64_t id = serve(&alice).conn_id;

		CHECK(id > last);
		last = id;
	}
	CHECK(broker.users.strangers[STRANGERS_NEAR].n_conns == 0 &&
		user_of(ALICE)->budget.n_conns == 0);
	for (int i = 0; i <= ROUTE_PENDING_MAX; i++)
		fd_close(&clients[i]);
	end_kid(&alice);
	stage_close();
}

static void
test_pending_has_an_end(void)
{
	int client;

	stage_ready();
	client = connect_as(ALICE);
	CHECK(user_of(ALICE)->pending.first->deadline_ns <=
		loop_now(&broker.loop) + LOOP_S(ROUTE_PENDING_S));
	user_of(ALICE)->pending.first->deadline_ns = 0;
	be_due(&user_of(ALICE)->timer);
	CHECK(strstr(expect_refusal(IPC_REFUSAL_HOST).reason, "within 10 seconds"));
	resolve(ALICE);
	turn();
	expect_nothing(starter_fd);
	fd_close(&client);
	stage_close();
}

/* --- limits ------------------------------------------------------------------------------- */

static void
test_connections(void)
{
	enum { LIMIT = 10 };
	struct packet pass;
	struct kid alice, bob;
	int clients[2 * LIMIT + 1], bobs;

	stage_ready();
	broker.limits.connections = broker.config.user_connections = LIMIT;
	alice = first_connection(ALICE, &clients[0]);
	for (int i = 0; i < LIMIT; i++) {
		if (i > 0)
			clients[i] = connect_as(ALICE);
		expect(alice.link, IPC_CONN_PASS, &pass);
		taken(&alice, &pass);
		packet_fini(&pass);
	}
	for (int i = LIMIT; i < 2 * LIMIT; i++) {
		clients[i] = connect_as(ALICE);
		expect(refuser.link, IPC_CONN_PASS, &pass);
		taken(&refuser, &pass);
		packet_fini(&pass);
		CHECK(((const struct ipc_conn_pass *)body_of(&pass))->refusal ==
			IPC_REFUSAL_CONNECTIONS);
	}
	clients[2 * LIMIT] = connect_as(ALICE);
	CHECK(is_closed(clients[2 * LIMIT]));
	bob = first_connection(BOB, &bobs);
	(void)serve(&bob);
	/* One goes: there is room for one again. */
	gone(&alice, broker.conns.slots[0].pass.conn_id);
	gone(&refuser, ((const struct ipc_conn_pass *)body_of(&pass))->conn_id);
	fd_close(&clients[2 * LIMIT]);
	clients[2 * LIMIT] = connect_as(ALICE);
	CHECK(!is_closed(clients[2 * LIMIT]));
	(void)expect_refusal(IPC_REFUSAL_CONNECTIONS);
	for (int i = 0; i <= 2 * LIMIT; i++)
		fd_close(&clients[i]);
	fd_close(&bobs);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

static void
test_rate(void)
{
	enum { RATE = 5 };
	struct kid alice;
	int client;

	stage_ready();
	alice = first_connection(ALICE, &client);
	(void)serve(&alice);
	fd_close(&client);
	/* No token comes back within this test: one every 1000 seconds. */
	broker.limits.connections_per_second = RATE;
	user_of(ALICE)->budget = (struct budget){
		.served.full_ns = loop_now(&broker.loop) + LOOP_S(3600),
	};
	for (int i = 0; i < RATE; i++) {
		client = connect_as(ALICE);
		CHECK(strstr(expect_refusal(IPC_REFUSAL_RATE).reason, "more often"));
		fd_close(&client);
	}
	user_of(ALICE)->budget.refused.full_ns = loop_now(&broker.loop) + LOOP_S(3600);
	client = connect_as(ALICE);
	CHECK(is_closed(client));
	expect_nothing(refuser.link);
	fd_close(&client);
	end_kid(&alice);
	stage_close();
}

static void
test_host_full(void)
{
	struct kid alice, bob;
	int client, bobs;

	stage_ready();
	alice = first_connection(ALICE, &client);
	broker.max_conns = 1;
	bobs = connect_as(BOB);
	CHECK(strstr(expect_refusal(IPC_REFUSAL_HOST).reason, "max_connections 1"));
	(void)serve(&alice);
	fd_close(&bobs);
	bob = first_connection(BOB, &bobs);
	(void)serve(&bob);
	fd_close(&client);
	fd_close(&bobs);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

static void
test_no_slot(void)
{
	unsigned n_before;
	struct packet pass;
	struct kid alice;
	int clients[64], n = 0, over;

	stage_ready();
	alice = first_connection(ALICE, &clients[n++]);
	broker.conns.size = 8;
	expect(alice.link, IPC_CONN_PASS, &pass);
	taken(&alice, &pass);
	packet_fini(&pass);
	while (n < 8)
		clients[n++] = connect_as(ALICE);
	n_before = n_descriptors();
	over = connect_as(ALICE);
	CHECK(is_closed(over));
	fd_close(&over);
	CHECK(n_descriptors() == n_before && user_of(ALICE)->budget.n_conns == 8);
	while (n > 0)
		fd_close(&clients[--n]);
	end_kid(&alice);
	alice = worker(ALICE);
	for (int i = 0; i < 7; i++)
		(void)serve(&alice);
	end_kid(&alice);
	stage_close();
}

/*
 * One user connects as thousands of subordinate uids, faster than anybody could look them up.
 * Whoever is known to the host, now or from its registry, is served as ever.
 */
static void
test_strangers(void)
{
	static int clients[5000];
	struct account bob_account = account_of_uid(BOB);
	AUTO(packet_fini) struct packet ask = {.size = 0};
	struct kid alice, bob;
	unsigned n_questions = 0;
	int client, bobs, n_closed = 0;

	stage_ready();
	alice = first_connection(ALICE, &client);
	(void)serve(&alice);
	CHECK(registry_keep(broker.places.registry_fd, &bob_account, 1) == 0);
	for (uint32_t i = 0; i < 5000; i++)
		clients[i] = connect_as(STRANGER + i);
	CHECK(broker.users.n_strangers[STRANGERS_FAR] <= (broker.config.max_users + 1) / 4);
	CHECK(broker.users.strangers[STRANGERS_FAR].n_conns <= 2 * broker.limits.connections);

	fd_close(&client);
	client = connect_as(ALICE);
	CHECK(serve(&alice).uid == ALICE);
	bobs = connect_as(BOB);
	/* A few strangers are being looked up; bob is the next, before all others that wait. */
	do {
		expect(starter_fd, IPC_RESOLVE, &ask);
	} while (((const struct ipc_resolve *)body_of(&ask))->uid != BOB &&
		 ++n_questions <= STARTER_STRANGERS_MAX);
	CHECK(n_questions <= STARTER_STRANGERS_MAX);
	answer_account(&ask, &bob_account);
	bob = worker(BOB);
	CHECK(serve(&bob).uid == BOB);

	for (int i = 0; i < 5000; i++) {
		char byte;

		n_closed += recv(clients[i], &byte, 1, MSG_DONTWAIT) == 0;
		fd_close(&clients[i]);
	}
	CHECK(n_closed > 0);
	fd_close(&client);
	fd_close(&bobs);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

/* --- the start ---------------------------------------------------------------------------- */

static void
test_no_view_account(void)
{
	struct account vm = account_of_uid(VM_UID);
	AUTO(packet_fini) struct packet ask;

	stage_open();
	expect(starter_fd, IPC_RESOLVE, &ask);
	answer_account(&ask, &vm);
	resolve_error(-ENOENT);
	turn();
	CHECK(broker.loop.quit && broker.loop.status == EXIT_FAILURE && !broker.ready);
	stage_close();
}

static void
test_no_refuser(void)
{
	AUTO(packet_fini) struct packet ask;

	stage_accounts();
	no_leaf();
	expect(starter_fd, IPC_VIEW, &ask);
	answer_error(starter_fd, &ask, -EACCES, sizeof(struct ipc_started));
	turn();
	CHECK(broker.loop.quit && broker.loop.status == EXIT_FAILURE && !broker.ready);
	stage_close();
}

static void
test_start_late(void)
{
	stage_open();
	be_due(&broker.deadline);
	CHECK(broker.loop.quit && broker.loop.status == EXIT_FAILURE);
	stage_close();
}

int
main(void)
{
	log_open("broker_route", 0);
	/* The thousands have both ends here, and a login has 1024. */
	if (fd_limit_raise(16384) < 0) {
		printf("Bail out! needs 16384 descriptors (ulimit -Hn)\n");
		return EXIT_FAILURE;
	}
	TEST("an account is served by its own worker, with its own verbs", test_own_worker);
	TEST("root is served by a view, and the account of the host's machines by a worker",
		test_root);
	TEST("without a system account root is told how to make it", test_root_without_account);
	TEST("uids that are nobody's are refused unasked", test_nobodies);
	TEST("without an account a uid is refused, for some seconds unasked", test_no_account);
	TEST("a look-up that takes too long is told as such", test_timed_out);
	TEST("an answer that is not that account's is no answer", test_bad_answers);
	TEST("a subordinate uid is refused, account or not", test_subordinate);
	TEST("accounts are looked up again, and nobody waits for that", test_refresh);
	TEST("connections wait for the account, in order, as many as may", test_pending);
	TEST("waiting for an account has an end, in words", test_pending_has_an_end);
	TEST("past its connections a uid is refused, past twice as many closed", test_connections);
	TEST("past its rate a uid is refused, past twice that closed", test_rate);
	TEST("a full host refuses in words", test_host_full);
	TEST("past the last slot a connection is closed, and nothing leaks", test_no_slot);
	TEST("thousands of strangers cost strangers alone", test_strangers);
	TEST("without the refuser's account it does not start", test_no_view_account);
	TEST("without the refuser it does not start", test_no_refuser);
	TEST("a start has an end", test_start_late);
	return TEST_END();
}
