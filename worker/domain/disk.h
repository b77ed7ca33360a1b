/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.h: disks.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_DISK_H
#define WORKER_DOMAIN_DISK_H

#include "worker/domain/parse.h"

/** One <disk>, put into the list by its target. */
int domain_disk_parse(struct domain_parse *p, xmlNode *node);

void domain_disk_format(struct writer *w, const struct domain_disk *disk, unsigned flags);

void domain_disk_fini(struct domain_disk *disk);

#endif
