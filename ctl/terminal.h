/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * terminal.h: how things are shown to people.
 *
 * Runs as whoever calls qemudctl.
 */
#ifndef CTL_TERMINAL_H
#define CTL_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

#define TERMINAL_RED    "\x1b[31m"
#define TERMINAL_GREEN  "\x1b[32m"
#define TERMINAL_NORMAL "\x1b[0m"

enum { TERMINAL_AMOUNT_SIZE = 32, TERMINAL_TIME_SIZE = 32 };

/**
 * Is standard output a terminal that is to have colours? Not with NO_COLOR in the environment, unless it
 * is empty (https://no-color.org), nor where TERM says that it has none.
 */
bool terminal_colours(void);

/** "1.5 GiB" */
const char *terminal_memory(uint64_t kib, char ret[static TERMINAL_AMOUNT_SIZE]);
/** "2026-11-23 04:05:06 UTC" of seconds since 1970. */
const char *terminal_time(uint64_t seconds, char ret[static TERMINAL_TIME_SIZE]);

#endif
