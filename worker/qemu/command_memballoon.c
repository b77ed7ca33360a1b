/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_memballoon.c: the memory balloon.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_devices.h"

#include "worker/qemu/command_pci.h"

void
command_add_memballoon(struct command_line *line)
{
	const struct domain_memballoon *balloon = &line->def->memballoon;

	if (balloon->model == DOMAIN_MEMBALLOON_VIRTIO)
		command_pci_add(line, "virtio-balloon-pci", &balloon->device, json_object());
}
