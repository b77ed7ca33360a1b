/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_pci.c: a device on PCI, at its place.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_pci.h"

#include "lib/err.h"

/* Buses have the ids of their root ports; the root bus has QEMU's, whatever its alias is. */
static const char *
bus_id(const struct domain_def *def, uint8_t bus)
{
	const struct domain_controller *port = NULL;

	if (bus == 0)
		return def->os.chipset == DOMAIN_CHIPSET_Q35 ? "pcie.0" : "pci.0";
	port = domain_controller_find(def, DOMAIN_CONTROLLER_PCI, bus);
	ASSERT(port);
	return port->device.alias;
}

void
command_pci_add(struct command_line *line, const char *driver, const struct domain_device *device,
	json_t *more)
{
	const struct domain_pci_address *pci = &device->pci;
	json_t *multifunction =
		pci->multifunction ? json_boolean(pci->multifunction == DOMAIN_ON) : NULL;
	json_t *addr = pci->function ? json_sprintf("0x%x.0x%x", pci->slot, pci->function)
				     : json_sprintf("0x%x", pci->slot);
	json_t *value = json_pack("{ss ss* ss so* so}", "driver", driver, "id", device->alias,
		"bus", bus_id(line->def, pci->bus), "multifunction", multifunction, "addr", addr);

	if (json_object_update_new(value, more) < 0)
		line->failed = true;
	command_line_add_json(line, "-device", value);
}
