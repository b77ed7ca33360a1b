/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pace.c: a line a second, however often something happens.
 *
 * Runs in the broker, as root; pure.
 */
#include "broker/pace.h"

#include "lib/loop.h"

bool
pace_tell(struct pace *pace, uint64_t now_ns, uint64_t *ret_n)
{
	pace->n_untold++;
	if (now_ns < pace->next_ns)
		return false;
	*ret_n = pace->n_untold;
	*pace = (struct pace){.next_ns = now_ns + LOOP_S(1)};
	return true;
}
