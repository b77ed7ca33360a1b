/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * privilege.c: what the starter keeps of root's power; see privilege.h.
 */
#include "broker/launch/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>

static const struct {
	unsigned cap;
	bool needed; /* else: kept where the host has it (containers often lack it) */
	const char *missing;
} kept[] = {
	{CAP_SETUID, true, "CAP_SETUID is missing: the starter cannot become a user"},
	{CAP_SETGID, true, "CAP_SETGID is missing: the starter cannot set a user's groups"},
	{CAP_SYS_ADMIN, true, "CAP_SYS_ADMIN is missing: the starter cannot make namespaces"},
	{CAP_SETPCAP, true, "CAP_SETPCAP is missing: the starter cannot empty a bounding set"},
	{CAP_CHOWN, true, "CAP_CHOWN is missing: the starter cannot give a user a folder"},
	{CAP_KILL, true, "CAP_KILL is missing: the starter cannot end what it has started"},
	{CAP_SYS_RESOURCE, false,
		NULL}, /* limits above the inherited ones, descriptors in flight */
};

enum { N_KEPT = sizeof(kept) / sizeof(*kept) };

static bool
is_kept(unsigned cap)
{
	for (size_t i = 0; i < N_KEPT; i++)
		if (kept[i].cap == cap)
			return true;
	return false;
}

/* What the kernel says, not what was asked for. */
static int
read_back(const char **ret_why)
{
	static const capng_type_t always_empty[] = {CAPNG_INHERITABLE, CAPNG_AMBIENT};
	static const capng_type_t reduced[] = {
		CAPNG_EFFECTIVE, CAPNG_PERMITTED, CAPNG_BOUNDING_SET};

	*ret_why = "the kernel did not take the reduced set of capabilities";
	if (capng_get_caps_process() < 0)
		return -EPERM;
	for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		for (size_t i = 0; i < sizeof(always_empty) / sizeof(*always_empty); i++)
			if (capng_have_capability(always_empty[i], cap))
				return -EPERM;
		for (size_t i = 0; i < sizeof(reduced) / sizeof(*reduced); i++)
			if (capng_have_capability(reduced[i], cap) && !is_kept(cap))
				return -EPERM;
	}
	for (size_t i = 0; i < N_KEPT; i++)
		if (kept[i].needed && !capng_have_capability(CAPNG_EFFECTIVE, kept[i].cap))
			return -EPERM;
	*ret_why = NULL;
	return 0;
}

int
privilege_keep(const char **ret_why)
{
	bool have[N_KEPT];

	*ret_why = "the capabilities cannot be read";
	if (capng_get_caps_process() < 0)
		return -EPERM;
	for (size_t i = 0; i < N_KEPT; i++) {
		have[i] = capng_have_capability(CAPNG_EFFECTIVE, kept[i].cap) &&
			  capng_have_capability(CAPNG_BOUNDING_SET, kept[i].cap);
		*ret_why = kept[i].missing;
		if (!have[i] && kept[i].needed)
			return -EPERM;
	}

	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < N_KEPT; i++)
		if (have[i])
			(void)capng_update(CAPNG_ADD,
				(capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED |
					       CAPNG_BOUNDING_SET),
				kept[i].cap);
	*ret_why = "the capabilities cannot be reduced";
	if (capng_apply(CAPNG_SELECT_ALL) != 0)
		return -EPERM;
	return read_back(ret_why);
}

bool
privilege_may_raise_limits(void)
{
	return capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_RESOURCE);
}
