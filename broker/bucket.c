/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bucket.c: how often something may happen: a token bucket in one number.
 *
 * Runs in the broker, as root; pure. Each token that is out moves the time at which the bucket is
 * full again by one interval; there is one to take while that time is less than burst intervals
 * away.
 */
#include "broker/bucket.h"

uint64_t
bucket_ready(const struct bucket *bucket, uint64_t now_ns, struct bucket_size size)
{
	uint64_t others_ns = size.interval_ns * (size.burst - 1);

	return bucket->full_ns > now_ns + others_ns ? bucket->full_ns - others_ns : now_ns;
}

void
bucket_charge(struct bucket *bucket, uint64_t now_ns, struct bucket_size size, uint32_t n)
{
	if (bucket->full_ns < now_ns)
		bucket->full_ns = now_ns;
	bucket->full_ns += size.interval_ns * n;
}

bool
bucket_take(struct bucket *bucket, uint64_t now_ns, struct bucket_size size)
{
	if (bucket_ready(bucket, now_ns, size) > now_ns)
		return false;
	bucket_charge(bucket, now_ns, size, 1);
	return true;
}
