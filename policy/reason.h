/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reason.h: why somebody may not do everything, in a line: which rules, and who can change that.
 *
 * Pure. Runs in the broker, as root.
 */
#ifndef POLICY_REASON_H
#define POLICY_REASON_H

#include <stddef.h>
#include <stdint.h>

#include "policy/match.h"
#include "policy/policy.h"

/**
 * Into buf, cut where it is too long: why policy gives her (called name here) these verbs, and no
 * more, over what owner owns: the line that gives most of it, and for each verb that she lacks the
 * line that takes it, or that there is none that gives it. Returns buf.
 */
const char *policy_reason(const struct policy *policy, const struct policy_who *who,
	const char *name, const struct policy_who *owner, uint32_t verbs, char *buf, size_t size);

#endif
