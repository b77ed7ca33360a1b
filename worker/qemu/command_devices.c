/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_devices.c: all devices, in the order in which QEMU has to hear of them.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_devices.h"

/* A controller makes the bus on which others are; sound says where it goes, also that of VNC. */
static void (*const kinds[])(struct command_line *line) = {
	command_add_controllers,
	command_add_serials,
	command_add_parallels,
	/* Those that name their ports before those that take what is free. */
	command_add_channels,
	command_add_consoles,
	command_add_disks,
	command_add_interfaces,
	command_add_inputs,
	command_add_sounds,
	command_add_graphics,
	command_add_videos,
	command_add_watchdogs,
	command_add_memballoon,
	command_add_rngs,
	command_add_panics,
};

void
command_devices_add(struct command_line *line)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		kinds[i](line);
}
