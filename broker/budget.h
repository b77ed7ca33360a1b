/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * budget.h: what one uid may take of the broker: connections at a time and per second.
 *
 * Runs in the broker, as root; pure. Up to the limit a connection is served; up to twice the limit
 * it is refused in words; past that it is closed at once, so that even refusing has a bound. Both
 * limits count all connections of the uid, refused ones too. Channels of views, which are made for
 * connections that are served, have the same limits beside those. A zeroed budget is unspent.
 */
#ifndef BROKER_BUDGET_H
#define BROKER_BUDGET_H

#include <stdint.h>

#include "broker/bucket.h"

struct budget_limits {
	uint32_t connections, connections_per_second; /* 1 or more each */
};

struct budget {
	uint32_t n_conns, n_channels; /* open now, kept by conns.c */
	struct bucket served, refused, channels;
};

enum budget_verdict {
	BUDGET_SERVE = 1,
	BUDGET_TOO_MANY,  /* refuse: as many connections as there may be */
	BUDGET_TOO_OFTEN, /* refuse: more often than it may be */
	BUDGET_CLOSE      /* past twice a limit: say nothing */
};

/** Judge one more connection. The verdict is charged to the rate; n_conns is the caller's to count.
 */
enum budget_verdict budget_judge(
	struct budget *budget, const struct budget_limits *limits, uint64_t now_ns);

#endif
