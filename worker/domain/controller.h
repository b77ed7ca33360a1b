/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * controller.h: controllers: the buses that devices are plugged into.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_CONTROLLER_H
#define WORKER_DOMAIN_CONTROLLER_H

#include "worker/domain/parse.h"

/** One <controller>, put into the list beside the others of its type, by its index. */
int domain_controller_parse(struct domain_parse *p, xmlNode *node);

/** Add the controllers that the machine has by itself and the definition does not name. */
int domain_controller_complete(struct domain_parse *p);

/** Add a PCIe root port with the next steps left to domain_pci_assign(). -ENOMEM. */
int domain_controller_add_root_port(struct domain_def *def, uint8_t index);

/** The PCI controller with that index, or NULL. */
struct domain_controller *domain_controller_find_pci(struct domain_def *def, unsigned index);

void domain_controller_format(
	struct writer *w, const struct domain_controller *controller, unsigned flags);

void domain_controller_fini(struct domain_controller *controller);

#endif
