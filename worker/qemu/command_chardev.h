/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_chardev.h: the host's end of a character device on QEMU's command line.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_QEMU_COMMAND_CHARDEV_H
#define WORKER_QEMU_COMMAND_CHARDEV_H

#include "worker/domain/chardev.h"
#include "worker/qemu/command_line.h"

/** Add the host's end; its id is "char" and the device's alias. */
void command_chardev_add(struct command_line *line, const struct domain_chardev *chardev);

/** That id, as a JSON text. */
json_t *command_chardev_id(const struct domain_chardev *chardev);

#endif
