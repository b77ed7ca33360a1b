/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * devices.h: the list of devices of a definition.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_DEVICES_H
#define WORKER_DOMAIN_DEVICES_H

#include "worker/domain/parse.h"

/** <devices>: all devices, and those that the machine has by itself. */
int domain_devices_parse(struct domain_parse *p, xmlNode *domain);

void domain_devices_format(struct writer *w, const struct domain_def *def, unsigned flags);

void domain_devices_fini(struct domain_def *def);

#endif
