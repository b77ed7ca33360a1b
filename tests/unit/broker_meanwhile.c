/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_meanwhile.c: what was in force when somebody began counts no more when other rules hold: neither
 * for a channel that waits for its owner's account, nor for a worker that goes on for what runs.
 */
#include "protocol/verb.h"
#include "tests/unit/broker_looking.h"
#include "tests/unit/broker_rules.h"
#include "tests/unit/broker_vms.h"

#define OWN "allow everyone manage own\n"

/* root asks for a way to bob, whose account has to be looked up first, and then other rules hold. */
static struct scene
ask_and_reload(const char *rules)
{
	struct scene scene;
	struct user *bob;
	int fd;

	open_with(OWN);
	scene = set_scene(IPC_SOCKET_RW);
	bob = users_find(&broker.users, BOB);
	bob->has_account = false;
	bob->lookup_again_ns = 0;
	CHECK(ask_channel(&scene.view, scene.conn_id, BOB, &fd) == 0);
	fd_close(&fd);
	reload(rules);
	CHECK(bob->pending.n == 1);
	resolve(BOB);
	return scene;
}

static void
leave(struct scene *scene)
{
	remove_rules();
	end_scene(scene);
	stage_before = NULL;
}

static void
test_nothing_left(void)
{
	struct scene scene = ask_and_reload(OWN "deny uid 0 view uid 2002\n");

	CHECK(strstr(expect_refusal(IPC_REFUSAL_POLICY).reason, "policy.conf:2"));
	expect_nothing(scene.bob.link);
	leave(&scene);
}

static void
test_less(void)
{
	struct scene scene = ask_and_reload(OWN "deny uid 0 power uid 2002\n");
	struct ipc_conn_pass pass = serve(&scene.bob);

	CHECK(pass.verbs == (VERBS_ALL & ~(VERB_POWER | VERB_MANAGE)));
	CHECK(strstr(pass.reason, "policy.conf:2"));
	leave(&scene);
}

/* Her worker is there for a machine that runs; another starts only for who may have it so. */
static void
test_denied(void)
{
	struct scene scene;
	struct vm first, second;
	int fd;

	open_with(OWN);
	scene = set_scene(IPC_SOCKET_RW);
	first = vm_for(&scene.alice, ALICE, 1);
	reload(OWN "deny user u2001 view\n");
	resolve_user("u2001", ALICE);
	refused_in_words(&scene.alice, 2, NULL);
	/* What she has is kept, and root may have her start another. */
	CHECK(is_alive(&first.kid) && is_alive(&scene.alice));
	CHECK(ask_channel(&scene.view, scene.conn_id, ALICE, &fd) == 0);
	CHECK(take_one(&scene.alice).verbs == VERBS_ALL);
	second = vm_for(&scene.alice, ALICE, 2);
	fd_close(&fd);
	end_vm(&scene.alice, ALICE, 1, &first);
	end_vm(&scene.alice, ALICE, 2, &second);
	leave(&scene);
}

/* By her groups others may have verbs over what she has: who leaves one need not be connected. */
static void
test_looked_up(void)
{
	struct scene scene;
	struct vm vm;

	open_with(OWN);
	scene = set_scene(IPC_SOCKET_RW);
	vm = vm_for(&scene.alice, ALICE, 1);
	users_find(&broker.users, ALICE)->lookup_again_ns = 1;
	users_find(&broker.users, BOB)->lookup_again_ns = 1;
	be_due(&broker.authority.tick);
	resolve(ALICE);
	expect_nothing(starter_fd);
	end_vm(&scene.alice, ALICE, 1, &vm);
	leave(&scene);
}

int
main(void)
{
	TEST("a channel that has nothing left is refused", test_nothing_left);
	TEST("one that has less left brings that to the worker", test_less);
	TEST("who is denied all starts nothing more by what still runs", test_denied);
	TEST("whose machines run is looked up though nobody is connected", test_looked_up);
	return TEST_END();
}
