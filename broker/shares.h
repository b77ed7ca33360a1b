/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shares.h: what all that runs for a user may take together, when the policy has changed.
 *
 * Runs in the broker, as root. Whatever is started is started with it (WORKER, BOX); who has something
 * that runs is told to the starter once more.
 */
#ifndef BROKER_SHARES_H
#define BROKER_SHARES_H

#include <stdbool.h>

#include "broker/starter.h"

struct broker;
struct user;

/* Of a user. Zeroed: nothing is asked. */
struct share {
	struct question question;
	struct ipc_share said; /* to the starter */
	bool again;            /* it has changed since that was asked */
};

/** What the policy says now, to be said to the starter. */
struct ipc_share shares_say(struct user *user);
/** The policy is another: so it is for all that runs. */
void shares_tell(struct broker *broker);

#endif
