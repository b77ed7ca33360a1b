/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rulenews.h: what is told of the policy, to the log and to the audit: what is wrong with it, what
 * holds from now on, and who may do other things than before.
 *
 * Runs in the broker, as root. Decides nothing.
 */
#ifndef BROKER_RULENEWS_H
#define BROKER_RULENEWS_H

#include "policy/policy.h"
#include "protocol/ipc/audit.h"

struct broker;

enum {
	RULENEWS_CHANGES_MAX =
		20, /* who lost or gained what, names that vanished: that are told one by one */
	RULENEWS_COMPARED = 1024 /* users that are looked at for these */
};

/** What is wrong with it, or worth knowing, to the log. */
void rulenews_complaints(const struct broker *broker, const struct policy *policy);
/** It holds from now on: after a load, or a reload. */
void rulenews_holds(struct broker *broker, const struct policy *policy, enum audit_kind kind);
/** What was read at a reload does not hold, because of that; NULL: because of its first error. */
void rulenews_refused(struct broker *broker, const struct policy *policy, const char *why);
/** Who of those that the broker deals with has gained or lost what. */
void rulenews_changes(
	struct broker *broker, const struct policy *before, const struct policy *after);
/** So many of its names stand for something else than before; and which have vanished, or are back. */
void rulenews_names(struct broker *broker, struct policy *policy, unsigned n);

#endif
