/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rng.h: random number generators.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_RNG_H
#define WORKER_DOMAIN_RNG_H

#include "worker/domain/kind.h"
#include "worker/domain/virtio.h"

enum { DOMAIN_RNGS_MAX = 8 };

enum domain_rng_backend {
	DOMAIN_RNG_RANDOM = 1, /* a device file of the host */
	DOMAIN_RNG_BUILTIN     /* QEMU's own */
};

struct domain_rng {
	struct domain_device device;
	enum domain_virtio virtio;
	enum domain_rng_backend backend;
	/* "/dev/random" or "/dev/urandom", which give the same bytes; NULL: builtin */
	char *source;
	uint32_t rate_bytes; /* in a period; 0: as many as it takes */
	uint32_t period_ms;  /* 0: a second */
};

/* <rng> */
extern const struct domain_kind domain_rng_kind;

#endif
