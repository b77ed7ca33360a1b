/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.h: disks.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_DISK_H
#define WORKER_DOMAIN_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/domain/kind.h"

enum { DOMAIN_DISKS_MAX = 64 };

enum domain_disk_format { DOMAIN_DISK_RAW = 1, DOMAIN_DISK_QCOW2 };

/* A virtio-blk disk from a file. */
struct domain_disk {
	struct domain_device device;
	enum domain_disk_format format;
	char *source;   /* absolute path, not resolved or checked */
	char target[8]; /* "vda" */
	unsigned index; /* 0 for vda; the list is sorted by it */
	bool readonly;  /* the guest cannot write */
	char *serial;   /* may be NULL; letters, digits, blanks and .+_- */
};

/**
 * The number of the disk with that index among n: libvirt counts from the last. Its nodes in QEMU are
 * libvirt-NUMBER-format and libvirt-NUMBER-storage.
 */
static inline unsigned
domain_disk_number(size_t n, size_t i)
{
	return (unsigned)(n - i);
}

/* <disk>: put into the list by its target. */
extern const struct domain_kind domain_disk_kind;

#endif
