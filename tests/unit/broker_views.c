/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_views.c: a view is there while its principal looks, is told of the owners that she may see,
 * and gets channels to them for the connections that it serves; one that wants more is killed.
 */
#include "broker/views.h"

#include "protocol/verb.h"
#include "tests/unit/broker_looking.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/messages.h"

/* --- routes ------------------------------------------------------------------------------- */

static void
test_route(void)
{
	struct kid view, view_ro;
	int clients[2];

	stage_ready();
	clients[0] = connect_as(0);
	view = start_view();
	CHECK(serve(&view).verbs == VERBS_ALL);
	clients[1] = connect_to(IPC_SOCKET_RO, 0);
	view_ro = start_view();
	CHECK(serve(&view_ro).verbs == VERBS_VIEW);
	for (int i = 0; i < 2; i++)
		fd_close(&clients[i]);
	/* The next goes to the same. */
	clients[0] = connect_as(0);
	CHECK(serve(&view).uid == 0);
	fd_close(&clients[0]);
	/* And everybody else to her worker. */
	clients[0] = connect_as(ALICE);
	resolve(ALICE);
	struct kid alice = worker(ALICE);
	CHECK(serve(&alice).uid == ALICE);
	fd_close(&clients[0]);
	ask_idle(&view, true);
	end_kid(&view);
	end_kid(&view_ro);
	end_kid(&alice);
	stage_close();
}

static void
test_no_room(void)
{
	struct kid view;
	int one, two;

	stage_ready();
	broker.views.size = 1;
	one = connect_as(0);
	view = start_view();
	(void)serve(&view);
	two = connect_to(IPC_SOCKET_RO, 0);
	CHECK(strstr(expect_refusal(IPC_REFUSAL_HOST).reason, "max_views"));
	fd_close(&one);
	fd_close(&two);
	end_kid(&view);
	/* There is room again. */
	one = connect_to(IPC_SOCKET_RO, 0);
	view = start_view();
	(void)serve(&view);
	fd_close(&one);
	end_kid(&view);
	stage_close();
}

static void
test_cannot_start(void)
{
	AUTO(packet_fini) struct packet ask;
	int client;

	stage_ready();
	client = connect_as(0);
	expect(starter_fd, IPC_VIEW, &ask);
	answer_error(starter_fd, &ask, -EIO, sizeof(struct ipc_started));
	CHECK(strstr(expect_refusal(IPC_REFUSAL_WORKER).reason, "the view of uid 0"));
	CHECK(!broker.loop.quit);
	fd_close(&client);
	stage_close();
}

/* Without clients it asks to end, and may; one that does not ask is told to. */
static void
test_lingers(void)
{
	AUTO(packet_fini) struct packet stop;
	struct child *child;
	struct kid view;
	int client;

	stage_ready();
	client = connect_as(0);
	view = start_view();
	(void)take_one(&view);
	child = &broker.views.table[0].child;
	CHECK(child->linger_ns == 0);
	ask_idle(&view, true);
	end_kid(&view);
	fd_close(&client);
	client = connect_as(0);
	view = start_view();
	gone(&view, take_one(&view).conn_id);
	CHECK(child->linger_ns != 0 && timer_is_set(&child->timer));
	child->linger_ns = 1;
	be_due(&child->timer);
	expect(view.link, IPC_STOP, &stop);
	fd_close(&client);
	end_kid(&view);
	stage_close();
}

/* The broker's own end finds one that was told before, and has not ended. */
static void
test_told_once(void)
{
	AUTO(packet_fini) struct packet stop;
	struct child *child;
	struct kid view;
	int client;

	stage_ready();
	client = connect_as(0);
	view = start_view();
	gone(&view, take_one(&view).conn_id);
	child = &broker.views.table[0].child;
	child->linger_ns = 1;
	be_due(&child->timer);
	expect(view.link, IPC_STOP, &stop);
	broker_stop(&broker);
	expect_nothing(view.link);
	fd_close(&client);
	end_kid(&view);
	stage_close();
}

/* --- owners ------------------------------------------------------------------------------- */

