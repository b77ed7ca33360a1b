/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bucket.h: how often something may happen: a token bucket in one number.
 *
 * Runs in the broker, as root; pure. A zeroed bucket is full.
 */
#ifndef BROKER_BUCKET_H
#define BROKER_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t full_ns; /* when it is full again, CLOCK_MONOTONIC */
};

/* burst tokens at most (1 or more), one new token every interval_ns. */
struct bucket_size {
	uint64_t interval_ns;
	uint32_t burst;
};

/** Take a token; false when there is none. */
bool bucket_take(struct bucket *bucket, uint64_t now_ns, struct bucket_size size);
/** Take n tokens, whether they are there or not: it is then longer until there is one again. */
void bucket_charge(struct bucket *bucket, uint64_t now_ns, struct bucket_size size, uint32_t n);
/** When there will be a token, now_ns if there is one. */
uint64_t bucket_ready(const struct bucket *bucket, uint64_t now_ns, struct bucket_size size);

#endif
