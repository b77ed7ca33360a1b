/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_budget.c: a uid is served up to its limits, refused up to twice those, and closed past
 * that.
 */
#include "broker/budget.h"

#include "broker/pace.h"
#include "lib/loop.h"
#include "tests/unit/test.h"

static const struct budget_limits limits = {.connections = 10, .connections_per_second = 100};

/* Counts of each verdict of n connections that come at once and go at once. */
static void
burst(struct budget *budget, uint64_t now_ns, unsigned n, unsigned counts[static 5])
{
	for (unsigned i = 0; i < n; i++)
		counts[budget_judge(budget, &limits, now_ns)]++;
}

static void
test_rate(void)
{
	unsigned counts[5] = {0}, later[5] = {0}, slow = 0;
	struct budget budget = {.n_conns = 0};

	burst(&budget, LOOP_S(5), 1000, counts);
	CHECK(counts[BUDGET_SERVE] == 100 && counts[BUDGET_TOO_OFTEN] == 100);
	CHECK(counts[BUDGET_CLOSE] == 800);
	/* A second later there is a second's worth again, neither more nor less. */
	burst(&budget, LOOP_S(6), 1000, later);
	CHECK(later[BUDGET_SERVE] == 100 && later[BUDGET_TOO_OFTEN] == 100);
	/* At the limit's own pace everything is served, for as long as one likes. */
	budget = (struct budget){.n_conns = 0};
	for (uint64_t i = 0; i < 5000; i++)
		slow += budget_judge(&budget, &limits, LOOP_S(1) + i * LOOP_MS(10)) == BUDGET_SERVE;
	CHECK(slow == 5000);
}

static void
test_flood_gets_its_share(void)
{
	unsigned counts[5] = {0};
	struct budget budget = {.n_conns = 0};

	/* 1000 a second for ten seconds: still served as much as the limit allows. */
	for (uint64_t i = 0; i < 10000; i++)
		counts[budget_judge(&budget, &limits, LOOP_S(1) + i * LOOP_MS(1))]++;
	CHECK(counts[BUDGET_SERVE] >= 1090 && counts[BUDGET_SERVE] <= 1100);
	CHECK(counts[BUDGET_TOO_OFTEN] >= 1080 && counts[BUDGET_TOO_OFTEN] <= 1100);
}

static void
test_count(void)
{
	struct budget budget = {.n_conns = 9};

	CHECK(budget_judge(&budget, &limits, 1) == BUDGET_SERVE);
	budget.n_conns = 10;
	CHECK(budget_judge(&budget, &limits, 1) == BUDGET_TOO_MANY);
	budget.n_conns = 19;
	CHECK(budget_judge(&budget, &limits, 1) == BUDGET_TOO_MANY);
	budget.n_conns = 20;
	CHECK(budget_judge(&budget, &limits, 1) == BUDGET_CLOSE);
}

static void
test_ready(void)
{
	struct bucket_size size = {.interval_ns = 10, .burst = 3};
	struct bucket bucket = {0};

	CHECK(bucket_ready(&bucket, 100, size) == 100);
	for (int i = 0; i < 3; i++)
		CHECK(bucket_take(&bucket, 100, size));
	CHECK(!bucket_take(&bucket, 100, size) && !bucket_take(&bucket, 109, size));
	CHECK(bucket_ready(&bucket, 100, size) == 110);
	CHECK(bucket_take(&bucket, 110, size) && !bucket_take(&bucket, 110, size));
}

static void
test_pace(void)
{
	struct pace pace = {0};
	uint64_t n = 0;

	CHECK(pace_tell(&pace, LOOP_S(3), &n) && n == 1);
	for (int i = 0; i < 9; i++)
		CHECK(!pace_tell(&pace, LOOP_S(3) + 5, &n));
	CHECK(pace_tell(&pace, LOOP_S(4), &n) && n == 10);
	CHECK(!pace_tell(&pace, LOOP_S(4), &n));
}

int
main(void)
{
	TEST("a burst is served, then refused, then closed", test_rate);
	TEST("who floods is still served as often as the limit says", test_flood_gets_its_share);
	TEST("as many connections as allowed, twice as many refused", test_count);
	TEST("a bucket says when there is a token again", test_ready);
	TEST("what happens often is told once a second, with its number", test_pace);
	return TEST_END();
}
