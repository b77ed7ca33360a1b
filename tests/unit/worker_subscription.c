/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Subscriptions have ids of their own, are found by them, and are bounded.
 */
#include "serve/subscription.h"

#include "tests/unit/test.h"

static const uint8_t one[16] = {1}, two[16] = {2}, zero[16] = {0};

static void
test_add_and_remove(void)
{
	struct subscriptions s = {.n = 0};
	int32_t a, b, c, d, e;

	CHECK(subscription_add(&s, 0, NULL, &a) == 0);
	CHECK(subscription_add(&s, 0, one, &b) == 0);
	CHECK(subscription_add(&s, 0, two, &c) == 0);
	CHECK(subscription_add(&s, 0, zero, &d) == 0);
	CHECK(subscription_add(&s, 1, NULL, &e) == 0);
	CHECK(a != b && b != c && c != d && d != e);
	CHECK(subscription_add(&s, 0, NULL, &e) == SUBSCRIPTION_E_AGAIN);
	CHECK(subscription_add(&s, 0, one, &e) == SUBSCRIPTION_E_AGAIN);
	CHECK(subscription_remove(&s, b) == 0);
	CHECK(subscription_remove(&s, b) == SUBSCRIPTION_E_NONE);
	CHECK(subscription_remove(&s, a) == 0 && subscription_remove(&s, c) == 0);
	CHECK(s.n == 2);
	/* An id is not used again. */
	CHECK(subscription_add(&s, 0, NULL, &e) == 0);
	CHECK(e != a && e != b && e != c && e != d);
	subscriptions_fini(&s);
	CHECK(s.n == 0 && !s.list);
}

/* The last one gone, no memory is kept: most connections have none. */
static void
test_empty(void)
{
	struct subscriptions s = {.n = 0};
	int32_t id;

	CHECK(subscription_add(&s, 3, NULL, &id) == 0);
	CHECK(subscription_remove(&s, id) == 0);
	CHECK(!s.list && s.room == 0);
	CHECK(subscription_remove(&s, id) == SUBSCRIPTION_E_NONE);
}

static void
test_bound(void)
{
	struct subscriptions s = {.n = 0};
	uint8_t uuid[16] = {0};
	int32_t id;

	for (unsigned i = 0; i < SUBSCRIPTIONS_MAX; i++) {
		uuid[0] = (uint8_t)i;
		uuid[1] = (uint8_t)(i >> 8);
		CHECK(subscription_add(&s, 0, uuid, &id) == 0);
	}
	CHECK(subscription_add(&s, 1, NULL, &id) == SUBSCRIPTION_E_FULL);
	CHECK(subscription_remove(&s, id) == 0);
	CHECK(subscription_add(&s, 1, NULL, &id) == 0);
	subscriptions_fini(&s);
	s.last_id = INT32_MAX - 1;
	CHECK(subscription_add(&s, 1, NULL, &id) == 0 && id == INT32_MAX);
	CHECK(subscription_add(&s, 2, NULL, &id) == SUBSCRIPTION_E_FULL);
	subscriptions_fini(&s);
}

int
main(void)
{
	TEST("added, found again, removed", test_add_and_remove);
	TEST("an empty set holds no memory", test_empty);
	TEST("there is a bound, and ids do not wrap", test_bound);
	return TEST_END();
}
