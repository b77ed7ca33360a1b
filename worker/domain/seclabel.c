/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seclabel.c: security labels, of which there are none; see seclabel.h.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/seclabel.h"

#include <string.h>

#include "worker/domain/parse.h"

static const struct xml_word types[] = {{"none", 1}, {"dynamic", 2}, {"static", 3}, {NULL, 0}};

int
domain_seclabel_parse(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *node = xml_child(domain, "seclabel");
	const char *model;
	unsigned type, relabel;
	int r;

	if (!node)
		return 0;
	r = xml_attr_choice(node, "type", types, p->error, &type);
	if (r)
		return r;
	model = xml_attr(node, "model");
	if (type == 3 || (model && strcmp(model, "none") != 0))
		return refuse_unsupported(p,
			"security labels are not supported by qemud: every machine has a box of "
			"its own; leave <seclabel> out");
	p->def->seclabel_none = true;
	/* It means nothing without a label. */
	return xml_attr_choice(node, "relabel", xml_yes_no, p->error, &relabel);
}

void
domain_seclabel_format(struct writer *w, const struct domain_def *def)
{
	if (!def->seclabel_none)
		return;
	writer_start(w, "seclabel");
	writer_attr(w, "type", "none");
	writer_attr(w, "model", "none");
	writer_end(w, "seclabel");
}
