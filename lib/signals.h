/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * signals.h: what happens at a signal, as a new program is to find it.
 *
 * Runs in every program that executes another: ignored and blocked signals outlive execve(2), and
 * whoever started ours may have left any of them so.
 */
#ifndef LIB_SIGNALS_H
#define LIB_SIGNALS_H

#include <stdbool.h>

/**
 * Block none, and have each do what it does by default: also the two that glibc keeps for itself
 * (32 and 33, nptl(7)), which its own functions refuse to change. Safe after fork. Returns 0 or a
 * negative errno.
 */
int signals_reset(void);

/** Is none blocked, and each at its default? */
bool signals_are_reset(void);

#endif
