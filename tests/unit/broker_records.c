/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_records.c: what decides is recorded with its line: policies that are read, rights that are
 * lost, channels, and what is done to machines without their owner's worker, under whose name.
 */
#include "broker/audit.h"

#include "tests/unit/broker_looking.h"
#include "tests/unit/broker_recording.h"
#include "tests/unit/broker_rules.h"
#include "tests/unit/broker_vms.h"

static struct ipc_audit_record
check(struct ipc_audit_record record, enum audit_verdict verdict, const char *target,
	const char *rule, const char *outcome)
{
	CHECK(record.verdict == verdict);
	CHECK_STR(record.target, target);
	CHECK_STR(record.rule, rule);
	CHECK_STR(record.outcome, outcome);
	return record;
}

static void
open_with_rules(const char *rules)
{
	open_with(rules);
	open_stage(CONFIG_AUDIT_CONTINUE);
}

static void
close_all(void)
{
	remove_rules();
	close_stage();
}

/* --- the policy --------------------------------------------------------------------------- */

static void
test_policy(void)
{
	struct ipc_audit_record record;
	char path[128], *at;
	struct kid alice;
	int client;

	open_with_rules("allow everyone manage own\n");
	record = check(keep_until(AUDIT_POLICY_LOAD), AUDIT_ALLOWED, "policy.conf", "",
		"rules: 2, files: 1, names: 0, warnings: 0");
	CHECK(record.uid == 0 && record.pid == (uint32_t)getpid());
	CHECK_STR(record.label, "qemud");
	alice = first_connection(ALICE, &client);
	(void)serve(&alice);
	(void)check(keep_until(AUDIT_CONNECTION), AUDIT_ALLOWED, "u2001", "policy.conf:1",
		"rw: passed to its worker");
	/* What is wrong with it, and where; nothing has changed. */
	reload("allow everyone manage own\nlimit everyone memory lots\n");
	(void)check(keep_until(AUDIT_POLICY_RELOAD), AUDIT_REFUSED, "policy.conf", "policy.conf:2",
		"errors: 1; the first: found lots, expected a size from 1M to 1024T as 512M or "
		"16G, or unlimited");
	(void)snprintf(path, sizeof path, "%s/.policy/policy.conf", stage_dir);
	CHECK(unlink(path) == 0);
	rulebook_reload(&broker.rulebook);
	record = keep_until(AUDIT_POLICY_RELOAD);
	at = strstr(record.outcome, "/policy.conf is not there any more");
	CHECK(record.verdict == AUDIT_REFUSED && at && record.rule[0] == '\0');
	/* What it changes, for whom. */
	reload("deny uid 2001 console\nallow everyone manage own\n");
	(void)check(keep_until(AUDIT_POLICY_RELOAD), AUDIT_ALLOWED, "policy.conf", "",
		"rules: 3, files: 1, names: 0, warnings: 0");
	(void)check(keep(), AUDIT_FACT, "u2001", "policy.conf:2",
		"had view, console, power, manage over her own and up to nothing over others', "
		"and has view, power and up to nothing");
	keep_all();
	fd_close(&client);
	end_kid(&alice);
	close_all();
}

static void
test_names(void)
{
	open_with("allow everyone view own\nallow user friend manage own\n");
	stage_audit = CONFIG_AUDIT_CONTINUE;
	stage_accounts();
	no_leaf();
	answer_audit_account();
	resolve_user("friend", ALICE);
	auditor = start_kid(IPC_AUDIT, AUDIT_UID);
	refuser = start_kid(IPC_VIEW, VIEW_UID);
	hello(&refuser);
	(void)check(keep_until(AUDIT_POLICY_LOAD), AUDIT_ALLOWED, "policy.conf", "",
		"rules: 3, files: 1, names: 1, warnings: 0");
	broker.rulebook.refresh_ns = 1;
	be_due(&broker.authority.tick);
	resolve_user("friend", BOB);
	(void)check(keep_until(AUDIT_POLICY_NAMES), AUDIT_FACT, "", "",
		"1 of its names stand for something else than before");
	keep_all();
	close_all();
}

static uint64_t
take(const struct kid *kid)
{
	AUTO(packet_fini) struct packet pass;

	expect(kid->link, IPC_CONN_PASS, &pass);
	taken(kid, &pass);
	return ((const struct ipc_conn_pass *)body_of(&pass))->conn_id;
}

