/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * members.h: who was in a group of the policy that may have vanished (policy/held.h).
 *
 * Runs in the broker, as root. An account that is not in a group any more, from whose members a line
 * takes something, is held as one of them. When the names of the policy are looked up after that, and
 * the group is there, the account is looked up once more; what it then says is so. While the group is
 * not there, it stays.
 */
#ifndef BROKER_MEMBERS_H
#define BROKER_MEMBERS_H

#include <stdbool.h>

#include "protocol/ipc/account.h"

struct broker;
struct user;

/**
 * Her account is that from now on, NULL: there is none; before it is kept. Returns whether that
 * changes what is held of her.
 */
bool members_answered(struct broker *broker, struct user *user, const struct account *account);
/** A run over the names of the policy in force has ended, or it is a new one; sure: all were told. */
void members_review(struct broker *broker, bool sure);
/** Have the log say in which groups she is, and is held. */
void members_tell(const struct user *user);

#endif
