/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descent.h: the child's way from root's power to a program that has none.
 *
 * Runs in a copy of qemud-launch, between clone3 and exec.
 */
#ifndef BROKER_LAUNCH_DESCENT_H
#define BROKER_LAUNCH_DESCENT_H

#include <linux/securebits.h>

#include "broker/launch/spawn.h"

/* Until exec, in a process that ends with the starter. */
enum { DESCENT_STARTER_FD = SPAWN_LINK_FD + 2 };

/*
 * uid 0 means nothing to exec, a change of uid drops capabilities as ever, no capability is kept
 * over it, none becomes ambient; and all of that for good.
 */
enum {
	DESCENT_SECUREBITS = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
			     SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
			     SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED
};

/** Become the program, or tell on stderr at which stage that failed and end with status 127. */
_Noreturn void descent_go(const struct spawn *spawn);

#endif
