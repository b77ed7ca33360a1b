/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * match.h: whom a rule is for, and whose virtual machines it is about.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody.
 */
#ifndef POLICY_MATCH_H
#define POLICY_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/held.h"
#include "policy/policy.h"
#include "protocol/ipc/account.h"

/*
 * Somebody: who connected, or who owns a virtual machine. The groups are the account's, as it was
 * resolved, and never those that a process says it has. Borrowed for the call.
 */
struct policy_who {
	const struct account *account;  /* of this uid; NULL: it has none */
	const struct policy_held *held; /* NULL: nothing is */
	const char *tls;                /* not NULL: the name of a certificate, and no uid at all */
	uint32_t uid;
	bool is_system; /* the account of qemud.conf's system_account */
};

/* Somebody, with what is found out once for all rules. */
struct match {
	const struct policy *policy;
	const struct policy_who *who;
	bool counts; /* among everyone: is not nobody, or a line allows her something by name */
	bool counted; /* or did so, before that name vanished: what is taken from everyone is from her */
};

/** Does a line `allow user ...` or `allow uid ...` name this uid? Then it is not nobody. */
bool policy_names_uid(const struct policy *policy, uint32_t uid);

struct match match_begin(const struct policy *policy, const struct policy_who *who);
/** Is the rule for her? */
bool match_subject(const struct match *match, const struct policy_rule *rule);
/** Is it about what owner owns? Own virtual machines of root and of TLS roles are the system's. */
bool match_target(
	const struct match *match, const struct policy_rule *rule, const struct policy_who *owner);
/** Would what owner owns be her own? Nobody's is hers who has no account. */
bool match_owns(const struct policy_who *who, const struct policy_who *owner);

#endif
