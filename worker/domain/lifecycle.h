/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lifecycle.h: what is done when the guest powers off, reboots, crashes, sleeps.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_LIFECYCLE_H
#define WORKER_DOMAIN_LIFECYCLE_H

#include "worker/domain/parse.h"

/** <on_poweroff>, <on_reboot>, <on_crash>, <on_lockfailure>, <pm>. */
int domain_lifecycle_parse(struct domain_parse *p, xmlNode *domain);

void domain_lifecycle_format(struct writer *w, const struct domain_def *def);

#endif
