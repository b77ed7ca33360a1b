/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * size.c: sizes with a unit; see size.h.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
read_unit(struct domain_parse *p, const char *unit, uint64_t *ret_scale)
{
	static const char powers[] = "kmgtpe";
	const char *power;
	uint64_t base;

	*ret_scale = 1;
	if (strcasecmp(unit, "b") == 0 || strcasecmp(unit, "byte") == 0 ||
		strcasecmp(unit, "bytes") == 0)
		return 0;
	power = *unit ? strchr(powers, tolower((unsigned char)*unit)) : NULL;
	if (power && (!unit[1] || strcasecmp(unit + 1, "iB") == 0))
		base = 1024;
	else if (power && strcasecmp(unit + 1, "B") == 0)
		base = 1000;
	else
		return domain_refuse(p->error, VIR_ERR_INVALID_ARG, VIR_FROM_NONE,
			"unknown suffix '%.100s'", unit);
	for (const char *c = powers; c <= power; c++)
		*ret_scale *= base;
	return 0;
}

int
domain_size_read(struct domain_parse *p, const char *text, const char *where, const char *unit,
	const char *fallback, uint64_t max, uint64_t *ret_bytes)
{
	uint64_t number, scale;
	char *end;
	int r;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Invalid value '%.100s' for element or attribute '%s'", text, where);
	if (!unit)
		unit = fallback;
	r = read_unit(p, unit, &scale);
	if (r)
		return r;
	if (__builtin_mul_overflow(number, scale, ret_bytes) || *ret_bytes > max)
		return domain_refuse(p->error, VIR_ERR_OVERFLOW, VIR_FROM_NONE,
			"value too large: %.100s%s", text, unit);
	return 0;
}
