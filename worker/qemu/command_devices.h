/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_devices.h: the devices of a definition on QEMU's command line.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_QEMU_COMMAND_DEVICES_H
#define WORKER_QEMU_COMMAND_DEVICES_H

#include "worker/qemu/command_line.h"

/** Add all that the board does not have by itself, each at its place and with its alias as id. */
void command_devices_add(struct command_line *line);

/* All devices of a kind, each in a file of that name. */
void command_add_channels(struct command_line *line);
void command_add_consoles(struct command_line *line);
void command_add_controllers(struct command_line *line);
void command_add_disks(struct command_line *line);
void command_add_interfaces(struct command_line *line);
void command_add_graphics(struct command_line *line);
void command_add_inputs(struct command_line *line);
void command_add_memballoon(struct command_line *line);
void command_add_panics(struct command_line *line);
void command_add_parallels(struct command_line *line);
void command_add_rngs(struct command_line *line);
void command_add_serials(struct command_line *line);
void command_add_sounds(struct command_line *line);
void command_add_videos(struct command_line *line);
void command_add_watchdogs(struct command_line *line);

#endif
