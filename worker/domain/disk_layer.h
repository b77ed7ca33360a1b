/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk_layer.h: one image of a disk: what it is read from, and the images below it.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_DISK_LAYER_H
#define WORKER_DOMAIN_DISK_LAYER_H

#include <stddef.h>

struct _xmlNode;
struct domain_disk;
struct domain_parse;
struct writer;

enum domain_layer_type { DOMAIN_LAYER_FILE = 1, DOMAIN_LAYER_BLOCK };
enum domain_disk_format { DOMAIN_DISK_RAW = 1, DOMAIN_DISK_QCOW2 };

struct domain_layer {
	enum domain_layer_type type;
	enum domain_disk_format format; /* 0: of an empty drive of a running VM */
	char *path;    /* absolute, not resolved or checked; NULL: the drive is empty */
	unsigned node; /* N of its nodes in QEMU, libvirt-N-format and -storage; 0: not yet */
};

/** The attribute type='raw' of an element; 0 if it is absent. */
int domain_disk_format_parse(struct domain_parse *p, struct _xmlNode *node, unsigned *ret_format);
/** The word for a format. */
const char *domain_disk_format_word(enum domain_disk_format format);

/** The disk's <source>. */
int domain_disk_source_parse(
	struct domain_parse *p, struct _xmlNode *node, struct domain_disk *disk);
/** The disk's <backingStore>, when the format of its source is known. */
int domain_disk_chain_parse(
	struct domain_parse *p, struct _xmlNode *node, struct domain_disk *disk);
/** The same elements; numbers of nodes only with DOMAIN_DEF_LIVE. */
void domain_layers_format(struct writer *w, const struct domain_disk *disk, unsigned flags);
/** The word for the type of a disk's source. */
const char *domain_layer_type_word(const struct domain_layer *layer);

/**
 * Put an image below all others of a disk. path is taken over.
 * Returns 0 or -ENOMEM, when the path is freed.
 */
int domain_layers_append(struct domain_disk *disk, enum domain_layer_type type,
	enum domain_disk_format format, char *path);
/**
 * Below the image of a disk that names nothing below it are those of another, and no more: it is
 * `whole`. Returns 0, or -ENOMEM when nothing has changed.
 */
int domain_layers_copy(struct domain_disk *disk, const struct domain_disk *from);
/** Take out what is in a drive. */
void domain_layers_clear(struct domain_disk *disk);

#endif
