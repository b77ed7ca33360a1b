/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box_given.h: the plan that a test hands over, its descriptors, and the files behind them.
 */
#ifndef TESTS_UNIT_BOX_GIVEN_H
#define TESTS_UNIT_BOX_GIVEN_H

#include <sys/stat.h>

#include "confine/landlock.h"
#include "tests/unit/box_seed.h"

static char folder[] = "/tmp/box-XXXXXX";
static struct plan plan;
static int given[PLAN_FDS_MAX];

static inline void
begin(enum plan_program program, enum plan_profile profile)
{
	plan_init(&plan);
	plan.program = program;
	plan.profile = profile;
}

static inline void
add_arguments(const char *const *args)
{
	while (*args)
		plan.args[plan.n_args++] = *args++;
}

#define ARGUMENTS(...) add_arguments((const char *const[]){__VA_ARGS__, NULL})

/* The descriptor becomes the plan's; give_back() closes it. */
static inline void
give(int fd, int number)
{
	if (fd < 0)
		abort();
	given[plan.n_fds] = fd;
	plan.fds[plan.n_fds++] = number;
}

static inline void
give_back(void)
{
	for (unsigned i = 0; i < plan.n_fds; i++)
		(void)close(given[i]);
}

static inline const char *
in_folder(const char *name)
{
	static char path[4][64];
	static unsigned next;
	char *this = path[next++ % 4];

	(void)snprintf(this, sizeof path[0], "%s/%s", folder, name);
	return this;
}

static inline int
open_disk(const char *name, int flags)
{
	int fd = open(in_folder(name), flags | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || (getuid() == 0 && fchown(fd, NOBODY, NOBODY) < 0))
		abort();
	return fd;
}

/* The box's own answer, then the exec. */
static inline bool
became(struct seed *seed)
{
	struct plan_answer answer;
	bool ok;

	seed_send_all(seed, &plan, given);
	give_back();
	ok = seed_answer(seed, &answer) && answer.ok && answer.landlock == landlock_level();
	if (!ok)
		printf("# %s\n", answer.why);
	return ok && !seed_answer(seed, &answer);
}

static inline void
make_folder(void)
{
	/* Others may come through it, to what is theirs by name: only the box keeps them out. */
	if (!mkdtemp(folder) || chmod(folder, 0711) < 0)
		abort();
}

static inline void
remove_folder(void)
{
	static const char *const name[] = {"qmp", "second", "disk", "secret", "new", "copy"};

	for (unsigned i = 0; i < sizeof name / sizeof name[0]; i++)
		(void)unlink(in_folder(name[i]));
	if (rmdir(folder) < 0)
		perror(folder);
}

#endif