static void
test_told(void)
{
	AUTO(packet_fini) struct packet notice;
	struct ipc_inventory_found found;
	struct scene scene = set_scene(IPC_SOCKET_RW);
	uint64_t generation;

	CHECK(next(&scene.view, 0, &found, "+1\n") == 0);
	CHECK(found.uid == ALICE && found.verbs == VERBS_ALL && !found.own && !found.system);
	CHECK(found.worker == 1);
	CHECK_STR(found.name, "u2001");
	CHECK(next(&scene.view, found.generation, &found, "+2\n") == 0 && found.uid == BOB);
	generation = found.generation + 1;
	CHECK(next(&scene.view, generation, &found, NULL) == -ENOENT);
	expect_nothing(scene.view.link);
	/* Once, whatever changes until it asks again. */
	list(&scene.alice, "+3\n");
	list(&scene.bob, "+4\n");
	list(&scene.alice, "+5\n");
	expect(scene.view.link, IPC_INVENTORY_CHANGED, &notice);
	expect_nothing(scene.view.link);
	CHECK(next(&scene.view, generation, &found, "+4\n") == 0 && found.uid == BOB);
	CHECK(next(&scene.view, found.generation, &found, "+5\n") == 0 && found.uid == ALICE);
	/* From any generation, also one that never was anybody's. */
	CHECK(next(&scene.view, found.generation - 1, &found, "+5\n") == 0);
	CHECK(next(&scene.view, UINT64_MAX, &found, NULL) == -ENOENT);
	end_scene(&scene);
}

/* That a worker has ended, and that the next one runs, though it lists nothing else. */
static void
test_told_of_workers(void)
{
	AUTO(packet_fini) struct packet ended, begun;
	struct ipc_inventory_found found;
	struct scene scene = set_scene(IPC_SOCKET_RW);
	uint64_t last;

	CHECK(next(&scene.view, 0, &found, "+1\n") == 0);
	CHECK(next(&scene.view, found.generation, &found, "+2\n") == 0 && found.worker == 1);
	last = found.generation + 1;
	CHECK(next(&scene.view, last, &found, NULL) == -ENOENT);
	end_kid(&scene.bob);
	expect(scene.view.link, IPC_INVENTORY_CHANGED, &ended);
	CHECK(next(&scene.view, last, &found, "+2\n") == 0);
	CHECK(found.uid == BOB && found.worker == 0);
	scene.bob = next_worker(BOB);
	expect(scene.view.link, IPC_INVENTORY_CHANGED, &begun);
	CHECK(next(&scene.view, found.generation, &found, "+2\n") == 0);
	CHECK(found.uid == BOB && found.worker == 1);
	end_scene(&scene);
}

/* On the read-only socket there is `view` and nothing else; root's own is the system account's. */
static void
test_verbs(void)
{
	struct ipc_inventory_found found;
	struct scene scene = set_scene(IPC_SOCKET_RO);
	int client = connect_as(VM_UID);
	struct kid system;

	resolve(VM_UID);
	system = worker(VM_UID);
	(void)serve(&system);
	fd_close(&client);
	list(&system, "+9\n");
	CHECK(next(&scene.view, 0, &found, "+1\n") == 0 && found.verbs == VERBS_VIEW);
	CHECK(next(&scene.view, found.generation, &found, "+2\n") == 0);
	CHECK(next(&scene.view, found.generation, &found, "+9\n") == 0);
	CHECK(found.uid == VM_UID && found.own && found.system && found.verbs == VERBS_VIEW);
	end_kid(&system);
	end_scene(&scene);
}

/* Why not all: told of the owner to the view, and of the channel to her worker. */
static void
test_reasons(void)
{
	static const char rules[] = "allow everyone manage own\ndeny uid 0 console uid 2002\n";
	struct scene scene = set_scene(IPC_SOCKET_RW);
	struct ipc_inventory_found found;
	struct ipc_conn_pass pass;
	int fd = -1;

	CHECK(policy_parse(broker.rulebook.now, "policy.conf", rules, strlen(rules)) == 0);
	CHECK(next(&scene.view, 0, &found, "+1\n") == 0 && found.verbs == VERBS_ALL);
	CHECK(next(&scene.view, found.generation, &found, "+2\n") == 0);
	CHECK(found.uid == BOB && found.verbs == (VERB_VIEW | VERB_POWER));
	CHECK(strstr(found.reason, "policy.conf:2"));
	CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fd) == 0);
	pass = take_one(&scene.bob);
	CHECK(pass.origin == IPC_ORIGIN_VIEW && pass.verbs == (VERB_VIEW | VERB_POWER));
	CHECK(strstr(pass.reason, "policy.conf:2"));
	fd_close(&fd);
	end_scene(&scene);
}

