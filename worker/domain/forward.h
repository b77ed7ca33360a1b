/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forward.h: the ports of the host by which a guest is reached.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_FORWARD_H
#define WORKER_DOMAIN_FORWARD_H

#include "worker/domain/interface.h"

/** All <portForward> of an interface. Returns 0, -ENOMEM or DOMAIN_E_REFUSED. */
int domain_forwards_parse(
	struct domain_parse *p, struct _xmlNode *node, struct domain_interface *interface);
void domain_forwards_format(struct writer *w, const struct domain_interface *interface);
void domain_forwards_fini(struct domain_interface *interface);

/** Is it the name of a network device: 1 to DOMAIN_NETDEV_MAX of letters, digits and ._-? */
bool domain_is_netdev(const char *text);

/** Is it a numeric address of that family (0: any)? */
bool domain_is_address(const char *text, enum domain_family family);

#endif
