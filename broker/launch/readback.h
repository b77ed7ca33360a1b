/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * readback.h: what the kernel says about a process that is about to become a program.
 *
 * Runs in a copy of qemud-launch, after everything has been taken away. It shares no code with
 * descent.c: what set a thing is not asked whether it is set.
 */
#ifndef BROKER_LAUNCH_READBACK_H
#define BROKER_LAUNCH_READBACK_H

#include "broker/launch/spawn.h"

/** What the kernel says that differs from spawn, for people; NULL when nothing does. */
const char *readback_differs(const struct spawn *spawn);

#endif
