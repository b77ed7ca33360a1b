/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_pci.h: a device on PCI, on QEMU's command line.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_QEMU_COMMAND_PCI_H
#define WORKER_QEMU_COMMAND_PCI_H

#include "worker/qemu/command_line.h"

/** Add a device with its alias, if it has one, as id. more: what only this driver has; taken over. */
void command_pci_add(struct command_line *line, const char *driver,
	const struct domain_device *device, json_t *more);

#endif
