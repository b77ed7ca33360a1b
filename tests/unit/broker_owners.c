/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_owners.c: however many accounts come and go, whoever has machines is shown; who has nothing, or has
 * left, makes room, and no view has over the next one what it had over the one before.
 */
#include "broker/inventories.h"

#include "protocol/verb.h"
#include "tests/unit/broker_looking.h"
#include "tests/unit/broker_vms.h"
#include "tests/unit/descriptors.h"

enum { CAROL = 2003, FIRST = 3000, PEOPLE = 40 };

static struct owner *
owner_of(uint32_t uid)
{
	return inventories_find(&broker.inventories, uid);
}

static int
try_list(const struct kid *kid, const char *text)
{
	AUTO(packet_fini) struct packet answer;
	struct ipc_inventory body = {.size = (uint32_t)strlen(text)};

	CHECK(pwrite(kid->place_fd, text, strlen(text), 0) == (ssize_t)strlen(text));
	say(kid->link, (struct ipc_header){.type = IPC_INVENTORY, .serial = 78}, &body, sizeof body,
		NULL, 0);
	expect(kid->link, IPC_INVENTORY_KEPT, &answer);
	return header_of(&answer).err;
}

/* It is time to see who may leave. Whoever is looked up for it is there. */
static void
see_who_leaves(void)
{
	struct ipc_header header;

	be_due(&broker.leavers.timer);
	while (recv(starter_fd, &header, sizeof header, MSG_PEEK | MSG_DONTWAIT) > 0) {
		AUTO(packet_fini) struct packet ask;
		struct account account;

		expect(starter_fd, IPC_RESOLVE, &ask);
		account = account_of_uid(((const struct ipc_resolve *)body_of(&ask))->uid);
		answer_account(&ask, &account);
		turn();
	}
}

static void
much_later(uint32_t uid)
{
	CHECK(owner_of(uid)->dropped);
	owner_of(uid)->dropped_ns = loop_now(&broker.loop) - LOOP_S(INVENTORIES_REST_S);
}

/* As many owners as there may be: alice, bob, who has nothing and has gone, and the system account. */
static struct scene
look_at_all(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RW);

	CHECK(broker.inventories.n == 3);
	broker.inventories.size = 3;
	list(&scene.bob, "+0\n");
	end_kid(&scene.bob);
	return scene;
}

static void
leave(struct scene *scene, struct kid *carol)
{
	end_kid(carol);
	fd_close(&scene->client);
	if (scene->view.pid > 0)
		end_kid(&scene->view);
	end_kid(&scene->alice);
	stage_close();
}

static void
test_makes_room(void)
{
	struct ipc_inventory_found found;
	struct scene scene = look_at_all();
	struct kid carol = idle_worker(CAROL);
	uint64_t last = broker.inventories.generation;

	CHECK(try_list(&carol, "+1\n") == -ENOSPC && is_alive(&carol));
	see_who_leaves();
	CHECK(owner_of(BOB)->dropped && !owner_of(ALICE)->dropped && !owner_of(VM_UID)->dropped);
	CHECK(next(&scene.view, last, &found, "+0\n") == 0);
	CHECK(found.uid == BOB && found.verbs == VERBS_NONE);
	/* What a view asks about him may be on its way, for a while. */
	CHECK(try_list(&carol, "+1\n") == -ENOSPC);
	much_later(BOB);
	last = broker.inventories.generation;
	list(&carol, "+1\n");
	CHECK(!owner_of(BOB) && broker.inventories.n == 3);
	CHECK(next(&scene.view, last, &found, "+1\n") == 0);
	CHECK(found.uid == CAROL && found.verbs == VERBS_ALL);
	CHECK_STR(found.name, "u2003");
	CHECK(next(&scene.view, found.generation, &found, NULL) == -ENOENT);
	CHECK(is_alive(&scene.view));
	/* There is one more than she now, and there is not. */
	scene.bob = next_worker(BOB);
	CHECK(try_list(&scene.bob, "+2\n") == -ENOSPC);
	end_kid(&scene.bob);
	leave(&scene, &carol);
}

static void
test_renamed(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RW);
	struct account account = account_of_uid(ALICE);
	uint64_t last = broker.inventories.generation;
	struct ipc_inventory_found found;

	CHECK(next(&scene.view, last, &found, NULL) == -ENOENT);
	(void)snprintf(account.name, sizeof account.name, "zoe");
	inventories_know(&broker.inventories, owner_of(ALICE), &account);
	turn();
	{
		AUTO(packet_fini) struct packet notice;

		expect(scene.view.link, IPC_INVENTORY_CHANGED, &notice);
	}
	CHECK(next(&scene.view, last, &found, "+1\n") == 0 && found.uid == ALICE);
	CHECK_STR(found.name, "zoe");
	/* Once. */
	last = found.generation;
	inventories_know(&broker.inventories, owner_of(ALICE), &account);
	CHECK(next(&scene.view, last, &found, NULL) == -ENOENT);
	end_kid(&scene.bob);
	fd_close(&scene.client);
	end_kid(&scene.view);
	end_kid(&scene.alice);
	stage_close();
}

