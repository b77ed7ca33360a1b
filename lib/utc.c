/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utc.c: a time as people write it, in universal time.
 *
 * Runs in every program; pure.
 */
#include "lib/utc.h"

enum { DAY_S = 86400, DAYS_400_YEARS = 146097, DAYS_TO_1970 = 719468 /* from 0000-03-01 */ };

#define LAST_S UINT64_C(253402300799) /* 9999-12-31T23:59:59 */

struct utc
utc_of(uint64_t seconds)
{
	uint64_t s = seconds < LAST_S ? seconds : LAST_S;
	uint32_t of_day = (uint32_t)(s % DAY_S);
	uint32_t days = (uint32_t)(s / DAY_S) + DAYS_TO_1970;
	/* Years that begin in March: the day that is not in all of them is their last. */
	uint32_t of_era = days % DAYS_400_YEARS;
	uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint32_t month = (5 * of_year + 2) / 153;

	return (struct utc){
		.year = days / DAYS_400_YEARS * 400 + year + (month >= 10),
		.month = (uint8_t)(month < 10 ? month + 3 : month - 9),
		.day = (uint8_t)(of_year - (153 * month + 2) / 5 + 1),
		.hour = (uint8_t)(of_day / 3600),
		.minute = (uint8_t)(of_day / 60 % 60),
		.second = (uint8_t)(of_day % 60),
	};
}
