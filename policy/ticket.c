/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ticket.c: what a connection may do: the decision, from who connected and to which socket.
 *
 * Pure. Runs in the broker. Nothing here is asked of a client.
 */
#include "policy/ticket.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "protocol/verb.h"

const char *
ticket_uid_is_nobody(uint32_t uid)
{
	static const struct {
		uint32_t first, last;
		const char *why;
	} ranges[] = {
		{65534, 65534, "it stands for users that this host does not know"},
		{UINT32_MAX, UINT32_MAX, "it is not a uid"},
		{61184, 65519, "it is of the range for short-lived services (DynamicUser)"},
	};

	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (uid >= ranges[i].first && uid <= ranges[i].last)
			return ranges[i].why;
	return NULL;
}

__attribute__((format(printf, 3, 4))) static void
refuse(struct ticket *ret, enum ipc_refusal refusal, const char *fmt, ...)
{
	va_list ap;

	*ret = (struct ticket){.refusal = refusal};
	va_start(ap, fmt);
	(void)vsnprintf(ret->reason, sizeof ret->reason, fmt, ap);
	va_end(ap);
}

/* May this account's worker exist? The worker of the host, or of who connected. */
static bool
may_own(const struct account *account)
{
	return account->uid != 0 && !account->subordinate && !ticket_uid_is_nobody(account->uid);
}

static void
grant(struct ticket *ret, uint32_t owner_uid, enum ipc_socket socket)
{
	*ret = (struct ticket){.verbs = socket == IPC_SOCKET_RW ? VERBS_ALL : VERBS_VIEW,
		.owner_uid = owner_uid,
		.refusal = IPC_REFUSAL_NONE};
}

void
ticket_decide(uint32_t uid, const struct account *account, const struct account *system,
	enum ipc_socket socket, struct ticket *ret)
{
	const char *why = ticket_uid_is_nobody(uid);

	if (uid == 0 && system && may_own(system))
		grant(ret, system->uid, socket);
	else if (uid == 0)
		refuse(ret, IPC_REFUSAL_WORKER,
			"root's virtual machines belong to the system account, which this host "
			"%s; make it (useradd --system qemud-vm) or name another in qemud.conf: "
			"system_account",
			system ? "has with a uid that cannot serve" : "does not have");
	else if (why)
		refuse(ret, IPC_REFUSAL_NOBODY,
			"uid %u may own nothing here: %s; connect from an account of this host",
			uid, why);
	else if (!account || account->uid != uid)
		refuse(ret, IPC_REFUSAL_NOBODY,
			"uid %u has no account on this host; its administrator can make one", uid);
	else if (account->subordinate)
		refuse(ret, IPC_REFUSAL_NOBODY,
			"uid %u is a subordinate uid (/etc/subuid) of another account; connect "
			"from outside the user namespace",
			uid);
	else
		grant(ret, uid, socket);
}
