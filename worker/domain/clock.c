/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clock.c: the guest's clock; see clock.h.
 *
 * Runs in the worker, as the user. Pure. What is refused, and how, is what libvirt 9.0 refuses when
 * a machine is defined or started (virDomainClockDefParseXML, qemuValidateDomainDefClockTimers).
 */
#include "worker/domain/clock.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/parse.h"

/* A century before or behind the host, and the last second of a year with four digits. */
#define ADJUSTMENT_MAX (INT64_C(100) * 366 * 86400)
#define START_MAX      INT64_C(253402300799)

static const struct xml_word offsets[] = {
	{"utc", DOMAIN_CLOCK_UTC},
	{"localtime", DOMAIN_CLOCK_LOCALTIME},
	{"variable", DOMAIN_CLOCK_VARIABLE},
	{"timezone", DOMAIN_CLOCK_TIMEZONE},
	{"absolute", DOMAIN_CLOCK_ABSOLUTE},
	{NULL, 0},
};
static const struct xml_word bases[] = {
	{"utc", DOMAIN_CLOCK_BASIS_UTC},
	{"localtime", DOMAIN_CLOCK_BASIS_LOCALTIME},
	{NULL, 0},
};
static const struct xml_word names[] = {
	{"platform", DOMAIN_TIMER_PLATFORM},
	{"pit", DOMAIN_TIMER_PIT},
	{"rtc", DOMAIN_TIMER_RTC},
	{"hpet", DOMAIN_TIMER_HPET},
	{"tsc", DOMAIN_TIMER_TSC},
	{"kvmclock", DOMAIN_TIMER_KVMCLOCK},
	{"hypervclock", DOMAIN_TIMER_HYPERVCLOCK},
	{"armvtimer", DOMAIN_TIMER_ARMVTIMER},
	{NULL, 0},
};
static const struct xml_word policies[] = {
	{"delay", DOMAIN_TICK_DELAY},
	{"catchup", DOMAIN_TICK_CATCHUP},
	{"merge", DOMAIN_TICK_MERGE},
	{"discard", DOMAIN_TICK_DISCARD},
	{NULL, 0},
};
static const struct xml_word tracks[] = {
	{"boot", DOMAIN_TRACK_BOOT},
	{"guest", DOMAIN_TRACK_GUEST},
	{"wall", DOMAIN_TRACK_WALL},
	{"realtime", DOMAIN_TRACK_REALTIME},
	{NULL, 0},
};
static const struct xml_word modes[] = {
	{"auto", DOMAIN_TIMER_AUTO},
	{"native", DOMAIN_TIMER_NATIVE},
	{"emulate", DOMAIN_TIMER_EMULATE},
	{"paravirt", DOMAIN_TIMER_PARAVIRT},
	{"smpsafe", DOMAIN_TIMER_SMPSAFE},
	{NULL, 0},
};

/* --- what time it is ---------------------------------------------------------------------- */

void
domain_clock_begin(struct domain_clock *clock, int64_t now, int64_t ahead)
{
	switch (clock->offset) {
	case DOMAIN_CLOCK_UTC:
		clock->began = now;
		break;
	case DOMAIN_CLOCK_LOCALTIME:
	case DOMAIN_CLOCK_TIMEZONE:
		clock->began = now + ahead;
		break;
	case DOMAIN_CLOCK_VARIABLE:
		clock->began = now + clock->adjustment;
		if (clock->basis == DOMAIN_CLOCK_BASIS_LOCALTIME)
			clock->began += ahead;
		break;
	case DOMAIN_CLOCK_ABSOLUTE:
		clock->began = clock->adjustment;
		break;
	}
}

const struct domain_timer *
domain_clock_timer(const struct domain_clock *clock, enum domain_timer_name name)
{
	for (size_t i = 0; i < clock->n_timers; i++)
		if (clock->timers[i].name == name)
			return &clock->timers[i];
	return NULL;
}

/* --- <clock> ------------------------------------------------------------------------------ */

static bool
read_seconds(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	const char *digits = text + (*text == '-' || *text == '+');
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return isdigit((unsigned char)*digits) && !*end && !errno && *ret >= min && *ret <= max;
}

static int
parse_adjustment(struct domain_parse *p, xmlNode *node)
{
	struct domain_clock *clock = &p->def->clock;
	const char *text = xml_attr(node, "adjustment");

	if (text && !read_seconds(text, -ADJUSTMENT_MAX, ADJUSTMENT_MAX, &clock->adjustment))
		return refuse_xml(p, "unknown clock adjustment '%.100s'", text);
	return 0;
}

static int
parse_variable(struct domain_parse *p, xmlNode *node)
{
	struct domain_clock *clock = &p->def->clock;
	const char *basis = xml_attr(node, "basis");

	clock->basis = basis ? xml_word_value(bases, basis) : DOMAIN_CLOCK_BASIS_UTC;
	if (!clock->basis)
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"unknown clock basis '%.100s'", basis);
	return parse_adjustment(p, node);
}

