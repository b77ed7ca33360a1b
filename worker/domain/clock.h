/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clock.h: what time it is for the guest, and the timers that it counts it with.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_CLOCK_H
#define WORKER_DOMAIN_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/domain/device.h"

struct _xmlNode;
struct domain_def;
struct domain_parse;
struct writer;

enum domain_clock_offset {
	DOMAIN_CLOCK_UTC = 1,
	DOMAIN_CLOCK_LOCALTIME,
	DOMAIN_CLOCK_VARIABLE,
	DOMAIN_CLOCK_TIMEZONE,
	DOMAIN_CLOCK_ABSOLUTE,
};
enum domain_clock_basis { DOMAIN_CLOCK_BASIS_UTC = 1, DOMAIN_CLOCK_BASIS_LOCALTIME };

enum domain_timer_name {
	DOMAIN_TIMER_PLATFORM = 1, /* of other hypervisors */
	DOMAIN_TIMER_PIT,
	DOMAIN_TIMER_RTC,
	DOMAIN_TIMER_HPET,
	DOMAIN_TIMER_TSC,
	DOMAIN_TIMER_KVMCLOCK,
	DOMAIN_TIMER_HYPERVCLOCK,
	DOMAIN_TIMER_ARMVTIMER, /* of other processors */
	DOMAIN_TIMER_N
};
enum domain_tick_policy {
	DOMAIN_TICK_DELAY = 1,
	DOMAIN_TICK_CATCHUP,
	DOMAIN_TICK_MERGE,
	DOMAIN_TICK_DISCARD,
};
enum domain_timer_track {
	DOMAIN_TRACK_BOOT = 1,
	DOMAIN_TRACK_GUEST,
	DOMAIN_TRACK_WALL,
	DOMAIN_TRACK_REALTIME,
};
enum domain_timer_mode {
	DOMAIN_TIMER_AUTO = 1,
	DOMAIN_TIMER_NATIVE,
	DOMAIN_TIMER_EMULATE,
	DOMAIN_TIMER_PARAVIRT,
	DOMAIN_TIMER_SMPSAFE,
};

struct domain_timer {
	enum domain_timer_name name;
	enum domain_switch present;
	enum domain_tick_policy tick_policy;
	enum domain_timer_track track;         /* rtc only */
	enum domain_timer_mode mode;           /* tsc only */
	uint64_t frequency;                    /* Hz; tsc only; 0: not said */
	uint32_t catch_threshold, slew, limit; /* with DOMAIN_TICK_CATCHUP; 0: not said */
};

struct domain_clock {
	enum domain_clock_offset offset;
	enum domain_clock_basis basis; /* variable only */
	bool reset;                    /* utc, localtime: adjustment='reset' */
	/*
	 * Seconds: variable: what the guest's clock is ahead of its basis; absolute: when it starts,
	 * since 1970.
	 */
	int64_t adjustment;
	char *timezone; /* timezone only: a file below /usr/share/zoneinfo */
	/* Of a running VM: what its clock showed when it began; see domain_clock_begin(). */
	int64_t began;
	int64_t changed; /* seconds that the guest has moved it since, if it is variable */
	struct domain_timer timers[DOMAIN_TIMER_N]; /* in the order in which they were given */
	size_t n_timers;
};

/**
 * Decide what the guest's clock shows at its start. now: seconds since 1970; ahead: seconds that
 * local time, of the host or of the clock's own time zone, is ahead of UTC now.
 */
void domain_clock_begin(struct domain_clock *clock, int64_t now, int64_t ahead);

/** The timer of that name, or NULL. */
const struct domain_timer *domain_clock_timer(
	const struct domain_clock *clock, enum domain_timer_name name);

/** <clock> */
int domain_clock_parse(struct domain_parse *p, struct _xmlNode *domain);
void domain_clock_format(struct writer *w, const struct domain_def *def);
void domain_clock_fini(struct domain_clock *clock);

#endif
