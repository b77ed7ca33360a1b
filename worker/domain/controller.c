/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * controller.c: USB, PCI, disk and virtio-serial controllers of the two boards.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/controller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/def.h"
#include "worker/domain/disk_place.h"
#include "worker/domain/parse.h"

enum { USB_PORTS_MAX = 15 };
#define QUEUES_MAX 1024 /* virtio's */

static const struct xml_word types[] = {
	{"usb", DOMAIN_CONTROLLER_USB},
	{"ide", DOMAIN_CONTROLLER_IDE},
	{"sata", DOMAIN_CONTROLLER_SATA},
	{"pci", DOMAIN_CONTROLLER_PCI},
	{"scsi", DOMAIN_CONTROLLER_SCSI},
	{"fdc", DOMAIN_CONTROLLER_FDC},
	{"virtio-serial", DOMAIN_CONTROLLER_VIRTIO_SERIAL},
	{NULL, 0},
};
static const struct xml_word models[] = {
	{"none", DOMAIN_MODEL_NONE},
	{"piix3-uhci", DOMAIN_MODEL_PIIX3_UHCI},
	{"piix4-uhci", DOMAIN_MODEL_PIIX4_UHCI},
	{"ehci", DOMAIN_MODEL_EHCI},
	{"nec-xhci", DOMAIN_MODEL_NEC_XHCI},
	{"qemu-xhci", DOMAIN_MODEL_QEMU_XHCI},
	{"pci-root", DOMAIN_MODEL_PCI_ROOT},
	{"pcie-root", DOMAIN_MODEL_PCIE_ROOT},
	{"pcie-root-port", DOMAIN_MODEL_PCIE_ROOT_PORT},
	{"pcie-to-pci-bridge", DOMAIN_MODEL_PCIE_TO_PCI_BRIDGE},
	{"lsilogic", DOMAIN_MODEL_LSILOGIC},
	{"lsisas1068", DOMAIN_MODEL_LSISAS1068},
	{"lsisas1078", DOMAIN_MODEL_LSISAS1078},
	{"vmpvscsi", DOMAIN_MODEL_VMPVSCSI},
	{"virtio-scsi", DOMAIN_MODEL_VIRTIO_SCSI},
	{"virtio", DOMAIN_MODEL_VIRTIO},
	{"virtio-transitional", DOMAIN_MODEL_VIRTIO_TRANSITIONAL},
	{"virtio-non-transitional", DOMAIN_MODEL_VIRTIO_NON_TRANSITIONAL},
	{NULL, 0},
};
/* Names of QEMU's devices. */
static const struct xml_word port_models[] = {
	{"pcie-root-port", DOMAIN_MODEL_PCIE_ROOT_PORT},
	{"pcie-pci-bridge", DOMAIN_MODEL_PCIE_TO_PCI_BRIDGE},
	{NULL, 0},
};

/*
 * What can be on which board (0: on each), with which indexes. A controller that is part of the
 * board is at a place that cannot be changed (slot); one that is there by_itself need not be named.
 */