/* What it had over bob it has not over carol, nor over bob any more. */
static void
test_no_rights_are_left(void)
{
	static const char rules[] = "allow everyone manage own\ndeny uid 0 view uid 2003\n";

	for (unsigned i = 0; i < 2; i++) {
		struct ipc_inventory_found found;
		struct scene scene = look_at_all();
		struct ipc_channel ask = {.conn_id = scene.conn_id, .uid = i == 0 ? CAROL : BOB};
		uint64_t last = broker.inventories.generation;
		struct kid carol;
		int fd;

		see_who_leaves();
		CHECK(next(&scene.view, last, &found, "+0\n") == 0 && found.uid == BOB);
		CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fd) == -EACCES);
		much_later(BOB);
		CHECK(policy_parse(broker.rulebook.now, "policy.conf", rules, strlen(rules)) == 0);
		carol = idle_worker(CAROL);
		list(&carol, "+1\n");
		CHECK(owner_of(CAROL) && !owner_of(BOB) && is_alive(&scene.view));
		CHECK(next(&scene.view, last, &found, NULL) == -ENOENT);
		say(scene.view.link, (struct ipc_header){.type = IPC_CHANNEL, .serial = 6}, &ask,
			sizeof ask, NULL, 0);
		turn();
		reap(&scene.view, SIGKILL);
		expect_nothing(carol.link);
		leave(&scene, &carol);
	}
}

/* One that never asked what has changed since holds nobody up. */
static void
test_does_not_ask(void)
{
	struct scene scene = look_at_all();
	struct kid carol;

	see_who_leaves();
	much_later(BOB);
	CHECK(is_alive(&scene.view));
	carol = idle_worker(CAROL);
	reap(&scene.view, SIGKILL);
	list(&carol, "+1\n");
	leave(&scene, &carol);
}

/* Who runs something, has a worker or has something stays. */
static void
test_who_stays(void)
{
	struct kid alice, bob;
	struct vm vm;

	stage_ready();
	broker.inventories.size = 2;
	alice = idle_worker(ALICE);
	bob = idle_worker(BOB);
	list(&alice, "+0\n");
	list(&bob, "+1\n");
	see_who_leaves();
	CHECK(!owner_of(ALICE)->dropped && !owner_of(BOB)->dropped);
	vm = vm_for(&alice, ALICE, 1);
	end_kid(&bob);
	end_kid(&alice);
	alice = worker(ALICE); /* for her machine */
	see_who_leaves();
	CHECK(!owner_of(ALICE)->dropped && !owner_of(BOB)->dropped);
	end_kid(&vm.kid);
	end_leaf(ALICE, vm.id, 1, 0);
	expect_gone(&alice, vm.id);
	fd_close(&vm.sock);
	see_who_leaves();
	CHECK(!owner_of(ALICE)->dropped);
	end_kid(&alice);
	see_who_leaves();
	CHECK(owner_of(ALICE)->dropped && !owner_of(BOB)->dropped);
	/* She is back at once. */
	alice = next_worker(ALICE);
	CHECK(!owner_of(ALICE)->dropped);
	list(&alice, "+1\n");
	end_kid(&alice);
	stage_close();
}

static void
before(void)
{
	static const char *const texts[] = {"+0\n", "+1\n"};

	for (uint32_t i = 0; i < 2; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "%u", FIRST + i);
		fd_auto int fd = openat(
			broker.places.inventory_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		CHECK(write(fd, texts[i], 3) == 3);
	}
}

/* Of those that the broker before kept it is known as well. */
static void
test_kept_before(void)
{
	stage_before = before;
	stage_ready();
	stage_before = NULL;
	broker.inventories.size = 2;
	see_who_leaves();
	CHECK(owner_of(FIRST)->dropped && !owner_of(FIRST + 1)->dropped);
	stage_close();
}

/* Many more than there are places: each is shown while she is there. */
static void
test_come_and_go(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RW);

	broker.inventories.size = 6;
	for (uint32_t uid = FIRST; uid < FIRST + PEOPLE; uid++) {
		uint64_t last = broker.inventories.generation;
		struct ipc_inventory_found found;
		struct kid kid = idle_worker(uid);

		list(&kid, "+3\n");
		CHECK(next(&scene.view, last, &found, "+3\n") == 0);
		CHECK(found.uid == uid && found.verbs == VERBS_ALL);
		CHECK(next(&scene.view, found.generation, &found, NULL) == -ENOENT);
		list(&kid, "+0\n");
		end_kid(&kid);
		see_who_leaves();
		last = broker.inventories.generation - 1;
		while (next(&scene.view, last, &found, "+0\n") == 0)
			last = found.generation;
		for (uint32_t i = 0; i < broker.inventories.n; i++)
			if (broker.inventories.table[i].dropped)
				much_later(broker.inventories.table[i].uid);
	}
	CHECK(broker.inventories.n <= 6 && is_alive(&scene.view));
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
	log_open("broker_owners", 0);
	n_at_start = n_descriptors();
	TEST("who has nothing makes room for who has, some time later", test_makes_room);
	TEST("a view is told who is called otherwise", test_renamed);
	TEST("a view has nothing over who has the place of another", test_no_rights_are_left);
	TEST("a view that does not ask what has changed is ended, and holds nobody up",
		test_does_not_ask);
	TEST("who runs something, has a worker or has something stays", test_who_stays);
	TEST("what the broker before kept is known to be nothing", test_kept_before);
	TEST("many more than there are places come and go, and each is shown", test_come_and_go);
	TEST("no descriptor is left", test_nothing_left);
	return TEST_END();
}
