/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pace.h: a line a second, however often something happens.
 *
 * Runs in the broker, as root; pure. For what a peer can make happen as often as it likes.
 */
#ifndef BROKER_PACE_H
#define BROKER_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
	uint64_t next_ns;
	uint64_t n_untold;
};

/**
 * It happened once more. True when it is time to tell: then *ret_n is how often it happened since
 * it was told last, this time included.
 */
bool pace_tell(struct pace *pace, uint64_t now_ns, uint64_t *ret_n);

#endif
