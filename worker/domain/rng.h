/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rng.h: random number generators.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_RNG_H
#define WORKER_DOMAIN_RNG_H

#include "worker/domain/parse.h"

/** One <rng>, at the end of the list. */
int domain_rng_parse(struct domain_parse *p, xmlNode *node);

void domain_rng_format(struct writer *w, const struct domain_rng *rng, unsigned flags);

void domain_rng_fini(struct domain_rng *rng);

#endif
