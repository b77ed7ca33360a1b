/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_watchdog.c: what looks after a guest: the watchdog, and the device that it panics to.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_devices.h"

#include "worker/qemu/command_pci.h"

void
command_add_watchdogs(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_watchdogs; i++) {
		const struct domain_watchdog *watchdog = &line->def->watchdogs[i];

		if (watchdog->model == DOMAIN_WATCHDOG_I6300ESB)
			command_pci_add(line, "i6300esb", &watchdog->device, json_object());
		else
			command_line_add_json(line, "-device",
				json_pack("{ss ss}", "driver", "ib700", "id",
					watchdog->device.alias));
		command_line_add(line, "-watchdog-action");
		command_line_add(line, domain_watchdog_action_name(watchdog->action));
	}
}

void
command_add_panics(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_panics; i++) {
		const struct domain_device *device = &line->def->panics[i].device;

		command_line_add_json(line, "-device",
			json_pack("{ss ss so*}", "driver", "pvpanic", "id", device->alias, "ioport",
				device->isa.iobase_set ? json_integer(device->isa.iobase) : NULL));
	}
}
