/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_controller.c: controllers.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_devices.h"

#include "worker/qemu/command_pci.h"

static void
add_root_port(struct command_line *line, const struct domain_controller *port)
{
	command_pci_add(line, "pcie-root-port", &port->device,
		json_pack("{si si}", "port", port->port, "chassis", port->chassis));
}

static void
add_usb(struct command_line *line, const struct domain_controller *c)
{
	static const char *const drivers[] = {
		[DOMAIN_MODEL_PIIX3_UHCI] = "piix3-usb-uhci",
		[DOMAIN_MODEL_PIIX4_UHCI] = "piix4-usb-uhci",
		[DOMAIN_MODEL_EHCI] = "usb-ehci",
		[DOMAIN_MODEL_NEC_XHCI] = "nec-usb-xhci",
		[DOMAIN_MODEL_QEMU_XHCI] = "qemu-xhci",
	};

	/* Each of its ports is one of USB 2 and one of USB 3. */
	command_pci_add(line, drivers[c->model], &c->device,
		c->usb_ports
			? json_pack("{si si}", "p2", (int)c->usb_ports, "p3", (int)c->usb_ports)
			: json_object());
}

/* IDE, SATA and the root buses are part of the board. */
void
command_add_controllers(struct command_line *line)
{
	const struct domain_def *def = line->def;

	/* A port makes the bus on which others are. */
	for (size_t i = 0; i < def->n_controllers; i++)
		if (def->controllers[i].model == DOMAIN_MODEL_PCIE_ROOT_PORT)
			add_root_port(line, &def->controllers[i]);
	for (size_t i = 0; i < def->n_controllers; i++)
		if (def->controllers[i].model == DOMAIN_MODEL_PCIE_TO_PCI_BRIDGE)
			command_pci_add(line, "pcie-pci-bridge", &def->controllers[i].device,
				json_object());
	for (size_t i = 0; i < def->n_controllers; i++) {
		const struct domain_controller *c = &def->controllers[i];

		if (c->type == DOMAIN_CONTROLLER_USB && c->model != DOMAIN_MODEL_NONE)
			add_usb(line, c);
	}
}
