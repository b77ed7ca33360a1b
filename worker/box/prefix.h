/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * prefix.h: what stands before the arguments of a plan: QEMU's path, environment and first words.
 *
 * Constant; qemud-box runs it, the worker shows it.
 */
#ifndef WORKER_BOX_PREFIX_H
#define WORKER_BOX_PREFIX_H

extern const char prefix_qemu_path[];
/* Ends with NULL; argv[0] is the first. */
extern const char *const prefix_qemu[];
/* The whole environment of every program in a box. Ends with NULL. */
extern const char *const prefix_environment[];

#endif
