/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_audit.c: what happens is told to qemud-audit in its order and once; what equals is counted;
 * whatever becomes of qemud-audit, nobody waits, nothing that is told is lost unsaid, and what is not
 * to be granted without a log is not.
 */
#include "broker/audit.h"

#include "tests/unit/broker_recording.h"

static struct audit_event
event_of(uint32_t uid)
{
	return (struct audit_event){.kind = AUDIT_VM_STOP,
		.uid = uid,
		.label = "u",
		.payer = audit_payer(&broker.audit, uid)};
}

static void
record_n(uint32_t uid, unsigned n)
{
	struct audit_event event = event_of(uid);

	for (unsigned i = 0; i < n; i++)
		audit_record(&broker.audit, &event, "%u", i);
}

/* --- */

static void
test_told(void)
{
	struct ipc_audit_record record;
	struct kid alice;
	int client, stranger;

	open_stage(CONFIG_AUDIT_CONTINUE);
	record = keep();
	CHECK(record.kind == AUDIT_BROKER_START && record.uid == 0 &&
		record.pid == (uint32_t)getpid());
	CHECK_STR(record.label, "qemud");
	record = keep();
	CHECK(record.kind == AUDIT_POLICY_LOAD && record.verdict == AUDIT_ALLOWED);
	CHECK_STR(record.target, "no file");
	record = keep();
	CHECK(record.kind == AUDIT_PROCESS_START && record.uid == VIEW_UID);
	alice = first_connection(ALICE, &client);
	record = keep();
	CHECK(record.kind == AUDIT_CONNECTION && record.verdict == AUDIT_ALLOWED);
	CHECK(record.uid == ALICE && record.pid == 7 && record.conn_id != 0 && record.count == 1);
	CHECK_STR(record.target, "u2001");
	CHECK_STR(record.rule, "a built-in rule");
	record = keep();
	CHECK(record.kind == AUDIT_PROCESS_START && record.pid == (uint32_t)alice.pid);
	CHECK_STR(record.target, "worker");
	/* Who is refused, and by what. */
	stranger = connect_as(65534);
	record = keep();
	CHECK(record.kind == AUDIT_CONNECTION && record.verdict == AUDIT_REFUSED &&
		record.uid == 65534);
	CHECK_STR(record.rule, "nobody");
	/* A child that breaks a rule. */
	say(alice.link, (struct ipc_header){.type = IPC_STOP}, NULL, 0, NULL, 0);
	record = keep();
	CHECK(record.kind == AUDIT_PROCESS_VIOLATION && record.uid == ALICE);
	CHECK(strncmp(record.outcome, "STOP: ", 6) == 0);
	reap(&alice, SIGKILL);
	CHECK(keep().kind == AUDIT_PROCESS_END);
	fd_close(&client);
	fd_close(&stranger);
	keep_all();
	close_stage();
}

static void
test_off(void)
{
	stage_ready();
	CHECK(!broker.audit.queue && audit_refusal(&broker.audit) == 0);
	record_n(ALICE, 3);
	expect_nothing(starter_fd);
	broker_stop(&broker);
	end_kid(&refuser);
	CHECK(broker.loop.quit);
	close_stage();
}

static void
test_counted(void)
{
	struct audit_event event;
	struct ipc_audit_record record;

	open_stage(CONFIG_AUDIT_CONTINUE);
	keep_all();
	event = event_of(ALICE);
	for (unsigned i = 1; i <= 100; i++) {
		event.pid = i;
		audit_record(&broker.audit, &event, "equal");
	}
	event = event_of(BOB);
	audit_record(&broker.audit, &event, "equal");
	record = keep();
	CHECK(record.uid == ALICE && record.count == 1 && record.pid == 1);
	record = keep();
	CHECK(record.uid == BOB && record.count == 1);
	expect_nothing(auditor.link);
	second_over();
	record = keep();
	CHECK(record.uid == ALICE && record.count == 99 && record.pid == 100);
	expect_nothing(auditor.link);
	/* bob's was alone; and it begins anew. */
	audit_record(&broker.audit, &event, "equal");
	CHECK(keep().count == 1);
	close_stage();
}