static void
test_lost(void)
{
	struct ipc_audit_record record;
	struct kid alice;
	int client, again;
	uint64_t id;

	open_with_rules("allow everyone manage own\n");
	alice = first_connection(ALICE, &client);
	id = take(&alice);
	reload("deny uid 2001 console\nallow everyone manage own\n");
	record = check(keep_until(AUDIT_TICKET), AUDIT_FACT, "", "policy.conf:1",
		"it loses console, manage and has view, power");
	CHECK(record.uid == ALICE && record.conn_id == id && record.pid == 7);
	CHECK_STR(record.label, "u2001");
	/* What is given back takes nothing from anybody. */
	reload("allow everyone manage own\n");
	(void)keep_until(AUDIT_POLICY_CHANGE);
	keep_all();
	second_over();
	CHECK(broker.audit.recent_n == 0);
	reload("allow everyone manage own\ndeny uid 2001\n");
	(void)check(keep_until(AUDIT_TICKET), AUDIT_FACT, "", "policy.conf:2",
		"it loses view, console, power, manage and has nothing");
	again = connect_as(ALICE);
	record = check(keep_until(AUDIT_CONNECTION), AUDIT_REFUSED, "", "policy.conf:2",
		"rw: policy denies u2001 \"view\" over own virtual machines: policy.conf:2: deny "
		"uid 2001; root of this host can change that");
	/* A child that does not acknowledge it is ended, which is told as well. */
	timer_set(&broker.loop, &user_of(ALICE)->child.timer, 0, user_of(ALICE)->child.timer.fn);
	user_of(ALICE)->child.tickets.open[user_of(ALICE)->child.tickets.first].deadline_ns = 1;
	turn();
	record = keep_until(AUDIT_PROCESS_VIOLATION);
	CHECK_STR(
		record.outcome, "TICKET_CHANGE: it has not acknowledged it in time; it is killed");
	reap(&alice, SIGKILL);
	keep_all();
	fd_close(&client);
	fd_close(&again);
	close_all();
}

/* A name of a file that is too long keeps its line. */
static void
test_long_rule(void)
{
	struct audit_event event = {.kind = AUDIT_CONNECTION,
		.uid = ALICE,
		.label = "u",
		.rule = "policy.d/a-very-long-name-of-a-file-that-somebody-made.conf:1234"};

	open_with_rules(NULL);
	audit_record(&broker.audit, &event, NULL);
	(void)check(keep_until(AUDIT_CONNECTION), AUDIT_FACT, "",
		"...-name-of-a-file-that-somebody-made.conf:1234", "");
	keep_all();
	close_all();
}

/* --- leases ------------------------------------------------------------------------------- */

static void
test_lease_refused(void)
{
	AUTO(packet_fini) struct packet why = {.size = 0};
	struct ipc_audit_record record;
	struct kid alice;
	uint32_t serial;

	open_with_rules("allow everyone manage own\nlimit everyone vm-vcpus 1\n");
	alice = idle_worker(ALICE);
	serial = ask_lease(&alice, 5);
	record = keep_until(AUDIT_VM_START);
	CHECK(record.verdict == AUDIT_REFUSED && record.uid == ALICE && record.vcpus == 2);
	CHECK_STR(record.rule, "policy.conf:2");
	CHECK(record.uuid[15] == 5 && strstr(record.outcome, "vm-vcpus 1 (policy.conf:2)"));
	expect(alice.link, IPC_LEASE_REFUSED, &why);
	(void)expect_leased(&alice, serial, -EDQUOT);
	keep_all();
	end_kid(&alice);
	close_all();
}

/* --- views -------------------------------------------------------------------------------- */

static void
test_channel(void)
{
	struct ipc_audit_record record;
	struct scene scene;
	int fds[3];

	open_with_rules(NULL);
	scene = look(IPC_SOCKET_RW);
	do {
		record = keep_until(AUDIT_CONNECTION);
	} while (record.uid != 0);
	(void)check(record, AUDIT_ALLOWED, "host", "a built-in rule",
		"rw: passed to a view of the host");
	CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fds[0]) == 0);
	record = check(keep_until(AUDIT_CHANNEL), AUDIT_ALLOWED, "u2002", "a built-in rule",
		"uid 2002: view, console, power, manage");
	CHECK(record.uid == 0 && record.conn_id == scene.conn_id && record.pid == 7);
	CHECK_STR(record.label, "root");
	(void)take(&scene.bob);
	/* Another one of this second is counted, and told behind it. */
	CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fds[1]) == 0);
	(void)take(&scene.bob);
	keep_all();
	for (uint32_t i = 0; i < broker.audit.recent_n; i++)
		broker.audit.recent[(broker.audit.recent_first + i) % AUDIT_RECENT_MAX].due_ns = 0;
	be_due(&broker.audit.timer);
	CHECK(keep_until(AUDIT_CHANNEL).count == 1);
	/* One that she has lost meanwhile. */
	broker.views.table[0].uid = ALICE;
	CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fds[2]) == -EACCES);
	broker.views.table[0].uid = 0;
	(void)check(keep_until(AUDIT_CHANNEL), AUDIT_REFUSED, "u2002", "",
		"uid 2002: Permission denied");
	/* And a view that asks for what is nobody's. */
	say(scene.view.link, (struct ipc_header){.type = IPC_CHANNEL, .serial = 6},
		&(struct ipc_channel){.conn_id = scene.conn_id, .uid = 4711},
		sizeof(struct ipc_channel), NULL, 0);
	record = check(keep_until(AUDIT_PROCESS_VIOLATION), AUDIT_FACT, "view", "",
		"CHANNEL: it is about an owner whom its connection's ticket does not reach; it is "
		"killed");
	reap(&scene.view, SIGKILL);
	keep_all();
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	fd_close(&scene.client);
	end_kid(&scene.alice);
	end_kid(&scene.bob);
	keep_all();
	close_all();
}

