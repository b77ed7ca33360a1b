/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * explain.h: why somebody may do something, or may not: the line that decides, in words.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody. What is said here is what
 * policy_decide() does.
 */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/match.h"
#include "policy/policy.h"
#include "protocol/ipc/ipc.h"
#include "protocol/verb.h"

enum policy_outcome {
	POLICY_ALLOWED = 1, /* by its rule, the first that gives the verb */
	POLICY_DENIED,      /* by its rule, the first that takes it; whatever else gives it */
	POLICY_NOT_ALLOWED, /* no rule gives it */
	POLICY_READ_ONLY,   /* its rule gives it, but the read-only socket does not */
	POLICY_NOBODY       /* the uid is nobody to this host, and no rule names it */
};

struct policy_verdict {
	enum policy_outcome outcome;
	const struct policy_rule *rule; /* of the policy; NULL: none decides */
};

/** Why policy_decide() has, or has not, that verb among its verbs. */
struct policy_verdict policy_verdict(const struct policy *policy, const struct policy_who *who,
	enum ipc_socket socket, const struct policy_who *owner, enum verb verb);

/**
 * Why not, in one sentence for who asked: what was refused, by which line, and who can change it.
 * Cut where it does not fit. Returns buf.
 */
const char *policy_refusal(const struct policy *policy, const struct policy_who *who,
	enum ipc_socket socket, const struct policy_who *owner, enum verb verb,
	char buf[static IPC_REASON_MAX]);

/**
 * The verdict, and the whole chain that leads to it, in lines: every allow and deny that is for her,
 * with what it gives or takes, and the verbs that are left. Lines that do not fit into size bytes
 * (at least 512) are counted in the last one. Returns the length.
 */
size_t policy_explain(const struct policy *policy, const struct policy_who *who,
	enum ipc_socket socket, const struct policy_who *owner, enum verb verb, char *buf,
	size_t size);

#endif
