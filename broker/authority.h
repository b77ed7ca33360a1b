/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * authority.h: who may do what, by the policy in force (rulebook.h).
 *
 * Runs in the broker, as root. From time to time the accounts of who is connected are looked up again.
 * Whatever changes what somebody may do, rules, names or accounts, reaches the connections that are
 * open (tickets.h).
 */
#ifndef BROKER_AUTHORITY_H
#define BROKER_AUTHORITY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"
#include "policy/policy.h"
#include "policy/ticket.h"
#include "protocol/verb.h"

struct broker;
struct user;

enum {
	AUTHORITY_AT_ONCE = 32,  /* connections reviewed, accounts asked for, in one turn */
	AUTHORITY_TICK_MS = 5000 /* at least as often it is seen whose account is due */
};

struct authority {
	struct broker *broker;
	struct timer tick;
	uint32_t next_conn; /* of a review */
	uint32_t next_user; /* whose account may be due */
	struct deferred review;
};

void authority_init(struct authority *authority, struct broker *broker);
/** From now on look up again what is due. */
void authority_start(struct authority *authority);
/** The broker ends: look nothing up any more. */
void authority_stop(struct authority *authority);

/** That user, as policy sees her: whoever is connected, or owns what runs. */
struct policy_who authority_who(const struct authority *authority, const struct user *user);
/** The same by uid, for whoever owns something: as she is known as a user, or else as an owner. */
struct policy_who authority_owner(const struct authority *authority, uint32_t uid);
/** What that user may do, whose account was looked up; reason also says why not more. */
void authority_decide(const struct authority *authority, const struct user *user,
	enum ipc_socket socket, struct ticket *ret);
/** The same by other rules than those in force. */
void authority_decide_by(const struct authority *authority, const struct policy *policy,
	const struct user *user, enum ipc_socket socket, struct ticket *ret);
/**
 * The verbs of a principal, connected to that socket, over what that owner owns; why not more is in
 * reason (NULL: nobody asks), empty where that is not policy's doing.
 */
uint32_t authority_over(const struct authority *authority, uint32_t uid, enum ipc_socket socket,
	uint32_t owner_uid, char reason[IPC_REASON_MAX]);
/** The line by which she has that verb over it, or has it not: "policy.conf:3"; "": none says so. */
void authority_line(const struct authority *authority, uint32_t uid, enum ipc_socket socket,
	uint32_t owner_uid, enum verb verb, char ret[static POLICY_WHERE_MAX]);
/**
 * May machines of that user start? If she has `power` over her own, or somebody whom her worker serves
 * has it over them. If not, why is in ret: the sentence, and the line.
 */
bool authority_may_start(
	const struct authority *authority, const struct user *user, struct ticket *ret);
/** Are that owner's VMs the system account's? */
bool authority_is_system(const struct authority *authority, uint32_t owner_uid);
/** Are they what that principal has of her own? root's are the system account's. */
bool authority_is_own(const struct authority *authority, uint32_t uid, uint32_t owner_uid);
/** Does a line allow this uid something by name, so that it is not nobody? */
bool authority_names(const struct authority *authority, uint32_t uid);
/** Something changed that decides what connections may do: see to those that are open. */
void authority_review(struct authority *authority);

#endif
