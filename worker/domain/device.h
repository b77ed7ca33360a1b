/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.h: what all devices have: alias and PCI address.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_DEVICE_H
#define WORKER_DOMAIN_DEVICE_H

#include "worker/domain/parse.h"

/**
 * The device's <alias>. Without DOMAIN_DEF_LIVE only the user's own ("ua-...") is kept, as in
 * libvirt: the others are made anew at each start.
 */
int domain_device_parse_alias(struct domain_parse *p, xmlNode *node, struct domain_device *device);

/** The device's <alias> and its <address type='pci'>, where it has them. */
int domain_device_parse(struct domain_parse *p, xmlNode *node, struct domain_device *device);

/** Has the user given it an alias? */
bool domain_device_is_named(const struct domain_device *device);

/** The same elements; generated aliases only with DOMAIN_DEF_LIVE. */
void domain_device_format(struct writer *w, const struct domain_device *device, unsigned flags);

void domain_device_fini(struct domain_device *device);

#endif
