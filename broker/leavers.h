/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * leavers.h: whose account has gone: what the broker keeps of her list is dropped, some time later; and who
 * has nothing makes room, when there are few places left for owners.
 *
 * Runs in the broker, as root. One owner of an inventory after the other is looked up, slowly: who has
 * left connects no more. Name services that are down say of somebody that there is no such account, too
 * (sssd's does); so it must have been said for a day, and nothing of hers may run. Who has nothing comes
 * back as soon as she connects, as who was never here.
 */
#ifndef BROKER_LEAVERS_H
#define BROKER_LEAVERS_H

#include <stdint.h>

#include "lib/loop.h"

struct broker;
struct user;

enum {
	LEAVERS_EACH_S = 60,         /* one owner is looked up so often */
	LEAVERS_AFTER_S = 24 * 3600, /* so long there must have been no account */
	LEAVERS_SPARE = 4,  /* one of so many entries for users stays for those who connect */
	LEAVERS_FREE = 8,   /* of so many places for owners one is to be free */
	LEAVERS_LOOKED = 64 /* so many owners are looked at in a row */
};

struct leavers {
	struct broker *broker;
	struct timer timer;
	/* Owners, by their places in the table of inventories: who is looked up, and who may have nothing. */
	uint32_t next, hand;
};

void leavers_init(struct leavers *leavers, struct broker *broker);
/** From now on look them up. */
void leavers_start(struct leavers *leavers);
void leavers_stop(struct leavers *leavers);
/** The user's account has been looked up, by whomever: user->has_account and lookup_err are the answer. */
void leavers_looked_up(struct user *user);

#endif
