/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_usb.h: a device on USB, on QEMU's command line.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_QEMU_COMMAND_USB_H
#define WORKER_QEMU_COMMAND_USB_H

#include "worker/qemu/command_line.h"

/** The id of the USB controller whose bus that is: of the master, where several share an index. */
const char *command_usb_bus(const struct domain_def *def, uint8_t bus);

/** Add a device with its alias as id. more: what only this driver has; taken over. */
void command_usb_add(struct command_line *line, const char *driver,
	const struct domain_device *device, json_t *more);

#endif
