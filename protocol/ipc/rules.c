/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rules.c: the table of the messages between our programs, and the names of what breaks it.
 *
 * Pure. Used by every program, root's included. What is not in the table is a violation.
 */
#include "protocol/ipc/ipc.h"

#include "protocol/ipc/audit.h"
#include "protocol/ipc/check.h"

enum {
	NEW = IPC_STATE_NEW,
	SERVING = IPC_STATE_SERVING,
	LEAVING = IPC_STATE_LEAVING,
	CHILD = IPC_LINK_CHILD,
	STARTER = IPC_LINK_STARTER,
	AUDIT = IPC_LINK_AUDIT,
	BROKER = IPC_SIDE_BROKER,
	PEER = IPC_SIDE_PEER,
};

/* A message that may be there once has a bit of its own. */
enum { ONCE_HELLO = 1, ONCE_STOP = 2, ONCE_PLACE = 4 };

#define RULE(name_, size_, n_fds_, link_, sender_, states_, once_, check_)           \
	{                                                                            \
		.type = IPC_##name_, .name = #name_, .size = size_, .n_fds = n_fds_, \
		.link = link_, .sender = sender_, .states = states_, .once = once_,  \
		.check = check_                                                      \
	}

/* clang-format off */
const struct ipc_rule ipc_rules[] = {
	/* message, body, descriptors, link, sender, states, once, checker */
	/* HELLO while leaving: a STOP has crossed it. */
	RULE(HELLO, sizeof(struct ipc_hello), 0, CHILD, PEER, NEW | LEAVING, ONCE_HELLO,
		ipc_check_hello),
	RULE(CONN_PASS, sizeof(struct ipc_conn_pass), 1, CHILD, BROKER, SERVING, false,
		ipc_check_conn_pass),
	RULE(CONN_TAKEN, sizeof(struct ipc_conn_taken), 0, CHILD, PEER, SERVING | LEAVING, false,
		ipc_check_conn_taken),
	RULE(CONN_GONE, sizeof(struct ipc_conn_gone), 0, CHILD, PEER, SERVING | LEAVING, false,
		ipc_check_conn_gone),
	RULE(IDLE_ASK, 0, 0, CHILD, PEER, SERVING | LEAVING, false, NULL),
	RULE(IDLE_ANSWER, sizeof(struct ipc_idle_answer), 0, CHILD, BROKER, SERVING | LEAVING,
		false, ipc_check_idle_answer),
	RULE(STOP, 0, 0, CHILD, BROKER, NEW | SERVING | LEAVING, ONCE_STOP, NULL),
	RULE(TOOL, sizeof(struct ipc_tool), 0, CHILD, PEER, SERVING | LEAVING, false,
		ipc_check_tool),
	RULE(TOOL_READY, 0, 1, CHILD, BROKER, SERVING | LEAVING, false, NULL),
	RULE(LEASE, sizeof(struct ipc_lease), 0, CHILD, PEER, SERVING | LEAVING, false,
		ipc_check_lease),
	RULE(LEASED, sizeof(struct ipc_leased), 1, CHILD, BROKER, SERVING | LEAVING, false,
		ipc_check_leased),
	RULE(LEASE_GONE, sizeof(struct ipc_lease_gone), 0, CHILD, BROKER, SERVING | LEAVING, false,
		ipc_check_lease_gone),
	RULE(LEASE_STOP, sizeof(struct ipc_lease_stop), 0, CHILD, PEER, SERVING | LEAVING, false,
		ipc_check_lease_stop),
	RULE(LEASE_NEXT, sizeof(struct ipc_lease_next), 0, CHILD, PEER, SERVING | LEAVING, false,
		ipc_check_lease_next),
	RULE(LEASE_FOUND, sizeof(struct ipc_lease_found), 0, CHILD, BROKER, SERVING | LEAVING,
		false, ipc_check_lease_found),
	RULE(NET, sizeof(struct ipc_net), 0, CHILD, PEER, SERVING | LEAVING, false, ipc_check_net),
	RULE(NET_READY, 0, 1, CHILD, BROKER, SERVING | LEAVING, false, NULL),
	RULE(AUTOSTART, sizeof(struct ipc_autostart), 0, CHILD, PEER, SERVING | LEAVING, false,
		ipc_check_autostart),
	RULE(TICKET_CHANGE, sizeof(struct ipc_ticket_change), 0, CHILD, BROKER, SERVING | LEAVING,
		false, ipc_check_ticket_change),
	RULE(TICKET_CHANGED, 0, 0, CHILD, PEER, SERVING | LEAVING, false, NULL),
	RULE(LEASE_CHANGE, sizeof(struct ipc_lease_change), 0, CHILD, PEER, SERVING | LEAVING,
		false, ipc_check_lease_change),
	RULE(LEASE_CHANGED, 0, 0, CHILD, BROKER, SERVING | LEAVING, false, NULL),
	RULE(LEASE_REFUSED, sizeof(struct ipc_lease_refused), 0, CHILD, BROKER, SERVING | LEAVING,
		false, ipc_check_lease_refused),
	RULE(INVENTORY_PLACE, 0, 1, CHILD, BROKER, SERVING, ONCE_PLACE, NULL),
	RULE(INVENTORY, sizeof(struct ipc_inventory), 0, CHILD, PEER, SERVING | LEAVING, false,
		ipc_check_inventory),
	RULE(INVENTORY_KEPT, 0, 0, CHILD, BROKER, SERVING | LEAVING, false, NULL),
	RULE(INVENTORY_CHANGED, 0, 0, CHILD, BROKER, SERVING, false, NULL),
	RULE(INVENTORY_NEXT, sizeof(struct ipc_inventory_next), 0, CHILD, PEER, SERVING | LEAVING,
		false, ipc_check_inventory_next),
	RULE(INVENTORY_FOUND, sizeof(struct ipc_inventory_found), 1, CHILD, BROKER,
		SERVING | LEAVING, false, ipc_check_inventory_found),
	RULE(CHANNEL, sizeof(struct ipc_channel), 0, CHILD, PEER, SERVING | LEAVING, false,
		ipc_check_channel),
	RULE(CHANNEL_OPEN, 0, 1, CHILD, BROKER, SERVING | LEAVING, false, NULL),
	RULE(VM_STOP, sizeof(struct ipc_vm_stop), 0, CHILD, PEER, SERVING | LEAVING, false,
		ipc_check_vm_stop),
	RULE(VM_STOPPED, 0, 0, CHILD, BROKER, SERVING | LEAVING, false, NULL),
	RULE(VM_FREEZE, sizeof(struct ipc_vm_freeze), 0, CHILD, PEER, SERVING | LEAVING, false,
		ipc_check_vm_freeze),
	RULE(VM_FROZEN, 0, 0, CHILD, BROKER, SERVING | LEAVING, false, NULL),

	RULE(STATUS, 0, 0, CHILD, PEER, SERVING | LEAVING, false, NULL),
	RULE(STATUS_TOLD, sizeof(struct ipc_status), 0, CHILD, BROKER, SERVING | LEAVING, false,
		ipc_check_status),
	RULE(STATUS_USER, sizeof(struct ipc_status_user), 0, CHILD, PEER, SERVING | LEAVING, false,
		ipc_check_status_user),
	RULE(STATUS_USER_TOLD, sizeof(struct ipc_status_user_told), 0, CHILD, BROKER,
		SERVING | LEAVING, false, ipc_check_status_user_told),
	RULE(STATUS_LIMIT, sizeof(struct ipc_status_limit), 0, CHILD, PEER, SERVING | LEAVING, false,
		ipc_check_status_limit),
	RULE(STATUS_LIMIT_TOLD, sizeof(struct ipc_status_limit_told), 0, CHILD, BROKER,
		SERVING | LEAVING, false, ipc_check_status_limit_told),
	RULE(STATUS_VM, sizeof(struct ipc_status_vm), 0, CHILD, PEER, SERVING | LEAVING, false,
		ipc_check_status_vm),
	RULE(STATUS_VM_TOLD, sizeof(struct ipc_status_vm_told), 0, CHILD, BROKER, SERVING | LEAVING,
		false, ipc_check_status_vm_told),
	RULE(PING, 0, 0, CHILD, BROKER, SERVING, false, NULL),

	RULE(WORKER, sizeof(struct ipc_worker), 1, STARTER, BROKER, SERVING, false,
		ipc_check_worker),
	RULE(WORKER_STARTED, sizeof(struct ipc_started), 2, STARTER, PEER, SERVING, false,
		ipc_check_started),
	RULE(VIEW, sizeof(struct ipc_view), 0, STARTER, BROKER, SERVING, false, ipc_check_view),
	RULE(VIEW_STARTED, sizeof(struct ipc_started), 2, STARTER, PEER, SERVING, false,
		ipc_check_started),
	RULE(RESOLVE, sizeof(struct ipc_resolve), 0, STARTER, BROKER, SERVING, false,
		ipc_check_resolve),
	RULE(RESOLVED, 0, 1, STARTER, PEER, SERVING, false, NULL),
	RULE(BOX, sizeof(struct ipc_box), 1, STARTER, BROKER, SERVING, false, ipc_check_box),
	RULE(BOXED, sizeof(struct ipc_started), 2, STARTER, PEER, SERVING, false,
		ipc_check_started),
	RULE(LEAF_NEXT, 0, 0, STARTER, BROKER, SERVING, false, NULL),
	RULE(LEAF_FOUND, sizeof(struct ipc_leaf_found), 1, STARTER, PEER, SERVING, false,
		ipc_check_leaf_found),
	RULE(LEAF_END, sizeof(struct ipc_leaf), 0, STARTER, BROKER, SERVING, false, ipc_check_leaf),
	RULE(LEAF_ENDED, sizeof(struct ipc_leaf_ended), 0, STARTER, PEER, SERVING, false,
		ipc_check_leaf_ended),
	RULE(LEAF_LIMIT, sizeof(struct ipc_leaf_limit), 0, STARTER, BROKER, SERVING, false,
		ipc_check_leaf_limit),
	RULE(LEAF_LIMITED, 0, 0, STARTER, PEER, SERVING, false, NULL),
	RULE(LEAF_FREEZE, sizeof(struct ipc_leaf_freeze), 0, STARTER, BROKER, SERVING, false,
		ipc_check_leaf_freeze),
	RULE(LEAF_FROZEN, 0, 0, STARTER, PEER, SERVING, false, NULL),
	RULE(USER_LIMIT, sizeof(struct ipc_user_limit), 0, STARTER, BROKER, SERVING, false,
		ipc_check_user_limit),
	RULE(USER_LIMITED, 0, 0, STARTER, PEER, SERVING, false, NULL),

	RULE(AUDIT_RECORD, sizeof(struct ipc_audit_record), 0, AUDIT, BROKER, SERVING, false,
		ipc_check_audit_record),
	RULE(AUDIT_KEPT, 0, 0, AUDIT, PEER, SERVING, false, NULL),
	RULE(AUDIT, sizeof(struct ipc_audit), 0, STARTER, BROKER, SERVING, false, ipc_check_audit),
	RULE(AUDIT_STARTED, sizeof(struct ipc_started), 2, STARTER, PEER, SERVING, false,
		ipc_check_started),
};
/* clang-format on */

