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

#include "worker/domain/board.h"
#include "worker/domain/def.h"
#include "worker/domain/disk_place.h"
#include "worker/domain/parse.h"
#include "worker/domain/usb_controller.h"

#define QUEUES_MAX 1024 /* virtio's */

/* Names of QEMU's devices. */
static const struct xml_word port_models[] = {
	{"pcie-root-port", DOMAIN_MODEL_PCIE_ROOT_PORT},
	{"pcie-pci-bridge", DOMAIN_MODEL_PCIE_TO_PCI_BRIDGE},
	{NULL, 0},
};

static bool
is_root(const struct domain_board_controller *kind)
{
	return kind->model == DOMAIN_MODEL_PCI_ROOT || kind->model == DOMAIN_MODEL_PCIE_ROOT;
}

/* Does it make a bus of its own, beside that of the board? */
static bool
is_bus(const struct domain_board_controller *kind)
{
	return kind->model == DOMAIN_MODEL_PCIE_ROOT_PORT ||
	       kind->model == DOMAIN_MODEL_PCIE_TO_PCI_BRIDGE;
}

static bool
is_virtio_serial(const struct domain_board_controller *kind)
{
	return kind->type == DOMAIN_CONTROLLER_VIRTIO_SERIAL;
}

static int
refuse_kind(struct domain_parse *p, unsigned type, unsigned model, uint32_t index)
{
	if (index == 0 || !domain_board_find(p->def, type, model, 0))
		return refuse_unsupported(p,
			"controller type='%s'%s%s%s is not supported by qemud on machine '%s' yet",
			xml_word(domain_controller_types, type), model ? " model='" : "",
			model ? xml_word(domain_controller_models, model) : "", model ? "'" : "",
			p->def->os.machine);
	if (type == DOMAIN_CONTROLLER_IDE)
		return refuse_unsupported(
			p, "Only a single IDE controller is supported for this machine type");
	return refuse_unsupported(p,
		"a second %s controller (index='%u') is not supported by qemud yet",
		xml_word(domain_controller_types, type), index);
}

/* Has this type that index already, or has it later in the document? */
static bool
is_index_taken(const struct domain_def *def, xmlNode *node, unsigned wanted, unsigned index)
{
	if (domain_controller_find(def, wanted, index))
		return true;
	while ((node = xml_each(node->parent, "controller", node))) {
		const char *type = xml_attr(node, "type"), *number = xml_attr(node, "index");

		if (type && number && xml_word_value(domain_controller_types, type) == wanted &&
			strtoul(number, NULL, 10) == index)
			return true;
	}
	return false;
}

/* The lowest that is free, for one that says none; the root bus has 0 in any case. */
static uint32_t
free_index(const struct domain_def *def, xmlNode *node, unsigned type, unsigned model)
{
	const struct domain_board_controller *kind = domain_board_find(def, type, model, 0);
	uint32_t index = kind && is_bus(kind) ? 1 : 0;

	if (type == DOMAIN_CONTROLLER_USB && domain_usb_controller_joins(def, model, &index))
		return index;
	while (index < DOMAIN_CONTROLLERS_MAX - 1 && is_index_taken(def, node, type, index))
		index++;
	return index;
}

static int
choose_kind(struct domain_parse *p, xmlNode *node, const struct domain_board_controller **ret_kind,
	uint32_t *ret_index)
{
	unsigned type, model;
	int r;

	r = xml_attr_word(node, "type", domain_controller_types, p->error, &type);
	if (r == 0 && !type)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Missing required attribute 'type' in element 'controller'");
	if (r == 0)
		r = xml_attr_word(node, "model", domain_controller_models, p->error, &model);
	if (r == 0)
		r = xml_attr_number(
			node, "index", 10, DOMAIN_CONTROLLERS_MAX - 1, 0, p->error, ret_index);
	if (r)
		return r;
	if (!xml_attr(node, "index"))
		*ret_index = free_index(p->def, node, type, model);
	*ret_kind = domain_board_find(p->def, type, model, *ret_index);
	if (!*ret_kind)
		return refuse_kind(p, type, model, *ret_index);
	if (is_bus(*ret_kind) && *ret_index == 0)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_QEMU,
			"The PCI controller with index='0' must be model='pcie-root' for this "
			"machine type, but model='%s' was found instead",
			xml_word(domain_controller_models, model));
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
			xml_word(port_models, value),
			xml_word(domain_controller_models, controller->model));
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
address_of(const struct domain_board_controller *kind)
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
parse_place(struct domain_parse *p, xmlNode *node, const struct domain_board_controller *kind,
	struct domain_device *device)
{
	struct domain_pci_address *pci = &device->pci;
	int r;

