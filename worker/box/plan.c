/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan.c: the text of a plan, and of the answer to it.
 *
 * Pure, no I/O; in qemud-box and in the worker. Must never read beyond the text, nor accept one
 * that it would spell differently.
 */
#include "worker/box/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/keyval.h"

#define N(array)  (sizeof(array) / sizeof((array)[0]))
#define FOR(prog) (1u << (prog))

static const char *const program_names[] = {
	[PLAN_QEMU_X86_64] = "qemu-system-x86_64",
	[PLAN_QEMU_IMG] = "qemu-img",
	[PLAN_PASST] = "passt",
};

static const char *const profile_names[] = {
	[PLAN_VM] = "vm",
	[PLAN_TOOL] = "tool",
	[PLAN_PROBE] = "probe",
};

/* Which programs a profile is for. */
static const unsigned profile_programs[] = {
	[PLAN_VM] = FOR(PLAN_QEMU_X86_64) | FOR(PLAN_PASST),
	[PLAN_TOOL] = FOR(PLAN_QEMU_IMG),
	[PLAN_PROBE] = FOR(PLAN_QEMU_X86_64) | FOR(PLAN_QEMU_IMG),
};

static const char *const limit_names[PLAN_N_LIMITS] = {
	[PLAN_NOFILE] = "nofile",
	[PLAN_MEMLOCK] = "memlock",
	[PLAN_CPU] = "cpu",
	[PLAN_FSIZE] = "fsize",
	[PLAN_DATA] = "data",
};

void
plan_init(struct plan *plan)
{
	memset(plan, 0, sizeof *plan);
	for (size_t i = 0; i < PLAN_N_LIMITS; i++)
		plan->limits[i] = PLAN_LIMIT_KEEP;
}

__attribute__((format(printf, 2, 3))) static int
bad(char why[static PLAN_WHY_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, PLAN_WHY_MAX, fmt, ap);
	va_end(ap);
	return PLAN_E_BAD;
}

/* --- what makes a plan a good one, however it came ---------------------------------------- */

static int
check_fds(const struct plan *plan, char why[static PLAN_WHY_MAX])
{
	bool seen[PLAN_FD_MAX + 1] = {false};
	uint64_t nofile = plan->limits[PLAN_NOFILE];

	for (unsigned i = 0; i < plan->n_fds; i++) {
		int fd = plan->fds[i];

		if (fd != 1 && (fd < PLAN_FD_MIN || fd > PLAN_FD_MAX))
			return bad(why, "descriptor number %d is neither 1 nor from %d to %d", fd,
				PLAN_FD_MIN, PLAN_FD_MAX);
		if (seen[fd])
			return bad(why, "descriptor number %d is given twice", fd);
		if ((uint64_t)fd >= nofile)
			return bad(why, "descriptor number %d is not below nofile=%" PRIu64, fd,
				nofile);
		seen[fd] = true;
	}
	return 0;
}

static int
check(const struct plan *plan, char why[static PLAN_WHY_MAX])
{
	if (plan->program < 1 || plan->program >= N(program_names))
		return bad(why, "the program is none of the table");
	if (plan->profile < 1 || plan->profile >= N(profile_names))
		return bad(why, "the profile is none of the table");
	if (!(profile_programs[plan->profile] & FOR(plan->program)))
		return bad(why, "profile %s is not for %s", profile_names[plan->profile],
			program_names[plan->program]);
	return check_fds(plan, why);
}

/* --- decoding ----------------------------------------------------------------------------- */

struct cursor {
	const char *at, *end;
	unsigned record; /* number of the next one, from 1 */
};

/* The value of the next record if it has this key, else NULL. */
static const char *
take(struct cursor *cursor, const char *key)
{
	size_t size = strlen(key);
	const char *value = NULL;

	if (cursor->at < cursor->end && strncmp(cursor->at, key, size) == 0 &&
		cursor->at[size] == '=') {
		value = cursor->at + size + 1;
		cursor->at = value + strlen(value) + 1;
		cursor->record++;
	}
	return value;
}

/* The index of the value of the next record in a table of names that begins at 1, or 0. */
static unsigned
take_name(struct cursor *cursor, const char *key, const char *const *names, size_t n_names)
{
	const char *value = take(cursor, key);

	for (unsigned i = 1; value && i < n_names; i++)
		if (strcmp(value, names[i]) == 0)
			return i;
	return 0;
}

/* A number in the one spelling it has. */
static bool
read_number(const char *value, uint64_t max, uint64_t *ret)
{
	return !(value[0] == '0' && value[1]) && keyval_number(value, 0, max, ret) == 0;
}

static int
decode_limits(struct cursor *cursor, struct plan *ret, char why[static PLAN_WHY_MAX])
{
	for (size_t i = 0; i < PLAN_N_LIMITS; i++) {
		const char *value = take(cursor, limit_names[i]);

		if (value && !read_number(value, PLAN_LIMIT_KEEP - 1, &ret->limits[i]))
			return bad(why, "%s is not a number", limit_names[i]);
	}
	return 0;
}

static int
decode_fds(struct cursor *cursor, struct plan *ret, char why[static PLAN_WHY_MAX])
{
	const char *value;
	uint64_t number;

	while ((value = take(cursor, "fd"))) {
		if (ret->n_fds == PLAN_FDS_MAX)
			return bad(why, "more than %d descriptors", PLAN_FDS_MAX);
		if (!read_number(value, INT32_MAX, &number))
			return bad(why, "record %u: the descriptor is not a number",
				cursor->record - 1);
		ret->fds[ret->n_fds++] = (int)number;
	}
	return 0;
}

