/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.c: how much memory a virtual machine has.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/memory.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* As virScaleInteger() of libvirt: "k" and "KiB" are 1024, "KB" is 1000, in any case. */
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

/* 0 if the element is absent. */
static int
read_size(struct domain_parse *p, xmlNode *domain, const char *name, uint64_t *ret_kib)
{
	xmlNode *node = xml_child(domain, name);
	free_auto char *text = NULL;
	uint64_t number, scale, bytes;
	const char *unit;
	char *end;
	int r;

	*ret_kib = 0;
	if (!node)
		return 0;
	r = xml_text(node, &text);
	if (r)
		return r;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Invalid value '%.100s' for element or attribute './%s[1]'", text, name);
	unit = xml_attr(node, "unit");
	if (!unit)
		unit = "KiB";
	r = read_unit(p, unit, &scale);
	if (r)
		return r;
	if (__builtin_mul_overflow(number, scale, &bytes) || bytes > DOMAIN_MEMORY_MAX_KIB * 1024)
		return domain_refuse(p->error, VIR_ERR_OVERFLOW, VIR_FROM_NONE,
			"value too large: %s%s", text, unit);
	*ret_kib = (bytes + 1023) / 1024;
	return 0;
}

int
domain_memory_parse(struct domain_parse *p, xmlNode *domain)
{
	struct domain_def *def = p->def;
	int r = read_size(p, domain, "memory", &def->memory_kib);

	if (r)
		return r;
	if (def->memory_kib == 0)
		return refuse_xml(p, "Memory size must be specified via <memory> or in the <numa> "
				     "configuration");
	r = read_size(p, domain, "currentMemory", &def->current_memory_kib);
	if (r == 0 && (def->current_memory_kib == 0 || def->current_memory_kib > def->memory_kib))
		def->current_memory_kib = def->memory_kib;
	return r;
}

static void
format_size(struct writer *w, const char *name, uint64_t kib)
{
	writer_start(w, name);
	writer_attr(w, "unit", "KiB");
	writer_end_text_f(w, name, "%llu", (unsigned long long)kib);
}

void
domain_memory_format(struct writer *w, const struct domain_def *def)
{
	format_size(w, "memory", def->memory_kib);
	format_size(w, "currentMemory", def->current_memory_kib);
}
