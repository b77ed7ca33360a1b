/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * alias.h: the ids by which QEMU knows the devices.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_ALIAS_H
#define WORKER_DOMAIN_ALIAS_H

#include "worker/domain/def.h"

/**
 * Give each device without an alias the one that libvirt would: "virtio-disk0", "pci.1",
 * "serial0". Done when a VM starts; the definition that is on disk has only the user's own.
 * Returns 0 or -ENOMEM.
 */
int domain_alias_assign(struct domain_def *def);

/**
 * Is each alias of the user's used once? (Of those that we make, USB controllers of one index share
 * one, as in libvirt.) Returns 0, or DOMAIN_E_REFUSED with the error filled in.
 */
int domain_alias_check(const struct domain_def *def, struct rpc_error *error);

#endif
