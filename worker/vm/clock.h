/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clock.h: what time it is for a guest that is started now.
 *
 * Runs in the worker, as the user. Reads the clock and the host's files of time zones.
 */
#ifndef WORKER_VM_CLOCK_H
#define WORKER_VM_CLOCK_H

#include "protocol/rpc/error.h"
#include "worker/domain/clock.h"

/**
 * Decide it. Returns RPC_DONE, or RPC_FAILED with the error: a time zone that this host does not
 * know.
 */
int vm_clock_begin(struct domain_clock *clock, struct rpc_error *error);

/**
 * The guest has set its clock: offset as QEMU's event RTC_CHANGE has it, in seconds from where the
 * clock would be. It is kept, and shows in a variable clock's definition. Returns the offset as
 * libvirt tells it: of a variable clock from UTC.
 */
int64_t vm_clock_changed(struct domain_clock *clock, int64_t offset);

#endif
