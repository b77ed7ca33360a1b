/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest's clock begins with the time of its offset, its basis and its time zone; a zone that is
 * not known is an error, and the worker's own zone stays what it was.
 */
#include "worker/vm/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/take.h"
#include "protocol/rpc/procedure.h"
#include "tests/unit/test.h"

/* Of how many seconds it is ahead of now. */
static int64_t
ahead(struct domain_clock clock)
{
	struct rpc_error error;

	CHECK(vm_clock_begin(&clock, &error) == RPC_DONE);
	return clock.began - time(NULL);
}

/* A test may be held up. */
static bool
near(int64_t got, int64_t want)
{
	return got >= want - 30 && got <= want;
}

static void
offsets(void)
{
	char kolkata[] = "Asia/Kolkata", utc[] = "Etc/UTC";

	CHECK(setenv("TZ", "Asia/Tokyo", 1) == 0);
	CHECK(near(ahead((struct domain_clock){.offset = DOMAIN_CLOCK_UTC}), 0));
	CHECK(near(ahead((struct domain_clock){.offset = DOMAIN_CLOCK_LOCALTIME}), 9 * 3600));
	CHECK(near(
		ahead((struct domain_clock){.offset = DOMAIN_CLOCK_TIMEZONE, .timezone = kolkata}),
		5 * 3600 + 1800));
	CHECK_STR(getenv("TZ"), "Asia/Tokyo");
	CHECK(near(ahead((struct domain_clock){.offset = DOMAIN_CLOCK_LOCALTIME}), 9 * 3600));
	CHECK(near(ahead((struct domain_clock){.offset = DOMAIN_CLOCK_VARIABLE,
			   .basis = DOMAIN_CLOCK_BASIS_UTC,
			   .adjustment = -500}),
		-500));
	CHECK(near(ahead((struct domain_clock){.offset = DOMAIN_CLOCK_VARIABLE,
			   .basis = DOMAIN_CLOCK_BASIS_LOCALTIME,
			   .adjustment = 1000}),
		9 * 3600 + 1000));
	CHECK(unsetenv("TZ") == 0);
	CHECK(near(
		ahead((struct domain_clock){.offset = DOMAIN_CLOCK_TIMEZONE, .timezone = utc}), 0));
	CHECK(!getenv("TZ"));
}

static void
absolute(void)
{
	struct domain_clock clock = {.offset = DOMAIN_CLOCK_ABSOLUTE, .adjustment = 1234567890};
	struct rpc_error error;

	CHECK(vm_clock_begin(&clock, &error) == RPC_DONE && clock.began == 1234567890);
}

static void
unknown(void)
{
	char nowhere[] = "Nowhere/Land", folder[] = "Europe";
	struct domain_clock clock = {.offset = DOMAIN_CLOCK_TIMEZONE, .timezone = nowhere};
	struct rpc_error error;

	CHECK(vm_clock_begin(&clock, &error) == RPC_FAILED);
	CHECK(strstr(error.message, "Nowhere/Land"));
	clock.timezone = folder;
	CHECK(vm_clock_begin(&clock, &error) == RPC_FAILED);
}

static void
changed(void)
{
	struct domain_clock fixed = {.offset = DOMAIN_CLOCK_UTC},
			    variable = {.offset = DOMAIN_CLOCK_VARIABLE,
				    .basis = DOMAIN_CLOCK_BASIS_UTC,
				    .adjustment = 100};

	CHECK(vm_clock_changed(&fixed, 10) == 10 && fixed.changed == 0);
	CHECK(vm_clock_changed(&variable, 10) == 110 && variable.changed == 10);
	/* Each event has all that has changed since the beginning. */
	CHECK(vm_clock_changed(&variable, 20) == 120 && variable.changed == 20);
	CHECK(vm_clock_changed(&variable, INT64_MIN) < 0);
	CHECK(vm_clock_changed(&variable, INT64_MAX) > 0);
	variable.basis = DOMAIN_CLOCK_BASIS_LOCALTIME;
	CHECK(setenv("TZ", "Asia/Tokyo", 1) == 0);
	CHECK(vm_clock_changed(&variable, -10) == 9 * 3600 + 90);
	CHECK(unsetenv("TZ") == 0);
}

int
main(void)
{
	if (access("/usr/share/zoneinfo/Asia/Kolkata", R_OK) < 0) {
		printf("1..0 # SKIP the package tzdata is not installed\n");
		return 0;
	}
	TEST("offset, basis and time zone", offsets);
	TEST("an absolute start is what it says", absolute);
	TEST("a time zone that there is not", unknown);
	TEST("what the guest sets it to is told from UTC, and is in its definition", changed);
	return TEST_END();
}
