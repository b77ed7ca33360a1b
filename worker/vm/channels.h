/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channels.h: has somebody in the guest opened a channel, and is its agent there?
 *
 * Runs in the worker, as the user.
 */
#ifndef WORKER_VM_CHANNELS_H
#define WORKER_VM_CHANNELS_H

#include <jansson.h>
#include <stdbool.h>

struct vm;

/** It is about to run: nobody has opened any yet. */
void vm_channels_begin(struct vm *vm);
/** QEMU's answer to query-chardev, or NULL for none: how they are now. */
void vm_channels_take(struct vm *vm, const json_t *chardevs);
/** QEMU's event VSERPORT_CHANGE. Of a port that is none of its channels nothing is told. */
void vm_channel_changed(struct vm *vm, const char *alias, bool open);

#endif
