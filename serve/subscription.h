/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * subscription.h: which events a connection wants to hear of.
 *
 * Runs in worker and view. A subscription has an id that is never used twice on its connection: clients
 * keep the ids of different families of events in one place (go-libvirt), so there is one counter.
 */
#ifndef SERVE_SUBSCRIPTION_H
#define SERVE_SUBSCRIPTION_H

#include <stdbool.h>
#include <stdint.h>

enum { SUBSCRIPTIONS_MAX = 1024 /* of one connection */ };

struct subscription {
	int32_t id;
	int32_t event;
	bool filtered; /* only events of the domain with this UUID */
	uint8_t uuid[16];
};

/** Zeroed is empty. */
struct subscriptions {
	struct subscription *list;
	unsigned n, room;
	int32_t last_id;
};

enum subscription_error {
	SUBSCRIPTION_E_AGAIN = 1, /* there is one for the same event and domain */
	SUBSCRIPTION_E_FULL,      /* SUBSCRIPTIONS_MAX, or all ids are used up */
	SUBSCRIPTION_E_NONE       /* no such id */
};

/** Add one; uuid may be NULL: events of all domains. Returns 0, SUBSCRIPTION_E_* or -ENOMEM. */
int subscription_add(
	struct subscriptions *subscriptions, int32_t event, const uint8_t *uuid, int32_t *ret_id);
/** Returns 0 or SUBSCRIPTION_E_NONE. */
int subscription_remove(struct subscriptions *subscriptions, int32_t id);
void subscriptions_fini(struct subscriptions *subscriptions);

#endif
