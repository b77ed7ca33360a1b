/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_usb.c: a device on USB, at its port.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_usb.h"

#include "lib/err.h"

const char *
command_usb_bus(const struct domain_def *def, uint8_t bus)
{
	/* The first of them, where several share an index, is the master. */
	const struct domain_controller *controller =
		domain_controller_find(def, DOMAIN_CONTROLLER_USB, bus);

	ASSERT(controller);
	return controller->device.alias;
}

void
command_usb_add(struct command_line *line, const char *driver, const struct domain_device *device,
	json_t *more)
{
	json_t *value = json_pack("{ss ss so so}", "driver", driver, "id", device->alias, "bus",
		json_sprintf("%s.0", command_usb_bus(line->def, device->usb.bus)), "port",
		json_sprintf("%u", device->usb.port));

	if (json_object_update_new(value, more) < 0)
		line->failed = true;
	command_line_add_json(line, "-device", value);
}
