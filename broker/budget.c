/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * budget.c: what one uid may take of the broker: connections at a time and per second.
 *
 * Runs in the broker, as root; pure. Refusals have a bucket of their own, so that who connects too
 * often still gets all the connections that the limit gives, and not fewer.
 */
#include "broker/budget.h"

#include <stdbool.h>

#include "lib/loop.h"

enum budget_verdict
budget_judge(struct budget *budget, const struct budget_limits *limits, uint64_t now_ns)
{
	struct bucket_size size = {
		.interval_ns = LOOP_S(1) / limits->connections_per_second,
		.burst = limits->connections_per_second,
	};
	bool room = budget->n_conns < limits->connections;

	if (budget->n_conns >= (uint64_t)limits->connections * 2)
		return BUDGET_CLOSE;
	if (room && bucket_take(&budget->served, now_ns, size))
		return BUDGET_SERVE;
	if (!bucket_take(&budget->refused, now_ns, size))
		return BUDGET_CLOSE;
	return room ? BUDGET_TOO_OFTEN : BUDGET_TOO_MANY;
}
