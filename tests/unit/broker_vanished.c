/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_vanished.c: a user or group that the host knows no more gives nothing, and what a line takes
 * from it, or from its members, stays taken, also from who is connected, until it is there again.
 */
#include "broker/members.h"

#include "broker/limits.h"
#include "broker/registry.h"
#include "tests/unit/broker_recording.h"
#include "tests/unit/broker_rules.h"
#include "tests/unit/broker_vms.h"

enum { N_STRANGERS = 64 };

static void
close_all(void)
{
	remove_rules();
	stage_close();
}

/* The names are looked up again; what is asked then is answered by the caller. */
static void
names_due(void)
{
	broker.rulebook.refresh_ns = 1;
	be_due(&broker.authority.tick);
}

static void
account_due(uint32_t uid)
{
	user_of(uid)->lookup_again_ns = 1;
	be_due(&broker.authority.tick);
}

/* The group, or another of that number, is there or not; root is in none of them. */
static void
group_is(const char *name, uint32_t gid)
{
	names_due();
	resolve_group(name, gid);
	resolve_root(0);
}

static struct kid
connect_member(uint32_t uid, uint32_t gid, int *client, struct ipc_conn_pass *pass)
{
	struct kid kid;

	*client = connect_as(uid);
	resolve_in_group(uid, gid);
	kid = worker(uid);
	(void)pass_one(&kid, pass);
	return kid;
}

/* --- names -------------------------------------------------------------------------------- */

