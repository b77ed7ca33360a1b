/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * growth.h: a virtual machine that runs is granted more, or less.
 *
 * Runs in the broker, as root. While the starter is asked it counts as the larger of both, so that
 * whatever becomes of the ask nobody has more than was counted.
 */
#ifndef BROKER_GROWTH_H
#define BROKER_GROWTH_H

#include <stdint.h>

#include "broker/quota.h"
#include "broker/starter.h"
#include "protocol/ipc/ipc.h"

struct lease;
struct user;

/* Of a lease. Zeroed: nothing is asked. */
struct growth {
	struct question question;
	struct ipc_grant before, after;
	uint32_t serial; /* of the worker's ask; 0: nobody waits for the answer any more */
};

/**
 * The user's worker asks. Returns 0, and the answer follows by wishes_answer_change() from the loop;
 * -ENOENT: no virtual machine of hers with that id runs; -EBUSY: the last ask about it is not answered
 * yet; -EDQUOT: a limit is against it, ret says which; -EAGAIN: she asks too often.
 */
int growth_ask(struct user *user, const struct ipc_lease_change *want, uint32_t serial,
	struct quota_refusal *ret);
/** Nothing of it runs any more, and the worker is told so. */
void growth_over(struct lease *lease);
/** Its worker has ended: nobody waits any more. */
void growth_forsake(struct growth *growth);

#endif
