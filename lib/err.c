/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * err.c: the end of a process.
 *
 * Runs in every program, root's included. Must never be reached by what a less trusted peer does.
 */
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"

_Noreturn void
die(const char *fmt, ...)
{
	char text[LOG_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	log_error("%s", text);
	/* No exit handlers: they would run on a state that has just been found broken. */
	_exit(EXIT_FAILURE);
}

_Noreturn void
err_assert_failed(const char *expr, const char *file, int line)
{
	die("%s:%d: broken invariant: %s (a bug of qemud: please report it)", file, line, expr);
}
