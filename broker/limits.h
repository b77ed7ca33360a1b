/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limits.h: which limits a user's virtual machines are under, now.
 *
 * Runs in the broker, as root. The tightest of what says something about a key is what counts, with
 * its own words.
 */
#ifndef BROKER_LIMITS_H
#define BROKER_LIMITS_H

#include "broker/quota.h"

struct broker;
struct user;

/** Those of that user, and of the host as a whole. */
void limits_of(const struct broker *broker, const struct user *user, struct quota_limits *ret);

#endif
