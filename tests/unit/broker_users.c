/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_users.c: whoever is not in use makes room, strangers first; whoever is in use stays.
 */
#include "broker/users.h"

#include "tests/unit/test.h"

enum { SIZE = 64, SHARE = SIZE / 4, FIRST_STRANGER = 100000 };

static struct users users;

static void
test_find(void)
{
	CHECK(users_init(&users, NULL, SIZE) == 0);
	for (uint32_t i = 0; i < SIZE; i++)
		/* All in one bucket: the chain is followed to its end. */
		CHECK(users_add(&users, i * 65536, false) != NULL);
	for (uint32_t i = 0; i < SIZE; i++)
		CHECK(users_find(&users, i * 65536)->uid == i * 65536);
	CHECK(!users_find(&users, 65535) && !users_find(&users, SIZE * 65536));
	users_fini(&users);
}

static void
test_evict_idle(void)
{
	struct user *kept[5];
	struct lease lease = {.next = NULL};

	CHECK(users_init(&users, NULL, SIZE) == 0);
	for (uint32_t uid = 1; uid <= SIZE; uid++)
		(void)users_add(&users, uid, false);
	kept[0] = users_find(&users, 1);
	kept[0]->budget.n_conns = 1;
	kept[1] = users_find(&users, 2);
	kept[1]->lookup.open = true;
	kept[2] = users_find(&users, 3);
	kept[2]->child.state = CHILD_LEAVING;
	kept[3] = users_find(&users, 4);
	kept[3]->pending.n = 1;
	kept[4] = users_find(&users, 5);
	kept[4]->leases.first = &lease;
	/* Ten times the table comes by; the five in use see none of it. */
	for (uint32_t uid = 1000; uid < 1000 + SIZE * 10; uid++) {
		struct user *user = users_add(&users, uid, false);

		CHECK(user && user->uid == uid && user->budget.n_conns == 0);
		CHECK(user->child.state == CHILD_ABSENT && users_find(&users, uid) == user);
	}
	for (uint32_t i = 0; i < 5; i++)
		CHECK(users_find(&users, i + 1) == kept[i] && kept[i]->uid == i + 1);
	CHECK(!users_find(&users, 6));
	users_fini(&users);
}

static void
test_full(void)
{
	CHECK(users_init(&users, NULL, SIZE) == 0);
	for (uint32_t uid = 1; uid <= SIZE; uid++)
		users_add(&users, uid, false)->budget.n_conns = 1;
	CHECK(!users_add(&users, 1000, false) && !users_add(&users, 1000, true));
	users_find(&users, 9)->budget.n_conns = 0;
	CHECK(users_add(&users, 1000, false) && !users_find(&users, 9));
	users_fini(&users);
}

static void
test_root_stays(void)
{
	CHECK(users_init(&users, NULL, SIZE) == 0);
	(void)users_add(&users, 0, false);
	for (uint32_t uid = 1; uid < 1000; uid++)
		CHECK(users_add(&users, uid, false));
	CHECK(users_find(&users, 0));
	users_fini(&users);
}

static void
test_strangers_share(void)
{
	CHECK(users_init(&users, NULL, SIZE) == 0);
	/* 65,536 subordinate uids, each with a look-up under way. */
	for (uint32_t i = 0; i < 65536; i++) {
		struct user *user = users_add(&users, FIRST_STRANGER + i, true);

		CHECK(!user == (i >= SHARE));
		if (user)
			user->lookup.open = true;
	}
	CHECK(users.n_strangers[STRANGERS_FAR] == SHARE);
	/* A newcomer has nothing to do with them: her group has its own quarter, and its own budget. */
	CHECK(users_add(&users, 2000, true));
	CHECK(users_budget(&users, 2000, users_find(&users, 2000)) !=
		users_budget(&users, FIRST_STRANGER, users_find(&users, FIRST_STRANGER)));
	CHECK(users_budget(&users, 2001, NULL) ==
		users_budget(&users, 2000, users_find(&users, 2000)));
	/* The rest of the table is there for those who are known. */
	for (uint32_t uid = 1; uid <= SIZE - SHARE; uid++)
		users_add(&users, uid, false)->budget.n_conns = 1;
	CHECK(!users_add(&users, 1000, false));
	/* Idle strangers leave for those who are known, and for each other. */
	users_find(&users, FIRST_STRANGER)->lookup.open = false;
	CHECK(users_add(&users, 1000, false) && !users_find(&users, FIRST_STRANGER));
	users_find(&users, FIRST_STRANGER + 1)->lookup.open = false;
	CHECK(users_add(&users, FIRST_STRANGER + 70000, true));
	CHECK(!users_find(&users, FIRST_STRANGER + 1) &&
		users.n_strangers[STRANGERS_FAR] == SHARE - 1);
	users_fini(&users);
}

static void
test_known_are_spared(void)
{
	CHECK(users_init(&users, NULL, SIZE) == 0);
	for (uint32_t uid = 1; uid <= SIZE; uid++)
		(void)users_add(&users, uid, false);
	/* Everybody known is idle; an idle stranger goes first all the same. */
	users_set_stranger(&users, users_find(&users, 40), true);
	CHECK(users_add(&users, 1000, false) && !users_find(&users, 40));
	CHECK(users.n_strangers[STRANGERS_NEAR] == 0);
	users_fini(&users);
}

static void
test_budgets(void)
{
	struct user *a, *b, *known;

	CHECK(users_init(&users, NULL, SIZE) == 0);
	a = users_add(&users, FIRST_STRANGER, true);
	b = users_add(&users, FIRST_STRANGER + 1, true);
	known = users_add(&users, 1000, false);
	CHECK(users_budget(&users, a->uid, a) == users_budget(&users, b->uid, b));
	CHECK(users_budget(&users, 1000, known) == &known->budget);
	users_set_stranger(&users, a, false);
	CHECK(users_budget(&users, a->uid, a) == &a->budget &&
		users.n_strangers[STRANGERS_FAR] == 1);
	users_set_stranger(&users, a, false);
	CHECK(users.n_strangers[STRANGERS_FAR] == 1);
	users_fini(&users);
}

static void
test_next(void)
{
	unsigned n = 0;

	CHECK(users_init(&users, NULL, SIZE) == 0);
	CHECK(!users_next(&users, NULL));
	for (uint32_t uid = 1; uid <= 10; uid++)
		(void)users_add(&users, uid, false);
	for (const struct user *user = NULL; (user = users_next(&users, user));)
		n += user->uid;
	CHECK(n == 55);
	users_fini(&users);
}

int
main(void)
{
	TEST("a uid is found whatever shares its bucket", test_find);
	TEST("who is idle makes room, who is not stays", test_evict_idle);
	TEST("a table of people in use takes no more", test_full);
	TEST("root's entry stays", test_root_stays);
	TEST("strangers have a quarter of the table between them", test_strangers_share);
	TEST("an idle stranger goes before anybody known", test_known_are_spared);
	TEST("strangers share one budget, each known uid has its own", test_budgets);
	TEST("the entries in use can be walked", test_next);
	return TEST_END();
}
