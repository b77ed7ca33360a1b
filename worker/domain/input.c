/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input.c: PS/2 devices: they are part of the board, and libvirt lists them.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/input.h"

#include "worker/domain/def.h"
#include "worker/domain/parse.h"

static const struct xml_word types[] = {
	{"mouse", DOMAIN_INPUT_MOUSE},
	{"keyboard", DOMAIN_INPUT_KEYBOARD},
	{NULL, 0},
};
static const struct xml_word buses[] = {{"ps2", 1}, {NULL, 0}};

static bool
has(const struct domain_def *def, unsigned type)
{
	for (size_t i = 0; i < def->n_inputs; i++)
		if (def->inputs[i].type == type)
			return true;
	return false;
}

static int
append(struct domain_parse *p, struct domain_input *input)
{
	return domain_kind_insert(&domain_input_kind, p->def, p->def->n_inputs, input, p->error);
}

static int
parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_input input = {0};
	unsigned type, bus;
	int r;

	r = xml_attr_word(node, "type", types, p->error, &type);
	if (r == 0 && !type)
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"missing input device type");
	if (r == 0)
		r = xml_attr_word(node, "bus", buses, p->error, &bus);
	if (r)
		return r;
	if (has(p->def, type))
		return refuse_unsupported(
			p, "more than one <input type='%s' bus='ps2'/>", xml_word(types, type));
	input.type = type;
	r = domain_device_parse(p, node, &input.device, DOMAIN_ADDRESS_NONE);
	if (r == 0)
		r = append(p, &input);
	domain_kind_fini(&domain_input_kind, &input);
	return r;
}

static int
complete(struct domain_parse *p)
{
	for (const struct xml_word *t = types; t->word; t++) {
		struct domain_input input = {.type = t->value};
		int r = has(p->def, t->value) ? 0 : append(p, &input);

		if (r)
			return r;
	}
	return 0;
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_input *input = &def->inputs[i];

	if (flags & DOMAIN_DEF_MIGRATABLE && input->type == DOMAIN_INPUT_KEYBOARD)
		return;
	writer_start(w, "input");
	writer_attr(w, "type", xml_word(types, input->type));
	writer_attr(w, "bus", "ps2");
	domain_device_format(w, &input->device, flags);
	writer_end(w, "input");
}

const struct domain_kind domain_input_kind = {
	.element = "input",
	DOMAIN_KIND_LIST(inputs, domain_input),
	.max = DOMAIN_INPUTS_MAX,
	.parse = parse,
	.complete = complete,
	.format = format,
	.alias = "input",
};