static int
decode_args(struct cursor *cursor, struct plan *ret, char why[static PLAN_WHY_MAX])
{
	const char *value;

	while ((value = take(cursor, "arg"))) {
		if (ret->n_args == PLAN_ARGS_MAX)
			return bad(why, "more than %d arguments", PLAN_ARGS_MAX);
		if (strlen(value) > PLAN_ARG_MAX)
			return bad(why, "record %u: an argument of more than %d bytes",
				cursor->record - 1, PLAN_ARG_MAX);
		ret->args[ret->n_args++] = value;
	}
	return 0;
}

int
plan_decode(const char *data, size_t size, struct plan *ret, char why[static PLAN_WHY_MAX])
{
	struct cursor cursor = {.at = data, .end = data + size, .record = 1};
	const char *version;
	int r;

	plan_init(ret);
	if (size == 0 || size > PLAN_SIZE_MAX)
		return bad(why, "%zu bytes are not from 1 to %d", size, PLAN_SIZE_MAX);
	if (data[size - 1] != '\0')
		return bad(why, "the last record has no end");
	version = take(&cursor, "plan");
	if (!version || strcmp(version, "1") != 0)
		return bad(why, "it does not begin with plan=1");
	ret->program = take_name(&cursor, "program", program_names, N(program_names));
	if (ret->program == 0)
		return bad(why, "the program is none of the table");
	ret->profile = take_name(&cursor, "profile", profile_names, N(profile_names));
	if (ret->profile == 0)
		return bad(why, "the profile is none of the table");
	r = decode_limits(&cursor, ret, why);
	if (r == 0)
		r = decode_fds(&cursor, ret, why);
	if (r == 0)
		r = decode_args(&cursor, ret, why);
	if (r == 0 && cursor.at != cursor.end)
		r = bad(why, "record %u is unknown, repeated or out of order", cursor.record);
	return r == 0 ? check(ret, why) : r;
}

/* --- encoding ----------------------------------------------------------------------------- */

struct text {
	char *data; /* PLAN_SIZE_MAX bytes */
	size_t size;
	bool full;
};

__attribute__((format(printf, 2, 3))) static void
put(struct text *text, const char *fmt, ...)
{
	size_t room = PLAN_SIZE_MAX - text->size;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text->data + text->size, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		text->full = true;
	else
		text->size += (size_t)n + 1;
}

int
plan_encode(
	const struct plan *plan, char **ret_data, size_t *ret_size, char why[static PLAN_WHY_MAX])
{
	struct text text = {.size = 0};
	int r = check(plan, why);

	if (r != 0)
		return r;
	for (unsigned i = 0; i < plan->n_args; i++)
		if (strlen(plan->args[i]) > PLAN_ARG_MAX)
			return bad(why, "an argument of more than %d bytes", PLAN_ARG_MAX);
	text.data = malloc(PLAN_SIZE_MAX);
	if (!text.data)
		return -ENOMEM;
	put(&text, "plan=1");
	put(&text, "program=%s", program_names[plan->program]);
	put(&text, "profile=%s", profile_names[plan->profile]);
	for (size_t i = 0; i < PLAN_N_LIMITS; i++)
		if (plan->limits[i] != PLAN_LIMIT_KEEP)
			put(&text, "%s=%" PRIu64, limit_names[i], plan->limits[i]);
	for (unsigned i = 0; i < plan->n_fds; i++)
		put(&text, "fd=%d", plan->fds[i]);
	for (unsigned i = 0; i < plan->n_args; i++)
		put(&text, "arg=%s", plan->args[i]);
	if (text.full) {
		free(text.data);
		return bad(why, "more than %d bytes", PLAN_SIZE_MAX);
	}
	*ret_data = text.data;
	*ret_size = text.size;
	return 0;
}

/* --- the answer --------------------------------------------------------------------------- */

static const char answer_ok[] = "ok landlock ", answer_failed[] = "failed ";

size_t
plan_answer_encode(const struct plan_answer *answer, char out[static PLAN_ANSWER_MAX])
{
	int n = answer->ok ? snprintf(out, PLAN_ANSWER_MAX, "%s%d", answer_ok, answer->landlock)
			   : snprintf(out, PLAN_ANSWER_MAX, "%s%s", answer_failed, answer->why);

	return (size_t)n;
}

int
plan_answer_decode(const void *data, size_t size, struct plan_answer *ret)
{
	char text[PLAN_ANSWER_MAX];
	uint64_t level;

	memset(ret, 0, sizeof *ret);
	if (size >= sizeof text || memchr(data, '\0', size))
		return PLAN_E_BAD;
	memcpy(text, data, size);
	text[size] = '\0';
	if (strncmp(text, answer_ok, sizeof answer_ok - 1) == 0) {
		if (!read_number(text + sizeof answer_ok - 1, INT32_MAX, &level))
			return PLAN_E_BAD;
		ret->ok = true;
		ret->landlock = (int)level;
		return 0;
	}
	if (strncmp(text, answer_failed, sizeof answer_failed - 1) != 0)
		return PLAN_E_BAD;
	(void)snprintf(ret->why, sizeof ret->why, "%s", text + sizeof answer_failed - 1);
	return 0;
}
