/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_starter.c: whatever qemud-launch answers, to whatever it was asked: what breaks a rule ends the
 * broker, which trusts it with everything; what is an error, or stands for nothing, is told to who asked,
 * and all others are served on. No descriptor and no memory is lost either way.
 *
 * test: timeout=360 heavy
 */
#include <malloc.h>

#include "tests/unit/broker_asked_first.h"
#include "tests/unit/broker_asked_later.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/wrong.h"

enum { SLACK = 16384 };

/* --- all that it is asked ------------------------------------------------------------------- */

static const struct moment {
	const char *name;
	enum ipc_type answer;
	void (*begin)(void);
	void (*ask)(void);
	/* That was answered, an error: is it told to who asked? Returns whether the broker goes on. */
	bool (*told)(int err);
	/* It is answered as it should be. */
	void (*answered)(void);
	bool once; /* while it begins: it is not asked again */
} moments[] = {
	{"the host's own account", IPC_RESOLVED, stage_open, ask_system, told_system, answer_system,
		true},
	{"the account of views", IPC_RESOLVED, stage_open, ask_view_account, told_patient,
		answer_view_account, true},
	{"what runs already", IPC_LEAF_FOUND, stage_accounts, ask_leaf, told_leaf, answer_leaf,
		true},
	{"a group of the policy", IPC_RESOLVED, begin_names, ask_system, told_group, answer_staff,
		true},
	{"root's groups", IPC_RESOLVED, begin_names, ask_root, told_name, answer_root, true},
	{"the refuser", IPC_VIEW_STARTED, begin_refuser, ask_refuser, told_refuser, answer_refuser,
		true},
	{"the account of qemud-audit", IPC_RESOLVED, begin_audited, ask_audit_account, told_audit,
		answer_auditors_account, false},
	{"qemud-audit", IPC_AUDIT_STARTED, begin_audited, ask_audit, told_audit, answer_audit,
		false},
	{"who connects", IPC_RESOLVED, begin_bob, ask_account, told_account, answer_alice, false},
	{"a worker", IPC_WORKER_STARTED, begin_bob, ask_worker, told_start, answer_worker, false},
	{"a view of the host", IPC_VIEW_STARTED, begin_bob, ask_view, told_start, answer_view,
		false},
	{"a view of qemudctl's", IPC_VIEW_STARTED, begin_bob, ask_ctl, told_start, answer_view,
		false},
	{"a tool", IPC_BOXED, begin_alice, ask_tool, told_tool, answer_tool, false},
	{"a virtual machine", IPC_BOXED, begin_alice, ask_vm, told_vm, answer_vm, false},
	{"a relay", IPC_BOXED, begin_vm, ask_relay, told_net, answer_net, false},
	{"a passt", IPC_BOXED, begin_vm, ask_passt, told_net, answer_net, false},
	{"more for a machine", IPC_LEAF_LIMITED, begin_vm, ask_more, told_more, answer_more, false},
	{"the end of a machine", IPC_LEAF_ENDED, begin_vm, ask_end, told_end, answer_end, false},
	{"that a machine stands still", IPC_LEAF_FROZEN, begin_looking, ask_freeze, told_freeze,
		answer_freeze, false},
	{"a user's share", IPC_USER_LIMITED, begin_ruled, ask_share, told_share, answer_share,
		false},
	{"a group of the next policy", IPC_RESOLVED, begin_ruled, ask_staff, told_staff,
		answer_reloaded, false},
};

enum { N_AT = sizeof moments / sizeof *moments };

/* --- what it answers ------------------------------------------------------------------------ */

static const struct expected *
expected_of(enum ipc_type type)
{
	const struct expected *expected = messages;

	while (expected->type != type)
		expected++;
	return expected;
}

/* A message that keeps to the table, in the place of the answer. */
static struct raw
in_its_place(const struct expected *message)
{
	struct raw raw = good_raw(message);

	if (message->kind != NOTICE)
		raw.header.serial = header_of(&at.ask).serial;
	return raw;
}

static void
is_over(void)
{
	turn();
	CHECK(broker.loop.quit && broker.loop.status == EXIT_FAILURE);
}

/* It is over, and the starter is not heard any more. */
static void
is_violated(void)
{
	is_over();
	CHECK(hear_all(false) == PACKET_E_GONE);
}