static void
test_user_denied(void)
{
	struct ipc_conn_pass pass;
	struct kid alice;
	int client;

	stage_names("allow everyone manage own\ndeny user gone console\n");
	resolve_user("gone", ALICE);
	stage_rest();
	alice = first_connection(ALICE, &client);
	(void)pass_one(&alice, &pass);
	CHECK(pass.verbs == POWER);
	names_due();
	resolve_user("gone", 0);
	expect_nothing(alice.link);
	/* A reload finds that out, and changes nothing. */
	reload("allow everyone manage own\ndeny user gone console\nallow uid 2002 view all\n");
	resolve_user("gone", 0);
	expect_nothing(alice.link);
	CHECK(broker.rulebook.failed);
	/* Somebody else has the name. */
	names_due();
	resolve_user("gone", BOB);
	expect_change(&alice, pass.conn_id, VERBS_ALL, "");
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

static void
test_user_limited(void)
{
	struct quota_limits limits;
	struct policy_who who;
	struct kid alice;
	int client;

	stage_names("allow everyone manage own\nlimit everyone vms 4\nlimit user gone vms 0\n");
	resolve_user("gone", ALICE);
	stage_rest();
	alice = first_connection(ALICE, &client);
	(void)serve(&alice);
	for (unsigned i = 0; i < 3; i++) {
		names_due();
		resolve_user("gone", i == 1 ? ALICE : 0);
		who = authority_who(&broker.authority, user_of(ALICE));
		limits_of(&broker, &who, 0, &limits);
		CHECK(limits.of[QUOTA_VMS].max == 0);
		CHECK_STR(limits.of[QUOTA_VMS].rule, "policy.conf:3");
	}
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

/* One line gives, another takes: what is given is lost, what is taken stays so, one group or not. */
static void
test_group(void)
{
	struct ipc_conn_pass pass;
	struct kid alice;
	int client;

	stage_names("allow everyone power own\nallow group lab manage own\n"
		    "deny group lab power\n");
	resolve_group("lab", GID);
	resolve_root(0);
	stage_rest();
	alice = connect_member(ALICE, GID, &client, &pass);
	CHECK(pass.verbs == (VERB_VIEW | VERB_CONSOLE));
	group_is("lab", 0);
	expect_change(&alice, pass.conn_id, VERB_VIEW, "policy.conf:3");
	/* Her account, too, has it not any more. */
	account_due(ALICE);
	resolve(ALICE);
	expect_nothing(alice.link);
	/* It comes back, and then her account is in it again. */
	group_is("lab", GID);
	expect_nothing(alice.link);
	account_due(ALICE);
	resolve_in_group(ALICE, GID);
	expect_change(&alice, pass.conn_id, VERB_VIEW | VERB_CONSOLE, "policy.conf:3");
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

/* --- members ------------------------------------------------------------------------------ */

/* Her account shows first that the group is gone: that is not to have left it. */
static void
test_account_first(void)
{
	struct ipc_conn_pass pass;
	struct kid alice;
	int client;

	stage_names("allow everyone manage own\ndeny group out console\n");
	resolve_group("out", GID);
	resolve_root(0);
	stage_rest();
	alice = connect_member(ALICE, GID, &client, &pass);
	CHECK(pass.verbs == POWER);
	account_due(ALICE);
	resolve(ALICE);
	expect_nothing(alice.link);
	/* What became of the group is asked at once, and not told. */
	be_due(&broker.authority.tick);
	resolve_error(-ETIMEDOUT);
	resolve_root(0);
	expect_nothing(alice.link);
	/* It is gone. */
	account_due(ALICE);
	resolve(ALICE);
	be_due(&broker.authority.tick);
	resolve_group("out", 0);
	resolve_root(0);
	expect_nothing(alice.link);
	for (unsigned i = 0; i < 3; i++) {
		account_due(ALICE);
		resolve(ALICE);
		group_is("out", 0);
		expect_nothing(alice.link);
	}
	/* It is back, and she is not in it: that is asked once more, and then believed. */
	group_is("out", GID);
	expect_nothing(alice.link);
	be_due(&broker.authority.tick);
	resolve(ALICE);
	expect_change(&alice, pass.conn_id, VERBS_ALL, "");
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

/* Who leaves a group that is there is out of it, as soon as that is seen. */
static void
test_left(void)
{
	struct ipc_conn_pass pass;
	struct kid alice;
	int client;

	stage_names("allow everyone manage own\ndeny group out console\n");
	resolve_group("out", GID);
	resolve_root(0);
	stage_rest();
	alice = connect_member(ALICE, GID, &client, &pass);
	account_due(ALICE);
	resolve(ALICE);
	be_due(&broker.authority.tick);
	resolve_group("out", GID);
	resolve_root(0);
	expect_nothing(alice.link);
	be_due(&broker.authority.tick);
	resolve(ALICE);
	expect_change(&alice, pass.conn_id, VERBS_ALL, "");
	CHECK(user_of(ALICE)->held.n == 0);
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

/* A run that had begun before says nothing of what became of the group since. */
static void
test_run_before(void)
{
	AUTO(packet_fini) struct packet ask;
	struct ipc_conn_pass pass;
	struct kid alice;
	int client;

	stage_names("allow everyone manage own\ndeny group out console\n");
	resolve_group("out", GID);
	resolve_root(0);
	stage_rest();
	alice = connect_member(ALICE, GID, &client, &pass);
	names_due();
	resolve_group("out", GID);
	expect(starter_fd, IPC_RESOLVE, &ask); /* root, who is told of last */
	account_due(ALICE);
	resolve(ALICE);
	turn();
	answer_error(starter_fd, &ask, -ENOENT, 0);
	turn();
	be_due(&broker.authority.tick);
	expect_nothing(starter_fd);
	group_is("out", 0);
	account_due(ALICE);
	resolve(ALICE);
	expect_nothing(alice.link);
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

/* No line takes anything from that group: there is no doubt to be had. */
static void
test_no_doubt(void)
{
	struct ipc_conn_pass pass;
	struct kid alice;
	int client;

	stage_names("allow everyone manage own\nallow group in view own\ndeny group out\n");
	resolve_group("in", GID);
	resolve_group("out", GID + 1);
	resolve_root(0);
	stage_rest();
	alice = connect_member(ALICE, GID, &client, &pass);
	account_due(ALICE);
	resolve(ALICE);
	CHECK(user_of(ALICE)->held.n == 0);
	be_due(&broker.authority.tick);
	expect_nothing(starter_fd);
	/* And none when the rules are others. */
	user_of(ALICE)->held = (struct policy_held){.n = 1, .groups = {GID + 1}};
	reload("allow everyone manage own\n");
	CHECK(user_of(ALICE)->held.n == 0);
	expect_nothing(alice.link);
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

/* She connects, is refused like that, and was due to be looked up, or had been just now. */
static void
refused_when(bool due, enum ipc_refusal refusal)
{
	int client;

	turn();
	if (due)
		user_of(ALICE)->lookup_again_ns = 0;
	client = connect_as(ALICE);
	(void)expect_refusal(refusal);
	fd_close(&client);
}

/*
 * Who is denied everything is nobody's friend: however many others come, it is not forgotten what she
 * was, nor when her account is gone for a while.
 */
static void
test_not_forgotten(void)
{
	struct ipc_conn_pass pass;
	int client;

	stage_names("allow everyone manage own\ndeny group out\n");
	resolve_group("out", GID);
	resolve_root(0);
	stage_rest();
	client = connect_as(ALICE);
	resolve_in_group(ALICE, GID);
	pass = expect_refusal(IPC_REFUSAL_POLICY);
	CHECK(strstr(pass.reason, "policy.conf:2"));
	fd_close(&client);
	group_is("out", 0);
	/* What is known decides, and she is looked up beside that. */
	refused_when(true, IPC_REFUSAL_POLICY);
	resolve_error(-ENOENT);
	refused_when(false, IPC_REFUSAL_NOBODY);
	CHECK(user_of(ALICE)->held.n == 1);
	for (uint32_t i = 0; i < N_STRANGERS; i++)
		(void)users_add(&broker.users, 5000 + i, true);
	CHECK(user_of(ALICE) && user_of(ALICE)->held.n == 1);
	user_of(ALICE)->lookup_again_ns = 0;
	client = connect_as(ALICE);
	resolve(ALICE);
	(void)expect_refusal(IPC_REFUSAL_POLICY);
	fd_close(&client);
	close_all();
}

/* Of whom the broker knows nothing more, the registry knows what she was. */
static void
test_registry(void)
{
	struct account alice = account_of_uid(ALICE);
	int client;

	stage_names("allow everyone manage own\ndeny group out\n");
	resolve_group("out", GID);
	resolve_root(0);
	stage_rest();
	group_is("out", 0);
	alice.groups[alice.n_groups++] = GID;
	CHECK(registry_keep(broker.places.registry_fd, &alice, 1) == 0);
	client = connect_as(ALICE);
	resolve(ALICE);
	(void)expect_refusal(IPC_REFUSAL_POLICY);
	fd_close(&client);
	close_all();
}

/* What she owns is that of a member still, for who must not touch it. */
static void
test_owner(void)
{
	char reason[IPC_REASON_MAX];
	struct ipc_conn_pass pass;
	struct kid alice, bob;
	int clients[2];

	stage_names("allow everyone manage own\nallow uid 2002 manage all\n"
		    "deny uid 2002 manage group hr\nallow uid 2002 view group hr\n");
	resolve_group("hr", GID);
	resolve_root(0);
	stage_rest();
	alice = connect_member(ALICE, GID, &clients[0], &pass);
	clients[1] = connect_as(BOB);
	resolve(BOB);
	bob = start_view();
	for (unsigned i = 0; i < 3; i++) {
		CHECK(authority_over(&broker.authority, BOB, IPC_SOCKET_RW, ALICE, reason) ==
			(VERBS_ALL & ~VERB_MANAGE));
		group_is("hr", 0);
		account_due(ALICE);
		resolve(ALICE);
		turn();
	}
	fd_close(&clients[0]);
	fd_close(&clients[1]);
	(void)serve(&bob);
	end_kid(&alice);
	end_kid(&bob);
	close_all();
}

/* root is in the groups of root's account, and stays in one that vanishes. */
static void
test_root(void)
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
	CHECK(pass.verbs == POWER);
	for (unsigned i = 0; i < 2; i++) {
		group_is("wheel", 0);
		expect_nothing(view.link);
	}
	/* Whether it is there cannot be told. */
	names_due();
	resolve_error(-EIO);
	resolve_root(0);
	expect_nothing(view.link);
	group_is("wheel", GID);
	expect_change(&view, pass.conn_id, VERBS_ALL, "");
	fd_close(&client);
	end_kid(&view);
	close_all();
}

/* --- what is told of it ------------------------------------------------------------------- */

static void
expect_told(const char *target, const char *rule, const char *outcome)
{
	struct ipc_audit_record record = keep_until(AUDIT_POLICY_NAMES);

	CHECK(record.verdict == AUDIT_FACT);
	CHECK_STR(record.target, target);
	CHECK_STR(record.rule, rule);
	CHECK_STR(record.outcome, outcome);
}

/* Once, when it changes. */
static void
test_told(void)
{
	open_with("allow everyone view own\nallow group lab manage own\n"
		  "deny group lab console\nlimit group lab vms 1 vcpus 1\n");
	stage_audit = CONFIG_AUDIT_CONTINUE;
	stage_accounts();
	no_leaf();
	answer_audit_account();
	resolve_group("lab", GID);
	resolve_root(0);
	auditor = start_kid(IPC_AUDIT, AUDIT_UID);
	refuser = start_kid(IPC_VIEW, VIEW_UID);
	hello(&refuser);
	keep_all();
	group_is("lab", 0);
	expect_told("lab", "policy.conf:3",
		"this host knows no group lab any more: what this line (and 1 line more) takes "
		"stays taken from gid 3000 and who was in it");
	expect_told("lab", "policy.conf:2",
		"this host knows no group lab any more: this line gives nothing to anybody");
	expect_told("", "", "1 of its names stand for something else than before");
	group_is("lab", 0);
	expect_nothing(auditor.link);
	group_is("lab", GID);
	expect_told("lab", "", "this host knows the group lab again: gid 3000");
	expect_told("", "", "1 of its names stand for something else than before");
	keep_all();
	remove_rules();
	close_stage();
}

int
main(void)
{
	log_open("qemud", LEVEL_ERROR);
	TEST("what is denied to a user who vanishes stays denied to that uid", test_user_denied);
	TEST("and a limit of one holds", test_user_limited);
	TEST("a group that vanishes gives nothing, and takes what it took", test_group);
	TEST("nor has left it who is not in it because it vanished", test_account_first);
	TEST("who has left it has, when that is sure", test_left);
	TEST("nor is it by a look-up that had begun before", test_run_before);
	TEST("where no line takes anything there is no doubt", test_no_doubt);
	TEST("a member that vanishes as well, and whom others outnumber, is known again",
		test_not_forgotten);
	TEST("and one whom only the registry knows", test_registry);
	TEST("what a member owns", test_owner);
	TEST("root as a member", test_root);
	TEST("log and audit are told of it once, with the line", test_told);
	return TEST_END();
}
