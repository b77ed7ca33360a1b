/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stage.h: the machine of tests/unit/machine.h, for fuzz targets.
 */
#ifndef FUZZ_STAGE_H
#define FUZZ_STAGE_H

#include "fuzz/check.h"

#include "tests/unit/machine.h"

#endif
