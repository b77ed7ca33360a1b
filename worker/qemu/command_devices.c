/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_devices.c: controllers, serial ports, disks, the balloon and random number generators.
 *
 * Runs in the worker, as the user. Pure. Must never name a file of the user's, nor let QEMU choose
 * what the definition decides: a place, or whether an image is written to.
 */
#include "worker/qemu/command_devices.h"

#include <stdio.h>

#include "lib/err.h"
#include "lib/take.h"

/* --- devices on PCI ----------------------------------------------------------------------- */

/* Buses have the ids of their root ports; the root bus has QEMU's, whatever its alias is. */
static const char *
bus_id(const struct domain_def *def, uint8_t bus)
{
	const struct domain_controller *port = NULL;

	if (bus == 0)
		return def->os.chipset == DOMAIN_CHIPSET_Q35 ? "pcie.0" : "pci.0";
	for (size_t i = 0; i < def->n_controllers && !port; i++)
		if (def->controllers[i].type == DOMAIN_CONTROLLER_PCI &&
			def->controllers[i].index == bus)
			port = &def->controllers[i];
	ASSERT(port);
	return port->device.alias;
}

/* more: what only this driver has; taken over. */
static void
add_pci(struct command_line *line, const char *driver, const struct domain_device *device,
	json_t *more)
{
	const struct domain_pci_address *pci = &device->pci;
	json_t *multifunction =
		pci->multifunction ? json_boolean(pci->multifunction == DOMAIN_ON) : NULL;
	json_t *addr = pci->function ? json_sprintf("0x%x.0x%x", pci->slot, pci->function)
				     : json_sprintf("0x%x", pci->slot);
	json_t *value = json_pack("{ss ss ss so* so}", "driver", driver, "id", device->alias, "bus",
		bus_id(line->def, pci->bus), "multifunction", multifunction, "addr", addr);

	if (json_object_update_new(value, more) < 0)
		line->failed = true;
	command_line_add_json(line, "-device", value);
}

/* --- controllers -------------------------------------------------------------------------- */

static void
add_root_port(struct command_line *line, const struct domain_controller *port)
{
	add_pci(line, "pcie-root-port", &port->device,
		json_pack("{si si}", "port", port->port, "chassis", port->chassis));
}

/* IDE, SATA and the root buses are part of the board. */
static void
add_controllers(struct command_line *line)
{
	const struct domain_def *def = line->def;

	/* A port makes the bus on which others are. */
	for (size_t i = 0; i < def->n_controllers; i++)
		if (def->controllers[i].model == DOMAIN_MODEL_PCIE_ROOT_PORT)
			add_root_port(line, &def->controllers[i]);
	for (size_t i = 0; i < def->n_controllers; i++) {
		const struct domain_controller *c = &def->controllers[i];

		if (c->model == DOMAIN_MODEL_PIIX3_UHCI)
			add_pci(line, "piix3-usb-uhci", &c->device, json_object());
		else if (c->model == DOMAIN_MODEL_QEMU_XHCI)
			add_pci(line, "qemu-xhci", &c->device, json_object());
	}
}

/* --- serial ports ------------------------------------------------------------------------- */

/* A listening socket: each worker can connect, and what the guest says meanwhile is lost. */
static void
add_serial(struct command_line *line, size_t i)
{
	const struct domain_serial *serial = &line->def->serials[i];
	const char *alias = serial->device.alias;
	int fd = command_line_add_fd(line, QEMU_FILE_SERIAL, i);

	command_line_add(line, "-chardev");
	command_line_add_f(line, "socket,id=char%s,fd=%d,server=on,wait=off", alias, fd);
	command_line_add_json(line, "-device",
		json_pack("{ss so ss si}", "driver", "isa-serial", "chardev",
			json_sprintf("char%s", alias), "id", alias, "index", serial->port));
}

/* --- disks -------------------------------------------------------------------------------- */

/* A definition that orders whole classes of devices means the first disk by "hd". */
static uint32_t
boot_index(const struct domain_def *def, size_t i)
{
	uint32_t index = 0;

	if (def->disks[i].boot_order || i > 0)
		return def->disks[i].boot_order;
	for (uint32_t place = 0; place < def->os.n_boot; place++)
		if (def->os.boot[place] == DOMAIN_BOOT_HD)
			index = place + 1;
	return index;
}

/* Guests have always seen libvirt's backslash before a blank, and name their disks by it. */
static json_t *
serial_number(struct command_line *line, const char *serial)
{
	free_auto char *escaped = command_line_escape(line, serial, ' ', '\\');

	return escaped ? json_string(escaped) : NULL;
}

/*
 * A set of one descriptor, and no auto-read-only, with which QEMU would look for one of the other
 * kind. Backing images stay as the image itself names them: a file of the box, which has none.
 */
static void
add_blockdevs(struct command_line *line, size_t i, const char *node)
{
	static const char *const formats[] = {
		[DOMAIN_DISK_RAW] = "raw", [DOMAIN_DISK_QCOW2] = "qcow2"};
	const struct domain_disk *disk = &line->def->disks[i];
	int fd = command_line_add_fd(line, QEMU_FILE_DISK, i);

	command_line_add(line, "-add-fd");
	command_line_add_f(line, "set=%zu,fd=%d,opaque=%s", i + 1, fd, disk->device.alias);
	command_line_add_json(line, "-blockdev",
		json_pack("{ss so so ss sb}", "driver", "file", "filename",
			json_sprintf("/dev/fdset/%zu", i + 1), "node-name",
			json_sprintf("%s-storage", node), "discard", "unmap", "read-only",
			disk->readonly));
	command_line_add_json(line, "-blockdev",
		json_pack("{ss so so sb}", "driver", formats[disk->format], "node-name",
			json_sprintf("%s-format", node), "file", json_sprintf("%s-storage", node),
			"read-only", disk->readonly));
}

static void
add_disk(struct command_line *line, size_t i)
{
	const struct domain_disk *disk = &line->def->disks[i];
	uint32_t order = boot_index(line->def, i);
	char node[32];

	/* libvirt counts from the last. */
	(void)snprintf(node, sizeof(node), "libvirt-%zu", line->def->n_disks - i);
	add_blockdevs(line, i, node);
	add_pci(line, "virtio-blk-pci", &disk->device,
		json_pack("{so so* so*}", "drive", json_sprintf("%s-format", node), "bootindex",
			order ? json_integer(order) : NULL, "serial",
			disk->serial ? serial_number(line, disk->serial) : NULL));
}

/* --- random numbers ----------------------------------------------------------------------- */

/* The box has one of the host's two devices, which give the same bytes. */
static void
add_rng(struct command_line *line, const struct domain_rng *rng)
{
	command_line_add_json(line, "-object",
		json_pack("{ss so ss}", "qom-type", "rng-random", "id",
			json_sprintf("obj%s", rng->device.alias), "filename", "/dev/urandom"));
	add_pci(line, "virtio-rng-pci", &rng->device,
		json_pack("{so}", "rng", json_sprintf("obj%s", rng->device.alias)));
}

void
command_devices_add(struct command_line *line)
{
	const struct domain_def *def = line->def;

	add_controllers(line);
	for (size_t i = 0; i < def->n_serials; i++)
		add_serial(line, i);
	for (size_t i = 0; i < def->n_disks; i++)
		add_disk(line, i);
	if (def->memballoon.model == DOMAIN_MEMBALLOON_VIRTIO)
		add_pci(line, "virtio-balloon-pci", &def->memballoon.device, json_object());
	for (size_t i = 0; i < def->n_rngs; i++)
		add_rng(line, &def->rngs[i]);
}