static const struct kind {
	enum domain_chipset chipset;
	enum domain_controller_type type;
	enum domain_controller_model model;
	uint8_t first, last;
	enum { BY_ITSELF = 1, DEFAULT = 2, PLUGGED = 4, CONVENTIONAL = 8 } is;
	uint8_t slot, function;
	const char *called;
} kinds[] = {
	{DOMAIN_CHIPSET_I440FX, DOMAIN_CONTROLLER_USB, DOMAIN_MODEL_PIIX3_UHCI, 0, 0,
		BY_ITSELF | DEFAULT, 1, 2, "PIIX3 USB controller at index 0"},
	{DOMAIN_CHIPSET_Q35, DOMAIN_CONTROLLER_USB, DOMAIN_MODEL_QEMU_XHCI, 0, 0,
		BY_ITSELF | DEFAULT | PLUGGED, 0, 0, NULL},
	{0, DOMAIN_CONTROLLER_USB, DOMAIN_MODEL_QEMU_XHCI, 0, 0, PLUGGED, 0, 0, NULL},
	{0, DOMAIN_CONTROLLER_USB, DOMAIN_MODEL_NEC_XHCI, 0, 0, PLUGGED, 0, 0, NULL},
	{DOMAIN_CHIPSET_Q35, DOMAIN_CONTROLLER_USB, DOMAIN_MODEL_PIIX3_UHCI, 0, 0,
		PLUGGED | CONVENTIONAL, 0, 0, NULL},
	{0, DOMAIN_CONTROLLER_USB, DOMAIN_MODEL_PIIX4_UHCI, 0, 0, PLUGGED | CONVENTIONAL, 0, 0,
		NULL},
	{0, DOMAIN_CONTROLLER_USB, DOMAIN_MODEL_EHCI, 0, 0, PLUGGED | CONVENTIONAL, 0, 0, NULL},
	{0, DOMAIN_CONTROLLER_USB, DOMAIN_MODEL_NONE, 0, 0, 0, 0, 0, NULL},
	{DOMAIN_CHIPSET_I440FX, DOMAIN_CONTROLLER_IDE, 0, 0, 0, DEFAULT, 1, 1,
		"Primary IDE controller"},
	{DOMAIN_CHIPSET_Q35, DOMAIN_CONTROLLER_SATA, 0, 0, 0, BY_ITSELF | DEFAULT, 0x1f, 2,
		"Primary SATA controller"},
	{DOMAIN_CHIPSET_Q35, DOMAIN_CONTROLLER_SATA, 0, 1, UINT8_MAX,
		DEFAULT | PLUGGED | CONVENTIONAL, 0, 0, NULL},
	{DOMAIN_CHIPSET_I440FX, DOMAIN_CONTROLLER_SATA, 0, 0, UINT8_MAX,
		DEFAULT | PLUGGED | CONVENTIONAL, 0, 0, NULL},
	{DOMAIN_CHIPSET_I440FX, DOMAIN_CONTROLLER_PCI, DOMAIN_MODEL_PCI_ROOT, 0, 0,
		BY_ITSELF | DEFAULT, 0, 0, NULL},
	{DOMAIN_CHIPSET_Q35, DOMAIN_CONTROLLER_PCI, DOMAIN_MODEL_PCIE_ROOT, 0, 0,
		BY_ITSELF | DEFAULT, 0, 0, NULL},
	{DOMAIN_CHIPSET_Q35, DOMAIN_CONTROLLER_PCI, DOMAIN_MODEL_PCIE_ROOT_PORT, 0, UINT8_MAX, 0, 0,
		0, NULL},
	{DOMAIN_CHIPSET_Q35, DOMAIN_CONTROLLER_PCI, DOMAIN_MODEL_PCIE_TO_PCI_BRIDGE, 0, UINT8_MAX,
		0, 0, 0, NULL},
	{0, DOMAIN_CONTROLLER_SCSI, DOMAIN_MODEL_LSILOGIC, 0, UINT8_MAX,
		DEFAULT | PLUGGED | CONVENTIONAL, 0, 0, NULL},
	{0, DOMAIN_CONTROLLER_SCSI, DOMAIN_MODEL_LSISAS1068, 0, UINT8_MAX, PLUGGED | CONVENTIONAL,
		0, 0, NULL},
	{0, DOMAIN_CONTROLLER_SCSI, DOMAIN_MODEL_LSISAS1078, 0, UINT8_MAX, PLUGGED | CONVENTIONAL,
		0, 0, NULL},
	{0, DOMAIN_CONTROLLER_SCSI, DOMAIN_MODEL_VMPVSCSI, 0, UINT8_MAX, PLUGGED | CONVENTIONAL, 0,
		0, NULL},
	{0, DOMAIN_CONTROLLER_SCSI, DOMAIN_MODEL_VIRTIO_SCSI, 0, UINT8_MAX, PLUGGED, 0, 0, NULL},
	{0, DOMAIN_CONTROLLER_FDC, 0, 0, 0, DEFAULT, 0, 0, NULL},
	{0, DOMAIN_CONTROLLER_VIRTIO_SERIAL, 0, 0, UINT8_MAX, DEFAULT | PLUGGED, 0, 0, NULL},
	{0, DOMAIN_CONTROLLER_VIRTIO_SERIAL, DOMAIN_MODEL_VIRTIO, 0, UINT8_MAX, PLUGGED, 0, 0,
		NULL},
	{0, DOMAIN_CONTROLLER_VIRTIO_SERIAL, DOMAIN_MODEL_VIRTIO_TRANSITIONAL, 0, UINT8_MAX,
		PLUGGED | CONVENTIONAL, 0, 0, NULL},
	{0, DOMAIN_CONTROLLER_VIRTIO_SERIAL, DOMAIN_MODEL_VIRTIO_NON_TRANSITIONAL, 0, UINT8_MAX,
		PLUGGED, 0, 0, NULL},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* model 0 finds the type's default. */
static const struct kind *
find_kind(const struct domain_def *def, unsigned type, unsigned model, uint32_t index)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		const struct kind *k = &kinds[i];

		if ((!k->chipset || k->chipset == def->os.chipset) && k->type == type &&
			index >= k->first && index <= k->last &&
			(model ? k->model == model : k->is & DEFAULT))
			return k;
	}
	return NULL;
}

