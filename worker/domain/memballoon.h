/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memballoon.h: the memory balloon.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_MEMBALLOON_H
#define WORKER_DOMAIN_MEMBALLOON_H

#include "worker/domain/parse.h"

/** The <memballoon>; at most one. */
int domain_memballoon_parse(struct domain_parse *p, xmlNode *node);

/** A definition that says nothing has a virtio balloon. */
void domain_memballoon_complete(struct domain_def *def);

void domain_memballoon_format(
	struct writer *w, const struct domain_memballoon *balloon, unsigned flags);

#endif
