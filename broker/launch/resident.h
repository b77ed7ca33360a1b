/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resident.h: the process that everything in a leaf stands and falls with.
 *
 * Runs in qemud-launch, as root. A VM is one process, the first of its own pid namespace: when it
 * ends, the kernel ends whatever else is in that namespace. What is in the leaf is a user's: it may
 * fork, end and begin while it is looked at, and is read in bounded pieces.
 */
#ifndef BROKER_LAUNCH_RESIDENT_H
#define BROKER_LAUNCH_RESIDENT_H

#include <stdint.h>

/**
 * Find it in the leaf that is open as leaf_fd: the first of its pid namespace, or where the kernel
 * does not tell, the first in the leaf. The pidfd is the caller's. Returns 0, -ENOENT when nobody
 * is in the leaf, -EAGAIN when whoever is in it changes too fast, or another negative errno.
 */
int resident_find(int leaf_fd, uint32_t *ret_pid, int *ret_pidfd);
/** How many processes are in the leaf, as far as they are looked at. Returns that or a negative errno. */
int resident_count(int leaf_fd);

#endif
