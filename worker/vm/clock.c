/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clock.c: what time it is for a guest; see clock.h.
 *
 * Runs in the worker, as the user.
 */
#include "worker/vm/clock.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/take.h"
#include "protocol/rpc/procedure.h"

/* Ten thousand years. */
#define CHANGE_MAX (INT64_C(10000) * 366 * 86400)

/* Seconds that local time is ahead of UTC. */
static int64_t
local_ahead(time_t now)
{
	struct tm tm;

	/* localtime_r() need not look whether TZ has changed. */
	tzset();
	return localtime_r(&now, &tm) ? tm.tm_gmtoff : 0;
}

static int
zone_ahead(const char *zone, time_t now, int64_t *ret_ahead)
{
	const char *tz = getenv("TZ");
	free_auto char *before = tz ? strdup(tz) : NULL;
	char path[PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", zone);
	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	if ((tz && !before) || setenv("TZ", zone, 1) < 0)
		return -ENOMEM;
	*ret_ahead = local_ahead(now);
	/* A value that was there fits again. */
	if (before)
		(void)setenv("TZ", before, 1);
	else
		(void)unsetenv("TZ");
	return 0;
}

int
vm_clock_begin(struct domain_clock *clock, struct rpc_error *error)
{
	time_t now = time(NULL);
	int64_t ahead = 0;
	int r = 0;

	if (clock->timezone)
		r = zone_ahead(clock->timezone, now, &ahead);
	else
		ahead = local_ahead(now);
	if (r < 0)
		return rpc_error_set_errno(error, -r, VIR_FROM_QEMU,
			"time zone '%s' cannot be read below /usr/share/zoneinfo; give another, or "
			"install the package tzdata",
			clock->timezone);
	domain_clock_begin(clock, now, ahead);
	return RPC_DONE;
}

int64_t
vm_clock_changed(struct domain_clock *clock, int64_t offset)
{
	if (clock->offset != DOMAIN_CLOCK_VARIABLE)
		return offset;
	/* A guest may set any date; nothing beyond all of them is added up. */
	clock->changed = offset > CHANGE_MAX    ? CHANGE_MAX
			 : offset < -CHANGE_MAX ? -CHANGE_MAX
						: offset;
	offset = clock->adjustment + clock->changed;
	return clock->basis == DOMAIN_CLOCK_BASIS_LOCALTIME ? offset + local_ahead(time(NULL))
							    : offset;
}
