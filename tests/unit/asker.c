/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * asker.c: qemudctl is answered from what the broker says and workers list, once whole; a worker that
 * does not answer is waited for for a second, a client that says or reads nothing not for ever.
 */
#include "tests/unit/asker.h"

/* --- answers ------------------------------------------------------------------------------ */

static void
test_status(void)
{
	struct talk_row rows[16];

	start();
	CHECK_STR(ask("1\tstatus\n", rows, 16), "huu");
	CHECK(at(&rows[0], TALK_HOST_SINCE)->number == 100);
	CHECK_STR(at(&rows[0], TALK_HOST_LIMITS)->text, "count");
	CHECK_STR(at(&rows[0], TALK_HOST_CONTROLLERS)->text, "all");
	CHECK(!at(&rows[0], TALK_HOST_VMS)->known && !at(&rows[0], TALK_HOST_AUDIT)->known);
	CHECK_STR(at(&rows[1], TALK_USER_NAME)->text, "alice");
	CHECK(at(&rows[1], TALK_USER_OWN)->number == 1);
	CHECK(at(&rows[1], TALK_USER_ANSWERS)->number == 1);
	CHECK(at(&rows[1], TALK_USER_REPORTED_VMS)->number == 2);
	CHECK_STR(at(&rows[2], TALK_USER_NAME)->text, "bob");
	CHECK_STR(at(&rows[2], TALK_USER_WORKER)->text, "none");
	CHECK(!at(&rows[2], TALK_USER_ANSWERS)->known);
	CHECK(at(&rows[2], TALK_USER_REPORTED_VMS)->number == 3);
	/* Who sees everybody is told of the host. */
	rig.status.all = 1;
	rig.status.audit = IPC_AUDIT_STUCK;
	rig.status.audit_lost = 4;
	CHECK_STR(ask("1\tstatus\n", rows, 16), "huu");
	CHECK_STR(at(&rows[0], TALK_HOST_AUDIT)->text, "stuck");
	CHECK(at(&rows[0], TALK_HOST_AUDIT_LOST)->number == 4);
	stop();
}

/* By the broker's word what runs, by the worker's what it is called, and what does not. */
static void
test_vms(void)
{
	struct talk_row rows[16];

	start();
	CHECK_STR(ask("1\tvms\n", rows, 16), "huuvv");
	CHECK_STR(at(&rows[3], TALK_VM_REPORTED_NAME)->text, "box");
	CHECK(!at(&rows[3], TALK_VM_ID)->known && !at(&rows[3], TALK_VM_STATE)->known);
	CHECK_STR(at(&rows[3], TALK_VM_REPORTED_STATE)->text, "shut off");
	CHECK_STR(at(&rows[4], TALK_VM_REPORTED_NAME)->text, "web");
	CHECK(at(&rows[4], TALK_VM_ID)->number == 7 && at(&rows[4], TALK_VM_VCPUS)->number == 2);
	CHECK_STR(at(&rows[4], TALK_VM_STATE)->text, "running");
	CHECK_STR(at(&rows[4], TALK_VM_UUID)->text, UUID_B);
	/* One of which no worker tells runs all the same; of what nobody wrote down nothing is said. */
	rig.known[1].vms[1] = (struct ipc_status_vm_told){.id = 9, .state = IPC_VM_STANDS};
	memcpy(rig.known[1].vms[1].uuid, uuid_c, UUID_SIZE);
	CHECK_STR(ask("1\tvms\n", rows, 16), "huuvvv");
	CHECK_STR(at(&rows[5], TALK_VM_OWNER)->text, "bob");
	CHECK_STR(at(&rows[5], TALK_VM_UUID)->text, UUID_C);
	CHECK_STR(at(&rows[5], TALK_VM_STATE)->text, "frozen");
	CHECK(!at(&rows[5], TALK_VM_REPORTED_NAME)->known && !at(&rows[5], TALK_VM_VCPUS)->known);
	stop();
}

static void
test_limits(void)
{
	struct talk_row rows[64];

	start();
	CHECK_STR(ask("1\tlimits\n", rows, 64), "hllllllllllllllll");
	CHECK_STR(at(&rows[1], TALK_LIMIT_NAME)->text, "alice");
	CHECK_STR(at(&rows[1], TALK_LIMIT_KEY)->text, "vms");
	CHECK(at(&rows[1], TALK_LIMIT_USED)->number == 1);
	CHECK(at(&rows[1], TALK_LIMIT_MAX)->number == IPC_LIMIT_VMS);
	CHECK_STR(at(&rows[1], TALK_LIMIT_RULE)->text, "policy.conf:3");
	CHECK_STR(at(&rows[6], TALK_LIMIT_KEY)->text, "pids");
	CHECK(!at(&rows[6], TALK_LIMIT_USED)->known && !at(&rows[6], TALK_LIMIT_MAX)->known);
	CHECK_STR(at(&rows[9], TALK_LIMIT_NAME)->text, "bob");
	/* The host's come first, for who sees everybody and asks for all. */
	rig.status.all = 1;
	rig.status.audit = IPC_AUDIT_OFF;
	CHECK_STR(ask("1\tlimits\n", rows, 64), "hllllllllllllllllllll");
	CHECK(!at(&rows[1], TALK_LIMIT_UID)->known && at(&rows[1], TALK_LIMIT_USED)->number == 7);
	CHECK_STR(at(&rows[4], TALK_LIMIT_KEY)->text, "connections");
	CHECK_STR(at(&rows[5], TALK_LIMIT_NAME)->text, "alice");
	CHECK_STR(ask("1\tlimits\t1001\n", rows, 64), "hllllllll");
	CHECK_STR(at(&rows[8], TALK_LIMIT_NAME)->text, "bob");
	CHECK_STR(ask("1\tlimits\talice\n", rows, 64), "hllllllll");
	stop();
}

