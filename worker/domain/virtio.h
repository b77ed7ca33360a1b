/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virtio.h: the generations of a virtio device.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_VIRTIO_H
#define WORKER_DOMAIN_VIRTIO_H

/* 0: no virtio device. A transitional one is conventional PCI. */
enum domain_virtio {
	DOMAIN_VIRTIO = 1,
	DOMAIN_VIRTIO_TRANSITIONAL,
	DOMAIN_VIRTIO_NON_TRANSITIONAL,
	DOMAIN_VIRTIO_N
};

/** What QEMU's name of the PCI device has behind "-pci": "", "-transitional"... */
const char *domain_virtio_suffix(enum domain_virtio virtio);

#endif
