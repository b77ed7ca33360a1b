/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock.h: one broker in a runtime_dir.
 *
 * Runs in the broker, as root, before it is boxed.
 */
#ifndef BROKER_LOCK_H
#define BROKER_LOCK_H

enum lock_error { LOCK_E_HELD = 1 };

/**
 * Take the lock on the file `lock` in the folder, for as long as *ret_fd (the caller's) is open.
 * Returns 0, LOCK_E_HELD with the holder's pid in *ret_pid (0: unknown), or a negative errno.
 */
int lock_take(int dir_fd, int *ret_fd, unsigned *ret_pid);

#endif
