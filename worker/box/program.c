/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.c: the table of programs that a box can become.
 *
 * In qemud-box, as the user. Must never depend on anything that the worker says but the row.
 */
#include "worker/box/program.h"

#include <stddef.h>

#include "lib/err.h"
#include "worker/box/prefix.h"

static const char *const qemu_img_first[] = {"qemu-img", NULL};

/*
 * What keeps passt to one network interface: no fork, the descriptor that it was given, no way to
 * the host's own loopback by the gateway's address (frames to the loopback's own are kept back by
 * the relay, worker/net/loopback.h), and a MAC address of its own (the one that later releases have
 * by default) instead of the host's.
 */
static const char *const passt_first[] = {"passt", "--foreground", "--quiet", "--fd", "10",
	"--no-map-gw", "--mac-addr", "9a:55:9a:55:9a:55", NULL};

static const struct program programs[] = {
	[PLAN_QEMU_X86_64] = {prefix_qemu_path, prefix_qemu, &filter_qemu, &landlock_qemu, false},
	[PLAN_QEMU_IMG] = {"/usr/bin/qemu-img", qemu_img_first, &filter_qemu_img,
		&landlock_qemu_img, true},
	/* Landlock forbids mount and pivot_root, by which passt leaves every file behind. */
	[PLAN_PASST] = {"/usr/bin/passt", passt_first, &filter_passt, NULL, false},
};

/* A probe answers within seconds, whatever image or binary it meets. */
static const uint64_t probe_limits[PLAN_N_LIMITS] = {
	[PLAN_NOFILE] = PLAN_LIMIT_KEEP,
	[PLAN_MEMLOCK] = 0,
	[PLAN_CPU] = 20,
	[PLAN_FSIZE] = 1 << 20,
	[PLAN_DATA] = (uint64_t)2 << 30,
};

const struct program *
program_get(enum plan_program program)
{
	ASSERT(program >= 1 && program < sizeof programs / sizeof programs[0]);
	return &programs[program];
}

uint64_t
program_limit(enum plan_profile profile, enum plan_limit limit)
{
	return profile == PLAN_PROBE ? probe_limits[limit] : PLAN_LIMIT_KEEP;
}
