/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rng.h: random number generators.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_RNG_H
#define WORKER_DOMAIN_RNG_H

#include "worker/domain/kind.h"

enum { DOMAIN_RNGS_MAX = 8 };

/* A virtio random number generator fed by a device file of the host. */
struct domain_rng {
	struct domain_device device;
	char *source; /* "/dev/random" or "/dev/urandom", which give the same bytes */
};

/* <rng> */
extern const struct domain_kind domain_rng_kind;

#endif