/* An adjustment makes it variable, but for the word that forbids one. */
static int
parse_fixed(struct domain_parse *p, xmlNode *node)
{
	struct domain_clock *clock = &p->def->clock;
	const char *adjustment = xml_attr(node, "adjustment");

	if (!adjustment)
		return 0;
	if (strcmp(adjustment, "reset") == 0) {
		clock->reset = true;
		return 0;
	}
	clock->basis = clock->offset == DOMAIN_CLOCK_UTC ? DOMAIN_CLOCK_BASIS_UTC
							 : DOMAIN_CLOCK_BASIS_LOCALTIME;
	clock->offset = DOMAIN_CLOCK_VARIABLE;
	return parse_adjustment(p, node);
}

static int
refuse_missing(struct domain_parse *p, const char *attribute, const char *offset)
{
	return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
		"missing '%s' attribute for clock with offset='%s'", attribute, offset);
}

/* What is read when it starts is a file below /usr/share/zoneinfo, and no other. */
static bool
is_zone(const char *zone)
{
	return isalnum((unsigned char)*zone) && strlen(zone) < 64 && !strstr(zone, "//") &&
	       !zone[strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789+-_/")];
}

static int
parse_zone(struct domain_parse *p, xmlNode *node)
{
	const char *zone = xml_attr(node, "timezone");

	if (!zone)
		return refuse_missing(p, "timezone", "timezone");
	if (!is_zone(zone))
		return refuse_unsupported(p,
			"time zone '%.100s' is not supported by qemud; use the name of a file "
			"below /usr/share/zoneinfo",
			zone);
	p->def->clock.timezone = strdup(zone);
	return p->def->clock.timezone ? 0 : -ENOMEM;
}

static int
parse_start(struct domain_parse *p, xmlNode *node)
{
	const char *start = xml_attr(node, "start");

	if (!start || !read_seconds(start, 0, START_MAX, &p->def->clock.adjustment))
		return refuse_missing(p, "start", "absolute");
	return 0;
}

static int
parse_offset(struct domain_parse *p, xmlNode *node)
{
	struct domain_clock *clock = &p->def->clock;
	const char *offset = xml_attr(node, "offset");

	clock->offset = offset ? xml_word_value(offsets, offset) : DOMAIN_CLOCK_UTC;
	switch (clock->offset) {
	case DOMAIN_CLOCK_UTC:
	case DOMAIN_CLOCK_LOCALTIME:
		return parse_fixed(p, node);
	case DOMAIN_CLOCK_VARIABLE:
		return parse_variable(p, node);
	case DOMAIN_CLOCK_TIMEZONE:
		return parse_zone(p, node);
	case DOMAIN_CLOCK_ABSOLUTE:
		return parse_start(p, node);
	}
	return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
		"unknown clock offset '%.100s'", offset);
}

/* --- <timer> ------------------------------------------------------------------------------ */

static int
parse_catchup(struct domain_parse *p, xmlNode *node, struct domain_timer *timer)
{
	xmlNode *catchup = xml_child(node, "catchup");
	int r;

	if (!catchup)
		return 0;
	if (timer->tick_policy != DOMAIN_TICK_CATCHUP)
		return refuse_xml(p, "setting of timer catchup policies is only supported with "
				     "tickpolicy='catchup'");
	r = xml_attr_number(
		catchup, "threshold", 10, UINT32_MAX, 0, p->error, &timer->catch_threshold);
	if (r == 0)
		r = xml_attr_number(catchup, "slew", 10, UINT32_MAX, 0, p->error, &timer->slew);
	if (r == 0)
		r = xml_attr_number(catchup, "limit", 10, UINT32_MAX, 0, p->error, &timer->limit);
	return r;
}

static int
parse_words(struct domain_parse *p, xmlNode *node, struct domain_timer *timer)
{
	unsigned name, present, policy, track, mode;
	int r = xml_attr_required_choice(node, "name", names, p->error, &name);

	if (r == 0)
		r = xml_attr_choice(node, "present", xml_yes_no, p->error, &present);
	if (r == 0)
		r = xml_attr_choice(node, "tickpolicy", policies, p->error, &policy);
	if (r == 0)
		r = xml_attr_choice(node, "track", tracks, p->error, &track);
	if (r == 0)
		r = xml_attr_u64(node, "frequency", 0, p->error, &timer->frequency);
	if (r == 0)
		r = xml_attr_choice(node, "mode", modes, p->error, &mode);
	if (r)
		return r;
	timer->name = name;
	timer->present = present;
	timer->tick_policy = policy;
	timer->track = track;
	timer->mode = mode;
	return 0;
}

