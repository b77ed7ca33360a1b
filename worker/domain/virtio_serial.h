/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virtio_serial.h: which port of which virtio-serial controller each channel is on.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_VIRTIO_SERIAL_H
#define WORKER_DOMAIN_VIRTIO_SERIAL_H

#include "worker/domain/def.h"

/**
 * Add the controllers that channels and consoles want, check the ports that are given, and give
 * those channels one that have none; as libvirt does. Consoles without a port get theirs from QEMU.
 * Before domain_pci_assign(). Returns 0, -ENOMEM or DOMAIN_E_REFUSED.
 */
int domain_virtio_serial_assign(struct domain_def *def, struct rpc_error *error);

#endif
