/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * err.h: the three classes of failure, and the end of a process.
 *
 * Runs in every program, root's included.
 *
 * A function that can fail returns 0, a negative errno (this process's own resources or
 * invariants failed: the caller passes it up unchanged), or a positive constant that its own
 * header documents as <MODULE>_E_<NAME> (an outcome that the caller must handle and may not
 * forward). Library code never logs; the one place that handles a failure logs it once.
 */
#ifndef LIB_ERR_H
#define LIB_ERR_H

/**
 * Log one line at error level and exit with status 1. Only before the loop runs, or for a
 * broken invariant: never for anything that a less trusted peer can cause.
 */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

_Noreturn void err_assert_failed(const char *expr, const char *file, int line);

/** An invariant of our own. Never compiled out, never with side effects. */
#define ASSERT(expr)                                                  \
	do {                                                          \
		if (__builtin_expect(!(expr), 0))                     \
			err_assert_failed(#expr, __FILE__, __LINE__); \
	} while (0)

#endif
