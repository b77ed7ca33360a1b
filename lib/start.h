/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start.h: how each of our programs begins.
 *
 * Runs in every program, root's included, before it has read anything from anybody.
 */
#ifndef LIB_START_H
#define LIB_START_H

#include "lib/loop.h"

/**
 * The first line of each main(): no other process of the same user may look inside (dumpable is
 * off), nothing is made that others could read (umask 077), and the log and the process have the
 * program's name, which must be a literal of at most 15 bytes. An exec by descriptor leaves that to us:
 * before Linux 6.14 it named the process by the descriptor's number.
 */
void start_program(const char *name);

/**
 * Make the loop, with SIGTERM, SIGINT and one more signal (0: none) handed to fn, and SIGPIPE
 * ignored: a log that nobody reads any more is no reason to end. Ends the process when it fails.
 */
void start_loop(struct loop *loop, int one_more, loop_signal_fn *fn, void *arg);

#endif