static bool
is_root(const struct kind *kind)
{
	return kind->model == DOMAIN_MODEL_PCI_ROOT || kind->model == DOMAIN_MODEL_PCIE_ROOT;
}

/* Does it make a bus of its own, beside that of the board? */
static bool
is_bus(const struct kind *kind)
{
	return kind->model == DOMAIN_MODEL_PCIE_ROOT_PORT ||
	       kind->model == DOMAIN_MODEL_PCIE_TO_PCI_BRIDGE;
}

static bool
is_virtio_serial(const struct kind *kind)
{
	return kind->type == DOMAIN_CONTROLLER_VIRTIO_SERIAL;
}

static int
refuse_kind(struct domain_parse *p, unsigned type, unsigned model, uint32_t index)
{
	if (index == 0 || !find_kind(p->def, type, model, 0))
		return refuse_unsupported(p,
			"controller type='%s'%s%s%s is not supported by qemud on machine '%s' yet",
			xml_word(types, type), model ? " model='" : "",
			model ? xml_word(models, model) : "", model ? "'" : "", p->def->os.machine);
	if (type == DOMAIN_CONTROLLER_IDE)
		return refuse_unsupported(
			p, "Only a single IDE controller is supported for this machine type");
	return refuse_unsupported(p,
		"a second %s controller (index='%u') is not supported by qemud yet",
		xml_word(types, type), index);
}

/* Has this type that index already, or has it later in the document? */
static bool
is_index_taken(const struct domain_def *def, xmlNode *node, const struct kind *kind, unsigned index)
{
	if (domain_controller_find(def, kind->type, index))
		return true;
	while ((node = xml_each(node->parent, "controller", node))) {
		const char *type = xml_attr(node, "type"), *number = xml_attr(node, "index");

		if (type && number && xml_word_value(types, type) == kind->type &&
			strtoul(number, NULL, 10) == index)
			return true;
	}
	return false;
}

/* The lowest that is free, for one that says none; the root bus has 0 in any case. */
static uint32_t
free_index(const struct domain_def *def, xmlNode *node, const struct kind *kind)
{
	uint32_t index = is_bus(kind) ? 1 : kind->first;

	while (index < kind->last && is_index_taken(def, node, kind, index))
		index++;
	return index;
}

static int
choose_kind(
	struct domain_parse *p, xmlNode *node, const struct kind **ret_kind, uint32_t *ret_index)
{
	unsigned type, model;
	int r;

	r = xml_attr_word(node, "type", types, p->error, &type);
	if (r == 0 && !type)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Missing required attribute 'type' in element 'controller'");
	if (r == 0)
		r = xml_attr_word(node, "model", models, p->error, &model);
	if (r == 0)
		r = xml_attr_number(
			node, "index", 10, DOMAIN_CONTROLLERS_MAX - 1, 0, p->error, ret_index);
	if (r)
		return r;
	*ret_kind = find_kind(p->def, type, model, *ret_index);
	if (*ret_kind && !xml_attr(node, "index"))
		*ret_index = free_index(p->def, node, *ret_kind);
	if (!*ret_kind)
		return refuse_kind(p, type, model, *ret_index);
	if (is_bus(*ret_kind) && *ret_index == 0)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_QEMU,
			"The PCI controller with index='0' must be model='pcie-root' for this "
			"machine type, but model='%s' was found instead",
			xml_word(models, model));
	return 0;
}