/* The answer to an act without the worker. */
static int
act(const struct kid *kid, enum ipc_type type, const void *body, size_t size)
{
	AUTO(packet_fini) struct packet answer;

	say(kid->link, (struct ipc_header){.type = (uint16_t)type, .serial = 8}, body, size, NULL,
		0);
	expect_answer(kid->link, (enum ipc_type)(type + 1), &answer);
	return header_of(&answer).err;
}

static void
test_force(void)
{
	AUTO(packet_fini) struct packet leaf = {.size = 0}, answer_packet = {.size = 0};
	struct ipc_audit_record record;
	struct ipc_vm_freeze freeze;
	struct scene scene;
	struct vm vm;

	open_with_rules(NULL);
	scene = look(IPC_SOCKET_RW);
	vm = vm_for(&scene.alice, ALICE, 1);
	keep_all();
	freeze = (struct ipc_vm_freeze){
		.vm = {.conn_id = scene.conn_id, .uid = ALICE, .id = vm.id}, .on = 1};
	say(scene.view.link, (struct ipc_header){.type = IPC_VM_FREEZE, .serial = 9}, &freeze,
		sizeof freeze, NULL, 0);
	expect(starter_fd, IPC_LEAF_FREEZE, &leaf);
	/* Not before it is so, and whatever has become of who asked. */
	expect_nothing(auditor.link);
	answer(starter_fd, &leaf, NULL, 0, NULL, 0);
	expect_answer(scene.view.link, IPC_VM_FROZEN, &answer_packet);
	record = check(
		keep(), AUDIT_ALLOWED, "u2001", "a built-in rule", "uid 2001: without its worker");
	CHECK(record.kind == AUDIT_VM_FREEZE && record.uid == 0 && record.vm == vm.id);
	CHECK(record.conn_id == scene.conn_id && record.uuid[15] == 1);
	CHECK_STR(record.label, "root");
	CHECK(act(&scene.view, IPC_VM_STOP,
		      &(struct ipc_vm_stop){
			      .conn_id = scene.conn_id, .uid = ALICE, .id = vm.id + 1},
		      sizeof(struct ipc_vm_stop)) == -ENOENT);
	record = check(keep(), AUDIT_FAILED, "u2001", "a built-in rule",
		"uid 2001: No such file or directory");
	CHECK(record.kind == AUDIT_VM_STOP && record.vm == vm.id + 1);
	CHECK(act(&scene.view, IPC_VM_STOP, &freeze.vm, sizeof freeze.vm) == 0);
	record = check(
		keep(), AUDIT_ALLOWED, "u2001", "a built-in rule", "uid 2001: without its worker");
	CHECK(record.kind == AUDIT_VM_STOP && record.vm == vm.id && record.uid == 0);
	reap(&vm.kid, SIGKILL);
	end_leaf(ALICE, vm.id, 1, 0);
	CHECK(keep().kind == AUDIT_VM_END);
	fd_close(&vm.sock);
	fd_close(&scene.client);
	end_kid(&scene.view);
	end_kid(&scene.alice);
	end_kid(&scene.bob);
	keep_all();
	close_all();
}

int
main(void)
{
	log_open("broker_records", 0);
	TEST("a policy that is read, or is not, and what it changes", test_policy);
	TEST("names that stand for others", test_names);
	TEST("what open connections lose, and who is ended for it", test_lost);
	TEST("of a rule that is too long the line stays", test_long_rule);
	TEST("a lease that is refused, with the rule", test_lease_refused);
	TEST("channels, with whom they are for", test_channel);
	TEST("what is done without a worker, and who did it", test_force);
	return TEST_END();
}
