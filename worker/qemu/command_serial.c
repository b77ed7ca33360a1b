/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_serial.c: character devices: serial and parallel ports, channels, consoles.
 *
 * Runs in the worker, as the user. Pure. Must never name a file of the user's.
 */
#include "worker/qemu/command_devices.h"

#include "lib/err.h"
#include "worker/qemu/command_chardev.h"
#include "worker/qemu/command_pci.h"
#include "worker/qemu/command_usb.h"

static void
add_isa_serial(struct command_line *line, const struct domain_serial *serial)
{
	const struct domain_device *device = &serial->chardev.device;
	const struct domain_isa_address *isa = &device->isa;

	command_line_add_json(line, "-device",
		json_pack("{ss so ss si so* so*}", "driver", "isa-serial", "chardev",
			command_chardev_id(&serial->chardev), "id", device->alias, "index",
			serial->port, "iobase", isa->iobase_set ? json_integer(isa->iobase) : NULL,
			"irq", isa->irq_set ? json_integer(isa->irq) : NULL));
}

void
command_add_serials(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_serials; i++) {
		const struct domain_serial *serial = &line->def->serials[i];

		command_chardev_add(line, &serial->chardev);
		if (serial->target == DOMAIN_SERIAL_ISA)
			add_isa_serial(line, serial);
		else if (serial->target == DOMAIN_SERIAL_USB)
			command_usb_add(line, "usb-serial", &serial->chardev.device,
				json_pack("{so}", "chardev", command_chardev_id(&serial->chardev)));
		else
			command_pci_add(line, "pci-serial", &serial->chardev.device,
				json_pack("{so}", "chardev", command_chardev_id(&serial->chardev)));
	}
}

void
command_add_parallels(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_parallels; i++) {
		const struct domain_parallel *parallel = &line->def->parallels[i];

		command_chardev_add(line, &parallel->chardev);
		command_line_add_json(line, "-device",
			json_pack("{ss so ss si}", "driver", "isa-parallel", "chardev",
				command_chardev_id(&parallel->chardev), "id",
				parallel->chardev.device.alias, "index", parallel->port));
	}
}

/* --- ports of virtio-serial controllers --------------------------------------------------- */

static const char *
controller_id(const struct domain_def *def, unsigned index)
{
	const struct domain_controller *found = NULL;

	for (size_t i = 0; i < def->n_controllers && !found; i++)
		if (def->controllers[i].type == DOMAIN_CONTROLLER_VIRTIO_SERIAL &&
			def->controllers[i].index == index)
			found = &def->controllers[i];
	ASSERT(found);
	return found->device.alias;
}

/* Without an address QEMU takes what is free. */
static void
add_port(struct command_line *line, const char *driver, const struct domain_chardev *chardev,
	const char *name)
{
	const struct domain_device *device = &chardev->device;
	const struct domain_virtio_serial_address *a = &device->virtio_serial;
	json_t *bus = NULL, *port = NULL;

	command_chardev_add(line, chardev);
	if (a->set) {
		bus = json_sprintf("%s.0", controller_id(line->def, a->controller));
		port = json_integer(a->port);
	}
	command_line_add_json(line, "-device",
		json_pack("{ss so* so* so ss ss*}", "driver", driver, "bus", bus, "nr", port,
			"chardev", command_chardev_id(chardev), "id", device->alias, "name", name));
}

void
command_add_channels(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_channels; i++) {
		const struct domain_channel *channel = &line->def->channels[i];

		add_port(line, "virtserialport", &channel->chardev, channel->name);
	}
}

void
command_add_consoles(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_consoles; i++)
		add_port(line, "virtconsole", &line->def->consoles[i].chardev, NULL);
}
