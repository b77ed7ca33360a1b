/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Large unfinished packets share a bound: who has a place can finish, who has none waits in line.
 */
#include "serve/inflow.h"

#include "tests/unit/test.h"

#include "lib/err.h"

enum { HALF = INFLOW_MAX / 2, CLAIMS = 4 };

static struct loop loop;
static struct inflow inflow;
static struct inflow_claim claims[CLAIMS];
static char told[64]; /* "g1" when claim 1 was granted, "s1" when it stalled */

static void
tell(char what, const struct inflow_claim *claim)
{
	size_t n = strlen(told);

	(void)snprintf(told + n, sizeof told - n, "%c%td", what, claim - claims);
}

static void
granted(struct inflow_claim *claim)
{
	tell('g', claim);
}

static void
stalled(struct inflow_claim *claim)
{
	tell('s', claim);
	inflow_release(&inflow, claim);
}

static const struct inflow_ops ops = {.granted = granted, .stalled = stalled};

static void
start(void)
{
	ASSERT(loop_init(&loop) == 0);
	inflow_init(&inflow, &loop, &ops);
	memset(claims, 0, sizeof claims);
	told[0] = '\0';
}

static void
stop(void)
{
	for (unsigned i = 0; i < CLAIMS; i++)
		inflow_release(&inflow, &claims[i]);
	CHECK(inflow.granted == 0);
	CHECK(!timer_is_set(&inflow.watch));
	loop_fini(&loop);
}

static void
test_room(void)
{
	start();
	CHECK(inflow_ask(&inflow, &claims[0], HALF));
	CHECK(inflow_ask(&inflow, &claims[1], HALF));
	CHECK(!timer_is_set(&inflow.watch));
	CHECK(!inflow_ask(&inflow, &claims[2], 1));
	inflow_release(&inflow, &claims[0]);
	CHECK_STR(told, "g2");
	CHECK(!timer_is_set(&inflow.watch));
	stop();
}

static void
test_in_line(void)
{
	start();
	CHECK(inflow_ask(&inflow, &claims[0], HALF));
	CHECK(!inflow_ask(&inflow, &claims[1], INFLOW_MAX));
	CHECK(!inflow_ask(&inflow, &claims[2], 1));
	CHECK(!inflow_ask(&inflow, &claims[3], 2));
	/* Nobody passes the first in line. */
	CHECK_STR(told, "");
	inflow_release(&inflow, &claims[0]);
	CHECK_STR(told, "g1");
	inflow_release(&inflow, &claims[1]);
	CHECK_STR(told, "g1g2g3");
	stop();
}

static void
test_leaves_the_line(void)
{
	start();
	CHECK(inflow_ask(&inflow, &claims[0], HALF));
	CHECK(!inflow_ask(&inflow, &claims[1], INFLOW_MAX));
	CHECK(!inflow_ask(&inflow, &claims[2], 1));
	inflow_release(&inflow, &claims[1]);
	CHECK_STR(told, "g2");
	stop();
}

/* The watch, as if it were that much later. */
static void
seconds_later(unsigned n)
{
	for (unsigned i = 0; i < CLAIMS; i++)
		claims[i].heard_ns -= LOOP_S(n);
	timer_set(&loop, &inflow.watch, loop_now(&loop), inflow.watch.fn);
	while (inflow.watch.node.key < loop_now(&loop) + LOOP_S(1))
		ASSERT(loop_once(&loop, 100) == 0 && timer_is_set(&inflow.watch));
}

static void
test_stalled(void)
{
	start();
	CHECK(inflow_ask(&inflow, &claims[0], HALF));
	CHECK(inflow_ask(&inflow, &claims[1], HALF));
	CHECK(!inflow_ask(&inflow, &claims[2], HALF));
	CHECK(!inflow_ask(&inflow, &claims[3], HALF));
	seconds_later(INFLOW_STALL_S - 5);
	CHECK_STR(told, "");
	inflow_heard(&claims[1], loop_now(&loop));
	seconds_later(10);
	CHECK_STR(told, "s0g2");
	stop();
}

int
main(void)
{
	TEST("claims are granted while there is room", test_room);
	TEST("who waits is served in line", test_in_line);
	TEST("who gives up leaves the line", test_leaves_the_line);
	TEST("a holder that sends nothing stalls while others wait", test_stalled);
	return TEST_END();
}