static int
parse_bus(struct domain_parse *p, xmlNode *node, struct domain_controller *controller)
{
	xmlNode *model = xml_child(node, "model"), *target = xml_child(node, "target");
	uint32_t chassis = 0, port = 0;
	unsigned value = 0;
	int r = 0;

	controller->chassis = controller->port = -1;
	if (model)
		r = xml_attr_word(model, "name", port_models, p->error, &value);
	if (r == 0 && value && value != controller->model)
		return refuse_xml(p, "PCI controller model name '%s' does not go with model '%s'",
			xml_word(port_models, value), xml_word(models, controller->model));
	if (controller->model != DOMAIN_MODEL_PCIE_ROOT_PORT)
		return r;
	if (r == 0 && target && xml_attr(target, "chassis")) {
		r = xml_attr_number(target, "chassis", 0, 0xff, 0, p->error, &chassis);
		controller->chassis = (int16_t)chassis;
	}
	if (r == 0 && target && xml_attr(target, "port")) {
		r = xml_attr_number(target, "port", 0, 0xff, 0, p->error, &port);
		controller->port = (int16_t)port;
	}
	return r;
}

static bool
is_xhci(unsigned model)
{
	return model == DOMAIN_MODEL_QEMU_XHCI || model == DOMAIN_MODEL_NEC_XHCI;
}

static int
parse_usb(struct domain_parse *p, xmlNode *node, struct domain_controller *controller)
{
	uint32_t ports = 0;
	int r = 0;

	if (is_xhci(controller->model))
		r = xml_attr_number(node, "ports", 10, UINT32_MAX, 0, p->error, &ports);
	if (r == 0 && ports > USB_PORTS_MAX)
		r = refuse_unsupported(p, "'%s' controller only supports up to '%d' ports",
			xml_word(models, controller->model), (int)USB_PORTS_MAX);
	controller->usb_ports = (uint8_t)ports;
	return r;
}

static int
parse_iothread(struct domain_parse *p, xmlNode *driver, struct domain_controller *controller)
{
	uint32_t id = 0;
	int r = xml_attr_number(driver, "iothread", 10, UINT32_MAX, 0, p->error, &id);

	controller->iothread = id;
	if (r || !id)
		return r;
	if (controller->model != DOMAIN_MODEL_VIRTIO_SCSI)
		return refuse_xml(
			p, "'iothread' attribute only supported for virtio scsi controllers");
	if (!domain_iothread_exists(&p->def->iothreads, id))
		return refuse_unsupported(
			p, "controller iothread '%u' not defined in iothreadid", id);
	return 0;
}

static int
parse_driver(struct domain_parse *p, xmlNode *node, struct domain_controller *controller)
{
	xmlNode *driver = xml_child(node, "driver");
	unsigned ioeventfd = 0;
	int r;

	if (!driver)
		return 0;
	r = xml_attr_number(driver, "queues", 10, QUEUES_MAX, 0, p->error, &controller->queues);
	if (r == 0)
		r = xml_attr_number(driver, "cmd_per_lun", 10, INT32_MAX, 0, p->error,
			&controller->cmd_per_lun);
	if (r == 0)
		r = xml_attr_number(driver, "max_sectors", 10, INT32_MAX, 0, p->error,
			&controller->max_sectors);
	if (r == 0)
		r = xml_attr_word(driver, "ioeventfd", xml_on_off, p->error, &ioeventfd);
	controller->ioeventfd = ioeventfd;
	if (r == 0)
		r = parse_iothread(p, driver, controller);
	if (r || controller->model == DOMAIN_MODEL_VIRTIO_SCSI)
		return r;
	if (controller->queues || controller->cmd_per_lun || controller->max_sectors || ioeventfd)
		return refuse_unsupported(p, "'%s' is only supported by virtio-scsi controller",
			controller->queues        ? "queues"
			: controller->cmd_per_lun ? "cmd_per_lun"
			: controller->max_sectors ? "max_sectors"
						  : "ioeventfd");
	return 0;
}

/* Floppy controllers are on no bus that has places. */
static enum domain_address
address_of(const struct kind *kind)
{
	return kind->model == DOMAIN_MODEL_NONE || kind->type == DOMAIN_CONTROLLER_FDC
		       ? DOMAIN_ADDRESS_NONE
		       : DOMAIN_ADDRESS_PCI;
}

