/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_memballoon.c: the memory balloon.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_devices.h"

#include <stdio.h>

#include "worker/qemu/command_pci.h"

/* As much as a definition says of it. */
static json_t *
option(enum domain_switch value)
{
	return value ? json_boolean(value == DOMAIN_ON) : NULL;
}

void
command_add_memballoon(struct command_line *line)
{
	const struct domain_memballoon *balloon = &line->def->memballoon;
	char driver[64];

	if (!balloon->virtio)
		return;
	(void)snprintf(driver, sizeof(driver), "virtio-balloon-pci%s",
		domain_virtio_suffix(balloon->virtio));
	command_pci_add(line, driver, &balloon->device,
		json_pack("{so* so*}", "deflate-on-oom", option(balloon->autodeflate),
			"free-page-reporting", option(balloon->free_page_reporting)));
}