/* One account's many different things cost it alone. */
static void
test_too_much(void)
{
	struct audit_event event;
	struct ipc_audit_record record;
	unsigned n = 0;

	open_stage(CONFIG_AUDIT_CONTINUE);
	keep_all();
	(void)users_add(&broker.users, ALICE, false);
	(void)users_add(&broker.users, BOB, false);
	record_n(ALICE, 3 * AUDIT_UID_BURST);
	event = event_of(ALICE);
	event.payer = NULL;
	event.kind = AUDIT_VM_START;
	audit_record(&broker.audit, &event, "what she was granted");
	record_n(BOB, 1);
	for (record = keep(); record.kind == AUDIT_VM_STOP && record.uid == ALICE; record = keep())
		n++;
	CHECK(n == AUDIT_UID_BURST);
	CHECK(record.kind == AUDIT_MORE && record.uid == ALICE && record.count == 1);
	CHECK(keep().kind == AUDIT_VM_START && keep().uid == BOB);
	second_over();
	record = keep();
	CHECK(record.kind == AUDIT_MORE && record.count == 2 * AUDIT_UID_BURST - 1);
	/* Strangers are one. */
	n = 0;
	for (uint32_t uid = 200000; uid < 200200; uid++)
		record_n(uid, 1);
	for (record = keep(); record.kind == AUDIT_VM_STOP; record = keep())
		n++;
	CHECK(n == AUDIT_UID_BURST && record.kind == AUDIT_MORE && record.uid == UINT32_MAX);
	close_stage();
}

static void
test_queue_full(void)
{
	struct ipc_audit_record record;
	struct audit_event event = {.kind = AUDIT_VM_END, .uid = ALICE, .label = "u"};
	unsigned n = 0;

	open_stage(CONFIG_AUDIT_CONTINUE);
	keep_all();
	for (unsigned i = 0; i < AUDIT_QUEUE_MAX + 10; i++)
		audit_record(&broker.audit, &event, "%u", i);
	CHECK(broker.audit.n == AUDIT_QUEUE_MAX && broker.audit.n_lost == 10);
	for (record = keep(); record.kind == AUDIT_VM_END; record = keep())
		n++;
	CHECK(n == AUDIT_QUEUE_MAX && record.kind == AUDIT_LOST && record.count == 10);
	CHECK(broker.audit.n_lost == 0 && broker.audit.n == 0);
	close_stage();
}

/* It is started again, and what was not answered is told again. */
static void
test_again(void)
{
	AUTO(packet_fini) struct packet packet = {.size = 0};
	struct ipc_audit_record first, again;

	open_stage(CONFIG_AUDIT_REFUSE);
	CHECK(audit_refusal(&broker.audit) == -ENOLINK);
	(void)keep();
	CHECK(audit_refusal(&broker.audit) == 0);
	keep_all();
	record_n(ALICE, 1);
	first = next_record(&packet);
	CHECK(kill(auditor.pid, SIGKILL) == 0);
	reap(&auditor, SIGKILL);
	/* One that has worked will again, and things wait for it. */
	CHECK(audit_refusal(&broker.audit) == 0);
	be_due(&broker.audit.auditor.timer);
	answer_audit_account();
	auditor = start_kid(IPC_AUDIT, AUDIT_UID);
	again = keep();
	CHECK(memcmp(&first, &again, sizeof first) == 0);
	CHECK(keep().kind == AUDIT_GONE);
	expect_nothing(auditor.link);
	/* Twice in vain: there is none. */
	end_kid(&auditor);
	be_due(&broker.audit.auditor.timer);
	answer_audit_account();
	auditor = start_kid(IPC_AUDIT, AUDIT_UID);
	end_kid(&auditor);
	CHECK(audit_refusal(&broker.audit) == -ENOLINK);
	be_due(&broker.audit.auditor.timer);
	resolve_error(-ENOENT);
	turn();
	CHECK(broker.audit.auditor.state == AUDITOR_ABSENT && broker.audit.auditor.wait_s == 8);
	be_due(&broker.audit.auditor.timer);
	answer_audit_account();
	auditor = start_kid(IPC_AUDIT, AUDIT_UID);
	CHECK(keep().kind == AUDIT_GONE && audit_refusal(&broker.audit) == 0);
	close_stage();
}

/* One that hangs, or breaks a rule, is ended; the next one is told. */
static void
test_bad(void)
{
	AUTO(packet_fini) struct packet packet;

	open_stage(CONFIG_AUDIT_CONTINUE);
	(void)next_record(&packet);
	be_due(&broker.audit.auditor.timer);
	reap(&auditor, SIGKILL);
	be_due(&broker.audit.auditor.timer);
	answer_audit_account();
	auditor = start_kid(IPC_AUDIT, AUDIT_UID);
	CHECK(keep().kind == AUDIT_BROKER_START);
	say(auditor.link, (struct ipc_header){.type = IPC_AUDIT_KEPT, .serial = 77}, NULL, 0, NULL,
		0);
	turn();
	reap(&auditor, SIGKILL);
	CHECK(broker.audit.auditor.state == AUDITOR_ABSENT && !broker.loop.quit);
	CHECK(audit_refusal(&broker.audit) == 0);
	close_stage();
}