static int
parse_virtio_serial(struct domain_parse *p, xmlNode *node, struct domain_controller *controller)
{
	uint32_t ports = 0, vectors = 0;
	int r;

	controller->ports = controller->vectors = -1;
	r = xml_attr_number(node, "ports", 10, DOMAIN_VIRTIO_SERIAL_PORTS, 0, p->error, &ports);
	if (r == 0)
		r = xml_attr_number(node, "vectors", 10, INT16_MAX, 0, p->error, &vectors);
	if (r)
		return r;
	if (xml_attr(node, "ports"))
		controller->ports = (int16_t)ports;
	if (xml_attr(node, "vectors"))
		controller->vectors = (int16_t)vectors;
	if (controller->ports == 0)
		return refuse_unsupported(p, "a controller without ports (ports='0')");
	return 0;
}

static int
parse_place(struct domain_parse *p, xmlNode *node, const struct kind *kind,
	struct domain_device *device)
{
	struct domain_pci_address *pci = &device->pci;
	int r;

	r = domain_device_parse(p, node, device, address_of(kind));
	device->conventional = kind->is & CONVENTIONAL;
	if (r)
		return r;
	if (is_root(kind) && pci->set)
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"pci-root and pcie-root controllers should not have an address");
	if (!kind->slot)
		return 0;
	if (pci->set && (pci->bus || pci->slot != kind->slot || pci->function != kind->function))
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"%s must have PCI address 0:0:%x.%x", kind->called, kind->slot,
			kind->function);
	*pci = (struct domain_pci_address){true, 0, kind->slot, kind->function, pci->multifunction};
	return 0;
}

/*
 * Before the next index of the type; behind all of the type; else at the end. (As libvirt.) False:
 * its index is taken.
 */
static bool
find_place(const struct domain_def *def, const struct domain_controller *controller, size_t *ret_at)
{
	size_t at = def->n_controllers;
	bool found = false;

	for (size_t i = def->n_controllers; i-- > 0;) {
		const struct domain_controller *other = &def->controllers[i];

		if (other->type != controller->type)
			continue;
		if (other->index == controller->index)
			return false;
		if (other->index > controller->index)
			at = i;
		else if (!found)
			at = i + 1;
		found = true;
	}
	*ret_at = at;
	return true;
}

static int
parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_controller controller = {0};
	const struct kind *kind = NULL;
	uint32_t index = 0;
	size_t at = 0;
	int r = choose_kind(p, node, &kind, &index);

	if (r)
		return r;
	controller.type = kind->type;
	controller.model = kind->model;
	controller.index = (uint8_t)index;
	if (is_bus(kind))
		r = parse_bus(p, node, &controller);
	else if (is_virtio_serial(kind))
		r = parse_virtio_serial(p, node, &controller);
	if (r == 0 && kind->type == DOMAIN_CONTROLLER_USB)
		r = parse_usb(p, node, &controller);
	if (r == 0)
		r = parse_driver(p, node, &controller);
	if (r == 0)
		r = parse_place(p, node, kind, &controller.device);
	if (r == 0 && !find_place(p->def, &controller, &at))
		r = refuse_xml(p, "Multiple '%s' controllers with index '%u'",
			xml_word(types, kind->type), index);
	if (r == 0)
		r = domain_kind_insert(&domain_controller_kind, p->def, at, &controller, p->error);
	domain_kind_fini(&domain_controller_kind, &controller);
	return r;
}

/* One that owns nothing; it is there already where its index is taken. */
static int
add(struct domain_def *def, struct domain_controller *controller, struct rpc_error *error)
{
	size_t at = 0;

	if (controller->type != DOMAIN_CONTROLLER_FDC)
		controller->device.address = DOMAIN_ADDRESS_PCI;
	if (!find_place(def, controller, &at))
		return 0;
	return domain_kind_insert(&domain_controller_kind, def, at, controller, error);
}

