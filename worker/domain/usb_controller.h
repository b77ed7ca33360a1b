/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * usb_controller.h: USB controllers: their ports, and the sets of the ICH9: a master for USB 2, and
 * companions that serve what is slower on the same ports, all with one index, in one slot.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_USB_CONTROLLER_H
#define WORKER_DOMAIN_USB_CONTROLLER_H

#include "worker/domain/controller.h"

/** What a <controller type='usb'> says of ports and master. Returns 0 or DOMAIN_E_REFUSED. */
int domain_usb_controller_parse(
	struct domain_parse *p, struct _xmlNode *node, struct domain_controller *controller);
/** Its <master>, if it is a companion. */
void domain_usb_controller_format(struct writer *w, const struct domain_controller *controller);

/**
 * Does one of that model that says no index belong to the set of the USB controller before it? Then
 * *ret_index is that one's. libvirt's rule: that one is of a set, too, which has none of the model.
 */
bool domain_usb_controller_joins(const struct domain_def *def, unsigned model, uint32_t *ret_index);

/** Of a set: which function of the slot it is, and where the slot would be on a real board. */
void domain_usb_controller_place(
	const struct domain_def *def, struct domain_controller *controller);

/** All of a definition: companions have a master, whose ports they share out; none is alone. */
int domain_usb_controllers_check(const struct domain_def *def, struct rpc_error *error);

size_t domain_usb_controllers_count(const struct domain_def *def);

/** How many ports devices can be plugged into; a companion has none of its own. */
unsigned domain_usb_controller_ports(const struct domain_controller *controller);

#endif
