/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * place.h: each descriptor at its number, and no other open.
 *
 * In qemud-box, as the user.
 */
#ifndef WORKER_BOX_PLACE_H
#define WORKER_BOX_PLACE_H

/**
 * Move n descriptors to their numbers, which are all different, and let them survive an exec.
 * Whatever else was open at such a number is closed. Where a descriptor lies now does not matter,
 * also when it is at the number of another one. fds[] holds the numbers afterwards. Returns 0 or
 * a negative errno.
 */
int place_fds(int *fds, const int *numbers, unsigned n);

/** Close everything above `last` but the n numbers. Returns 0 or a negative errno. */
int place_close_others(int last, const int *numbers, unsigned n);

#endif
