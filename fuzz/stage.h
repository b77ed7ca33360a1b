/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stage.h: the machine of tests/unit/machine.h with every handler, for fuzz targets: what is a check
 * in a test ends the program here.
 */
#ifndef FUZZ_STAGE_H
#define FUZZ_STAGE_H

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

#include "tests/unit/machine.h"
#include "tests/unit/served_all.h"

#endif
