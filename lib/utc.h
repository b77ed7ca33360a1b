/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utc.h: a time as people write it, in universal time.
 *
 * Runs in every program; pure. libc's gmtime_r() reads the file of the local time zone when it is first
 * called, which not every program may.
 */
#ifndef LIB_UTC_H
#define LIB_UTC_H

#include <stdint.h>

struct utc {
	uint32_t year; /* from 1970 */
	uint8_t month; /* from 1 */
	uint8_t day;   /* from 1 */
	uint8_t hour, minute, second;
};

/** Seconds since the epoch; what is past the year 9999 is taken for its last second. */
struct utc utc_of(uint64_t seconds);

#endif
