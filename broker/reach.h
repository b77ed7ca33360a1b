/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reach.h: whose VMs are a principal's own, and which are the system account's?
 *
 * Runs in the broker, as root. The one place where that is asked: by what a view is told of, and by the
 * channels that it gets.
 */
#ifndef BROKER_REACH_H
#define BROKER_REACH_H

#include <stdbool.h>
#include <stdint.h>

struct broker;

/** Are the owner's VMs what that principal has of her own? root's are the system account's. */
bool reach_is_own(const struct broker *broker, uint32_t uid, uint32_t owner_uid);
/** Are they the system account's? */
bool reach_is_system(const struct broker *broker, uint32_t owner_uid);

#endif
