/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grant.h: what a VM was granted: written on its leaf, and enforced there.
 *
 * Runs in qemud-launch, as root. The note is an extended attribute of the leaf's folder (user.*,
 * which cgroup v2 has since Linux 5.7): it is there before the first process of the VM is, is
 * replaced as a whole, needs no controller, can be read by everybody and written by root alone, and
 * goes when the leaf does. So whoever dies when, it says what was granted to all that runs, and to
 * nothing else. The leaf's limits could not: the site may lower them, and many hosts have none.
 */
#ifndef BROKER_LAUNCH_GRANT_H
#define BROKER_LAUNCH_GRANT_H

#include "protocol/ipc/ipc.h"

#define GRANT_ATTRIBUTE "user.qemud.grant"

/**
 * Have the kernel hold everything in the leaf to it: all of its memory (memory.max, and as much swap at
 * most), a processor for each virtual one and one for QEMU (cpu.max); and, when the memory does not
 * suffice, end all of it together (memory.oom.group). Returns 0, -EOPNOTSUPP when a controller is not
 * there, after what is there has been set, or another negative errno.
 */
int grant_enforce(int leaf_fd, const struct ipc_grant *grant);
/** What the kernel has ended there for want of memory: IPC_GONE_ENDED when it has not. */
enum ipc_gone grant_how_ended(int leaf_fd);

/** Write it down. Returns 0 or a negative errno. */
int grant_write(int leaf_fd, const struct ipc_grant *grant);
/** Read it. Returns 0, or a negative errno: -ENODATA: there is no note; -EBADMSG: none of ours. */
int grant_read(int leaf_fd, struct ipc_grant *ret);

#endif
