/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test.h: what a C test needs: numbered TAP lines and checks that say where they failed.
 */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_n, test_failed, test_this_failed;

/** A failed check is told and counted; the test goes on. */
#define CHECK(expr)                                                         \
	do {                                                                \
		if (!(expr)) {                                              \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #expr); \
			test_this_failed = 1;                               \
		}                                                           \
	} while (0)

#define CHECK_STR(got, want)                                                             \
	do {                                                                             \
		const char *got_ = (got), *want_ = (want);                               \
		if (!got_ || strcmp(got_, want_) != 0) {                                 \
			printf("# %s:%d: got \"%s\", want \"%s\"\n", __FILE__, __LINE__, \
				got_ ? got_ : "(null)", want_);                          \
			test_this_failed = 1;                                            \
		}                                                                        \
	} while (0)

/** Run one test; the property it shows is its name. */
#define TEST(property, fn)                                                                    \
	do {                                                                                  \
		test_this_failed = 0;                                                         \
		fn();                                                                         \
		printf("%sok %d - %s\n", test_this_failed ? "not " : "", ++test_n, property); \
		test_failed += test_this_failed;                                              \
		(void)fflush(stdout);                                                         \
	} while (0)

/** The end of main(): the plan, and the exit status. */
#define TEST_END() (printf("1..%d\n", test_n), test_failed ? EXIT_FAILURE : EXIT_SUCCESS)

#endif
