/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rights.c: what one connection may do; see rights.h.
 */
#include "serve/rights.h"

#include <string.h>

#include "protocol/verb.h"

static void
settle(struct rights *rights, uint32_t granted, const char reason[static IPC_REASON_MAX])
{
	rights->granted = granted;
	rights->verbs = granted & (rights->read_only ? VERBS_VIEW : VERBS_ALL);
	memcpy(rights->reason, reason, sizeof(rights->reason));
}

void
rights_init(struct rights *rights, const struct ipc_conn_pass *pass)
{
	*rights = (struct rights){.read_only = pass->socket == IPC_SOCKET_RO};
	settle(rights, pass->verbs, pass->reason);
}

void
rights_open_read_only(struct rights *rights)
{
	rights->read_only = true;
	rights->verbs &= VERBS_VIEW;
}

void
rights_change(struct rights *rights, const struct ipc_ticket_change *change)
{
	settle(rights, change->verbs, change->reason);
}

int
rights_refuse(
	const struct rights *rights, const char *api, const char *how, struct rpc_error *error)
{
	/* libvirt's words where it is as with libvirt. */
	if (rights->read_only || rights->reason[0] == '\0')
		return rpc_error_set(error, VIR_ERR_OPERATION_DENIED, VIR_FROM_DOMAIN,
			"operation forbidden: read only access prevents %s%s", api, how);
	return rpc_error_set(error, VIR_ERR_OPERATION_DENIED, VIR_FROM_DOMAIN,
		"operation forbidden: policy prevents %s%s: %s", api, how, rights->reason);
}

int
rights_refuse_all(const struct rights *rights, struct rpc_error *error)
{
	return rpc_error_set(error, VIR_ERR_OPERATION_DENIED, VIR_FROM_DOMAIN,
		"operation forbidden: %s", rights->reason);
}
