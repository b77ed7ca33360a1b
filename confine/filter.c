/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filter.c: a seccomp allow-list from its reviewable text; see filter.h.
 */
#include "confine/filter.h"

#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>

#include "lib/err.h"

static int
fill(scmp_filter_ctx ctx, const struct filter *filter)
{
	/* Another architecture's calls (32-bit, x32) have numbers of their own: no list has them.
	 */
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	/* A tree instead of a chain: every call of a long list costs the same few comparisons. */
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (unsigned i = 0; i < filter->n_rules && r == 0; i++) {
		const struct filter_rule *rule = &filter->rules[i];
		int number = seccomp_syscall_resolve_name(rule->syscall);

		if (number == __NR_SCMP_ERROR)
			die("filter %s: libseccomp knows no system call \"%s\"; correct "
			    "policy/seccomp/%s.list or use a newer libseccomp",
				filter->name, rule->syscall, filter->name);
		r = seccomp_rule_add(ctx,
			rule->err ? SCMP_ACT_ERRNO((uint16_t)rule->err) : SCMP_ACT_ALLOW, number,
			rule->mask ? 1 : 0,
			SCMP_CMP(rule->arg, SCMP_CMP_MASKED_EQ, rule->mask, rule->value));
	}
	return r;
}

static int
load(const struct filter *filter)
{
	scmp_filter_ctx ctx;
	int r;

	ctx = seccomp_init(filter->otherwise ? SCMP_ACT_ERRNO((uint16_t)filter->otherwise)
					     : SCMP_ACT_KILL_PROCESS);
	if (!ctx)
		return -ENOMEM;
	r = fill(ctx, filter);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

int
filter_load(const struct filter *filter)
{
	int r = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (filter->beneath)
		r = load(filter->beneath);
	return r ? r : load(filter);
}
