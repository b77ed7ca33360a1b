/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listing.h: the broker is left with a list of the user's VMs, for views of the whole host.
 *
 * Runs in the worker, as the user. The list is protocol/ipc/inventory.h's; it is written into the
 * place that the broker gave (IPC_INVENTORY_PLACE), where there is one, when all is open and then after
 * each change of what it says. One list is on its way at a time; what changes meanwhile makes one
 * more. So a burst of changes is a few lists, and the last one is the truth.
 */
#ifndef WORKER_LISTING_H
#define WORKER_LISTING_H

#include <stdbool.h>

#include "lib/loop.h"
#include "lib/uplink.h"
#include "protocol/ipc/inventory.h"
#include "worker/store/domains.h"

struct listing {
	struct loop *loop;
	struct uplink *uplink;
	struct domains *domains;
	int place_fd;      /* owned; -1: nobody wants a list */
	bool open;         /* the domains are all that there are */
	bool asked, dirty; /* a list is on its way; there is another to be sent */
	struct timer timer;
	char text[INVENTORY_MAX]; /* last: what is not touched takes no memory */
};

/** domains is initialised already. */
void listing_init(
	struct listing *listing, struct loop *loop, struct uplink *uplink, struct domains *domains);
void listing_fini(struct listing *listing);
/** The broker's place for it (taken over). */
void listing_place(struct listing *listing, int fd);
/** The broker has kept it, or could not: err is a negative errno then, and it is sent again. */
void listing_kept(struct listing *listing, int err);
/** All definitions are read, and what runs is known: list them, from now on. */
void listing_begin(struct listing *listing);
/** The domains are about to be forgotten, which is no change. What was one before is sent. */
void listing_end(struct listing *listing);

#endif
