/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hyperv.h: <hyperv> below <features>.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_HYPERV_H
#define WORKER_DOMAIN_HYPERV_H

#include "worker/domain/features.h"

/** features: the element <features>. */
int domain_hyperv_parse(struct domain_parse *p, struct _xmlNode *features);

void domain_hyperv_format(struct writer *w, const struct domain_features *features);

/** The element's name, which is also QEMU's, with dashes for underscores, behind "hv-". */
const char *domain_hyperv_word(enum domain_hyperv feature);

#endif
