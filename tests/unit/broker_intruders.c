/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_intruders.c: a view, the refuser or qemud-audit that says what it has the right to say in any wrong way,
 * or at the wrong time, is killed and recorded; what is right is answered. All others are served
 * meanwhile, and the broker is as large as before.
 *
 * test: timeout=360 heavy
 */
#include <malloc.h>

#include "broker/child.h"
#include "tests/unit/broker_looking.h"
#include "tests/unit/broker_recording.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/wrong.h"

enum kind { HOST_VIEW, CTL_VIEW, REFUSER, N_KINDS };
enum moment { BEFORE_HELLO, ONE_PASSED, ONE_TAKEN, LET_GO, N_MOMENTS };

enum { NOBODY = 65534, SERIAL = 9 };

static const char *const kind_names[N_KINDS] = {
	"a view of the host", "a view of qemudctl's", "the refuser"};
static const char *const moment_names[N_MOMENTS] = {
	"before HELLO", "with one passed", "with one taken", "let go"};

/* --- who is there besides ------------------------------------------------------------------- */

static struct kid bob, roots;
static int roots_client;

/* bob's worker, and root's view of the host, are the same as ever. */
static void
check_others(void)
{
	int client = connect_as(BOB);

	CHECK(serve(&bob).uid == BOB && is_alive(&bob));
	fd_close(&client);
	client = connect_as(0);
	CHECK(serve(&roots).uid == 0 && is_alive(&roots));
	fd_close(&client);
}

static void
begin_others(void)
{
	static const char rules[] = "allow everyone manage own\nallow everyone power uid 2002\n";

	open_stage(CONFIG_AUDIT_CONTINUE);
	leavers_stop(&broker.leavers);
	policy_clear(broker.rulebook.now);
	CHECK(policy_parse(broker.rulebook.now, "policy.conf", rules, strlen(rules)) == 0);
	bob = idle_worker(BOB);
	list(&bob, "+2\n");
	roots_client = connect_as(0);
	roots = start_view();
	(void)take_one(&roots);
	keep_all();
}

static void
end_others(void)
{
	fd_close(&roots_client);
	end_kid(&roots);
	end_kid(&bob);
	keep_all();
	end_kid(&auditor);
	stage_close();
	stage_audit = CONFIG_AUDIT_OFF;
}

/* --- one that has come that far ------------------------------------------------------------- */

struct intruder {
	enum kind kind;
	enum moment moment;
	struct kid kid;
	int client;
	uint64_t conn_id; /* of the client, as far as it is passed */
	uint32_t serial;  /* in which it was */
};

static struct intruder
enter(enum kind kind, enum moment moment, uint32_t uid)
{
	static const enum ipc_socket sockets[N_KINDS] = {
		IPC_SOCKET_RW, IPC_SOCKET_CTL, IPC_SOCKET_RW};
	struct intruder intruder = {.kind = kind, .moment = moment};
	AUTO(packet_fini) struct packet pass = {.size = 0};

	broker.refuser.starts = (struct bucket){0};
	broker.refuser.awaited = (struct child_vain){.n = 0};
	intruder.client = connect_to(sockets[kind], kind == REFUSER ? NOBODY : uid);
	if (kind != REFUSER)
		resolve(uid);
	intruder.kid = start_kid(IPC_VIEW, uid);
	if (moment == BEFORE_HELLO) {
		turn();
		return intruder;
	}
	hello(&intruder.kid);
	expect(intruder.kid.link, IPC_CONN_PASS, &pass);
	intruder.serial = header_of(&pass).serial;
	intruder.conn_id = ((const struct ipc_conn_pass *)body_of(&pass))->conn_id;
	if (kind != REFUSER) {
		struct ipc_inventory_found found;

		CHECK(next(&intruder.kid, 0, &found, "+2\n") == 0 && found.uid == BOB);
	}
	if (moment >= ONE_TAKEN)
		taken(&intruder.kid, &pass);
	if (moment == LET_GO) {
		gone(&intruder.kid, intruder.conn_id);
		ask_idle(&intruder.kid, true);
	}
	return intruder;
}

