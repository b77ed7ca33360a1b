/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * features.c: ACPI and APIC.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/features.h"

int
domain_features_parse(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *node = xml_child(domain, "features");

	if (node) {
		p->def->acpi = xml_child(node, "acpi") != NULL;
		p->def->apic = xml_child(node, "apic") != NULL;
	}
	return 0;
}

static void
format_feature(struct writer *w, const char *name, bool present)
{
	if (present) {
		writer_start(w, name);
		writer_end(w, name);
	}
}

void
domain_features_format(struct writer *w, const struct domain_def *def)
{
	if (!def->acpi && !def->apic)
		return;
	writer_start(w, "features");
	format_feature(w, "acpi", def->acpi);
	format_feature(w, "apic", def->apic);
	writer_end(w, "features");
}
