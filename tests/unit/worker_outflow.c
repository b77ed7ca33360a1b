/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unread output of all connections shares a bound: past it those go who have gone longest without
 * reading what waited, and nobody who reads.
 */
#include "serve/outflow.h"

#include "tests/unit/test.h"

#include "lib/err.h"
#include "lib/take.h"

enum { SHARES = 6, QUARTER = OUTFLOW_MAX / 4 };

static struct outflow outflow;
static struct outflow_share shares[SHARES];
static char gone[SHARES + 1]; /* the numbers of those that had to go */

static void
evicted(struct outflow_share *share)
{
	size_t n = strlen(gone);

	CHECK(share->size == 0);
	ASSERT(n < SHARES);
	gone[n] = (char)('0' + (share - shares));
	gone[n + 1] = '\0';
}

static void
begin(void)
{
	memset(shares, 0, sizeof shares);
	gone[0] = '\0';
	outflow_init(&outflow, evicted);
	for (unsigned i = 0; i < 4; i++)
		outflow_set(&outflow, &shares[i], QUARTER, 0, 100);
	CHECK_STR(gone, "");
	CHECK(outflow.held == OUTFLOW_MAX);
}

static void
test_free(void)
{
	begin();
	outflow_set(&outflow, &shares[4], OUTFLOW_FREE, 0, OUTFLOW_FREE);
	CHECK_STR(gone, "");
	outflow_set(&outflow, &shares[4], OUTFLOW_FREE + 1, 0, OUTFLOW_FREE + 1);
	CHECK_STR(gone, "0");
	outflow_set(&outflow, &shares[4], OUTFLOW_FREE, 1, OUTFLOW_FREE + 1);
	CHECK(outflow.held == 3 * (size_t)QUARTER);
}

static void
test_reads(void)
{
	begin();
	/* The first has read a little, the second all that waited, the third all and nothing waits. */
	outflow_set(&outflow, &shares[0], QUARTER, 99, 100);
	outflow_set(&outflow, &shares[1], QUARTER, 100, 1000);
	outflow_set(&outflow, &shares[2], 0, 100, 100);
	outflow_set(&outflow, &shares[2], QUARTER, 100, 200);
	outflow_set(&outflow, &shares[4], QUARTER, 0, 100);
	CHECK_STR(gone, "0");
	outflow_set(&outflow, &shares[5], QUARTER, 0, 100);
	CHECK_STR(gone, "03");
	outflow_set(&outflow, &shares[5], 3 * (size_t)QUARTER, 0, 100);
	CHECK_STR(gone, "0312");
	CHECK(outflow.held == OUTFLOW_MAX);
}

static void
test_alone(void)
{
	begin();
	outflow_set(&outflow, &shares[3], (size_t)OUTFLOW_MAX + 1, 0, 100);
	CHECK_STR(gone, "0123");
	CHECK(outflow.held == 0);
	outflow_release(&outflow, &shares[3]);
	CHECK(outflow.held == 0);
}

int
main(void)
{
	TEST("what is everybody's own is not counted", test_free);
	TEST("who has read what waited comes last", test_reads);
	TEST("one alone may not hold more than all", test_alone);
	return TEST_END();
}
