/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk_driver.h: <driver>: how QEMU treats a disk's image and its errors.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_DISK_DRIVER_H
#define WORKER_DOMAIN_DISK_DRIVER_H

#include <stdint.h>

struct _xmlNode;
struct domain_disk;
struct domain_parse;
struct writer;

enum domain_cache {
	DOMAIN_CACHE_NONE = 1,
	DOMAIN_CACHE_WRITETHROUGH,
	DOMAIN_CACHE_WRITEBACK,
	DOMAIN_CACHE_DIRECTSYNC,
	DOMAIN_CACHE_UNSAFE
};
enum domain_disk_io { DOMAIN_IO_THREADS = 1, DOMAIN_IO_NATIVE };
enum domain_error_policy {
	DOMAIN_ERROR_STOP = 1,
	DOMAIN_ERROR_REPORT,
	DOMAIN_ERROR_IGNORE,
	DOMAIN_ERROR_ENOSPACE /* of writes only */
};
enum domain_discard { DOMAIN_DISCARD_UNMAP = 1, DOMAIN_DISCARD_IGNORE };
enum domain_detect_zeroes { DOMAIN_ZEROES_OFF = 1, DOMAIN_ZEROES_ON, DOMAIN_ZEROES_UNMAP };

/* Each 0: not said. Unsigned, so that a table of their words can set them. */
struct domain_disk_driver {
	unsigned cache;                              /* enum domain_cache */
	unsigned error_policy, rerror_policy;        /* enum domain_error_policy */
	unsigned io;                                 /* enum domain_disk_io */
	unsigned ioeventfd, event_idx, copy_on_read; /* enum domain_switch */
	unsigned discard;                            /* enum domain_discard */
	unsigned detect_zeroes;                      /* enum domain_detect_zeroes */
	uint32_t iothread, queues, queue_size;
};

/** <driver> of a disk, with the format of its source; what goes with what is checked. */
int domain_disk_driver_parse(
	struct domain_parse *p, struct _xmlNode *node, struct domain_disk *disk);
void domain_disk_driver_format(struct writer *w, const struct domain_disk *disk);

#endif
