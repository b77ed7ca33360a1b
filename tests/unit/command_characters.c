/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line follows every field of a character device that QEMU has to know.
 */
#include "tests/unit/command_fields.h"

/* UNSEEN: what QEMU is not told, with the reason. */
static const struct field alias_field = FIELD(domain_device, alias, TEXT, 0, FOLLOWED);
static const struct field chardev_fields[] = {
	FIELD(domain_chardev, device, INSIDE, 0, FOLLOWED),
	FIELD(domain_chardev, type, NUMBER, DOMAIN_CHARDEV_FILE, FOLLOWED),
	FIELD(domain_chardev, path, TEXT, 0, UNSEEN), /* its descriptor is there */
	FIELD(domain_chardev, chosen, NUMBER, 1, UNSEEN),
	FIELD(domain_chardev, append, NUMBER, DOMAIN_ON, UNSEEN),
	FIELD(domain_chardev, connect, NUMBER, 1, FOLLOWED),
	FIELD(domain_chardev, log, TEXT, 0, UNSEEN), /* its descriptor is there */
	FIELD(domain_chardev, log_append, NUMBER, DOMAIN_ON, UNSEEN),
};
static const struct field virtio_serial_fields[] = {
	FIELD(domain_virtio_serial_address, set, NUMBER, 0, FOLLOWED),
	FIELD(domain_virtio_serial_address, controller, NUMBER, 1, FOLLOWED),
	FIELD(domain_virtio_serial_address, port, NUMBER, 9, FOLLOWED),
};
static const struct field virtio_serial_controller_fields[] = {
	FIELD(domain_controller, model, NUMBER, DOMAIN_MODEL_VIRTIO_TRANSITIONAL, FOLLOWED),
	FIELD(domain_controller, ports, NUMBER, 7, FOLLOWED),
	FIELD(domain_controller, vectors, NUMBER, 7, FOLLOWED),
};
static const struct field parallel_fields[] = {
	FIELD(domain_parallel, chardev, INSIDE, 0, FOLLOWED),
	FIELD(domain_parallel, port, NUMBER, 2, FOLLOWED),
};
static const struct field channel_fields[] = {
	FIELD(domain_channel, chardev, INSIDE, 0, FOLLOWED),
	FIELD(domain_channel, name, TEXT, 0, FOLLOWED),
	FIELD(domain_channel, state, NUMBER, DOMAIN_CHANNEL_CONNECTED, UNSEEN), /* the guest's */
};
static const struct field console_fields[] = {
	FIELD(domain_console, chardev, INSIDE, 0, FOLLOWED),
};

static const char characters[] =
	"<domain type='qemu'><name>a</name><memory>65536</memory><os><type machine='q35'>hvm</type>"
	"</os><devices><controller type='virtio-serial' index='0' ports='20'/>"
	"<controller type='virtio-serial' index='1'/>"
	"<serial type='unix'><source mode='bind' path='/s'/><log file='/l'/>"
	"<address type='isa' iobase='0x3e8' irq='0x5'/></serial>"
	"<serial type='pty'><target type='pci-serial'/></serial>"
	"<serial type='pty'><target type='usb-serial'/></serial>"
	"<parallel type='file'><source path='/p'/></parallel>"
	"<console type='pty'><target type='virtio'/></console>"
	"<console type='pty'><target type='virtio'/>"
	"<address type='virtio-serial' controller='0' port='5'/></console>"
	"<channel type='pty'><target type='virtio' name='n'/></channel>"
	"</devices></domain>";

static void
every_field_of_characters(void)
{
	domain_def_auto struct domain_def *def = live_def(characters, strlen(characters));
	struct domain_controller *controller = def->controllers;

	while (controller->type != DOMAIN_CONTROLLER_VIRTIO_SERIAL)
		controller++;
	check_fields(def, controller, virtio_serial_controller_fields,
		N(virtio_serial_controller_fields));
	CHECK_FIELDS(def, &def->serials[0].chardev, chardev_fields);
	CHECK_FIELDS(def, &def->parallels[0], parallel_fields);
	CHECK_FIELDS(def, &def->consoles[0], console_fields);
	CHECK_FIELDS(def, &def->consoles[1].chardev.device.virtio_serial, virtio_serial_fields);
	CHECK_FIELDS(def, &def->channels[0], channel_fields);
	CHECK_FIELDS(def, &def->channels[0].chardev.device.virtio_serial, virtio_serial_fields);
	for (size_t i = 0; i < 3; i++)
		check_field(def, &def->serials[i].chardev.device, &alias_field);
	check_field(def, &def->channels[0].chardev.device, &alias_field);
}

int
main(void)
{
	TEST("every field of a character device is on the command line, or is one that QEMU is not "
	     "told",
		every_field_of_characters);
	return TEST_END();
}
