/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.h: what each program of a plan is, and how it is confined.
 *
 * In qemud-box, as the user. The one place where a path, a filter or a list of paths is chosen: by
 * the program, never by the plan.
 */
#ifndef WORKER_BOX_PROGRAM_H
#define WORKER_BOX_PROGRAM_H

#include "confine/filter.h"
#include "confine/landlock.h"
#include "worker/box/plan.h"

struct program {
	const char *path;
	const char *const *first; /* arguments before those of the plan, its name included */
	const struct filter *filter;
	const struct landlock_list *landlock; /* NULL: none, for a program that mounts */
	/* It takes files by name only: it may open what it was given again, as /proc/self/fd/N. */
	bool reopens;
};

/** The program of a plan that was decoded. */
const struct program *program_get(enum plan_program program);

/** The highest limit that a profile allows; PLAN_LIMIT_KEEP where it has no say. */
uint64_t program_limit(enum plan_profile profile, enum plan_limit limit);

#endif
