/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reach.c: whose VMs are a principal's own; see reach.h.
 *
 * Runs in the broker, as root. Decides by uids that the kernel told, by accounts as they were looked
 * up, and by no byte of anybody.
 */
#include "broker/reach.h"

#include "broker/broker.h"

bool
reach_is_system(const struct broker *broker, uint32_t owner_uid)
{
	/* What root's name resolves to is the system account. */
	const struct user *root = users_find(&broker->users, 0);

	return root && root->has_account && root->account.uid == owner_uid;
}

bool
reach_is_own(const struct broker *broker, uint32_t uid, uint32_t owner_uid)
{
	return uid == 0 ? reach_is_system(broker, owner_uid) : uid == owner_uid;
}