/* Any wrong way, in the place of the answer; 0 is none. */
static void
answer_wrongly(const struct moment *moment, enum way way)
{
	const struct expected *own = expected_of(moment->answer);
	bool changed;

	/* An error is an answer where there is nothing beside it that could be wrong. */
	if (way == ERR_NEGATIVE && own->size == 0 && own->n_fds == 0)
		return;
	if (say_wrong(starter_fd, own, in_its_place(own), way, &changed))
		is_violated();
}

static void
answer_otherwise(const struct expected *message)
{
	struct raw raw = in_its_place(message);

	say_raw(starter_fd, &raw, raw.size, message->n_fds);
	is_violated();
}

static void
answer_twice(const struct moment *moment)
{
	const struct expected *own = expected_of(moment->answer);
	struct raw raw = in_its_place(own);

	moment->answered();
	turn();
	CHECK(!broker.loop.quit);
	say_raw(starter_fd, &raw, raw.size, own->n_fds);
	is_violated();
}

static void
check_next(const struct moment *moment)
{
	serve_bob();
	if (moment->once)
		return;
	moment->ask();
	moment->answered();
	turn();
	serve_bob();
	CHECK(!broker.loop.quit);
}

static void
answer_with_error(const struct moment *moment, int err)
{
	answer_error(starter_fd, &at.ask, err, expected_of(moment->answer)->size);
	if (!moment->told(err))
		is_over();
	else
		check_next(moment);
}

/* As many descriptors as there should be, and none of them what it should be. */
static void
answer_with_nothing(const struct moment *moment)
{
	const struct expected *own = expected_of(moment->answer);
	struct raw raw = in_its_place(own);

	at.cheated = true;
	say_raw(starter_fd, &raw, raw.size, own->n_fds);
	/* No text can be read of that, and no loop waits for it. */
	if (!moment->told(own->type == IPC_RESOLVED ? -EBADMSG : -EPERM))
		is_over();
	else
		check_next(moment);
}

/* --- all of it ------------------------------------------------------------------------------ */

static void
set(const struct moment *moment)
{
	clear();
	moment->begin();
	moment->ask();
	CHECK(!broker.loop.quit);
}

static size_t heap_before;
static unsigned fds_before;

/* Nothing is left of the last one. */
static void
clean(const struct moment *moment, const char *what, int failed_before)
{
	end();
	CHECK(n_descriptors() == fds_before);
	if (test_this_failed && !failed_before)
		printf("# asked for %s: %s\n", moment->name, what);
}

static void
begin_counting(void)
{
	/* What is made once is made. */
	set(&moments[N_AT - 1]);
	end();
	fds_before = n_descriptors();
	heap_before = mallinfo2().uordblks;
}

static void
end_counting(void)
{
	CHECK(mallinfo2().uordblks <= heap_before + SLACK);
}

static void
test_wrong_ways(void)
{
	begin_counting();
	for (int i = 0; i < N_AT; i++)
		for (enum way way = GOOD + 1; way < N_WAYS; way++) {
			int failed = test_this_failed;

			set(&moments[i]);
			answer_wrongly(&moments[i], way);
			clean(&moments[i], way_names[way], failed);
		}
	end_counting();
}

/* The other answers, what was asked itself, and one of each other link and kind. */
static bool
is_other(const struct moment *moment, const struct expected *message)
{
	if (message->type == moment->answer)
		return false;
	return (message->link == STARTER && message->kind == ANSWER) ||
	       message->type == moment->answer - 1 || message->type == IPC_AUDIT_KEPT ||
	       message->type == IPC_CONN_TAKEN || message->type == IPC_HELLO;
}

static void
test_other_messages(void)
{
	begin_counting();
	for (int i = 0; i < N_AT; i++)
		for (int m = 0; m < N_MESSAGES; m++) {
			int failed = test_this_failed;

			if (!is_other(&moments[i], &messages[m]))
				continue;
			set(&moments[i]);
			answer_otherwise(&messages[m]);
			clean(&moments[i], messages[m].name, failed);
		}
	end_counting();
}

static void
test_twice(void)
{
	begin_counting();
	for (int i = 0; i < N_AT; i++) {
		int failed = test_this_failed;

		set(&moments[i]);
		answer_twice(&moments[i]);
		clean(&moments[i], "answered twice", failed);
	}
	end_counting();
}

