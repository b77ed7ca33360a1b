/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_input.c: keyboards, mice and tablets that the board does not have by itself.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_devices.h"

#include "worker/qemu/command_pci.h"
#include "worker/qemu/command_usb.h"

static const char *const usb_drivers[] = {
	[DOMAIN_INPUT_MOUSE] = "usb-mouse",
	[DOMAIN_INPUT_KEYBOARD] = "usb-kbd",
	[DOMAIN_INPUT_TABLET] = "usb-tablet",
};
static const char *const virtio_drivers[] = {
	[DOMAIN_INPUT_MOUSE] = "virtio-mouse-pci",
	[DOMAIN_INPUT_KEYBOARD] = "virtio-keyboard-pci",
	[DOMAIN_INPUT_TABLET] = "virtio-tablet-pci",
};

void
command_add_inputs(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_inputs; i++) {
		const struct domain_input *input = &line->def->inputs[i];

		if (input->bus == DOMAIN_INPUT_USB)
			command_usb_add(
				line, usb_drivers[input->type], &input->device, json_object());
		else if (input->bus == DOMAIN_INPUT_VIRTIO)
			command_pci_add(
				line, virtio_drivers[input->type], &input->device, json_object());
	}
}
