/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pci.h: where each device stands on the PCI buses.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_PCI_H
#define WORKER_DOMAIN_PCI_H

#include "worker/domain/def.h"

/**
 * Check the PCI addresses that the definition gives, and give each device without one the next
 * free place, in libvirt's order: what has a place of its own on a board (the first graphics card,
 * a q35's sound), root ports, then kind after kind. On a PCIe board adds the root ports that are
 * missing, and to a definition that names none one more, for hot-plug. What was assigned once and
 * is read back stays as it is.
 * Returns 0, -ENOMEM, or DOMAIN_E_REFUSED with the error filled in.
 */
int domain_pci_assign(struct domain_def *def, struct rpc_error *error);

#endif
