/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_usb.c: a device on USB, at its port.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_usb.h"

#include "lib/err.h"

/* A controller's bus has its id: the first of them, where several share an index. */
static const char *
bus_id(const struct domain_def *def, uint8_t bus)
{
	const struct domain_controller *controller = NULL;

	for (size_t i = 0; i < def->n_controllers && !controller; i++)
		if (def->controllers[i].type == DOMAIN_CONTROLLER_USB &&
			def->controllers[i].index == bus)
			controller = &def->controllers[i];
	ASSERT(controller);
	return controller->device.alias;
}

void
command_usb_add(struct command_line *line, const char *driver, const struct domain_device *device,
	json_t *more)
{
	json_t *value = json_pack("{ss ss so so}", "driver", driver, "id", device->alias, "bus",
		json_sprintf("%s.0", bus_id(line->def, device->usb.bus)), "port",
		json_sprintf("%u", device->usb.port));

	if (json_object_update_new(value, more) < 0)
		line->failed = true;
	command_line_add_json(line, "-device", value);
}