const size_t ipc_n_rules = sizeof ipc_rules / sizeof *ipc_rules;

_Static_assert(sizeof(struct ipc_header) == 16, "the header is 16 bytes");
_Static_assert(
	sizeof(struct ipc_header) + sizeof(struct ipc_conn_pass) <= IPC_MESSAGE_MAX &&
		sizeof(struct ipc_header) + sizeof(struct ipc_audit_record) <= IPC_MESSAGE_MAX,
	"the largest messages fit");

const struct ipc_rule *
ipc_rule_find(uint16_t type)
{
	for (size_t i = 0; i < ipc_n_rules; i++)
		if (ipc_rules[i].type == type)
			return &ipc_rules[i];
	return NULL;
}

const char *
ipc_type_name(uint16_t type)
{
	const struct ipc_rule *rule = ipc_rule_find(type);

	return rule ? rule->name : "?";
}

bool
ipc_wants_answer(uint16_t type)
{
	return !ipc_is_answer(type) && ipc_rule_find((uint16_t)(type + 1)) != NULL;
}

const char *
ipc_fault_text(enum ipc_fault fault)
{
	static const char *const texts[] = {
		[IPC_OK] = "no rule is broken",
		[IPC_FAULT_PACKET] = "the packet is truncated, or carries more than descriptors",
		[IPC_FAULT_SHORT] = "the packet is shorter than a header",
		[IPC_FAULT_VERSION] = "the message is from another build",
		[IPC_FAULT_TYPE] = "there is no such message on this link",
		[IPC_FAULT_SENDER] = "this end may not send that message",
		[IPC_FAULT_SIZE] = "the body does not have the size of its type",
		[IPC_FAULT_FDS] = "the message does not have its number of descriptors",
		[IPC_FAULT_STATE] = "the message is not allowed in this state of the link",
		[IPC_FAULT_AGAIN] = "the message is allowed once, and was there already",
		[IPC_FAULT_SERIAL] = "the serial is missing, not wanted, or of no open ask",
		[IPC_FAULT_ERR] = "the error field is out of range, or not in an answer",
		[IPC_FAULT_BODY] = "a field of the body is out of its range",
	};

	return (size_t)fault < sizeof texts / sizeof *texts ? texts[fault] : "?";
}