	r = domain_device_parse(p, node, device, address_of(kind));
	device->conventional = kind->is & DOMAIN_BOARD_CONVENTIONAL;
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
 * its index is taken. USB controllers may share one: their master comes first.
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
		if (other->index == controller->index && other->type != DOMAIN_CONTROLLER_USB)
			return false;
		if (other->index > controller->index ||
			(other->index == controller->index && other->is_companion &&
				!controller->is_companion))
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
	const struct domain_board_controller *kind = NULL;
	uint32_t index = 0;
	size_t at = 0;
	int r = choose_kind(p, node, &kind, &index);

	if (r || !kind)
		return r;
	controller.type = kind->type;
	controller.model = kind->model;
	controller.index = (uint8_t)index;
	if (is_bus(kind))
		r = parse_bus(p, node, &controller);
	else if (is_virtio_serial(kind))
		r = parse_virtio_serial(p, node, &controller);
	if (r == 0 && kind->type == DOMAIN_CONTROLLER_USB)
		r = domain_usb_controller_parse(p, node, &controller);
	if (r == 0)
		r = parse_driver(p, node, &controller);
	if (r == 0)
		r = parse_place(p, node, kind, &controller.device);
	if (r == 0 && kind->type == DOMAIN_CONTROLLER_USB)
		domain_usb_controller_place(p->def, &controller);
	if (r == 0 && !find_place(p->def, &controller, &at))
		r = refuse_xml(p, "Multiple '%s' controllers with index '%u'",
			xml_word(domain_controller_types, kind->type), index);
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
	if (domain_controller_find(def, controller->type, controller->index) ||
		!find_place(def, controller, &at))
		return 0;
	return domain_kind_insert(&domain_controller_kind, def, at, controller, error);
}

static int
add_kind(struct domain_def *def, const struct domain_board_controller *kind, uint8_t index,
	struct rpc_error *error)
{
	struct domain_controller controller = {
		.type = kind->type, .model = kind->model, .index = index, .added = true};

	controller.device.conventional = kind->is & DOMAIN_BOARD_CONVENTIONAL;
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
		r = add_kind(def, domain_board_find(def, type, 0, i), (uint8_t)i, error);
	return r;
}

static int
complete(struct domain_parse *p)
{
	static const enum domain_controller_type of_disks[] = {DOMAIN_CONTROLLER_SCSI,
		DOMAIN_CONTROLLER_FDC, DOMAIN_CONTROLLER_IDE, DOMAIN_CONTROLLER_SATA};
	const struct domain_board_controller *kind = NULL;
	int r = 0;

	while (r == 0 && (kind = domain_board_next(p->def, kind)))
		r = add_kind(p->def, kind, 0, p->error);
	if (r == 0)
		r = domain_usb_controllers_check(p->def, p->error);
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
	const struct domain_board_controller *kind =
		domain_board_find(def, controller->type, controller->model, controller->index);

	return kind && kind->is & DOMAIN_BOARD_PLUGGED;
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

/*
 * Every i440FX board has these, whoever mentions them. (As libvirt: of several USB controllers, all
 * are told.)
 */
static bool
goes_without_saying(const struct domain_def *def, const struct domain_controller *controller)
{
	if (controller->index > 0 || domain_device_is_named(&controller->device))
		return false;
	return controller->model == DOMAIN_MODEL_PCI_ROOT ||
	       (controller->model == DOMAIN_MODEL_PIIX3_UHCI &&
		       domain_usb_controllers_count(def) == 1);
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

	if (flags & DOMAIN_DEF_MIGRATABLE && goes_without_saying(def, controller))
		return;
	writer_start(w, "controller");
	writer_attr(w, "type", xml_word(domain_controller_types, controller->type));
	writer_attr_f(w, "index", "%u", controller->index);
	if (controller->model)
		writer_attr(w, "model", xml_word(domain_controller_models, controller->model));
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
	domain_device_format_alias(w, &controller->device, flags);
	domain_usb_controller_format(w, controller);
	domain_device_format_address(w, &controller->device);
	writer_end(w, "controller");
}

static int
name(const struct domain_def *def, size_t i, char **ret)
{
	const struct domain_controller *c = &def->controllers[i];

	if (c->type == DOMAIN_CONTROLLER_VIRTIO_SERIAL) {
		if (asprintf(ret, "virtio-serial%u", c->index) < 0)
			*ret = NULL;
	} else if (c->type == DOMAIN_CONTROLLER_USB && c->index == 0)
		*ret = strdup("usb");
	else if (c->type == DOMAIN_CONTROLLER_IDE ||
		 (c->type == DOMAIN_CONTROLLER_SATA && !domain_controller_is_plugged(def, c)))
		*ret = strdup("ide");
	else if (c->model == DOMAIN_MODEL_PCIE_ROOT)
		*ret = strdup("pcie.0");
	else if (asprintf(ret, c->type == DOMAIN_CONTROLLER_PCI ? "%s.%u" : "%s%u",
			 xml_word(domain_controller_types, c->type), c->index) < 0)
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
