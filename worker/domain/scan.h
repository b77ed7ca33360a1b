/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan.h: the bounds of a document, checked before an XML parser sees it.
 *
 * Runs in the worker, as the user. One pass over the bytes, without memory of its own.
 */
#ifndef WORKER_DOMAIN_SCAN_H
#define WORKER_DOMAIN_SCAN_H

#include <stddef.h>

/* Larger than any definition seen in the field; what a client may cost is bounded by them. */
#define SCAN_SIZE_MAX               (1024 * 1024)
#define SCAN_ELEMENTS_MAX           16384
#define SCAN_DEPTH_MAX              64
#define SCAN_ATTRIBUTES_MAX         16384 /* of all: each name is sought among all namespaces */
#define SCAN_ELEMENT_ATTRIBUTES_MAX 256   /* of one: libxml2 compares each with each */

/**
 * Is this text within the bounds above, without a NUL byte and without a document type
 * declaration (so: no entities of its own, internal or external)? Says nothing about its being
 * well-formed. Returns NULL if it is, else the reason, in words for people.
 */
const char *scan_document(const char *text, size_t size);

#endif