static void
test_disk_full(void)
{
	struct kid alice;
	int client;

	open_stage(CONFIG_AUDIT_CONTINUE);
	broker.config.audit_full = CONFIG_AUDIT_REFUSE;
	keep_all();
	alice = first_connection(ALICE, &client);
	refuse(-ENOSPC);
	CHECK(audit_refusal(&broker.audit) == -ENOSPC);
	broker.config.audit_full = CONFIG_AUDIT_CONTINUE;
	CHECK(audit_refusal(&broker.audit) == 0);
	expect_nothing(auditor.link);
	/* Those who are served are, and others. */
	(void)serve(&alice);
	be_due(&broker.audit.auditor.timer);
	refuse(-ENOSPC);
	expect_nothing(auditor.link);
	be_due(&broker.audit.auditor.timer);
	CHECK(keep().kind == AUDIT_CONNECTION);
	CHECK(broker.audit.auditor.write_err == 0 && keep().kind == AUDIT_PROCESS_START);
	fd_close(&client);
	end_kid(&alice);
	close_stage();
}

/* A lease that may not be granted is refused in words, one that is there may be stopped. */
static void
test_refused(void)
{
	struct ipc_lease want = {.uuid = {1}, .memory_kib = 1024, .vcpus = 1};
	AUTO(packet_fini) struct packet why, packet;
	struct ipc_audit_record record;
	struct kid alice;
	int client;

	open_stage(CONFIG_AUDIT_CONTINUE);
	broker.config.audit_full = CONFIG_AUDIT_REFUSE;
	keep_all();
	alice = first_connection(ALICE, &client);
	(void)serve(&alice);
	refuse(-ENOSPC);
	say(alice.link, (struct ipc_header){.type = IPC_LEASE, .serial = 9}, &want, sizeof want,
		NULL, 0);
	expect(alice.link, IPC_LEASE_REFUSED, &why);
	CHECK(strstr(((const struct ipc_lease_refused *)body_of(&why))->why, "audit_full"));
	expect(alice.link, IPC_LEASED, &packet);
	CHECK(header_of(&packet).err == -EDQUOT && !users_find(&broker.users, ALICE)->leases.first);
	be_due(&broker.audit.auditor.timer);
	record = keep_until(AUDIT_VM_START);
	CHECK(record.verdict == AUDIT_REFUSED && record.memory_kib == 1024 && record.uuid[0] == 1);
	CHECK(strstr(record.outcome, "audit_full"));
	fd_close(&client);
	end_kid(&alice);
	keep_all();
	close_stage();
}

/* At the end everything is told, the end last; and nobody waits for one that does not write. */
static void
test_end(void)
{
	struct ipc_audit_record record;

	open_stage(CONFIG_AUDIT_CONTINUE);
	keep_all();
	record_n(ALICE, 1);
	record_n(ALICE, 1);
	broker_stop(&broker);
	CHECK(!broker.loop.quit);
	end_kid(&refuser);
	CHECK(keep().kind == AUDIT_VM_STOP);
	CHECK(keep().kind == AUDIT_PROCESS_END && keep().count == 1 && !broker.loop.quit);
	record = keep();
	CHECK(record.kind == AUDIT_BROKER_STOP);
	CHECK(broker.loop.quit);
	expect_end(auditor.link);
	close_stage();

	open_stage(CONFIG_AUDIT_CONTINUE);
	refuse(-ENOSPC);
	broker_stop(&broker);
	end_kid(&refuser);
	CHECK(broker.loop.quit);
	close_stage();
}

/* A text with bytes that no message may have does not end the broker. */
static void
test_dirty(void)
{
	struct audit_event event = {.kind = AUDIT_VM_END, .label = "a\nb", .target = "\x7f"};
	struct ipc_audit_record record;

	open_stage(CONFIG_AUDIT_CONTINUE);
	keep_all();
	audit_record(&broker.audit, &event, "%0500d", 1);
	record = keep();
	CHECK_STR(record.label, "a?b");
	CHECK_STR(record.target, "?");
	CHECK(strlen(record.outcome) == IPC_REASON_MAX - 1);
	close_stage();
}

int
main(void)
{
	TEST("what happens is told, in its order, with who caused it", test_told);
	TEST("where there is to be no log nothing is asked for", test_off);
	TEST("what equals is counted for a second", test_counted);
	TEST("more than one account may have recorded is counted, and hides nothing",
		test_too_much);
	TEST("what finds the queue full is counted, and the count told", test_queue_full);
	TEST("it is started again, and told what it has not answered", test_again);
	TEST("one that hangs or breaks a rule is ended", test_bad);
	TEST("what cannot be written is told again until it is", test_disk_full);
	TEST("while it cannot, leases are refused in words, if the site says so", test_refused);
	TEST("at the end all is told, and nobody waits for one that does not write", test_end);
	TEST("texts are cut and cleaned", test_dirty);
	return TEST_END();
}