/* What is right of it, of which the fields name what there is. */
static struct raw
right(const struct intruder *intruder, const struct expected *message)
{
	struct raw raw = good_raw(message);
	struct ipc_vm_stop stop = {.conn_id = intruder->conn_id, .uid = BOB, .id = 1};

	raw.header.serial = message->kind == ASK      ? SERIAL
			    : message->kind == ANSWER ? intruder->serial
						      : 0;
	switch ((unsigned)message->type) {
	case IPC_CONN_TAKEN:
	case IPC_CONN_GONE:
		memcpy(raw.body, &intruder->conn_id, sizeof intruder->conn_id);
		break;
	case IPC_CHANNEL:
		memcpy(raw.body, &(struct ipc_channel){.conn_id = intruder->conn_id, .uid = BOB},
			message->size);
		break;
	case IPC_VM_STOP:
		memcpy(raw.body, &stop, message->size);
		break;
	case IPC_VM_FREEZE:
		memcpy(raw.body, &(struct ipc_vm_freeze){.vm = stop}, message->size);
		break;
	case IPC_STATUS_USER:
		memcpy(raw.body, &(struct ipc_status_user){.uid = BOB}, message->size);
		break;
	case IPC_STATUS_LIMIT:
		memcpy(raw.body, &(struct ipc_status_limit){.uid = BOB, .limit = IPC_LIMIT_VMS},
			message->size);
		break;
	case IPC_STATUS_VM:
		memcpy(raw.body, &(struct ipc_status_vm){.uid = BOB}, message->size);
		break;
	default:
		break;
	}
	return raw;
}

/* May it say that, then? */
static bool
is_permitted(enum kind kind, enum moment moment, enum ipc_type type)
{
	bool ctl = kind == CTL_VIEW;

	switch ((unsigned)type) {
	case IPC_HELLO:
		return moment == BEFORE_HELLO;
	case IPC_CONN_TAKEN:
		return moment == ONE_PASSED;
	case IPC_CONN_GONE:
		return moment == ONE_TAKEN;
	case IPC_IDLE_ASK:
		return moment != BEFORE_HELLO;
	case IPC_INVENTORY_NEXT:
		return moment != BEFORE_HELLO && kind != REFUSER;
	case IPC_CHANNEL:
	case IPC_VM_STOP:
	case IPC_VM_FREEZE:
		return kind == HOST_VIEW && (moment == ONE_PASSED || moment == ONE_TAKEN);
	case IPC_STATUS:
	case IPC_STATUS_USER:
	case IPC_STATUS_LIMIT:
	case IPC_STATUS_VM:
		return ctl && moment != BEFORE_HELLO;
	default:
		return false;
	}
}

/* --- what is recorded ----------------------------------------------------------------------- */

static uint64_t n_killed, n_recorded;

/* Keep the next record. Those about the refuser, whose uid is always the same, may stand for several. */
static void
hear_record(void)
{
	struct ipc_audit_record record = keep();

	if (record.kind != AUDIT_PROCESS_VIOLATION)
		return;
	CHECK(strstr(record.outcome, ": ") && strstr(record.outcome, "; it is killed"));
	CHECK(strcmp(record.target, "refuser") == 0 || strcmp(record.target, "view") == 0);
	n_recorded += record.count;
}

