/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pass.h: bytes of a stream socket that carry a descriptor (unix(7), SCM_RIGHTS).
 *
 * Runs in the worker.
 */
#ifndef LIB_PASS_H
#define LIB_PASS_H

#include <stddef.h>
#include <sys/types.h>

/**
 * Send at most size bytes (1 or more), without waiting; the descriptor goes with the first of them,
 * and stays the caller's. Returns how many were sent, or a negative errno: -EAGAIN when there is no
 * room, and nothing was sent.
 */
ssize_t pass_fd(int sock, const void *data, size_t size, int fd);

#endif
