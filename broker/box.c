/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box.c: the broker gives up what it no longer needs, for good.
 *
 * Runs in the broker, as root. Root's uid stays, for the broker's own folders and the modes of its
 * sockets; root's power goes. CAP_KILL stays to end a child of any uid through its pidfd.
 */
#include "broker/box.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/prctl.h>

#include "confine/filter.h"

/*
 * Stage 1, capabilities. Should: drop the bounding and ambient sets first, while SETPCAP is there,
 * then all sets but CAP_KILL. Mustn't: leave anything inheritable.
 */
static int
drop_capabilities(void)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_KILL) < 0)
		return -EINVAL;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	return capng_apply(CAPNG_SELECT_ALL) < 0 ? -EPERM : 0;
}

/* Stage 2, read back. Should: ask the kernel, for every capability that it knows. */
static int
check_capabilities(void)
{
	if (capng_get_caps_process() < 0)
		return -EIO;
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		unsigned number = (unsigned)cap;
		bool kept = cap == CAP_KILL;

		if (!!capng_have_capability(CAPNG_EFFECTIVE, number) != kept ||
			!!capng_have_capability(CAPNG_PERMITTED, number) != kept ||
			capng_have_capability(CAPNG_INHERITABLE, number) ||
			prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 0 ||
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) != 0)
			return -EPERM;
	}
	return 0;
}

/*
 * Stage 3, no_new_privs and system calls. Should: be last, as the list has nothing that the stages
 * before need. The kernel takes a filter from a process without SYS_ADMIN only with no_new_privs,
 * so that one cannot be missing when this succeeds. Mustn't: be loosened by anything at run time.
 */
static int
close_in(void)
{
	return filter_load(&filter_broker);
}

int
box_enter(const char **ret_step)
{
	static const struct {
		const char *name;
		int (*fn)(void);
	} stages[] = {
		{"capabilities cannot be dropped", drop_capabilities},
		{"capabilities are left that should be gone", check_capabilities},
		{"the list of system calls cannot be loaded", close_in},
	};

	for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
		int r = stages[i].fn();

		if (r < 0) {
			*ret_step = stages[i].name;
			return r;
		}
	}
	return 0;
}