static int
add_kind(struct domain_def *def, const struct kind *kind, uint8_t index, struct rpc_error *error)
{
	struct domain_controller controller = {
		.type = kind->type, .model = kind->model, .index = index, .added = true};

	controller.device.conventional = kind->is & CONVENTIONAL;
	if (kind->slot)
		controller.device.pci = (struct domain_pci_address){
			.set = true, .slot = kind->slot, .function = kind->function};
	return add(def, &controller, error);
}

/* All controllers of a type up to the last one that has a disk. */
static int
add_for_disks(struct domain_def *def, enum domain_controller_type type, struct rpc_error *error)
{
	unsigned n = 0;
	int r = 0;

	for (size_t i = 0; i < def->n_disks; i++) {
		const struct domain_disk *disk = &def->disks[i];

		if (domain_disk_bus_controller(disk->bus) == type &&
			disk->device.drive.controller >= n)
			n = disk->device.drive.controller + 1;
	}
	for (unsigned i = 0; i < n && r == 0; i++)
		r = add_kind(def, find_kind(def, type, 0, i), (uint8_t)i, error);
	return r;
}

static int
complete(struct domain_parse *p)
{
	static const enum domain_controller_type of_disks[] = {DOMAIN_CONTROLLER_SCSI,
		DOMAIN_CONTROLLER_FDC, DOMAIN_CONTROLLER_IDE, DOMAIN_CONTROLLER_SATA};
	int r = 0;

	for (size_t i = 0; i < N_KINDS && r == 0; i++)
		if (kinds[i].chipset == p->def->os.chipset && kinds[i].is & BY_ITSELF)
			r = add_kind(p->def, &kinds[i], 0, p->error);
	for (size_t i = 0; i < sizeof(of_disks) / sizeof(of_disks[0]) && r == 0; i++)
		r = add_for_disks(p->def, of_disks[i], p->error);
	return r;
}

int
domain_controller_add_bus(struct domain_def *def, enum domain_controller_model model, uint8_t index,
	struct rpc_error *error)
{
	struct domain_controller controller = {
		.type = DOMAIN_CONTROLLER_PCI,
		.model = model,
		.index = index,
		.chassis = -1,
		.port = -1,
	};

	return add(def, &controller, error);
}

int
domain_controller_add_virtio_serial(struct domain_def *def, uint8_t index, struct rpc_error *error)
{
	struct domain_controller controller = {
		.type = DOMAIN_CONTROLLER_VIRTIO_SERIAL,
		.index = index,
		.ports = -1,
		.vectors = -1,
		.added = true,
	};

	return add(def, &controller, error);
}

bool
domain_controller_is_plugged(
	const struct domain_def *def, const struct domain_controller *controller)
{
	const struct kind *kind =
		find_kind(def, controller->type, controller->model, controller->index);

	return kind && kind->is & PLUGGED;
}

const struct domain_controller *
domain_controller_find(
	const struct domain_def *def, enum domain_controller_type type, unsigned index)
{
	for (size_t i = 0; i < def->n_controllers; i++)
		if (def->controllers[i].type == type && def->controllers[i].index == index)
			return &def->controllers[i];
	return NULL;
}

enum domain_controller_model
domain_controller_scsi_model(const struct domain_def *def, unsigned index)
{
	const struct domain_controller *c =
		domain_controller_find(def, DOMAIN_CONTROLLER_SCSI, index);

	return c ? c->model : DOMAIN_MODEL_LSILOGIC;
}

unsigned
domain_controller_usb_ports(const struct domain_controller *controller)
{
	static const uint8_t ports[] = {
		[DOMAIN_MODEL_PIIX3_UHCI] = 2,
		[DOMAIN_MODEL_PIIX4_UHCI] = 2,
		[DOMAIN_MODEL_EHCI] = 6,
		[DOMAIN_MODEL_NEC_XHCI] = 4,
		[DOMAIN_MODEL_QEMU_XHCI] = 4,
	};

	if (controller->usb_ports)
		return controller->usb_ports;
	return controller->model < sizeof(ports) ? ports[controller->model] : 0;
}

struct domain_controller *
domain_controller_find_pci(struct domain_def *def, unsigned index)
{
	for (size_t i = 0; i < def->n_controllers; i++) {
		struct domain_controller *c = &def->controllers[i];

		if (c->type == DOMAIN_CONTROLLER_PCI && c->index == index)
			return c;
	}
	return NULL;
}

