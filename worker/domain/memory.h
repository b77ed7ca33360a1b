/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.h: memory sizes and their units.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_MEMORY_H
#define WORKER_DOMAIN_MEMORY_H

#include "worker/domain/parse.h"

/** <memory> and <currentMemory>, in KiB rounded up. */
int domain_memory_parse(struct domain_parse *p, xmlNode *domain);

void domain_memory_format(struct writer *w, const struct domain_def *def);

#endif
