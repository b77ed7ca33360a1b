/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * terminal.c: how things are shown to people; see terminal.h.
 */
#include "ctl/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/utc.h"

bool
terminal_colours(void)
{
	const char *terminal = getenv("TERM"), *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && *no) && terminal && *terminal &&
	       strcmp(terminal, "dumb") != 0;
}

const char *
terminal_memory(uint64_t kib, char ret[static TERMINAL_AMOUNT_SIZE])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
	unsigned unit = 0;
	double amount = (double)kib;

	for (; amount >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
		amount /= 1024;
	(void)snprintf(ret, TERMINAL_AMOUNT_SIZE, "%.1f", amount);
	/* As it is said: 2 GiB. */
	if (strlen(ret) > 2 && strcmp(ret + strlen(ret) - 2, ".0") == 0)
		ret[strlen(ret) - 2] = '\0';
	(void)snprintf(ret + strlen(ret), TERMINAL_AMOUNT_SIZE - strlen(ret), " %s", units[unit]);
	return ret;
}

const char *
terminal_time(uint64_t seconds, char ret[static TERMINAL_TIME_SIZE])
{
	struct utc utc = utc_of(seconds);

	(void)snprintf(ret, TERMINAL_TIME_SIZE, "%04u-%02u-%02u %02u:%02u:%02u UTC",
		(unsigned)utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second);
	return ret;
}