/* Who is not shown is nobody, in the same words. */
static void
test_unknown(void)
{
	static const char *const others[] = {"1\tlimits\tcarol\n", "1\tlimits\t1002\n",
		"1\tlimits\tnobody\n", "1\tlimits\tcanary\n"};
	struct talk_row rows[16];

	start();
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		CHECK_STR(ask(others[i], rows, 16), "he");
		CHECK_STR(at(&rows[1], TALK_ERROR_CODE)->text, TALK_CODE_UNKNOWN);
		CHECK_STR(at(&rows[1], TALK_ERROR_TEXT)->text,
			"there is no such user here, or none whose limits you may see");
	}
	stop();
}

/* She is told of herself though she may see nothing, and is no owner yet. */
static void
test_alone(void)
{
	struct talk_row rows[16];

	start();
	rig.known[0].shown = rig.known[1].shown = false;
	CHECK_STR(ask("1\tvms\n", rows, 16), "huv");
	CHECK(at(&rows[1], TALK_USER_UID)->number == 1000);
	CHECK(!at(&rows[1], TALK_USER_REPORTED_VMS)->known);
	CHECK(!at(&rows[2], TALK_VM_REPORTED_NAME)->known);
	stop();
}

/* Who is lost in the middle of an answer is not in it. */
static void
test_lost(void)
{
	struct talk_row rows[16];

	start();
	turn(0);
	for (unsigned i = 0; i < 8; i++)
		turn(0);
	rig.known[1].shown = false;
	CHECK_STR(ask("1\tvms\n", rows, 16), "huvv");
	stop();
}

/* At whatever ask that is: no row has of her what is somebody else's. */
static void
test_lost_midway(void)
{
	struct talk_row rows[64];

	start();
	/* bob is between alice and carol, whom she sees then. */
	rig.known[2].shown = true;
	for (unsigned i = 0; i < 2; i++) {
		rig.known[1].vms[i] = (struct ipc_status_vm_told){
			.id = 20 + i, .uuid = {(uint8_t)(i + 1)}, .state = IPC_VM_RUNS};
	}
	for (unsigned asks = 2; asks < 12; asks++) {
		const char *kinds;

		rig.lost_after = asks;
		kinds = ask("1\tlimits\n", rows, 64);
		for (unsigned i = 1, of_bob = 0, of_carol = 0; kinds[i]; i++) {
			of_bob += at(&rows[i], TALK_LIMIT_UID)->number == 1001;
			of_carol += at(&rows[i], TALK_LIMIT_UID)->number == 1002;
			CHECK(of_bob < asks && (kinds[i + 1] || of_carol == 8));
		}
		rig.lost_after = asks;
		kinds = ask("1\tvms\n", rows, 64);
		for (unsigned i = 1; kinds[i]; i++)
			if (kinds[i] == 'v' && at(&rows[i], TALK_VM_ID)->number >= 20)
				CHECK(at(&rows[i], TALK_VM_UID)->number == 1001);
	}
	stop();
}

/* --- time --------------------------------------------------------------------------------- */

static void
test_patience(void)
{
	struct talk_row rows[16];
	uint64_t begun_ns;

	start();
	rig.known[0].told.reads = 0;
	/* The second time that it is asked about, it has read. */
	rig.reads_after = 2;
	CHECK_STR(ask("1\tstatus\n", rows, 16), "huu");
	CHECK(at(&rows[1], TALK_USER_ANSWERS)->number == 1);
	rig.known[0].told.reads = 0;
	begun_ns = loop_now(&rig.loop);
	CHECK_STR(ask("1\tstatus\n", rows, 16), "huu");
	CHECK(at(&rows[1], TALK_USER_ANSWERS)->known);
	CHECK(at(&rows[1], TALK_USER_ANSWERS)->number == 0);
	CHECK(loop_now(&rig.loop) - begun_ns >= LOOP_MS(ASKER_PATIENCE_MS));
	stop();
}

