/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2.h: what the header of a qcow2 image says of other files.
 *
 * Runs in the worker, as the user. Pure. The bytes are not trusted: a guest that is raw on one disk
 * can write any header.
 */
#ifndef WORKER_QEMU_QCOW2_H
#define WORKER_QEMU_QCOW2_H

#include <stdbool.h>
#include <stddef.h>

enum {
	QCOW2_HEADER_MAX = 64 * 1024, /* bytes of the file in which all of this stands */
	QCOW2_BACKING_MAX = 1023,     /* bytes of a name, as in the format's specification */
	QCOW2_FORMAT_MAX = 15
};

/** Results of qcow2_parse(). */
enum qcow2_error {
	QCOW2_E_OTHER = 1, /* not a qcow2 image */
	QCOW2_E_BAD        /* one whose header breaks the format's rules */
};

struct qcow2 {
	char backing[QCOW2_BACKING_MAX + 1]; /* name of the image below; empty: there is none */
	char format[QCOW2_FORMAT_MAX + 1];   /* its format; empty: not said */
	bool external_data;                  /* the data are in another file */
};

/**
 * Read the beginning of a file, up to QCOW2_HEADER_MAX bytes of it (format: QEMU's
 * docs/interop/qcow2.txt). Returns 0, QCOW2_E_OTHER or QCOW2_E_BAD.
 */
int qcow2_parse(const unsigned char *data, size_t size, struct qcow2 *ret);

#endif
