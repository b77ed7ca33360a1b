/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cpu.h: the virtual CPU's model.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_CPU_H
#define WORKER_DOMAIN_CPU_H

#include "worker/domain/parse.h"

/** <cpu>; the machine's default model must be known (domain_os_parse()). */
int domain_cpu_parse(struct domain_parse *p, xmlNode *domain);

void domain_cpu_format(struct writer *w, const struct domain_def *def);

#endif
