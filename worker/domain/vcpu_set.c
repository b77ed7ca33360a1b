/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpu_set.c: some of the virtual CPUs.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/vcpu.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/parse.h"

static void
set_range(struct domain_vcpu_set *set, unsigned long first, unsigned long last, bool in)
{
	for (unsigned long cpu = first; cpu <= last; cpu++) {
		uint32_t bit = UINT32_C(1) << cpu % 32;

		if (in)
			set->words[cpu / 32] |= bit;
		else
			set->words[cpu / 32] &= ~bit;
	}
}

/* A number below the bound. */
static bool
read_cpu(const char **at, unsigned long *ret)
{
	char *end;

	if (!isdigit((unsigned char)**at))
		return false;
	*ret = strtoul(*at, &end, 10);
	*at = end;
	return *ret < DOMAIN_VCPUS_MAX;
}

int
domain_vcpu_set_parse(struct domain_parse *p, const char *text, struct domain_vcpu_set *ret)
{
	const char *at = text;
	bool more = true;

	memset(ret, 0, sizeof(*ret));
	while (more) {
		bool out = *at == '^';
		unsigned long first = 0, last;

		at += out;
		more = read_cpu(&at, &first);
		last = first;
		if (more && *at == '-' && !out) {
			at++;
			more = read_cpu(&at, &last);
		}
		if (!more || last < first || (*at && *at != ','))
			return domain_refuse(p->error, VIR_ERR_INVALID_ARG, VIR_FROM_NONE,
				"Failed to parse bitmap '%.100s'", text);
		set_range(ret, first, last, !out);
		more = *at == ',';
		at += more;
	}
	return 0;
}

const char *
domain_vcpu_set_format(const struct domain_vcpu_set *set, const char *between,
	char text[static DOMAIN_VCPU_SET_TEXT])
{
	size_t used = 0;

	*text = '\0';
	for (uint32_t first = 0; first < DOMAIN_VCPUS_MAX; first++) {
		uint32_t last = first;

		if (!domain_vcpu_set_has(set, first))
			continue;
		while (last + 1 < DOMAIN_VCPUS_MAX && domain_vcpu_set_has(set, last + 1))
			last++;
		used += (size_t)snprintf(text + used, DOMAIN_VCPU_SET_TEXT - used, "%s%u",
			used ? between : "", first);
		if (last > first)
			used += (size_t)snprintf(
				text + used, DOMAIN_VCPU_SET_TEXT - used, "-%u", last);
		first = last;
	}
	return text;
}