/* What only its own may see is told to nobody else; what was lost is told once. */
static void
test_lost(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RW);
	struct ipc_inventory_found found;
	struct view *view = &broker.views.table[0];
	int fd;

	/* As if root were alice: then bob is not hers to see. */
	view->uid = ALICE;
	CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fd) == -EACCES);
	CHECK(next(&scene.view, 0, &found, "+1\n") == 0 && found.uid == ALICE && found.own);
	CHECK(next(&scene.view, found.generation, &found, "+0\n") == 0);
	CHECK(found.uid == BOB && found.verbs == VERBS_NONE);
	CHECK(next(&scene.view, found.generation, &found, "+0\n") == 0 && found.uid == VM_UID);
	CHECK(next(&scene.view, found.generation, &found, NULL) == -ENOENT);
	list(&scene.bob, "+7\n");
	expect_nothing(scene.view.link);
	CHECK(next(&scene.view, 0, &found, "+1\n") == 0);
	CHECK(next(&scene.view, found.generation, &found, NULL) == -ENOENT);
	/* An ask for him may have waited in it all the while. */
	CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fd) == -EACCES);
	CHECK(is_alive(&scene.view));
	view->uid = 0;
	end_scene(&scene);
}

/* --- channels ----------------------------------------------------------------------------- */

static bool
is_over(int fd)
{
	char byte;

	turn();
	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void
test_channel(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RW);
	const struct ipc_conn_pass *pass;
	struct packet packet;
	char text[8] = "";
	int fd;

	CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fd) == 0);
	expect(scene.bob.link, IPC_CONN_PASS, &packet);
	pass = body_of(&packet);
	CHECK(pass->uid == 0 && pass->gid == 0 && pass->pid == 7 && pass->verbs == VERBS_ALL);
	CHECK(pass->origin == IPC_ORIGIN_VIEW && pass->socket == IPC_SOCKET_RW);
	CHECK_STR(pass->label, "root");
	CHECK_STR(pass->owner, "u2002");
	taken(&scene.bob, &packet);
	CHECK(write(fd, "hello", 5) == 5 && read(packet.fds[0], text, sizeof text) == 5);
	CHECK_STR(text, "hello");
	CHECK(users_find(&broker.users, 0)->budget.n_channels == 1);
	/* It ends where it is closed ... */
	fd_close(&fd);
	CHECK(is_over(packet.fds[0]));
	gone(&scene.bob, pass->conn_id);
	CHECK(users_find(&broker.users, 0)->budget.n_channels == 0);
	packet_fini(&packet);
	/* ... with the worker ... */
	CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fd) == 0);
	(void)take_one(&scene.bob);
	end_kid(&scene.bob);
	CHECK(is_over(fd));
	fd_close(&fd);
	/* ... and with the connection that it is for, whoever still holds it. */
	scene.bob = next_worker(BOB);
	CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fd) == 0);
	expect(scene.bob.link, IPC_CONN_PASS, &packet);
	taken(&scene.bob, &packet);
	gone(&scene.view, scene.conn_id);
	CHECK(is_over(fd) && is_over(packet.fds[0]));
	gone(&scene.bob, ((const struct ipc_conn_pass *)body_of(&packet))->conn_id);
	packet_fini(&packet);
	fd_close(&fd);
	end_scene(&scene);
}

static void
test_channel_read_only(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RO);
	struct ipc_conn_pass pass;
	int fd;

	CHECK(ask_channel(&scene.view, scene.conn_id, ALICE, &fd) == 0);
	pass = serve(&scene.alice);
	CHECK(pass.verbs == VERBS_VIEW && pass.socket == IPC_SOCKET_RO);
	fd_close(&fd);
	end_scene(&scene);
}

