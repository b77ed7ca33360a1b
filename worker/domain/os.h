/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * os.h: the machine and what it boots from.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_OS_H
#define WORKER_DOMAIN_OS_H

#include "worker/domain/parse.h"

/** <os>; also finds the machine type in the environment (p->machine). */
int domain_os_parse(struct domain_parse *p, xmlNode *domain);

/** Boots from the first disk if neither <os> nor a device says otherwise. */
int domain_os_complete(struct domain_parse *p);

void domain_os_format(struct writer *w, const struct domain_def *def);

#endif