static void
test_silence(void)
{
	start();
	/* Nothing, the beginning of a question, the end before a question. */
	call();
	turn(0);
	CHECK(first()->step == ASKER_LISTENS);
	timer_set(&rig.loop, &first()->deadline, 0, first()->deadline.fn);
	CHECK(hear() && rig.size == 0);
	call();
	say("1\tsta", 5);
	turn(0);
	turn(0);
	CHECK(first()->step == ASKER_LISTENS && timer_is_set(&first()->deadline));
	say("tus\n", 4);
	CHECK(hear() && rig.size > 0);
	call();
	CHECK(shutdown(rig.client, SHUT_WR) == 0 && hear() && rig.size == 0);
	/* Whom the broker does not answer. */
	rig.broker_sleeps = true;
	call();
	say("1\tstatus\n", 9);
	for (unsigned i = 0; i < 8; i++)
		turn(0);
	CHECK(first() && first()->step != ASKER_LISTENS);
	timer_set(&rig.loop, &first()->deadline, 0, first()->deadline.fn);
	CHECK(hear());
	stop();
}

/* --- what is no question ------------------------------------------------------------------ */

static void
test_no_question(void)
{
	static const char *const questions[] = {"nonsense\n", "2\tstatus\n", "\n"};
	char endless[1000];
	struct talk_row rows[4];

	start();
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
		CHECK_STR(ask(questions[i], rows, 4), "e");
		CHECK_STR(at(&rows[0], TALK_ERROR_CODE)->text, TALK_CODE_QUESTION);
	}
	memset(endless, 'x', sizeof endless);
	call();
	say(endless, sizeof endless);
	CHECK(hear() && strncmp(rig.text, "error\tquestion\t", 15) == 0);
	CHECK(rig.n_asks == 0);
	stop();
}

/* --- ends --------------------------------------------------------------------------------- */

static void
test_client_gone(void)
{
	start();
	rig.broker_sleeps = true;
	call();
	say("1\tstatus\n", 9);
	for (unsigned i = 0; i < 8; i++)
		turn(0);
	fd_close(&rig.client);
	for (unsigned i = 0; i < 8; i++)
		turn(0);
	CHECK(rig.askers.n == 0 && rig.n_forgotten == 1);
	/* What the broker says then is about nobody. */
	rig.broker_sleeps = false;
	for (unsigned i = 0; i < 8; i++)
		turn(0);
	stop();
}

static void
test_ticket(void)
{
	struct ipc_ticket_change change = {.conn_id = 1, .verbs = VERB_VIEW};

	start();
	CHECK(askers_change(&rig.askers, &change) == -ENOENT);
	call();
	CHECK(askers_change(&rig.askers, &change) == 0 && first()->step == ASKER_LISTENS);
	change.verbs = 0;
	(void)snprintf(change.reason, sizeof change.reason, "policy.conf:3 denies it");
	CHECK(askers_change(&rig.askers, &change) == 0);
	CHECK(hear());
	CHECK_STR(rig.text, "error\trefused\tpolicy.conf:3 denies it\nend\t1\n");
	stop();
}

static void
test_broker_gone(void)
{
	start();
	rig.broker_sleeps = true;
	call();
	say("1\tstatus\n", 9);
	for (unsigned i = 0; i < 8; i++)
		turn(0);
	fd_close(&rig.broker_fd);
	for (unsigned i = 0; i < 8; i++)
		ASSERT(loop_once(&rig.loop, 0) == 0);
	rig.n_forgotten = 0;
	while (recv(rig.client, rig.text, sizeof rig.text, MSG_DONTWAIT) > 0)
		CHECK(strncmp(rig.text, "error\tfailed\t", 13) == 0);
	askers_fini(&rig.askers);
	uplink_fini(&rig.uplink);
	loop_fini(&rig.loop);
	fd_close(&rig.client);
	CHECK(rig.n_forgotten <= 1);
}

/* Told to end, it answers who has asked. */
static void
test_drain(void)
{
	int silent;

	start();
	call();
	silent = rig.client;
	call();
	say("1\tstatus\n", 9);
	turn(0);
	askers_drain(&rig.askers);
	CHECK(hear() && strstr(rig.text, "\nend\t3\n"));
	rig.client = silent;
	CHECK(hear() && rig.size > 0);
	stop();
}

int
main(void)
{
	rig.client = -1;
	TEST("status tells of oneself and of whom one may see", test_status);
	TEST("what runs is the broker's word, what it is called the worker's", test_vms);
	TEST("limits of all, or of one, and of the host for who sees everybody", test_limits);
	TEST("who may not be seen is nobody", test_unknown);
	TEST("everybody is told of herself", test_alone);
	TEST("who may be seen no more is left out", test_lost);
	TEST("so is who is lost midway, and nothing of hers is another's", test_lost_midway);
	TEST("a worker that does not answer is waited for for a second", test_patience);
	TEST("who says nothing, or is not answered, is not there for ever", test_silence);
	TEST("what is no question is told", test_no_question);
	TEST("a client that goes leaves nothing", test_client_gone);
	TEST("who may do nothing any more is told by which line", test_ticket);
	TEST("the end of the broker is told", test_broker_gone);
	TEST("at the end who has asked is answered", test_drain);
	return TEST_END();
}
