/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ticket.h: what a connection may do: the decision, from who connected and to which socket.
 *
 * Pure. Runs in the broker, as root. What decides is the policy (policy/decide.h); what is added
 * here is whose child can serve it. The virtual machines of root, and of TLS roles, are those of the
 * system account: its worker serves them.
 */
#ifndef POLICY_TICKET_H
#define POLICY_TICKET_H

#include <stdint.h>

#include "policy/match.h"
#include "policy/policy.h"
#include "protocol/ipc/account.h"
#include "protocol/ipc/ipc.h"

struct ticket {
	uint32_t verbs;           /* over her own VMs, protocol/verb.h */
	uint32_t others;          /* that she may have over others', see policy_reach() */
	enum ipc_refusal refusal; /* IPC_REFUSAL_NONE unless verbs and others are both 0 */
	char reason[IPC_REASON_MAX];
	/*
	 * The line that decides, "policy.conf:3": of those that give her something over others' the
	 * first; else the one that gives the most over her own, or takes all. "": no line does.
	 */
	char rule[POLICY_WHERE_MAX];
};

/**
 * Decide. who->account is what the uid resolved to, NULL when it has none; system is the system
 * account, NULL when the host has none (root and TLS roles are refused then, and told how to make
 * it). Without a policy file, policy is policy_builtin().
 */
void ticket_decide(const struct policy *policy, const struct policy_who *who,
	const struct policy_who *system, enum ipc_socket socket, struct ticket *ret);

#endif
