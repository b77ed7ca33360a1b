/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * panic.c: the device through which a guest says that it has crashed.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/panic.h"

#include "worker/domain/def.h"
#include "worker/domain/parse.h"

static const struct xml_word models[] = {{"isa", 1}, {NULL, 0}};

static int
parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_panic panic = {0};
	unsigned model;
	int r = xml_attr_word(node, "model", models, p->error, &model);

	if (r == 0)
		r = domain_device_parse(p, node, &panic.device, DOMAIN_ADDRESS_ISA);
	if (r == 0 && panic.device.isa.irq_set)
		r = refuse_unsupported(p, "a <panic> has no interrupt (irq)");
	if (r == 0 && p->def->n_panics > 0)
		r = refuse_xml(p, "Multiple panic devices with model 'isa'");
	if (r == 0)
		r = domain_kind_insert(&domain_panic_kind, p->def, 0, &panic, p->error);
	domain_kind_fini(&domain_panic_kind, &panic);
	return r;
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	writer_start(w, "panic");
	writer_attr(w, "model", "isa");
	domain_device_format(w, &def->panics[i].device, flags);
	writer_end(w, "panic");
}

const struct domain_kind domain_panic_kind = {
	.element = "panic",
	DOMAIN_KIND_LIST(panics, domain_panic),
	.max = DOMAIN_PANICS_MAX,
	.parse = parse,
	.format = format,
	.alias = "panic",
};
