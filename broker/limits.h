/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limits.h: which limits a user's virtual machines are under, now.
 *
 * Runs in the broker, as root. The tightest of what says something about a key is what counts, with
 * its own words: policy.conf, and max_vms of qemud.conf.
 */
#ifndef BROKER_LIMITS_H
#define BROKER_LIMITS_H

#include "broker/quota.h"
#include "policy/match.h"
#include "policy/policy.h"

struct broker;
struct user;

/**
 * Those that the policy says for who, and for the host, whose memory a percentage is of; pure. All
 * others are none.
 */
void limits_read(const struct policy *policy, const struct policy_who *who, uint64_t host_kib,
	struct quota_limits *ret);
/** Those of somebody while all others have so many virtual machines, and of the host as a whole. */
void limits_of(const struct broker *broker, const struct policy_who *who, uint64_t n_others,
	struct quota_limits *ret);

/** What the policy says of all that runs for that user; the kernel's own values where no line does. */
struct ipc_share limits_share(const struct broker *broker, const struct user *user);

#endif
