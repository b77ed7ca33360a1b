/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_numbers.c: each kind of child says each number that there can be, before HELLO, while it serves
 * and when it was let go: it is killed, but for what is its to say; all others are served as before. So is qemud-audit, which says
 * nothing but that a record is kept.
 *
 * test: heavy
 */
#include "broker/child.h"

#include "tests/unit/broker_recording.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/messages.h"

enum kind { WORKER, HOST_VIEW, CTL_VIEW, REFUSER, N_KINDS };
enum moment { BEFORE_HELLO, SERVING, LET_GO, N_MOMENTS };

enum { NUMBERS = 256, NOBODY = 65534 };

static const char *const kinds[N_KINDS] = {
	"a worker", "a view of the host", "a view of qemudctl's", "the refuser"};

/* What a child of that kind may say when it serves, of what messages.h calls good. */
static bool
is_its_own(enum kind kind, unsigned number)
{
	switch (number) {
	case IPC_IDLE_ASK:
		return true;
	case IPC_TOOL:
	case IPC_LEASE:
	case IPC_LEASE_STOP:
	case IPC_LEASE_NEXT:
	case IPC_NET:
	case IPC_AUTOSTART:
	case IPC_LEASE_CHANGE:
	case IPC_INVENTORY:
		return kind == WORKER;
	case IPC_INVENTORY_NEXT:
		return kind == HOST_VIEW || kind == CTL_VIEW;
	case IPC_STATUS:
		return kind == CTL_VIEW;
	default:
		/* It names a connection, an owner or an ask that there is not. */
		return false;
	}
}

static bool
is_permitted(enum kind kind, enum moment moment, unsigned number)
{
	if (number == IPC_HELLO)
		return moment == BEFORE_HELLO;
	return moment != BEFORE_HELLO && is_its_own(kind, number);
}

static struct raw
raw_of(unsigned number)
{
	struct raw raw = {.header = {.version = IPC_VERSION, .type = (uint16_t)number, .serial = 1},
		.size = sizeof raw.header};

	for (size_t i = 0; i < N_MESSAGES; i++)
		if (messages[i].type == (enum ipc_type)number)
			raw = good_raw(&messages[i]);
	return raw;
}

/* --- a child that has come that far --------------------------------------------------------- */

struct scene {
	enum kind kind;
	struct kid kid;
	int client;
	bool waits; /* the client's connection */
};

static void
let_go(struct kid *kid)
{
	AUTO(packet_fini) struct packet idle = {.size = 0};

	say(kid->link, (struct ipc_header){.type = IPC_IDLE_ASK, .serial = 9}, NULL, 0, NULL, 0);
	expect(kid->link, IPC_IDLE_ANSWER, &idle);
	CHECK(((const struct ipc_idle_answer *)body_of(&idle))->granted == 1);
}

static struct scene
begin(enum kind kind, enum moment moment, uint32_t uid)
{
	static const enum ipc_socket sockets[N_KINDS] = {
		IPC_SOCKET_RW, IPC_SOCKET_RO, IPC_SOCKET_CTL, IPC_SOCKET_RW};
	struct scene scene = {.kind = kind, .waits = true};

	broker.refuser.starts = (struct bucket){0};
	broker.refuser.awaited = (struct child_vain){.n = 0};
	scene.client = connect_to(sockets[kind], kind == REFUSER ? NOBODY : uid);
	if (kind != REFUSER)
		resolve(uid);
	scene.kid = start_kid(kind == WORKER ? IPC_WORKER : IPC_VIEW, uid);
	if (moment == BEFORE_HELLO) {
		turn();
		return scene;
	}
	hello(&scene.kid);
	(void)serve(&scene.kid);
	scene.waits = false;
	if (moment == LET_GO)
		let_go(&scene.kid);
	return scene;
}

/* Whom it has not served is not lost: the next one does, or says that there is none. */
static void
finish(struct scene *scene)
{
	AUTO(packet_fini) struct packet ask = {.size = 0};

	if (scene->waits && scene->kind == REFUSER) {
		struct kid next = start_kid(IPC_VIEW, VIEW_UID);

		hello(&next);
		(void)serve(&next);
		end_kid(&next);
	} else if (scene->waits) {
		expect(starter_fd, scene->kind == WORKER ? IPC_WORKER : IPC_VIEW, &ask);
		answer_error(starter_fd, &ask, -EIO, sizeof(struct ipc_started));
		(void)expect_refusal(IPC_REFUSAL_WORKER);
	}
	fd_close(&scene->client);
}