/* To whom the system account is her own, its names are plain; an account of that name is a number. */
static void
test_owner_names(void)
{
	char reason[IPC_REASON_MAX];
	struct scene scene = set_scene(IPC_SOCKET_RW);
	struct ipc_inventory_found found;
	struct kid system;
	int client, fd;

	client = connect_as(VM_UID);
	resolve(VM_UID);
	system = worker(VM_UID);
	(void)serve(&system);
	fd_close(&client);
	list(&system, "+9\n");
	CHECK(next(&scene.view, broker.inventories.generation - 1, &found, "+9\n") == 0);
	CHECK(found.uid == VM_UID);
	CHECK(ask_channel(&scene.view, scene.conn_id, VM_UID, &fd) == 0);
	CHECK_STR(serve(&system).owner, "");
	fd_close(&fd);
	(void)snprintf(broker.inventories.first->account.name, ACCOUNT_NAME_MAX, "system");
	CHECK(ask_channel(&scene.view, scene.conn_id, ALICE, &fd) == 0);
	CHECK_STR(serve(&scene.alice).owner, "2001");
	fd_close(&fd);
	/* Somebody else's view of the system account. */
	broker.views.table[0].uid = ALICE;
	CHECK(authority_over(&broker.authority, ALICE, IPC_SOCKET_RW, VM_UID, reason) ==
		VERBS_NONE);
	broker.views.table[0].uid = 0;
	end_kid(&system);
	end_scene(&scene);
}

/* The owner's worker is started for it; if it cannot be, the refuser says so on the channel. */
static void
test_channel_starts(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RW);
	int fd;

	end_kid(&scene.bob);
	CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fd) == 0);
	scene.bob = worker(BOB);
	CHECK(serve(&scene.bob).origin == IPC_ORIGIN_VIEW);
	fd_close(&fd);
	end_kid(&scene.bob);
	CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fd) == 0);
	{
		AUTO(packet_fini) struct packet ask;

		expect(starter_fd, IPC_WORKER, &ask);
		answer_error(starter_fd, &ask, -EIO, sizeof(struct ipc_started));
		CHECK(expect_refusal(IPC_REFUSAL_WORKER).origin == IPC_ORIGIN_VIEW);
	}
	fd_close(&fd);
	/* Nobody else notices. */
	CHECK(ask_channel(&scene.view, scene.conn_id, ALICE, &fd) == 0);
	CHECK(serve(&scene.alice).origin == IPC_ORIGIN_VIEW);
	fd_close(&fd);
	scene.bob = next_worker(BOB);
	end_scene(&scene);
}

/* An owner of whom this broker knows nothing but what is kept. */
static void
put_kept(void)
{
	fd_auto int fd =
		openat(broker.places.inventory_fd, "2002", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(write(fd, "+8\n", 3) == 3);
}

static void
test_channel_looks_up(void)
{
	struct ipc_inventory_found found;
	struct kid view, bob;
	uint64_t conn_id;
	int client, fd;

	stage_before = put_kept;
	stage_ready();
	stage_before = NULL;
	client = connect_as(0);
	view = start_view();
	conn_id = take_one(&view).conn_id;
	CHECK(next(&view, 0, &found, "+8\n") == 0 && found.uid == BOB);
	CHECK(ask_channel(&view, conn_id, BOB, &fd) == 0);
	resolve(BOB);
	bob = worker(BOB);
	CHECK_STR(serve(&bob).owner, "2002");
	fd_close(&fd);
	end_kid(&bob);
	users_find(&broker.users, BOB)->has_account = false;
	users_find(&broker.users, BOB)->lookup_again_ns = 0;
	CHECK(ask_channel(&view, conn_id, BOB, &fd) == 0);
	resolve_error(-ENOENT);
	CHECK(strstr(expect_refusal(IPC_REFUSAL_WORKER).reason, "has no account"));
	fd_close(&fd);
	fd_close(&client);
	end_kid(&view);
	stage_close();
}

static void
test_bounds(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RW);
	struct budget *budget = &users_find(&broker.users, 0)->budget;
	enum { MAX = 40 };
	int fds[MAX], fd;

	broker.limits.connections = MAX;
	for (int i = 0; i < MAX; i++) {
		CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fds[i]) == 0);
		(void)take_one(&scene.bob);
	}
	CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fd) == -EDQUOT);
	CHECK(budget->n_channels == MAX && budget->n_conns == 1);
	/* Another connection of the principal's takes from the same. */
	int other = connect_as(0);
	uint64_t id = take_one(&scene.view).conn_id;

	broker.limits.connections = MAX + 1;
	CHECK(ask_channel(&scene.view, id, ALICE, &fd) == 0);
	(void)serve(&scene.alice);
	fd_close(&fd);
	broker.limits.connections = MAX;
	CHECK(ask_channel(&scene.view, id, ALICE, &fd) == -EDQUOT);
	broker.limits.connections = 1000;
	broker.max_conns = broker.conns.n_used;
	CHECK(ask_channel(&scene.view, id, ALICE, &fd) == -ENFILE);
	for (int i = 0; i < MAX; i++)
		fd_close(&fds[i]);
	fd_close(&other);
	end_scene(&scene);
}

