/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image.h: how large a disk image is, from the file itself: for a VM that does not run.
 *
 * Runs in the worker, as the user. What the file says is not trusted, and only told on.
 */
#ifndef WORKER_VM_IMAGE_H
#define WORKER_VM_IMAGE_H

#include <stdint.h>

#include "worker/domain/disk.h"

/* In bytes. */
struct image {
	uint64_t capacity;   /* as the guest sees it; 0: the file is not of its disk's format */
	uint64_t allocation; /* that the file takes up */
	uint64_t physical;   /* the file's length */
};

/** Of a disk that has a source. Returns 0, a negative errno, or VM_FILE_E_KIND (open.h). */
int image_read(const struct domain_disk *disk, struct image *ret);

#endif
