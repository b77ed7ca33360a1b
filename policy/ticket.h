/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ticket.h: what a connection may do: the decision, from who connected and to which socket.
 *
 * Pure. Until policy files exist there is one rule, built in: everybody manages her own VMs; the
 * read-only socket keeps `view` alone, whoever connects. Who has no account is nobody: uids that
 * resolve to none, uids in somebody's subordinate range, 65534, (uid_t)-1, and systemd's
 * DynamicUser range (61184 to 65519). root is served by the worker of the account qemud-vm.
 */
#ifndef POLICY_TICKET_H
#define POLICY_TICKET_H

#include <stdint.h>

#include "protocol/ipc/account.h"
#include "protocol/ipc/ipc.h"

struct ticket {
	uint32_t verbs;           /* protocol/verb.h; 0 when refused */
	uint32_t owner_uid;       /* whose worker serves it */
	enum ipc_refusal refusal; /* IPC_REFUSAL_NONE when verbs is not 0 */
	char reason[IPC_REASON_MAX];
};

/** Ranges that are nobody whatever the account database says; why in words, or NULL. */
const char *ticket_uid_is_nobody(uint32_t uid);

/**
 * Decide. account is what uid resolved to, NULL when it has none; system is the account
 * qemud-vm, NULL when the host has none (root is refused then, and told how to make it).
 */
void ticket_decide(uint32_t uid, const struct account *account, const struct account *system,
	enum ipc_socket socket, struct ticket *ret);

#endif
