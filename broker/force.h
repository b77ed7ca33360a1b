/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * force.h: what is done to a virtual machine without its owner's worker, who could stop it: by a view,
 * for a principal with `power` over it.
 *
 * Runs in the broker, as root. Each act is audited under the name of that principal.
 */
#ifndef BROKER_FORCE_H
#define BROKER_FORCE_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/pace.h"
#include "policy/policy.h"
#include "protocol/ipc/ipc.h"

struct view;

/* Who does what to which, for the audit, which may outlive the connection. */
struct force_act {
	uint64_t conn_id;
	uint32_t uid, pid;
	uint32_t owner_uid;
	uint32_t vm;
	char label[IPC_LABEL_MAX];
	char owner[IPC_NAME_MAX];
	char line[POLICY_WHERE_MAX];
	uint8_t uuid[IPC_UUID_SIZE]; /* zero: no such machine runs */
};

/* Of a view. Zeroed: nothing is asked. */
struct force {
	bool open;  /* a VM_FREEZE is not answered yet */
	bool stale; /* and who asked has ended */
	bool on;
	uint32_t serial;
	struct force_act act;
	struct pace told; /* in the log; each is a record of the audit */
};

/* What a view asks for; it is answered, or ended. */
void force_stop(struct view *view, const struct ipc_message *message);
void force_freeze(struct view *view, const struct ipc_message *message);
/** Its process has ended. */
void force_forsake(struct force *force);

#endif