/* A view that ends takes all its channels along. */
static void
test_view_ends(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RW);
	AUTO(packet_fini) struct packet packet;
	int fd;

	CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fd) == 0);
	expect(scene.bob.link, IPC_CONN_PASS, &packet);
	taken(&scene.bob, &packet);
	/* Somebody has a copy of its end. */
	end_kid(&scene.view);
	CHECK(is_over(packet.fds[0]) && is_closed(scene.client));
	gone(&scene.bob, ((const struct ipc_conn_pass *)body_of(&packet))->conn_id);
	fd_close(&fd);
	end_scene(&scene);
}

/* Without a starter the broker ends while all of them are there: who goes is a view's to hear of, still. */
static void
test_broker_ends(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RW);
	struct kid *kids[] = {&scene.view, &scene.alice, &scene.bob};

	for (size_t i = 0; i < sizeof kids / sizeof *kids; i++)
		CHECK(is_alive(kids[i]));
	/* The refuser, too. */
	CHECK(kill(refuser.pid, SIGTERM) == 0 && waitpid(refuser.pid, NULL, 0) == refuser.pid);
	refuser.pid = -1;
	fd_close(&refuser.link);
	stage_close();
	for (size_t i = 0; i < sizeof kids / sizeof *kids; i++) {
		CHECK(kill(kids[i]->pid, SIGTERM) == 0);
		CHECK(waitpid(kids[i]->pid, NULL, 0) == kids[i]->pid);
		fd_close(&kids[i]->link);
		if (kids[i]->is_worker)
			fd_close(&kids[i]->place_fd);
	}
	fd_close(&scene.client);
}

/* Each look is the broker's work, whatever it finds. */
static void
test_looks_too_often(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RW);
	struct ipc_inventory_found found;
	struct bucket *looks = &broker.views.table[0].looks;
	uint64_t before, last = broker.inventories.generation;

	CHECK(next(&scene.view, last, &found, NULL) == -ENOENT);
	before = looks->full_ns;
	CHECK(next(&scene.view, last, &found, NULL) == -ENOENT && looks->full_ns > before);
	looks->full_ns = loop_clock() + LOOP_S(60);
	for (int i = 0; i < 100; i++)
		CHECK(next(&scene.view, last, &found, NULL) == -EAGAIN);
	CHECK(is_alive(&scene.view));
	looks->full_ns = 0;
	CHECK(next(&scene.view, last, &found, NULL) == -ENOENT);
	end_scene(&scene);
}

/* --- what it may not ---------------------------------------------------------------------- */

