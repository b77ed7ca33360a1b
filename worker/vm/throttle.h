/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * throttle.h: what QEMU is told of <iotune>.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_VM_THROTTLE_H
#define WORKER_VM_THROTTLE_H

#include <jansson.h>

#include "worker/domain/def.h"

/** The next disk from this index on that has a medium and bounds; n_disks: there is none. */
size_t vm_throttle_next(const struct domain_def *live, size_t from);
/** The arguments of QMP's block_set_io_throttle for it; NULL: no memory. */
json_t *vm_throttle_arguments(const struct domain_disk *disk);

#endif