static void
hear_records(void)
{
	char byte;

	turn();
	while (recv(auditor.link, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		hear_record();
}

/* --- what becomes of it --------------------------------------------------------------------- */

/* What was passed and not taken goes to the next, or is refused: nobody waits for ever. */
static void
finish(struct intruder *intruder, bool waits)
{
	AUTO(packet_fini) struct packet ask = {.size = 0};

	if (waits && intruder->kind == REFUSER) {
		struct kid another = start_kid(IPC_VIEW, VIEW_UID);

		hello(&another);
		(void)serve(&another);
		end_kid(&another);
	} else if (waits) {
		expect(starter_fd, IPC_VIEW, &ask);
		answer_error(starter_fd, &ask, -EIO, sizeof(struct ipc_started));
		(void)expect_refusal(IPC_REFUSAL_WORKER);
	}
	fd_close(&intruder->client);
}

static bool
has_waiting(const struct intruder *intruder)
{
	return intruder->moment == BEFORE_HELLO || intruder->moment == ONE_PASSED;
}

static void
check_killed(struct intruder *intruder)
{
	turn();
	reap(&intruder->kid, SIGKILL);
	finish(intruder, has_waiting(intruder));
	n_killed++;
	hear_records();
}

/* It lives, and was answered if it asked; the channel that it may have got is handed on. */
static void
check_spared(struct intruder *intruder, const struct expected *message, bool said)
{
	AUTO(packet_fini) struct packet answer = {.size = 0};
	bool waits = has_waiting(intruder);

	CHECK(is_alive(&intruder->kid));
	if (said && message->kind == ASK)
		expect_answer(intruder->kid.link, (enum ipc_type)(message->type + 1), &answer);
	if (said && message->type == IPC_CHANNEL && header_of(&answer).err == 0)
		(void)serve(&bob);
	if (said && message->type == IPC_STATUS_USER) {
		AUTO(packet_fini) struct packet ping = {.size = 0};

		expect(bob.link, IPC_PING, &ping);
	}
	if (said && message->type == IPC_CONN_TAKEN)
		waits = false;
	end_kid(&intruder->kid);
	finish(intruder, waits);
	hear_records();
}

static void
say_all_as(enum kind kind)
{
	static uint32_t uid = 3000;
	unsigned n_before = n_descriptors();

	n_killed = n_recorded = 0;
	for (int m = 0; m < N_MESSAGES; m++) {
		if (messages[m].link != CHILD || messages[m].sender != PEER)
			continue;
		for (enum moment moment = 0; moment < N_MOMENTS; moment++) {
			for (enum way way = 0; way < N_WAYS; way++) {
				struct intruder intruder = enter(kind, moment, ++uid);
				int failed = test_this_failed;
				bool said, changed;

				said = say_wrong(intruder.kid.link, &messages[m],
					right(&intruder, &messages[m]), way, &changed);
				/* Any generation will do. */
				if (way == DIRT && messages[m].type == IPC_INVENTORY_NEXT)
					changed = false;
				if (!said ||
					(!changed && is_permitted(kind, moment, messages[m].type)))
					check_spared(&intruder, &messages[m], said);
				else
					check_killed(&intruder);
				if (test_this_failed && !failed)
					printf("# %s: %s %s, %s\n", kind_names[kind],
						messages[m].name, moment_names[moment],
						way_names[way]);
			}
		}
		check_others();
	}
	while (n_recorded < n_killed)
		hear_record();
	CHECK(n_recorded == n_killed);
	CHECK(n_descriptors() == n_before && !broker.loop.quit);
}

static void
test_kind(enum kind kind)
{
	struct mallinfo2 before;

	begin_others();
	if (kind == REFUSER)
		end_kid(&refuser);
	/* What is made once, as the row of a user in a table, is made by the first of them. */
	check_others();
	before = mallinfo2();
	say_all_as(kind);
	CHECK(mallinfo2().uordblks <= before.uordblks + 65536);
	end_others();
}

static void
test_host_view(void)
{
	test_kind(HOST_VIEW);
}

static void
test_ctl_view(void)
{
	test_kind(CTL_VIEW);
}

static void
test_refuser(void)
{
	test_kind(REFUSER);
}

/* qemud-audit, in place of the answer that is waited for. */
static void
test_auditor(void)
{
	const struct expected *kept = messages;
	struct kid alice;
	unsigned n_before;

	while (kept->type != IPC_AUDIT_KEPT)
		kept++;
	open_stage(CONFIG_AUDIT_CONTINUE);
	keep_all();
	alice = idle_worker(ALICE);
	n_before = n_descriptors();
	for (enum way way = GOOD + 1; way < N_WAYS; way++) {
		AUTO(packet_fini) struct packet record = {.size = 0};
		struct raw raw = good_raw(kept);
		int client, failed = test_this_failed;
		bool changed;

		(void)next_record(&record);
		raw.header.serial = header_of(&record).serial;
		/* That it could not be written is an answer. Without a body less can be wrong. */
		if (way == ERR_NEGATIVE || !say_wrong(auditor.link, kept, raw, way, &changed) ||
			!changed)
			end_kid(&auditor);
		else {
			turn();
			reap(&auditor, SIGKILL);
		}
		client = connect_as(ALICE);
		CHECK(serve(&alice).uid == ALICE);
		fd_close(&client);
		next_auditor();
		if (test_this_failed && !failed)
			printf("# %s\n", way_names[way]);
	}
	keep_all();
	CHECK(n_descriptors() == n_before && !broker.loop.quit && is_alive(&alice));
	end_kid(&alice);
	keep_all();
	close_stage();
}

int
main(void)
{
	log_open("broker_intruders", 0);
	TEST("a view of the host is killed for each wrong way, and recorded", test_host_view);
	TEST("so is one for qemudctl", test_ctl_view);
	TEST("so is the refuser", test_refuser);
	TEST("so is qemud-audit, and nobody waits for it", test_auditor);
	return TEST_END();
}
