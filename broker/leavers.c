/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * leavers.c: whose account has gone, and who has nothing: what the broker keeps of her list is dropped; see
 * leavers.h.
 *
 * Runs in the broker, as root, also while it is boxed. Must never take an error for an answer.
 */
#include "broker/leavers.h"

#include <errno.h>
#include <inttypes.h>

#include "broker/broker.h"
#include "broker/route.h"
#include "broker/users.h"
#include "lib/log.h"
#include "lib/take.h"

static void
look_up(struct broker *broker, uint32_t uid)
{
	struct user *user = users_find(&broker->users, uid);

	if (!user && users_n_free(&broker->users) > broker->users.size / LEAVERS_SPARE)
		user = users_add(&broker->users, uid, false);
	/* Who has connections is looked up anyway. */
	if (user && user->budget.n_conns == 0)
		route_look_up(broker, user);
}

/* Does nobody miss it? */
static bool
has_nothing(struct broker *broker, struct owner *owner)
{
	const struct user *user = users_find(&broker->users, owner->uid);

	if (owner->dropped || authority_is_system(&broker->authority, owner->uid))
		return false;
	if (user && (user->leases.first || user->budget.n_conns > 0 ||
			    user->budget.n_channels > 0 || !child_is_absent(&user->child)))
		return false;
	return inventories_is_empty(&broker->inventories, owner);
}

static void
make_room(struct leavers *leavers)
{
	struct inventories *inventories = &leavers->broker->inventories;
	uint32_t n_free = inventories_n_free(inventories);

	for (uint32_t i = 0; i < LEAVERS_LOOKED && i < inventories->n &&
			     n_free < inventories->size / LEAVERS_FREE + 1;
		i++) {
		struct owner *owner = &inventories->table[leavers->hand++ % inventories->n];

		if (!has_nothing(leavers->broker, owner))
			continue;
		log_info("uid=%" PRIu32 " has no virtual machine, and makes room", owner->uid);
		inventories_drop(inventories, owner);
		n_free++;
	}
}

static void
timer_due(struct timer *timer)
{
	struct leavers *leavers = container_of(timer, struct leavers, timer);
	struct inventories *inventories = &leavers->broker->inventories;

	if (leavers->next >= inventories->n)
		leavers->next = 0;
	if (leavers->next < inventories->n) {
		const struct owner *owner = &inventories->table[leavers->next++];

		if (!owner->dropped)
			look_up(leavers->broker, owner->uid);
	}
	make_room(leavers);
	leavers_start(leavers);
}

void
leavers_looked_up(struct user *user)
{
	struct broker *broker = user->child.broker;
	struct owner *owner = inventories_find(&broker->inventories, user->uid);
	uint64_t now_ns = loop_now(&broker->loop);

	if (owner && user->has_account)
		inventories_know(&broker->inventories, owner, &user->account);
	if (!owner || owner->dropped)
		return;
	if (user->has_account || user->lookup_err != -ENOENT)
		owner->gone_ns = 0;
	else if (owner->gone_ns == 0)
		owner->gone_ns = now_ns;
	else if (now_ns - owner->gone_ns >= LOOP_S(LEAVERS_AFTER_S) && !user->leases.first &&
		 child_is_absent(&user->child)) {
		log_info("uid=%" PRIu32 " has had no account for long: its inventory is dropped",
			user->uid);
		inventories_drop(&broker->inventories, owner);
	}
}

void
leavers_init(struct leavers *leavers, struct broker *broker)
{
	*leavers = (struct leavers){.broker = broker};
}

void
leavers_start(struct leavers *leavers)
{
	struct loop *loop = &leavers->broker->loop;

	timer_set(loop, &leavers->timer, loop_now(loop) + LOOP_S(LEAVERS_EACH_S), timer_due);
}

void
leavers_stop(struct leavers *leavers)
{
	timer_stop(&leavers->timer);
}
