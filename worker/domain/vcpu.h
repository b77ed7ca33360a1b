/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpu.h: how many virtual CPUs there are.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_VCPU_H
#define WORKER_DOMAIN_VCPU_H

#include "worker/domain/parse.h"

/** <vcpu>; the machine's limit must be known (domain_os_parse()). */
int domain_vcpu_parse(struct domain_parse *p, xmlNode *domain);

void domain_vcpu_format(struct writer *w, const struct domain_def *def);

#endif