static int
check_owner(struct domain_parse *p, const struct domain_timer *timer)
{
	const char *what = NULL;

	if (timer->name != DOMAIN_TIMER_TSC && timer->frequency)
		what = "frequency";
	else if (timer->name != DOMAIN_TIMER_TSC && timer->mode)
		what = "mode";
	else if (timer->name != DOMAIN_TIMER_RTC && timer->track)
		what = "track";
	if (!what)
		return 0;
	return refuse_unsupported(p, "timer %s doesn't support setting of timer %s",
		xml_word(names, timer->name), what);
}

static int
check_timer(struct domain_parse *p, const struct domain_timer *timer)
{
	enum domain_tick_policy policy = timer->tick_policy;
	const char *name = xml_word(names, timer->name);

	if (timer->name == DOMAIN_TIMER_PLATFORM)
		return refuse_unsupported(p, "unsupported timer type (name) '%s'", name);
	if (timer->name == DOMAIN_TIMER_ARMVTIMER)
		return refuse_unsupported(p,
			"Configuring the '%s' timer is not supported for virtType=%s arch=x86_64 "
			"machine=%s guests",
			name, p->def->type == DOMAIN_TYPE_KVM ? "kvm" : "qemu", p->def->os.machine);
	if (timer->name == DOMAIN_TIMER_RTC && timer->track == DOMAIN_TRACK_BOOT)
		return refuse_unsupported(p, "unsupported rtc timer track 'boot'");
	if (timer->name == DOMAIN_TIMER_RTC &&
		(policy == DOMAIN_TICK_MERGE || policy == DOMAIN_TICK_DISCARD))
		return refuse_unsupported(
			p, "unsupported rtc timer tickpolicy '%s'", xml_word(policies, policy));
	if (timer->name == DOMAIN_TIMER_PIT && policy == DOMAIN_TICK_MERGE)
		return refuse_unsupported(p, "unsupported pit tickpolicy 'merge'");
	return 0;
}

static int
parse_timer(struct domain_parse *p, xmlNode *node)
{
	struct domain_clock *clock = &p->def->clock;
	struct domain_timer timer = {.name = 0};
	int r = parse_words(p, node, &timer);

	if (r == 0)
		r = parse_catchup(p, node, &timer);
	if (r == 0)
		r = check_owner(p, &timer);
	if (r == 0)
		r = check_timer(p, &timer);
	if (r)
		return r;
	if (domain_clock_timer(clock, timer.name))
		return refuse_xml(
			p, "timer '%s' is specified more than once", xml_word(names, timer.name));
	clock->timers[clock->n_timers++] = timer;
	return 0;
}

int
domain_clock_parse(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *node = xml_child(domain, "clock"), *timer = NULL;
	int r;

	p->def->clock.offset = DOMAIN_CLOCK_UTC;
	if (!node)
		return 0;
	r = parse_offset(p, node);
	while (r == 0 && (timer = xml_each(node, "timer", timer)))
		r = parse_timer(p, timer);
	return r;
}

/* --- as XML ------------------------------------------------------------------------------- */

static void
format_timer(struct writer *w, const struct domain_timer *timer)
{
	writer_start(w, "timer");
	writer_attr(w, "name", xml_word(names, timer->name));
	writer_attr_word(w, "present", xml_yes_no, timer->present);
	writer_attr_word(w, "tickpolicy", policies, timer->tick_policy);
	writer_attr_word(w, "track", tracks, timer->track);
	writer_attr_number(w, "frequency", timer->frequency);
	writer_attr_word(w, "mode", modes, timer->mode);
	if (timer->catch_threshold || timer->slew || timer->limit) {
		writer_start(w, "catchup");
		writer_attr_number(w, "threshold", timer->catch_threshold);
		writer_attr_number(w, "slew", timer->slew);
		writer_attr_number(w, "limit", timer->limit);
		writer_end(w, "catchup");
	}
	writer_end(w, "timer");
}

void
domain_clock_format(struct writer *w, const struct domain_def *def)
{
	const struct domain_clock *clock = &def->clock;

	writer_start(w, "clock");
	writer_attr(w, "offset", xml_word(offsets, clock->offset));
	if (clock->reset)
		writer_attr(w, "adjustment", "reset");
	if (clock->offset == DOMAIN_CLOCK_VARIABLE)
		writer_attr_f(w, "adjustment", "%" PRId64, clock->adjustment + clock->changed);
	writer_attr_word(w, "basis", bases, clock->basis);
	if (clock->timezone)
		writer_attr(w, "timezone", clock->timezone);
	if (clock->offset == DOMAIN_CLOCK_ABSOLUTE)
		writer_attr_f(w, "start", "%" PRId64, clock->adjustment);
	for (size_t i = 0; i < clock->n_timers; i++)
		format_timer(w, &clock->timers[i]);
	writer_end(w, "clock");
}

void
domain_clock_fini(struct domain_clock *clock)
{
	free(clock->timezone);
}
