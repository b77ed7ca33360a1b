/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_controller.c: controllers.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_devices.h"

#include "worker/qemu/command_disk.h"
#include "worker/qemu/command_machine.h"
#include "lib/err.h"
#include "worker/qemu/command_pci.h"
#include "worker/qemu/command_usb.h"

static void
add_root_port(struct command_line *line, const struct domain_controller *port)
{
	command_pci_add(line, "pcie-root-port", &port->device,
		json_pack("{si si}", "port", port->port, "chassis", port->chassis));
}

/* A companion has no bus of its own, and no id. */
static void
add_companion(struct command_line *line, const char *driver, const struct domain_controller *c)
{
	struct domain_device nameless = c->device;

	nameless.alias = NULL;
	command_pci_add(line, driver, &nameless,
		json_pack("{so si}", "masterbus",
			json_sprintf("%s.0", command_usb_bus(line->def, c->index)), "firstport",
			(int)c->start_port));
}

static void
add_usb(struct command_line *line, const struct domain_controller *c)
{
	static const char *const drivers[] = {
		[DOMAIN_MODEL_PIIX3_UHCI] = "piix3-usb-uhci",
		[DOMAIN_MODEL_PIIX4_UHCI] = "piix4-usb-uhci",
		[DOMAIN_MODEL_EHCI] = "usb-ehci",
		[DOMAIN_MODEL_ICH9_EHCI1] = "ich9-usb-ehci1",
		[DOMAIN_MODEL_ICH9_UHCI1] = "ich9-usb-uhci1",
		[DOMAIN_MODEL_ICH9_UHCI2] = "ich9-usb-uhci2",
		[DOMAIN_MODEL_ICH9_UHCI3] = "ich9-usb-uhci3",
		[DOMAIN_MODEL_PCI_OHCI] = "pci-ohci",
		[DOMAIN_MODEL_NEC_XHCI] = "nec-usb-xhci",
		[DOMAIN_MODEL_QEMU_XHCI] = "qemu-xhci",
	};

	ASSERT(c->model < sizeof(drivers) / sizeof(drivers[0]) && drivers[c->model]);
	if (c->is_companion) {
		add_companion(line, drivers[c->model], c);
		return;
	}
	/* Each of its ports is one of USB 2 and one of USB 3. */
	command_pci_add(line, drivers[c->model], &c->device,
		c->usb_ports
			? json_pack("{si si}", "p2", (int)c->usb_ports, "p3", (int)c->usb_ports)
			: json_object());
}

/* What a floppy is booted by is a property of its controller: bootindexA, bootindexB. */
static json_t *
floppy_boot(const struct domain_def *def)
{
	json_t *boot = json_object();

	for (size_t i = 0; i < def->n_disks && boot; i++) {
		char name[] = "bootindexA";
		uint32_t order = command_disk_boot_index(def, i);

		if (def->disks[i].bus != DOMAIN_BUS_FDC || !order)
			continue;
		name[sizeof(name) - 2] = (char)('A' + def->disks[i].device.drive.unit);
		if (json_object_set_new(boot, name, json_integer(order)) < 0) {
			json_decref(boot);
			return NULL;
		}
	}
	return boot;
}

/* The older board has it by itself. */
static void
add_fdc(struct command_line *line)
{
	json_t *boot = floppy_boot(line->def), *value;
	const char *name;

	if (!boot)
		line->failed = true;
	if (line->def->os.chipset == DOMAIN_CHIPSET_Q35) {
		if (json_object_set_new(boot, "driver", json_string("isa-fdc")) < 0)
			line->failed = true;
		command_line_add_json(line, "-device", boot);
		return;
	}
	json_object_foreach (boot, name, value) {
		command_line_add(line, "-global");
		command_line_add_f(
			line, "isa-fdc.%s=%" JSON_INTEGER_FORMAT, name, json_integer_value(value));
	}
	json_decref(boot);
}

static void
add_virtio_scsi(struct command_line *line, const struct domain_controller *c)
{
	command_pci_add(line, "virtio-scsi-pci", &c->device,
		json_pack("{so* so* so* so* so*}", "iothread",
			c->iothread ? command_iothread(c->iothread) : NULL, "num_queues",
			c->queues ? json_integer(c->queues) : NULL, "cmd_per_lun",
			c->cmd_per_lun ? json_integer(c->cmd_per_lun) : NULL, "max_sectors",
			c->max_sectors ? json_integer(c->max_sectors) : NULL, "ioeventfd",
			c->ioeventfd ? json_boolean(c->ioeventfd == DOMAIN_ON) : NULL));
}

/* QEMU's name for what is no more than plugged in; NULL for all else. */
static const char *
driver_of(const struct domain_def *def, const struct domain_controller *c)
{
	static const char *const drivers[] = {
		[DOMAIN_MODEL_PCIE_TO_PCI_BRIDGE] = "pcie-pci-bridge",
		[DOMAIN_MODEL_LSILOGIC] = "lsi",
		[DOMAIN_MODEL_LSISAS1068] = "mptsas1068",
		[DOMAIN_MODEL_LSISAS1078] = "megasas",
		[DOMAIN_MODEL_VMPVSCSI] = "pvscsi",
		[DOMAIN_MODEL_VIRTIO_SCSI] = NULL,
	};

	if (c->type == DOMAIN_CONTROLLER_SATA && domain_controller_is_plugged(def, c))
		return "ahci";
	return c->model < sizeof(drivers) / sizeof(drivers[0]) ? drivers[c->model] : NULL;
}

static void
add_virtio_serial(struct command_line *line, const struct domain_controller *c)
{
	const char *driver = "virtio-serial-pci";

	if (c->model == DOMAIN_MODEL_VIRTIO_TRANSITIONAL)
		driver = "virtio-serial-pci-transitional";
	else if (c->model == DOMAIN_MODEL_VIRTIO_NON_TRANSITIONAL)
		driver = "virtio-serial-pci-non-transitional";
	command_pci_add(line, driver, &c->device,
		json_pack("{so* so*}", "max_ports", c->ports < 0 ? NULL : json_integer(c->ports),
			"vectors", c->vectors < 0 ? NULL : json_integer(c->vectors)));
}

/* IDE, the first SATA controller and the root buses are part of the board. */
void
command_add_controllers(struct command_line *line)
{
	const struct domain_def *def = line->def;

	/* What makes a bus comes before what is on it. */
	for (size_t i = 0; i < def->n_controllers; i++)
		if (def->controllers[i].model == DOMAIN_MODEL_PCIE_ROOT_PORT)
			add_root_port(line, &def->controllers[i]);
	for (unsigned bridges = 2; bridges-- > 0;)
		for (size_t i = 0; i < def->n_controllers; i++) {
			const struct domain_controller *c = &def->controllers[i];
			bool is_bridge = c->model == DOMAIN_MODEL_PCIE_TO_PCI_BRIDGE;

			if (is_bridge != (bool)bridges)
				continue;
			if (driver_of(def, c))
				command_pci_add(line, driver_of(def, c), &c->device, json_object());
			else if (c->type == DOMAIN_CONTROLLER_USB && c->model != DOMAIN_MODEL_NONE)
				add_usb(line, c);
			else if (c->model == DOMAIN_MODEL_VIRTIO_SCSI)
				add_virtio_scsi(line, c);
			else if (c->type == DOMAIN_CONTROLLER_FDC)
				add_fdc(line);
			else if (c->type == DOMAIN_CONTROLLER_VIRTIO_SERIAL)
				add_virtio_serial(line, c);
		}
}
