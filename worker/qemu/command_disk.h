/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_disk.h: disks, and the images that they are made of, on QEMU's command line.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_QEMU_COMMAND_DISK_H
#define WORKER_QEMU_COMMAND_DISK_H

#include "worker/qemu/command_line.h"

/** The place of a disk among the devices from which the guest is booted; 0: none. */
uint32_t command_disk_boot_index(const struct domain_def *def, size_t i);

/** The bound on what a disk is cached, its own or the one that follows; 0: QEMU's. */
unsigned command_disk_cache(const struct domain_disk *disk);

/** Add the images of a disk, the lowest first. Returns the node that the device reads from. */
json_t *command_disk_add_layers(struct command_line *line, size_t i);

#endif