/* Every i440FX board has these, whoever mentions them. */
static bool
goes_without_saying(const struct domain_controller *controller)
{
	return controller->index == 0 && !domain_device_is_named(&controller->device) &&
	       (controller->model == DOMAIN_MODEL_PIIX3_UHCI ||
		       controller->model == DOMAIN_MODEL_PCI_ROOT);
}

static void
format_driver(struct writer *w, const struct domain_controller *controller)
{
	if (!controller->queues && !controller->cmd_per_lun && !controller->max_sectors &&
		!controller->ioeventfd && !controller->iothread)
		return;
	writer_start(w, "driver");
	if (controller->queues)
		writer_attr_f(w, "queues", "%u", controller->queues);
	if (controller->cmd_per_lun)
		writer_attr_f(w, "cmd_per_lun", "%u", controller->cmd_per_lun);
	if (controller->max_sectors)
		writer_attr_f(w, "max_sectors", "%u", controller->max_sectors);
	if (controller->ioeventfd)
		writer_attr(w, "ioeventfd", xml_word(xml_on_off, controller->ioeventfd));
	if (controller->iothread)
		writer_attr_f(w, "iothread", "%u", controller->iothread);
	writer_end(w, "driver");
}

static void
format_virtio_serial(struct writer *w, const struct domain_controller *controller)
{
	if (controller->ports >= 0)
		writer_attr_f(w, "ports", "%d", controller->ports);
	if (controller->vectors >= 0)
		writer_attr_f(w, "vectors", "%d", controller->vectors);
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_controller *controller = &def->controllers[i];

	if (flags & DOMAIN_DEF_MIGRATABLE && goes_without_saying(controller))
		return;
	writer_start(w, "controller");
	writer_attr(w, "type", xml_word(types, controller->type));
	writer_attr_f(w, "index", "%u", controller->index);
	if (controller->model)
		writer_attr(w, "model", xml_word(models, controller->model));
	if (controller->usb_ports)
		writer_attr_f(w, "ports", "%u", controller->usb_ports);
	if (controller->type == DOMAIN_CONTROLLER_VIRTIO_SERIAL)
		format_virtio_serial(w, controller);
	if (controller->model == DOMAIN_MODEL_PCIE_ROOT_PORT ||
		controller->model == DOMAIN_MODEL_PCIE_TO_PCI_BRIDGE) {
		writer_start(w, "model");
		writer_attr(w, "name", xml_word(port_models, controller->model));
		writer_end(w, "model");
	}
	if (controller->model == DOMAIN_MODEL_PCIE_ROOT_PORT) {
		writer_start(w, "target");
		writer_attr_f(w, "chassis", "%d", controller->chassis);
		writer_attr_f(w, "port", "0x%x", (unsigned)controller->port);
		writer_end(w, "target");
	}
	format_driver(w, controller);
	domain_device_format(w, &controller->device, flags);
	writer_end(w, "controller");
}

static int
name(const struct domain_def *def, size_t i, char **ret)
{
	const struct domain_controller *c = &def->controllers[i];

	if (c->type == DOMAIN_CONTROLLER_VIRTIO_SERIAL) {
		if (asprintf(ret, "virtio-serial%u", c->index) < 0)
			*ret = NULL;
	} else if (c->type == DOMAIN_CONTROLLER_USB)
		*ret = strdup("usb");
	else if (c->type == DOMAIN_CONTROLLER_IDE ||
		 (c->type == DOMAIN_CONTROLLER_SATA && !domain_controller_is_plugged(def, c)))
		*ret = strdup("ide");
	else if (c->model == DOMAIN_MODEL_PCIE_ROOT)
		*ret = strdup("pcie.0");
	else if (asprintf(ret, c->type == DOMAIN_CONTROLLER_PCI ? "%s.%u" : "%s%u",
			 xml_word(types, c->type), c->index) < 0)
		*ret = NULL;
	return *ret ? 0 : -ENOMEM;
}

const struct domain_kind domain_controller_kind = {
	.element = "controller",
	DOMAIN_KIND_LIST(controllers, domain_controller),
	.max = DOMAIN_CONTROLLERS_MAX,
	.parse = parse,
	.complete = complete,
	.format = format,
	.name = name,
};
