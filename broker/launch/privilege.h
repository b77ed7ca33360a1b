/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * privilege.h: what the starter keeps of root's power.
 *
 * Runs in qemud-launch, before its loop. It keeps the seven capabilities that starting somebody
 * takes and no other, in no set but effective, permitted and bounding. DAC_OVERRIDE is not among
 * them: root's name opens no file that its mode does not open.
 *
 * The starter has no seccomp filter of its own. Filters are inherited, also across exec, and are
 * only ever added to: whatever a filter took from the starter (mount, clone3, setresuid, execve)
 * would be gone for everything that it starts, and the programs that it starts bring their own
 * lists. What stands in for one: it reads nothing from clients, its messages are of fixed size and
 * checked by one table, and it executes nothing but the files of program.h.
 */
#ifndef BROKER_LAUNCH_PRIVILEGE_H
#define BROKER_LAUNCH_PRIVILEGE_H

#include <stdbool.h>

/**
 * Reduce this process to those capabilities and read back that it has no other. Returns 0 or a
 * negative errno; -EPERM: the host does not give what is needed (*ret_why says which, for people).
 */
int privilege_keep(const char **ret_why);

/** Whether the host gave CAP_SYS_RESOURCE: without it no limit can be raised above the starter's.
 */
bool privilege_may_raise_limits(void);

#endif