static void
check_spared(struct scene *scene, unsigned number, enum moment moment)
{
	CHECK(is_alive(&scene->kid));
	if (moment == SERVING && (number == IPC_TOOL || number == IPC_LEASE)) {
		AUTO(packet_fini) struct packet ask = {.size = 0};

		expect(starter_fd, IPC_BOX, &ask);
		answer_error(starter_fd, &ask, -EIO, sizeof(struct ipc_started));
	}
	end_kid(&scene->kid);
	finish(scene);
}

static void
check_killed(struct scene *scene)
{
	turn();
	reap(&scene->kid, SIGKILL);
	finish(scene);
}

static void
say_all(enum kind kind)
{
	static uint32_t uid = 3000;
	unsigned n_before = n_descriptors();

	for (enum moment moment = 0; moment < N_MOMENTS; moment++) {
		for (unsigned number = 0; number < NUMBERS; number++) {
			struct scene scene = begin(kind, moment, ++uid);
			struct raw raw = raw_of(number);
			int fds[2] = {scene.kid.link, scene.kid.link};
			int failed = test_this_failed;

			CHECK(packet_send(scene.kid.link, &raw, raw.size, fds, raw.header.n_fds) ==
				0);
			if (is_permitted(kind, moment, number))
				check_spared(&scene, number, moment);
			else
				check_killed(&scene);
			if (test_this_failed && !failed)
				printf("# %s: %u, moment %d\n", kinds[kind], number, moment);
		}
	}
	CHECK(n_descriptors() == n_before && broker.conns.n_used == 0 && !broker.loop.quit);
}

static void
test_kind(enum kind kind)
{
	static const char rules[] = "allow everyone manage own\nallow everyone view all\n";

	stage_ready();
	/* So that somebody has a view of the host. */
	if (kind == HOST_VIEW)
		CHECK(policy_parse(broker.rulebook.now, "policy.conf", rules, strlen(rules)) == 0);
	if (kind == REFUSER)
		end_kid(&refuser);
	say_all(kind);
	stage_close();
}

static void
test_worker(void)
{
	test_kind(WORKER);
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

/* --- qemud-audit ---------------------------------------------------------------------------- */

/* What it says without being asked, and in place of an answer; meanwhile others are served. */
static void
test_auditor(void)
{
	struct kid alice;
	unsigned n_before;
	int client;

	open_stage(CONFIG_AUDIT_REFUSE);
	alice = first_connection(ALICE, &client);
	(void)serve(&alice);
	n_before = n_descriptors();
	for (unsigned number = 0; number < 2 * NUMBERS; number++) {
		AUTO(packet_fini) struct packet record = {.size = 0};
		struct raw raw = raw_of(number % NUMBERS);
		int fds[2] = {auditor.link, auditor.link};
		int failed = test_this_failed, again;

		if (number < NUMBERS)
			keep_all();
		else
			(void)next_record(&record);
		/* An answer to another ask than that which is open. */
		if (raw.header.type == IPC_AUDIT_KEPT)
			raw.header.serial = 4711;
		CHECK(packet_send(auditor.link, &raw, raw.size, fds, raw.header.n_fds) == 0);
		turn();
		reap(&auditor, SIGKILL);
		again = connect_as(ALICE);
		CHECK(serve(&alice).uid == ALICE);
		fd_close(&again);
		next_auditor();
		if (test_this_failed && !failed)
			printf("# %u\n", number);
	}
	keep_all();
	CHECK(n_descriptors() == n_before && !broker.loop.quit && is_alive(&alice));
	fd_close(&client);
	end_kid(&alice);
	keep_all();
	end_kid(&auditor);
	stage_close();
	stage_audit = CONFIG_AUDIT_OFF;
}

int
main(void)
{
	log_open("broker_numbers", 0);
	TEST("a worker is killed by each number that is not its to say", test_worker);
	TEST("so is a view of the host", test_host_view);
	TEST("so is one for qemudctl", test_ctl_view);
	TEST("so is the refuser", test_refuser);
	TEST("so is qemud-audit, and nobody waits for it", test_auditor);
	return TEST_END();
}
