/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * usb_controller.c: USB controllers, and the sets of the ICH9.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/usb_controller.h"

#include "worker/domain/board.h"
#include "worker/domain/def.h"
#include "worker/domain/parse.h"

enum { PORTS_MAX = 15, COMPANION_PORTS = 2 };
#define START_MAX 4u /* of the six ports of a master */

static const struct model {
	uint8_t ports;      /* unless the definition says how many */
	bool may_say;       /* it may */
	bool is_set;        /* part of a set: */
	uint8_t function;   /* of the slot */
	bool is_companion;  /* of the master, */
	uint8_t start_port; /* unless the definition says which */
} models[] = {
	[DOMAIN_MODEL_PIIX3_UHCI] = {.ports = 2},
	[DOMAIN_MODEL_PIIX4_UHCI] = {.ports = 2},
	[DOMAIN_MODEL_EHCI] = {.ports = 6},
	[DOMAIN_MODEL_ICH9_EHCI1] = {.ports = 6, .is_set = true, .function = 7},
	[DOMAIN_MODEL_ICH9_UHCI1] = {.is_set = true, .function = 0, .is_companion = true},
	[DOMAIN_MODEL_ICH9_UHCI2] = {.is_set = true,
		.function = 1,
		.is_companion = true,
		.start_port = 2},
	[DOMAIN_MODEL_ICH9_UHCI3] = {.is_set = true,
		.function = 2,
		.is_companion = true,
		.start_port = 4},
	[DOMAIN_MODEL_PCI_OHCI] = {.ports = 3},
	[DOMAIN_MODEL_NEC_XHCI] = {.ports = 4, .may_say = true},
	[DOMAIN_MODEL_QEMU_XHCI] = {.ports = 4, .may_say = true},
};

static const struct model *
model_of(unsigned model)
{
	static const struct model none;

	return model < sizeof(models) / sizeof(models[0]) ? &models[model] : &none;
}

static const struct domain_controller *
next(const struct domain_def *def, const struct domain_controller *at)
{
	for (size_t i = at ? (size_t)(at - def->controllers) + 1 : 0; i < def->n_controllers; i++)
		if (def->controllers[i].type == DOMAIN_CONTROLLER_USB)
			return &def->controllers[i];
	return NULL;
}

int
domain_usb_controller_parse(
	struct domain_parse *p, xmlNode *node, struct domain_controller *controller)
{
	const struct model *model = model_of(controller->model);
	xmlNode *master = model->is_companion ? xml_child(node, "master") : NULL;
	uint32_t ports = 0, start = model->start_port;
	int r = 0;

	if (model->may_say)
		r = xml_attr_number(node, "ports", 10, UINT32_MAX, 0, p->error, &ports);
	if (r == 0 && ports > PORTS_MAX)
		r = refuse_unsupported(p, "'%s' controller only supports up to '%d' ports",
			xml_word(domain_controller_models, controller->model), (int)PORTS_MAX);
	if (r == 0 && master)
		r = xml_attr_number(master, "startport", 10, UINT32_MAX, start, p->error, &start);
	if (r == 0 && start > START_MAX)
		r = refuse_unsupported(
			p, "a companion's startport must be between 0 and %u", START_MAX);
	controller->usb_ports = (uint8_t)ports;
	controller->is_companion = model->is_companion;
	controller->start_port = (uint8_t)start;
	return r;
}

void
domain_usb_controller_format(struct writer *w, const struct domain_controller *controller)
{
	if (!controller->is_companion)
		return;
	writer_start(w, "master");
	writer_attr_f(w, "startport", "%u", controller->start_port);
	writer_end(w, "master");
}

bool
domain_usb_controller_joins(const struct domain_def *def, unsigned model, uint32_t *ret_index)
{
	const struct domain_controller *last = NULL, *c = NULL;

	while ((c = next(def, c)))
		last = c;
	if (!last || !model_of(model)->is_set || !model_of(last->model)->is_set)
		return false;
	while ((c = next(def, c)))
		if (c->index == last->index && c->model == model)
			return false;
	*ret_index = last->index;
	return true;
}

void
domain_usb_controller_place(const struct domain_def *def, struct domain_controller *controller)
{
	const struct model *model = model_of(controller->model);
	struct domain_device *device = &controller->device;

	if (!model->is_set)
		return;
	device->slotmates = controller->index + 1u;
	if (!device->pci.set) {
		device->pci.function = model->function;
		device->pci.multifunction = model->function == 0 ? DOMAIN_ON : 0;
	}
	if (def->os.chipset == DOMAIN_CHIPSET_Q35 && model->function == 0) {
		device->prefers[0] = 0x1d;
		device->prefers[1] = 0x1a;
	}
}

/* The ports that a companion serves have no other. */
static int
check_companion(const struct domain_def *def, const struct domain_controller *companion,
	struct rpc_error *error)
{
	const struct domain_controller *c = NULL, *master = NULL;

	while ((c = next(def, c))) {
		if (c->index != companion->index || c == companion)
			continue;
		if (!c->is_companion)
			master = c;
		else if (c->start_port < companion->start_port + COMPANION_PORTS &&
			 companion->start_port < c->start_port + COMPANION_PORTS)
			return domain_refuse(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
				"the companions at ports %u and %u of USB bus %u have a port in "
				"common",
				companion->start_port, c->start_port, c->index);
	}
	if (!master)
		return domain_refuse(
			error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU, "masterbus not found");
	if (master->model != DOMAIN_MODEL_ICH9_EHCI1)
		return domain_refuse(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"a USB controller of model '%s' has no companions; one of model "
			"'ich9-ehci1' has",
			xml_word(domain_controller_models, master->model));
	return 0;
}

int
domain_usb_controllers_check(const struct domain_def *def, struct rpc_error *error)
{
	const struct domain_controller *c = NULL;
	bool is_off = false, has_master = false;
	int r = 0;

	while ((c = next(def, c))) {
		is_off = is_off || c->model == DOMAIN_MODEL_NONE;
		has_master = has_master || !c->is_companion;
	}
	if (is_off && domain_usb_controllers_count(def) > 1)
		return domain_refuse(error, VIR_ERR_XML_DETAIL, VIR_FROM_DOMAIN,
			"Can't add another USB controller: USB is disabled for this domain");
	if (!has_master && domain_usb_controllers_count(def) > 0)
		return domain_refuse(error, VIR_ERR_XML_DETAIL, VIR_FROM_DOMAIN,
			"No master USB controller specified");
	while (r == 0 && (c = next(def, c)))
		if (c->is_companion)
			r = check_companion(def, c, error);
	return r;
}

size_t
domain_usb_controllers_count(const struct domain_def *def)
{
	const struct domain_controller *c = NULL;
	size_t n = 0;

	while ((c = next(def, c)))
		n++;
	return n;
}

unsigned
domain_usb_controller_ports(const struct domain_controller *controller)
{
	return controller->usb_ports ? controller->usb_ports : model_of(controller->model)->ports;
}