static void
test_wants_more(void)
{
	for (int i = 0; i < 4; i++) {
		struct scene scene = set_scene(IPC_SOCKET_RW);
		struct ipc_channel ask = {.conn_id = scene.conn_id, .uid = BOB};

		switch (i) {
		case 0: /* no such connection */
			ask.conn_id += 1000;
			break;
		case 1: /* somebody else's */
			fd_close(&scene.client);
			scene.client = connect_as(ALICE);
			ask.conn_id = take_one(&scene.alice).conn_id;
			break;
		case 2: /* one that has ended */
			gone(&scene.view, scene.conn_id);
			break;
		default: /* nobody's inventory */
			ask.uid = 4711;
			break;
		}
		say(scene.view.link, (struct ipc_header){.type = IPC_CHANNEL, .serial = 6}, &ask,
			sizeof ask, NULL, 0);
		turn();
		reap(&scene.view, SIGKILL);
		CHECK(is_alive(&scene.alice) && is_alive(&scene.bob));
		expect_nothing(scene.bob.link);
		end_scene(&scene);
	}
}

/* What a worker, the refuser or the starter says is not a view's to say. */
static void
test_every_message(void)
{
	for (int m = 0; m < N_MESSAGES; m++) {
		const struct expected *message = &messages[m];
		struct raw raw = good_raw(message);
		struct scene scene = set_scene(IPC_SOCKET_RW);
		int fds[2] = {scene.view.link, scene.view.link};
		bool permitted =
			message->type == IPC_IDLE_ASK || message->type == IPC_INVENTORY_NEXT;

		CHECK(packet_send(scene.view.link, &raw, raw.size, fds, message->n_fds) == 0);
		turn();
		if (permitted)
			CHECK(is_alive(&scene.view));
		else
			reap(&scene.view, SIGKILL);
		if (test_this_failed)
			printf("# %s\n", message->name);
		end_scene(&scene);
	}
}

static void
test_does_not_read(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RW);
	struct ipc_inventory_next body = {.after = 0};
	unsigned n = 0;

	while (n++ < 1000 && scene.view.pid > 0) {
		uint8_t data[sizeof(struct ipc_header) + sizeof body];
		struct ipc_header header = {.version = IPC_VERSION,
			.type = IPC_INVENTORY_NEXT,
			.size = sizeof body,
			.serial = n};

		memcpy(data, &header, sizeof header);
		memcpy(data + sizeof header, &body, sizeof body);
		if (packet_send(scene.view.link, data, sizeof data, NULL, 0) == PACKET_E_GONE)
			break;
		turn();
	}
	CHECK(n < 1000);
	reap(&scene.view, SIGKILL);
	end_scene(&scene);
}

static unsigned n_at_start;

static void
test_nothing_left(void)
{
	CHECK(n_descriptors() == n_at_start);
}

int
main(void)
{
	log_open("broker_views", 0);
	n_at_start = n_descriptors();
	TEST("a principal has a view for each socket, when they are on", test_route);
	TEST("there are as many views as there may be", test_no_room);
	TEST("without a view its clients are told so", test_cannot_start);
	TEST("a view that nobody looks through ends", test_lingers);
	TEST("who was told to end is not told again when the broker does", test_told_once);
	TEST("a view is told of owners and of changes", test_told);
	TEST("a view has the verbs of its principal on its socket", test_verbs);
	TEST("a view is told when a worker ends, and when the next one runs", test_told_of_workers);
	TEST("why not all is told of owners and of channels", test_reasons);
	TEST("an owner that is not shown any more is told once", test_lost);
	TEST("a channel leads to a worker, and ends with either end", test_channel);
	TEST("a channel of the read-only socket is read-only", test_channel_read_only);
	TEST("names of others are told apart", test_owner_names);
	TEST("a worker is started for a channel", test_channel_starts);
	TEST("an account is looked up for a channel", test_channel_looks_up);
	TEST("channels have bounds", test_bounds);
	TEST("a view that ends takes its channels along", test_view_ends);
	TEST("the broker ends while views and workers are there", test_broker_ends);
	TEST("a view that asks all the time what is new has to wait", test_looks_too_often);
	TEST("a view that wants more than it was given is killed", test_wants_more);
	TEST("a view says what is a view's to say", test_every_message);
	TEST("a view that does not read its answers is killed", test_does_not_read);
	TEST("no descriptor is left", test_nothing_left);
	return TEST_END();
}
