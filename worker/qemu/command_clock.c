/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_clock.c: the guest's clock.
 *
 * Runs in the worker, as the user. Pure: what time it is was decided before (domain_clock_begin()).
 */
#include "worker/qemu/command_machine.h"

#include <stdio.h>
#include <time.h>

/* QEMU's own words are for the host's clock, and its time zone, which the box has. */
static void
base_of(const struct domain_clock *clock, char *text, size_t size)
{
	time_t began = (time_t)clock->began;
	struct tm tm;

	if (clock->offset == DOMAIN_CLOCK_ABSOLUTE)
		began = (time_t)clock->adjustment;
	(void)snprintf(
		text, size, "%s", clock->offset == DOMAIN_CLOCK_LOCALTIME ? "localtime" : "utc");
	if (clock->offset != DOMAIN_CLOCK_UTC && clock->offset != DOMAIN_CLOCK_LOCALTIME &&
		gmtime_r(&began, &tm))
		(void)strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
}

static const char *
track_of(const struct domain_timer *rtc)
{
	switch (rtc ? rtc->track : 0) {
	case DOMAIN_TRACK_GUEST:
		return ",clock=vm";
	case DOMAIN_TRACK_WALL:
		return ",clock=host";
	case DOMAIN_TRACK_REALTIME:
		return ",clock=rt";
	default:
		return "";
	}
}

/* QEMU's own policy is "discard"; libvirt's, of a timer that is named, "delay". */
static void
add_pit(struct command_line *line)
{
	const struct domain_timer *pit = domain_clock_timer(&line->def->clock, DOMAIN_TIMER_PIT);

	if (!pit || pit->tick_policy == DOMAIN_TICK_CATCHUP)
		return;
	command_line_add(line, "-global");
	command_line_add_f(line, "kvm-pit.lost_tick_policy=%s",
		pit->tick_policy == DOMAIN_TICK_DISCARD ? "discard" : "delay");
}

void
command_add_clock(struct command_line *line)
{
	const struct domain_clock *clock = &line->def->clock;
	const struct domain_timer *rtc = domain_clock_timer(clock, DOMAIN_TIMER_RTC);
	bool slew = rtc && rtc->tick_policy == DOMAIN_TICK_CATCHUP;
	char base[32];

	base_of(clock, base, sizeof(base));
	command_line_add(line, "-rtc");
	command_line_add_f(line, "base=%s%s%s", base, track_of(rtc), slew ? ",driftfix=slew" : "");
	add_pit(line);
}

static void
add_disable(struct command_line *line, const char *what, enum domain_switch enabled)
{
	const char *device = line->def->os.chipset == DOMAIN_CHIPSET_Q35 ? "ICH9-LPC" : "PIIX4_PM";

	if (!enabled)
		return;
	command_line_add(line, "-global");
	command_line_add_f(line, "%s.disable_%s=%d", device, what, enabled == DOMAIN_OFF);
}

void
command_add_sleep(struct command_line *line)
{
	/* What does it is a part of ACPI. */
	if (!domain_feature_is_on(&line->def->features, DOMAIN_FEATURE_ACPI))
		return;
	add_disable(line, "s3", line->def->suspend_to_mem);
	add_disable(line, "s4", line->def->suspend_to_disk);
}