static void
test_errors(void)
{
	static const int errors[] = {EPERM, ENOENT, EIO, EAGAIN, EEXIST, EDQUOT, EBUSY, ESRCH,
		ETIMEDOUT, ECANCELED, ESHUTDOWN, EOPNOTSUPP, ENOBUFS, 1000, 4095};

	begin_counting();
	for (int i = 0; i < N_AT; i++)
		for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
			int failed = test_this_failed;

			set(&moments[i]);
			answer_with_error(&moments[i], -errors[e]);
			clean(&moments[i], strerror(errors[e]), failed);
		}
	end_counting();
}

static void
test_nothing(void)
{
	begin_counting();
	for (int i = 0; i < N_AT; i++) {
		int failed = test_this_failed;

		if (expected_of(moments[i].answer)->n_fds == 0)
			continue;
		set(&moments[i]);
		answer_with_nothing(&moments[i]);
		clean(&moments[i], "descriptors of nothing", failed);
	}
	end_counting();
}

/* --- what no single answer shows ------------------------------------------------------------ */

/* The order is the starter's to choose; who asked has the answer with the serial. */
static void
test_any_order(void)
{
	enum { N_USERS = 3 };
	struct packet asks[N_USERS];
	struct kid kids[N_USERS];
	int clients[N_USERS];

	clear();
	begin_bob();
	for (uint32_t i = 0; i < N_USERS; i++) {
		clients[i] = connect_as(3000 + i);
		expect(starter_fd, IPC_RESOLVE, &asks[i]);
	}
	for (uint32_t i = N_USERS; i-- > 0;) {
		struct account account = account_of_uid(3000 + i);

		answer_account(&asks[i], &account);
		turn();
		packet_fini(&asks[i]);
		expect(starter_fd, IPC_WORKER, &asks[i]);
		CHECK(((const struct ipc_worker *)body_of(&asks[i]))->uid == 3000 + i);
	}
	for (uint32_t i = 0; i < N_USERS; i++) {
		kids[i] = (struct kid){
			.pid = fork_idle(), .link = -1, .is_worker = true, .place_fd = -1};
		answer_started(&kids[i], &asks[i]);
		packet_fini(&asks[i]);
	}
	for (uint32_t i = 0; i < N_USERS; i++) {
		hello(&kids[i]);
		CHECK(serve(&kids[i]).uid == 3000 + i);
		fd_close(&clients[i]);
		end_kid(&kids[i]);
	}
	serve_bob();
	end();
}

/* An account that was not asked for is nobody's: neither is anybody served as it, nor its owner. */
static void
test_another_account(void)
{
	struct account bob = account_of_uid(BOB);

	clear();
	begin_bob();
	ask_account();
	answer_account(&at.ask, &bob);
	CHECK(told_account(-EBADMSG));
	expect_nothing(starter_fd);
	serve_bob();
	end();
}

/* There are no more of them than there is room for, whatever it finds. */
static void
found_for_ever(bool of_one)
{
	struct vm vm = running(1);
	fd_auto int fd = pidfd_open(vm.kid.pid, 0);
	uint32_t n = 0;

	clear();
	stage_accounts();
	while (!broker.loop.quit && n <= broker.leases.size) {
		struct ipc_leaf_found found = good_leaf_found;

		hear(IPC_LEAF_NEXT);
		n++;
		found.pid = (uint32_t)vm.kid.pid;
		found.leaf.id = n;
		found.leaf.uid = of_one ? ALICE : 3000 + n;
		answer(starter_fd, &at.ask, &found, sizeof found, &fd, 1);
		turn();
	}
	CHECK(broker.loop.quit && broker.loop.status == EXIT_FAILURE);
	end();
	put_down(&vm.kid, true);
}

static void
test_found_for_ever(void)
{
	unsigned before = n_descriptors();

	found_for_ever(true);
	found_for_ever(false);
	CHECK(n_descriptors() == before);
}

int
main(void)
{
	log_open("broker_starter", 0);
	TEST("an answer in any wrong way ends the broker, whatever was asked", test_wrong_ways);
	TEST("so does another message in its place", test_other_messages);
	TEST("so does a second answer", test_twice);
	TEST("any error is told to who asked, and nobody else notices", test_errors);
	TEST("so are descriptors that are good for nothing", test_nothing);
	TEST("answers come in any order", test_any_order);
	TEST("an answer about somebody else is none", test_another_account);
	TEST("what is found without end ends", test_found_for_ever);
	return TEST_END();
}
