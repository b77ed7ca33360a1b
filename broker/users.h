/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * users.h: every uid that the broker deals with: its account, its budget, its worker.
 *
 * Runs in the broker, as root. One table, sized at the start, whose pages are touched as entries
 * are first used; who has no connection, no worker and no virtual machine makes room for others.
 *
 * A stranger is a uid that never was granted anything: nobody knows yet whether it has an account.
 * With subordinate uids one user can connect as 65,536 of these, so strangers share one budget, may
 * have a quarter of the table, and leave it first: whatever they do costs strangers alone. People's
 * uids are below 65,536 as a rule and subordinate ones above (SUB_UID_MIN of login.defs is 100,000),
 * so there are two groups of strangers, each with its own budget and quarter: a newcomer does not
 * pay for somebody's subordinate uids.
 */
#ifndef BROKER_USERS_H
#define BROKER_USERS_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/autostart.h"
#include "broker/budget.h"
#include "broker/child.h"
#include "broker/conns.h"
#include "broker/inventories.h"
#include "broker/leases.h"
#include "broker/marks.h"
#include "broker/nets.h"
#include "broker/shares.h"
#include "broker/starter.h"
#include "broker/tools.h"
#include "lib/loop.h"
#include "policy/held.h"
#include "protocol/ipc/account.h"

enum stranger_group { STRANGERS_NEAR, STRANGERS_FAR, STRANGERS_N };

struct user {
	struct user *next; /* in its bucket, or among the free ones */
	uint32_t uid;
	bool used, stranger;
	struct budget budget;

	/* What its uid resolves to; for root, what the system account's name does. */
	bool has_account;
	int lookup_err;           /* of the last look-up */
	uint64_t lookup_again_ns; /* the answer is good until then */
	struct question lookup;
	struct account account;
	struct policy_held held; /* see broker/members.h */
	unsigned held_run;       /* of the names: one that began later tells of them ... */
	bool held_sure;          /* ... and has: the next look-up is about all that stay in doubt */
	struct conn_list pending; /* connections that wait for the answer */
	struct timer timer;

	struct child child;
	struct tools_share tools; /* its worker's */
	struct leases_share leases;
	struct nets_share nets;
	struct share share;
	struct autostart_share autostart;
	struct marks_share marks;
	struct inventory_share inventory;
	struct bucket audit; /* what she makes happen that is recorded */
};

struct users {
	struct broker *broker;
	struct user *table, **buckets, *free;
	uint32_t size, n_touched, n_buckets, hand;
	uint32_t n_strangers[STRANGERS_N];
	struct budget strangers[STRANGERS_N];
};

/** Make room for size uids. Returns 0 or -ENOMEM. */
int users_init(struct users *users, struct broker *broker, uint32_t size);
void users_fini(struct users *users);

/** The entry of that uid, or NULL. */
struct user *users_find(const struct users *users, uint32_t uid);
/** A new entry for a uid that has none; NULL when nobody makes room. */
struct user *users_add(struct users *users, uint32_t uid, bool stranger);
/** It was granted something (stranger is false), or lost its account. */
void users_set_stranger(struct users *users, struct user *user, bool stranger);
/** The entries in use, one after the other: NULL gives the first, the last gives NULL. */
struct user *users_next(const struct users *users, const struct user *after);
/** So many entries could be had for uids that have none now. */
uint32_t users_n_free(const struct users *users);
/** Who pays for the connections of a uid; user is its entry, or NULL when it has none. */
struct budget *users_budget(struct users *users, uint32_t uid, struct user *user);

#endif
