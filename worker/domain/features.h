/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * features.h: the board's features that can be left out.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_FEATURES_H
#define WORKER_DOMAIN_FEATURES_H

#include "worker/domain/parse.h"

/** <features>: <acpi> and <apic>. */
int domain_features_parse(struct domain_parse *p, xmlNode *domain);

void domain_features_format(struct writer *w, const struct domain_def *def);

#endif
