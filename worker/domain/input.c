/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input.c: PS/2 devices, which are part of the board, and those on USB and PCI.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/input.h"

#include "worker/domain/def.h"
#include "worker/domain/parse.h"

static const struct xml_word types[] = {
	{"mouse", DOMAIN_INPUT_MOUSE},
	{"keyboard", DOMAIN_INPUT_KEYBOARD},
	{"tablet", DOMAIN_INPUT_TABLET},
	{NULL, 0},
};
static const struct xml_word buses[] = {
	{"ps2", DOMAIN_INPUT_PS2},
	{"usb", DOMAIN_INPUT_USB},
	{"virtio", DOMAIN_INPUT_VIRTIO},
	{NULL, 0},
};
static const struct xml_word models[] = {{"virtio", 1}, {NULL, 0}};
static const enum domain_address addresses[] = {
	[DOMAIN_INPUT_PS2] = DOMAIN_ADDRESS_NONE,
	[DOMAIN_INPUT_USB] = DOMAIN_ADDRESS_USB,
	[DOMAIN_INPUT_VIRTIO] = DOMAIN_ADDRESS_PCI,
};
/* What every PC has. */
static const enum domain_input_type built_in[] = {DOMAIN_INPUT_MOUSE, DOMAIN_INPUT_KEYBOARD};

static bool
has_ps2(const struct domain_def *def, unsigned type)
{
	for (size_t i = 0; i < def->n_inputs; i++)
		if (def->inputs[i].type == type && def->inputs[i].bus == DOMAIN_INPUT_PS2)
			return true;
	return false;
}

static int
append(struct domain_parse *p, struct domain_input *input)
{
	return domain_kind_insert(&domain_input_kind, p->def, p->def->n_inputs, input, p->error);
}

static int
check(struct domain_parse *p, xmlNode *node, struct domain_input *input)
{
	unsigned model = 0;
	int r;

	if (input->bus == DOMAIN_INPUT_PS2 && input->type == DOMAIN_INPUT_TABLET)
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"ps2 bus does not support tablet input device");
	if (input->bus == DOMAIN_INPUT_PS2 && has_ps2(p->def, input->type))
		return refuse_unsupported(p, "more than one <input type='%s' bus='ps2'/>",
			xml_word(types, input->type));
	r = xml_attr_word(node, "model", models, p->error, &model);
	if (r == 0 && model && input->bus != DOMAIN_INPUT_VIRTIO)
		r = domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"only bus 'virtio' is supported for input model 'virtio'");
	input->model = model;
	return r;
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
	input.type = type;
	input.bus = bus;
	if (!bus)
		input.bus = type == DOMAIN_INPUT_TABLET ? DOMAIN_INPUT_USB : DOMAIN_INPUT_PS2;
	r = check(p, node, &input);
	if (r == 0)
		r = domain_device_parse(p, node, &input.device, addresses[input.bus]);
	if (r == 0)
		r = append(p, &input);
	domain_kind_fini(&domain_input_kind, &input);
	return r;
}

static int
complete(struct domain_parse *p)
{
	for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++) {
		struct domain_input input = {.type = built_in[i], .bus = DOMAIN_INPUT_PS2};
		int r = has_ps2(p->def, built_in[i]) ? 0 : append(p, &input);

		if (r)
			return r;
	}
	return 0;
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_input *input = &def->inputs[i];

	if (flags & DOMAIN_DEF_MIGRATABLE && input->type == DOMAIN_INPUT_KEYBOARD &&
		input->bus == DOMAIN_INPUT_PS2)
		return;
	writer_start(w, "input");
	writer_attr(w, "type", xml_word(types, input->type));
	writer_attr(w, "bus", xml_word(buses, input->bus));
	if (input->model)
		writer_attr(w, "model", "virtio");
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
