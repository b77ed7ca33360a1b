/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utc.c: universal time is what libc says it is, on every day of four centuries and at their ends.
 */
#include "lib/utc.h"

#include <stdbool.h>
#include <time.h>

#include "tests/unit/test.h"

static bool
agrees(uint64_t seconds)
{
	struct utc utc = utc_of(seconds);
	time_t t = (time_t)seconds;
	struct tm tm;

	return gmtime_r(&t, &tm) && utc.year == (uint32_t)tm.tm_year + 1900 &&
	       utc.month == tm.tm_mon + 1 && utc.day == tm.tm_mday && utc.hour == tm.tm_hour &&
	       utc.minute == tm.tm_min && utc.second == tm.tm_sec;
}

static void
test_days(void)
{
	unsigned n = 0;

	for (uint64_t day = 0; day < 146097 + 366; day++)
		n += agrees(day * 86400 + day % 86400);
	CHECK(n == 146097 + 366);
}

static void
test_ends(void)
{
	struct utc last = utc_of(UINT64_MAX);

	CHECK(agrees(0) && agrees(86399) && agrees(86400) && agrees(UINT64_C(253402300799)));
	CHECK(last.year == 9999 && last.month == 12 && last.day == 31 && last.second == 59);
}

int
main(void)
{
	TEST("every day of four centuries is libc's", test_days);
	TEST("the first and the last second", test_ends);
	return TEST_END();
}
