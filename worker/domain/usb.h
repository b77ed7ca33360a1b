/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * usb.h: where each device stands on the USB buses.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_USB_H
#define WORKER_DOMAIN_USB_H

#include "worker/domain/def.h"

/**
 * Check the USB addresses that the definition gives, and give each device without one the first
 * free port, in libvirt's order: disks, inputs, sound. There are no hubs: a machine has as many USB
 * devices as its controllers have ports. Returns 0, or DOMAIN_E_REFUSED with the error filled in.
 */
int domain_usb_assign(struct domain_def *def, struct rpc_error *error);

#endif
