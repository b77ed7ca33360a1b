/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_authority.c: connections may do what the site's files say, from the start on and after each
 * reload that is whole; names and accounts that change have the same effect; a bad file has none.
 */
#include "broker/authority.h"

#include "broker/registry.h"
#include "protocol/ipc/group.h"
#include "protocol/verb.h"
#include "tests/unit/broker_rules.h"

static void
ready_with(const char *rules)
{
	open_with(rules);
	stage_ready();
}

static void
close_all(void)
{
	remove_rules();
	stage_close();
}

/* What all that runs for her may take is told to the starter once, and taken back. */
static void
test_shares(void)
{
	struct ipc_user_limit said[] = {{.uid = ALICE, .share = {.tasks = 500, .cpu_weight = 50}},
		{.uid = ALICE, .share = {.tasks = INT32_MAX, .cpu_weight = 100}}};
	struct ipc_share said_now;
	struct kid alice;
	int client;

	ready_with("allow everyone manage own\n");
	alice = first_connection(ALICE, &client);
	(void)serve(&alice);
	/* Where no line says anything the kernel's own holds, whatever an earlier broker had said. */
	said_now = shares_say(users_find(&broker.users, ALICE));
	CHECK(memcmp(&said_now, &said[1].share, sizeof said_now) == 0);
	for (size_t i = 0; i < 2; i++) {
		AUTO(packet_fini) struct packet ask = {.n_fds = 0};

		reload(i == 0 ? "allow everyone manage own\nlimit everyone pids 500 cpu-weight 50\n"
			      : "allow everyone manage own\n");
		expect(starter_fd, IPC_USER_LIMIT, &ask);
		CHECK(memcmp(body_of(&ask), &said[i], sizeof said[i]) == 0);
		/* While that is not answered, another is. */
		reload("allow everyone manage own\nlimit everyone pids 600\n");
		expect_nothing(starter_fd);
		reload(i == 0 ? "allow everyone manage own\nlimit everyone pids 500 cpu-weight 50\n"
			      : "allow everyone manage own\n");
		answer(starter_fd, &ask, NULL, 0, NULL, 0);
		turn();
		{
			AUTO(packet_fini) struct packet again = {.n_fds = 0};

			expect(starter_fd, IPC_USER_LIMIT, &again);
			CHECK(memcmp(body_of(&again), &said[i], sizeof said[i]) == 0);
			answer(starter_fd, &again, NULL, 0, NULL, 0);
			turn();
		}
		reload(i == 0 ? "allow everyone manage own\nlimit everyone pids 500 cpu-weight 50\n"
			      : "allow everyone manage own\n");
		expect_nothing(starter_fd);
	}
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

/* --- at the start ------------------------------------------------------------------------- */

static void
test_builtin(void)
{
	struct ipc_conn_pass pass;
	struct kid alice;
	int client;

	ready_with(NULL);
	alice = first_connection(ALICE, &client);
	pass = serve(&alice);
	CHECK(pass.verbs == VERBS_ALL && pass.reason[0] == '\0');
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

static void
test_rules(void)
{
	struct ipc_conn_pass pass;
	struct kid alice;
	int clients[3];

	open_with("allow uid 2001 power own\nallow uid 2002 manage own\ndeny uid 2002\n");
	stage_ready();
	alice = first_connection(ALICE, &clients[0]);
	pass = serve(&alice);
	CHECK(pass.verbs == POWER && pass.refusal == IPC_REFUSAL_NONE);
	CHECK_STR(pass.reason,
		"policy gives u2001 power (policy.conf:1); root of this host can change that");
	/* The read-only socket gives view, and that is no matter of policy. */
	clients[1] = connect_to(IPC_SOCKET_RO, ALICE);
	pass = serve(&alice);
	CHECK(pass.verbs == VERBS_VIEW && pass.reason[0] == '\0');
	clients[2] = connect_as(BOB);
	resolve(BOB);
	pass = expect_refusal(IPC_REFUSAL_POLICY);
	CHECK(strstr(pass.reason, "policy.conf:3") && strstr(pass.reason, "root of this host"));
	for (int i = 0; i < 3; i++)
		fd_close(&clients[i]);
	end_kid(&alice);
	close_all();
}

/* Nobody is let in before the names are known; who is too late to be told is asked again. */
static void
test_names_first(void)
{
	struct ipc_conn_pass pass;
	struct kid alice;
	int client;

	stage_names("allow group lab view own\nallow user root view all\nallow user u power own\n");
	resolve_group("lab", GID);
	{
		AUTO(packet_fini) struct packet ask;

		expect(starter_fd, IPC_RESOLVE, &ask);
		CHECK_STR(((const struct ipc_resolve *)body_of(&ask))->name, "root");
		answer_error(starter_fd, &ask, -ETIMEDOUT, 0);
		turn();
	}
	resolve_user("u", ALICE);
	resolve_root(0);
	CHECK(!broker.rulebook.known && !broker.loop.quit);
	resolve_user("root", 0); /* there is no such account: nothing is given to anybody */
	stage_rest();
	client = connect_as(ALICE);
	resolve_in_group(ALICE, GID);
	alice = worker(ALICE);
	pass = serve(&alice);
	CHECK(pass.verbs == POWER);
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

/* What takes away from somebody whom nobody knows would take nothing: it does not start. */
static void
test_bad_start(void)
{
	stage_names("allow everyone manage own\ndeny group out\n");
	resolve_group("out", 0);
	resolve_root(0);
	CHECK(broker.loop.quit && !broker.ready && !broker.rulebook.known);
	close_all();
	/* And not when it cannot be found out. */
	stage_names("deny group out\n");
	{
		AUTO(packet_fini) struct packet ask;

		expect(starter_fd, IPC_RESOLVE, &ask);
		answer_error(starter_fd, &ask, -EIO, 0);
		turn();
	}
	resolve_root(0);
	CHECK(broker.loop.quit && !broker.rulebook.known);
	close_all();
	/* With a mistake in it nothing begins at all. */
	ready_with("allow everyone manage own\n");
	write_rules("allow everyone\n");
	CHECK(rulebook_load(&broker.rulebook) != 0);
	write_rules("allow everyone manage own\nlimit everyone memory lots\n");
	CHECK(rulebook_load(&broker.rulebook) != 0);
	close_all();
}

/* An answer about another name than was asked for is none. */
static void
test_lying_answers(void)
{
	stage_names("deny group out\n");
	{
		AUTO(packet_fini) struct packet ask;

		expect(starter_fd, IPC_RESOLVE, &ask);
		answer_group(&ask, "in", GID);
	}
	resolve_root(0);
	CHECK(broker.loop.quit && !broker.rulebook.known);
	close_all();
}

/* --- a reload ----------------------------------------------------------------------------- */

static void
test_tightened(void)
{
	struct ipc_conn_pass rw, ro;
	struct kid alice, bob;
	int clients[3];

	ready_with("allow everyone manage own\n");
	alice = first_connection(ALICE, &clients[0]);
	(void)pass_one(&alice, &rw);
	clients[1] = connect_to(IPC_SOCKET_RO, ALICE);
	(void)pass_one(&alice, &ro);
	bob = first_connection(BOB, &clients[2]);
	(void)pass_one(&bob, &(struct ipc_conn_pass){.uid = 0});
	reload("allow everyone manage own\ndeny uid 2001 console\n");
	expect_change(&alice, rw.conn_id, POWER, "policy.conf:2");
	/* The read-only one has what it had, and so has bob. */
	expect_nothing(alice.link);
	expect_nothing(bob.link);
	/* That the line has moved is told, since it is named. */
	reload("allow everyone manage own\n\ndeny uid 2001 console\n");
	expect_change(&alice, rw.conn_id, POWER, "policy.conf:3");
	reload("allow everyone manage own\n");
	expect_change(&alice, rw.conn_id, VERBS_ALL, "");
	reload("allow everyone manage own\ndeny uid 2001\n");
	expect_change(&alice, rw.conn_id, 0, "policy.conf:2: deny uid 2001");
	expect_change(&alice, ro.conn_id, 0, "policy.conf:2: deny uid 2001");
	expect_nothing(bob.link);
	gone(&alice, rw.conn_id);
	gone(&alice, ro.conn_id);
	CHECK(is_alive(&alice) && is_alive(&bob));
	for (int i = 0; i < 3; i++)
		fd_close(&clients[i]);
	end_kid(&alice);
	end_kid(&bob);
	close_all();
}

/* root, whom a view serves, is told as well. */
static void
test_root(void)
{
	struct ipc_conn_pass pass;
	struct kid view;
	int client;

	ready_with("allow everyone manage own\n");
	client = connect_as(0);
	view = start_view();
	(void)pass_one(&view, &pass);
	CHECK(pass.uid == 0 && pass.verbs == VERBS_ALL);
	reload("deny uid 0 console\n");
	expect_change(&view, pass.conn_id, POWER, "policy.conf:1");
	fd_close(&client);
	end_kid(&view);
	close_all();
}

/* The groups that root's account is in count for her as everybody's do. */
static void
test_root_in_group(void)
{
	struct ipc_conn_pass pass;
	struct kid view;
	int client;

	stage_names("allow everyone manage own\ndeny group wheel console\n");
	resolve_group("wheel", GID);
	resolve_root(GID);
	stage_rest();
	client = connect_as(0);
	view = start_view();
	(void)pass_one(&view, &pass);
	CHECK(pass.verbs == POWER && strstr(pass.reason, "policy.conf:2"));
	/* She is put out of it; with the names she is looked up again. */
	broker.rulebook.refresh_ns = 1;
	be_due(&broker.authority.tick);
	resolve_group("wheel", GID);
	resolve_root(0);
	expect_change(&view, pass.conn_id, VERBS_ALL, "");
	/* What cannot be told takes and gives nothing. */
	broker.rulebook.refresh_ns = 1;
	be_due(&broker.authority.tick);
	resolve_group("wheel", GID);
	resolve_error(-EIO);
	expect_nothing(view.link);
	/* A reload waits for it, too. */
	reload("deny group wheel\n");
	resolve_group("wheel", GID);
	expect_nothing(view.link);
	resolve_root(GID);
	expect_change(&view, pass.conn_id, 0, "policy.conf:1");
	fd_close(&client);
	end_kid(&view);
	close_all();
}

static void
test_bad_reload(void)
{
	static const char *const bad[] = {"allow everyone\n", "deny user nobody-here view",
		"allow everyone manage own\n\x01", "limit everyone vms many\n"};
	struct ipc_conn_pass pass;
	char path[128];
	struct kid alice;
	int client;

	ready_with("allow uid 2001 power own\n");
	alice = first_connection(ALICE, &client);
	(void)pass_one(&alice, &pass);
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		reload(bad[i]);
		if (i == 1)
			resolve_user("nobody-here", 0);
		expect_nothing(alice.link);
	}
	/* A name that cannot be looked up now. */
	reload("allow everyone manage own\nallow group lab manage own\n");
	{
		AUTO(packet_fini) struct packet ask;

		expect(starter_fd, IPC_RESOLVE, &ask);
		answer_error(starter_fd, &ask, -ETIMEDOUT, 0);
	}
	resolve_root(0);
	expect_nothing(alice.link);
	/* Others could have written it. */
	(void)snprintf(path, sizeof path, "%s/.policy/policy.conf", stage_dir);
	write_rules("allow everyone manage own\n");
	CHECK(chmod(path, 0666) == 0);
	rulebook_reload(&broker.rulebook);
	expect_nothing(alice.link);
	/* It is gone: that is not to mean that the built-in rules hold. */
	CHECK(unlink(path) == 0);
	rulebook_reload(&broker.rulebook);
	expect_nothing(alice.link);
	reload("allow everyone manage own\n");
	expect_change(&alice, pass.conn_id, VERBS_ALL, "");
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

/* One that comes during another is not lost, and the one before it holds until then. */
static void
test_reload_twice(void)
{
	struct ipc_conn_pass pass;
	struct kid alice;
	int client;

	ready_with(NULL);
	alice = first_connection(ALICE, &client);
	(void)pass_one(&alice, &pass);
	reload("allow group lab view own\n");
	reload("allow group other view own\n");
	expect_nothing(alice.link);
	resolve_group("lab", GID);
	resolve_root(0);
	resolve_group("other", GID);
	resolve_root(0);
	expect_change(&alice, pass.conn_id, 0, "no line of policy.conf allows");
	expect_nothing(starter_fd);
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

/* --- as time goes by ---------------------------------------------------------------------- */

static struct user *
user_of(uint32_t uid)
{
	return users_find(&broker.users, uid);
}

static void
test_groups_change(void)
{
	struct ipc_conn_pass pass;
	struct kid alice;
	int client;

	stage_names("allow group lab manage own\nallow everyone view own\n");
	resolve_group("lab", GID);
	resolve_root(0);
	stage_rest();
	client = connect_as(ALICE);
	resolve_in_group(ALICE, GID);
	alice = worker(ALICE);
	(void)pass_one(&alice, &pass);
	CHECK(pass.verbs == VERBS_ALL);
	/* Nothing is asked before it is due; then she is, because she is connected. */
	be_due(&broker.authority.tick);
	expect_nothing(starter_fd);
	user_of(ALICE)->lookup_again_ns = 1;
	be_due(&broker.authority.tick);
	resolve(ALICE);
	expect_change(&alice, pass.conn_id, VERBS_VIEW, "policy.conf:2");
	user_of(ALICE)->lookup_again_ns = 1;
	be_due(&broker.authority.tick);
	resolve_in_group(ALICE, GID);
	expect_change(&alice, pass.conn_id, VERBS_ALL, "");
	/* What cannot be told takes nothing from her. */
	user_of(ALICE)->lookup_again_ns = 1;
	be_due(&broker.authority.tick);
	resolve_error(-ETIMEDOUT);
	expect_nothing(alice.link);
	/* An account that has gone takes everything. */
	user_of(ALICE)->lookup_again_ns = 1;
	be_due(&broker.authority.tick);
	resolve_error(-ENOENT);
	expect_change(&alice, pass.conn_id, 0, "no account");
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

static void
test_names_change(void)
{
	struct ipc_conn_pass pass;
	struct kid alice;
	int client;

	stage_names("allow everyone view own\nallow user friend manage own\n");
	resolve_user("friend", ALICE);
	stage_rest();
	alice = first_connection(ALICE, &client);
	(void)pass_one(&alice, &pass);
	CHECK(pass.verbs == VERBS_ALL);
	broker.rulebook.refresh_ns = 1;
	be_due(&broker.authority.tick);
	resolve_user("friend", BOB);
	expect_change(&alice, pass.conn_id, VERBS_VIEW, "policy.conf:1");
	/* It is the same: nothing is said. One that cannot be told stays. */
	broker.rulebook.refresh_ns = 1;
	be_due(&broker.authority.tick);
	resolve_user("friend", BOB);
	expect_nothing(alice.link);
	broker.rulebook.refresh_ns = 1;
	be_due(&broker.authority.tick);
	resolve_error(-ETIMEDOUT);
	expect_nothing(alice.link);
	/* A name that vanishes gives nothing to anybody; when it comes back it does. */
	broker.rulebook.refresh_ns = 1;
	be_due(&broker.authority.tick);
	resolve_user("friend", 0);
	broker.rulebook.refresh_ns = 1;
	be_due(&broker.authority.tick);
	resolve_user("friend", ALICE);
	expect_change(&alice, pass.conn_id, VERBS_ALL, "");
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

/* Many names are asked for some at a time. */
static void
test_many_names(void)
{
	char rules[4096] = "", name[16];
	size_t at = 0;

	for (unsigned i = 0; i < 3 * NAMES_AT_ONCE; i++)
		at += (size_t)snprintf(
			rules + at, sizeof rules - at, "allow group g%u view own\n", i);
	stage_names(rules);
	for (unsigned i = 0; i < 3 * NAMES_AT_ONCE; i++) {
		CHECK(broker.rulebook.names.n_open <= NAMES_AT_ONCE);
		(void)snprintf(name, sizeof name, "g%u", i);
		resolve_group(name, GID + i);
	}
	resolve_root(0);
	stage_rest();
	close_all();
}

/* --- what else asks ----------------------------------------------------------------------- */

/* bob, a student, has left a list, and the broker before wrote his account down. */
static void
before_over(void)
{
	struct account bob = account_of_uid(BOB);
	fd_auto int fd =
		openat(broker.places.inventory_fd, "2002", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	write_first();
	CHECK(fd >= 0);
	bob.groups[bob.n_groups++] = GID;
	CHECK(registry_keep(broker.places.registry_fd, &bob, 1) == 0);
}

/*
 * A channel to an owner is as good as its principal's rights over what she owns. What is known of her is
 * in memory: whoever asks has the broker open no file.
 */
static void
test_over(void)
{
	char reason[IPC_REASON_MAX];
	struct account bob = account_of_uid(BOB);
	struct kid alice;
	int client;

	open_with("allow everyone manage own\nallow uid 2001 power group students\n");
	stage_before = before_over;
	stage_accounts();
	no_leaf();
	resolve_group("students", GID);
	resolve_root(0);
	stage_rest();
	client = connect_as(ALICE);
	resolve(ALICE);
	alice = start_view();
	CHECK(!users_find(&broker.users, BOB));
	CHECK(unlinkat(broker.places.registry_fd, "2002", 0) == 0);
	CHECK(authority_over(&broker.authority, ALICE, IPC_SOCKET_RW, BOB, reason) == POWER);
	CHECK(strstr(reason, "policy.conf:2"));
	CHECK(authority_over(&broker.authority, ALICE, IPC_SOCKET_RO, BOB, reason) == VERBS_VIEW);
	CHECK(reason[0] == '\0');
	CHECK(authority_over(&broker.authority, ALICE, IPC_SOCKET_RW, ALICE, reason) == VERBS_ALL);
	CHECK(authority_over(&broker.authority, 0, IPC_SOCKET_RW, BOB, reason) == VERBS_ALL);
	CHECK(authority_over(&broker.authority, 4711, IPC_SOCKET_RW, BOB, reason) == 0);
	/* He has left the group, as whoever looked him up last was told. */
	inventories_know(&broker.inventories, inventories_find(&broker.inventories, BOB), &bob);
	CHECK(authority_over(&broker.authority, ALICE, IPC_SOCKET_RW, BOB, reason) == 0);
	CHECK(strstr(reason, "no line of policy.conf"));
	(void)serve(&alice);
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

int
main(void)
{
	log_open("qemud", LEVEL_ERROR);
	TEST("without files everyone manages her own", test_builtin);
	TEST("with files it is as they say, and why", test_rules);
	TEST("what all that runs may take is told to the starter when it changes", test_shares);
	TEST("nobody is let in before the names are known", test_names_first);
	TEST("with a mistake in its files it does not start", test_bad_start);
	TEST("an answer about another name is none", test_lying_answers);
	TEST("many names are asked for some at a time", test_many_names);
	TEST("a reload reaches who is connected, as far as she is meant", test_tightened);
	TEST("and root", test_root);
	TEST("root is in the groups that her account is in", test_root_in_group);
	TEST("a reload with a mistake changes nothing", test_bad_reload);
	TEST("a reload during a reload is not lost", test_reload_twice);
	TEST("groups of accounts that change", test_groups_change);
	TEST("names that stand for others, or vanish", test_names_change);
	TEST("rights over what others own", test_over);
	return TEST_END();
}
