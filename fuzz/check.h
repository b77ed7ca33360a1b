/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check.h: in the place of tests/unit/test.h for what fuzz targets take from the tests: what is a
 * check there ends the program here.
 */
#ifndef FUZZ_CHECK_H
#define FUZZ_CHECK_H

#ifdef TESTS_UNIT_TEST_H
#error "before anything of tests/unit"
#endif
#define TESTS_UNIT_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

#define CHECK(expr) ASSERT(expr)
#define CHECK_STR(got, want)                                                                     \
	do {                                                                                     \
		const char *got_ = (got), *want_ = (want);                                       \
		if (!got_ || strcmp(got_, want_) != 0) {                                         \
			(void)fprintf(stderr, "%s:%d: \"%s\", not \"%s\"\n", __FILE__, __LINE__, \
				got_ ? got_ : "(null)", want_);                                  \
			abort();                                                                 \
		}                                                                                \
	} while (0)

#endif
