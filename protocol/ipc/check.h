/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check.h: the checkers of the bodies, one a message struct, for the table in rules.c.
 *
 * Pure. Used by every program, root's included. Each says whether all fields are in their ranges,
 * reserved bytes zero and strings ended; none is called for an answer that carries an error.
 */
#ifndef PROTOCOL_IPC_CHECK_H
#define PROTOCOL_IPC_CHECK_H

#include "protocol/ipc/ipc.h"

ipc_checker ipc_check_hello, ipc_check_conn_pass, ipc_check_conn_taken, ipc_check_conn_gone,
	ipc_check_idle_answer, ipc_check_tool, ipc_check_worker, ipc_check_view, ipc_check_started,
	ipc_check_resolve, ipc_check_box, ipc_check_lease, ipc_check_leased, ipc_check_lease_gone,
	ipc_check_lease_stop, ipc_check_lease_next, ipc_check_lease_found, ipc_check_leaf,
	ipc_check_leaf_found, ipc_check_net, ipc_check_autostart, ipc_check_ticket_change,
	ipc_check_lease_refused, ipc_check_inventory, ipc_check_inventory_next,
	ipc_check_inventory_found, ipc_check_channel, ipc_check_leaf_ended, ipc_check_leaf_limit,
	ipc_check_leaf_freeze, ipc_check_audit, ipc_check_audit_record, ipc_check_lease_change,
	ipc_check_user_limit, ipc_check_vm_stop, ipc_check_vm_freeze, ipc_check_status,
	ipc_check_status_user, ipc_check_status_user_told, ipc_check_status_limit,
	ipc_check_status_limit_told, ipc_check_status_vm, ipc_check_status_vm_told;

#endif
