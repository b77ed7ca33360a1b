/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * users.c: every uid that the broker deals with: its account, its budget, its worker.
 *
 * Runs in the broker, as root. Must never give up an entry that something still points to: a
 * connection by its payer, the starter by a question, a child by its link, a lease, a timer; nor what
 * is not known any more of who has lost something by it.
 */
#include "broker/users.h"

#include <errno.h>
#include <stdlib.h>

enum { STRANGERS_SHARE = 4 };
enum { ALL_GROUPS = (1u << STRANGERS_N) - 1 };

int
users_init(struct users *users, struct broker *broker, uint32_t size)
{
	*users = (struct users){.broker = broker, .size = size, .n_buckets = 1};
	while (users->n_buckets < size)
		users->n_buckets *= 2;
	users->table = calloc(size, sizeof *users->table);
	users->buckets = calloc(users->n_buckets, sizeof(struct user *));
	return users->table && users->buckets ? 0 : -ENOMEM;
}

void
users_fini(struct users *users)
{
	free(users->table);
	free(users->buckets);
	*users = (struct users){.size = 0};
}

static struct user **
bucket_of(const struct users *users, uint32_t uid)
{
	/* uids come in runs; what strangers can put into one bucket is bounded by their share. */
	return &users->buckets[uid & (users->n_buckets - 1)];
}

struct user *
users_find(const struct users *users, uint32_t uid)
{
	for (struct user *user = *bucket_of(users, uid); user; user = user->next)
		if (user->uid == uid)
			return user;
	return NULL;
}

/* root's entry stays: what it resolves to serves the system account's owner. */
static bool
may_leave(const struct user *user)
{
	return user->used && user->uid != 0 && user->budget.n_conns == 0 &&
	       user->budget.n_channels == 0 && user->pending.n == 0 && !user->lookup.open &&
	       child_is_absent(&user->child) && user->tools.n == 0 && user->nets.n == 0 &&
	       !user->leases.first && !user->autostart.starting && marks_are_written(user) &&
	       !user->share.question.open && user->held.n == 0;
}

static enum stranger_group
group_of(uint32_t uid)
{
	return uid < 65536 ? STRANGERS_NEAR : STRANGERS_FAR;
}

static void
remove_user(struct users *users, struct user *user)
{
	struct user **at = bucket_of(users, user->uid);

	while (*at != user)
		at = &(*at)->next;
	*at = user->next;
	users->n_strangers[group_of(user->uid)] -= user->stranger;
	timer_stop(&user->timer);
	child_fini(&user->child);
	user->used = false;
	user->next = users->free;
	users->free = user;
}

/* Somebody who may leave makes room; the hand goes round, so that it is not always the same. */
static bool
evict(struct users *users, bool stranger, unsigned groups)
{
	for (uint32_t i = 0; i < users->n_touched; i++) {
		struct user *user = &users->table[users->hand++ % users->n_touched];

		if (user->stranger == stranger && (groups & 1u << group_of(user->uid)) &&
			may_leave(user)) {
			remove_user(users, user);
			return true;
		}
	}
	return false;
}

struct user *
users_add(struct users *users, uint32_t uid, bool stranger)
{
	enum stranger_group group = group_of(uid);
	bool share_full = stranger && users->n_strangers[group] >= users->size / STRANGERS_SHARE;
	unsigned groups = share_full ? 1u << group : ALL_GROUPS;
	bool full = !users->free && users->n_touched == users->size;
	struct user *user, **bucket = bucket_of(users, uid);

	if ((share_full || full) && !evict(users, true, groups) &&
		(share_full || !evict(users, false, groups)))
		return NULL;
	user = users->free;
	if (user)
		users->free = user->next;
	else
		user = &users->table[users->n_touched++];
	*user = (struct user){.uid = uid, .used = true, .stranger = stranger, .next = *bucket};
	child_init(&user->child, users->broker, user);
	*bucket = user;
	users->n_strangers[group] += stranger;
	return user;
}

void
users_set_stranger(struct users *users, struct user *user, bool stranger)
{
	users->n_strangers[group_of(user->uid)] += (uint32_t)stranger - (uint32_t)user->stranger;
	user->stranger = stranger;
}

struct user *
users_next(const struct users *users, const struct user *after)
{
	for (uint32_t i = after ? (uint32_t)(after - users->table) + 1 : 0; i < users->n_touched;
		i++)
		if (users->table[i].used)
			return &users->table[i];
	return NULL;
}

uint32_t
users_n_free(const struct users *users)
{
	uint32_t n = users->size;

	for (uint32_t i = 0; i < users->n_touched; i++)
		n -= users->table[i].used && !may_leave(&users->table[i]);
	return n;
}

struct budget *
users_budget(struct users *users, uint32_t uid, struct user *user)
{
	return user && !user->stranger ? &user->budget : &users->strangers[group_of(uid)];
}
