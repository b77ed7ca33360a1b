/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ipc_fields.h: each field of each message with values that it may have, and that it may not.
 */
#ifndef TESTS_UNIT_IPC_FIELDS_H
#define TESTS_UNIT_IPC_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/log.h"
#include "protocol/ipc/ipc.h"

/* One field of one message with one value: is it in its range? */
struct field {
	size_t at, width;
	uint64_t value;
	enum ipc_type type;
	bool good;
};

#define FIELD(type, body, field, value, good)                                                  \
	{                                                                                      \
		offsetof(struct body, field), sizeof((struct body *)NULL)->field, value, type, \
			good                                                                   \
	}

static const struct field fields[] = {
	FIELD(IPC_HELLO, ipc_hello, pid, 0, false),
	FIELD(IPC_HELLO, ipc_hello, pid, UINT32_MAX, true),
	FIELD(IPC_HELLO, ipc_hello, zero, 1, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, conn_id, 0, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, conn_id, UINT64_MAX, true),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, uid, 0, true),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, gid, 0, true),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, pid, 0, true),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, verbs, 0, false), /* nothing, and no refusal */
	FIELD(IPC_CONN_PASS, ipc_conn_pass, verbs, 1, true),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, verbs, 2, false), /* console without view */
	FIELD(IPC_CONN_PASS, ipc_conn_pass, verbs, 3, true),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, verbs, 4, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, verbs, 5, true),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, verbs, 6, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, verbs, 7, true),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, verbs, 8, false), /* manage includes all */
	FIELD(IPC_CONN_PASS, ipc_conn_pass, verbs, 9, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, verbs, 14, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, verbs, 16, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, verbs, 31, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, verbs, 0x8000000fu, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, socket, 0, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, socket, IPC_SOCKET_RO, false), /* with all verbs */
	FIELD(IPC_CONN_PASS, ipc_conn_pass, socket, 3, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, origin, 0, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, origin, IPC_ORIGIN_VIEW, true),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, origin, IPC_ORIGIN_VIEW + 1, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, owner[0], 'b', false), /* not through a view */
	FIELD(IPC_CONN_PASS, ipc_conn_pass, owner[63], 'b', false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, refusal, IPC_REFUSAL_NOBODY, false), /* with verbs */
	FIELD(IPC_CONN_PASS, ipc_conn_pass, refusal, 255, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, zero[0], 1, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, zero[4], 1, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, label[0], 0, false), /* empty, and dirt behind it */
	FIELD(IPC_CONN_PASS, ipc_conn_pass, label[1], 0, false), /* dirt behind the end */
	FIELD(IPC_CONN_PASS, ipc_conn_pass, label[1], '\n', false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, label[1], 0x7f, false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, label[1], 0xc3, true),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, label[6], 'x', false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, label[63], 'x', false),
	FIELD(IPC_CONN_PASS, ipc_conn_pass, reason[0], 'x', false), /* without a refusal */
	FIELD(IPC_CONN_PASS, ipc_conn_pass, reason[239], 'x', false),
	FIELD(IPC_CONN_TAKEN, ipc_conn_taken, conn_id, 0, false),
	FIELD(IPC_CONN_TAKEN, ipc_conn_taken, conn_id, UINT64_MAX, true),
	FIELD(IPC_CONN_GONE, ipc_conn_gone, conn_id, 0, false),
	FIELD(IPC_CONN_GONE, ipc_conn_gone, conn_id, UINT64_MAX, true),
	FIELD(IPC_IDLE_ANSWER, ipc_idle_answer, granted, 1, true),
	FIELD(IPC_IDLE_ANSWER, ipc_idle_answer, granted, 2, false),
	FIELD(IPC_IDLE_ANSWER, ipc_idle_answer, zero[0], 1, false),
	FIELD(IPC_IDLE_ANSWER, ipc_idle_answer, zero[6], 1, false),
	FIELD(IPC_TOOL, ipc_tool, kind, 0, false),
	FIELD(IPC_TOOL, ipc_tool, kind, IPC_TOOL_PROBE, true),
	FIELD(IPC_TOOL, ipc_tool, kind, IPC_TOOL_PROBE + 1, false),
	FIELD(IPC_TOOL, ipc_tool, zero, 1, false),
	FIELD(IPC_LEASE, ipc_lease, uuid[0], 0, true),
	FIELD(IPC_LEASE, ipc_lease, uuid[15], 0xff, true),
	FIELD(IPC_LEASE, ipc_lease, memory_kib, 0, false),
	FIELD(IPC_LEASE, ipc_lease, memory_kib, 1, true),
	FIELD(IPC_LEASE, ipc_lease, memory_kib, IPC_MEMORY_MAX_KIB, true),
	FIELD(IPC_LEASE, ipc_lease, memory_kib, IPC_MEMORY_MAX_KIB + 1, false),
	FIELD(IPC_LEASE, ipc_lease, vcpus, 0, false),
	FIELD(IPC_LEASE, ipc_lease, vcpus, IPC_VCPUS_MAX, true),
	FIELD(IPC_LEASE, ipc_lease, vcpus, IPC_VCPUS_MAX + 1, false),
	FIELD(IPC_LEASE, ipc_lease, code_mib, IPC_CODE_MAX_MIB, true),
	FIELD(IPC_LEASE, ipc_lease, code_mib, IPC_CODE_MAX_MIB + 1, false),
	FIELD(IPC_LEASE_REFUSED, ipc_lease_refused, why[0], 0,
		false), /* no words, or dirt behind */
	FIELD(IPC_LEASE_REFUSED, ipc_lease_refused, why[0], 'x', true),
	FIELD(IPC_LEASE_REFUSED, ipc_lease_refused, why[1], 27, false),
	FIELD(IPC_LEASE_REFUSED, ipc_lease_refused, why[239], 'x', false),
	FIELD(IPC_LEASED, ipc_leased, id, 0, false),
	FIELD(IPC_LEASED, ipc_leased, id, INT32_MAX, true),
	FIELD(IPC_LEASED, ipc_leased, id, 1u << 31, false),
	FIELD(IPC_LEASED, ipc_leased, pid, 0, false),
	FIELD(IPC_LEASE_GONE, ipc_lease_gone, id, 0, false),
	FIELD(IPC_LEASE_GONE, ipc_lease_gone, id, INT32_MAX, true),
	FIELD(IPC_LEASE_GONE, ipc_lease_gone, id, 1u << 31, false),
	FIELD(IPC_LEASE_GONE, ipc_lease_gone, zero, 1, false),
	FIELD(IPC_LEASE_STOP, ipc_lease_stop, id, 0, false),
	FIELD(IPC_LEASE_STOP, ipc_lease_stop, id, INT32_MAX, true),
	FIELD(IPC_LEASE_STOP, ipc_lease_stop, id, 1u << 31, false),
	FIELD(IPC_LEASE_STOP, ipc_lease_stop, zero, 1, false),
	FIELD(IPC_LEASE_NEXT, ipc_lease_next, after, INT32_MAX, true),
	FIELD(IPC_LEASE_NEXT, ipc_lease_next, after, 1u << 31, false),
	FIELD(IPC_LEASE_NEXT, ipc_lease_next, zero, 1, false),
	FIELD(IPC_LEASE_FOUND, ipc_lease_found, uuid[0], 0, true),
	FIELD(IPC_LEASE_FOUND, ipc_lease_found, id, 0, false),
	FIELD(IPC_LEASE_FOUND, ipc_lease_found, id, INT32_MAX, true),
	FIELD(IPC_LEASE_FOUND, ipc_lease_found, id, 1u << 31, false),
	FIELD(IPC_LEASE_FOUND, ipc_lease_found, pid, 0, true), /* not there yet */
	FIELD(IPC_WORKER, ipc_worker, uid, 0, false),          /* root has no worker of its own */
	FIELD(IPC_WORKER, ipc_worker, uid, UINT32_MAX, false),
	FIELD(IPC_WORKER, ipc_worker, uid, UINT32_MAX - 1, true),
	FIELD(IPC_WORKER, ipc_worker, n_files, 0, false),
	FIELD(IPC_WORKER, ipc_worker, idle_seconds, 0, true),
	FIELD(IPC_WORKER, ipc_worker, log_level, 0, false),
	FIELD(IPC_WORKER, ipc_worker, log_level, LEVEL_ERROR, true),
	FIELD(IPC_WORKER, ipc_worker, log_level, LEVEL_DEBUG, true),
	FIELD(IPC_WORKER, ipc_worker, log_level, LEVEL_DEBUG + 1, false),
	FIELD(IPC_VIEW, ipc_view, uid, 0, false),
	FIELD(IPC_VIEW, ipc_view, uid, UINT32_MAX, false),
	FIELD(IPC_VIEW, ipc_view, gid, 0, false),
	FIELD(IPC_VIEW, ipc_view, gid, UINT32_MAX, false),
	FIELD(IPC_VIEW, ipc_view, n_files, 0, false),
	FIELD(IPC_VIEW, ipc_view, log_level, 0, false),
	FIELD(IPC_VIEW, ipc_view, log_level, LEVEL_DEBUG + 1, false),
	FIELD(IPC_VIEW, ipc_view, kind, 0, false),
	FIELD(IPC_VIEW, ipc_view, kind, IPC_VIEW_HOST, false), /* without idle_seconds */
	FIELD(IPC_VIEW, ipc_view, kind, IPC_VIEW_HOST + 1, false),
	FIELD(IPC_VIEW, ipc_view, idle_seconds, 1, false), /* of the refuser */
	FIELD(IPC_INVENTORY, ipc_inventory, size, 0, false),
	FIELD(IPC_INVENTORY, ipc_inventory, size, 65536, true),
	FIELD(IPC_INVENTORY, ipc_inventory, size, 65537, false),
	FIELD(IPC_INVENTORY, ipc_inventory, zero, 1, false),
	FIELD(IPC_INVENTORY_NEXT, ipc_inventory_next, after, 0, true),
	FIELD(IPC_INVENTORY_NEXT, ipc_inventory_next, after, UINT64_MAX, true),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, generation, 0, false),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, uid, 0, false),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, uid, UINT32_MAX, false),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, verbs, 0, true),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, verbs, 2, false),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, verbs, 16, false),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, own, 1, true),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, own, 2, false),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, system, 2, false),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, worker, 2, false),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, zero[0], 1, false),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, zero[4], 1, false),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, name[0], 0, false),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, name[1], ':', false),
	FIELD(IPC_INVENTORY_FOUND, ipc_inventory_found, name[63], 'x', false),
	FIELD(IPC_CHANNEL, ipc_channel, conn_id, 0, false),
	FIELD(IPC_CHANNEL, ipc_channel, uid, 0, false),
	FIELD(IPC_CHANNEL, ipc_channel, uid, UINT32_MAX, false),
	FIELD(IPC_CHANNEL, ipc_channel, zero, 1, false),
	FIELD(IPC_WORKER_STARTED, ipc_started, pid, 0, false),
	FIELD(IPC_WORKER_STARTED, ipc_started, zero, 1, false),
	FIELD(IPC_VIEW_STARTED, ipc_started, pid, 0, false),
	FIELD(IPC_VIEW_STARTED, ipc_started, zero, 1, false),
	FIELD(IPC_RESOLVE, ipc_resolve, uid, 0, true),
	FIELD(IPC_RESOLVE, ipc_resolve, uid, UINT32_MAX, true),
	FIELD(IPC_RESOLVE, ipc_resolve, kind, 0, false),
	FIELD(IPC_RESOLVE, ipc_resolve, kind, IPC_RESOLVE_GROUP, false), /* without a name */
	FIELD(IPC_RESOLVE, ipc_resolve, kind, IPC_RESOLVE_GROUP + 1, false),
	FIELD(IPC_RESOLVE, ipc_resolve, name[0], 'x', false), /* a uid and a name */
	FIELD(IPC_RESOLVE, ipc_resolve, name[1], 'x', false),
	FIELD(IPC_RESOLVE, ipc_resolve, name[63], 'x', false),
	FIELD(IPC_BOX, ipc_box, uid, 0, false),
	FIELD(IPC_BOX, ipc_box, uid, UINT32_MAX, false),
	FIELD(IPC_BOX, ipc_box, kind, 0, false),
	FIELD(IPC_BOX, ipc_box, kind, IPC_BOX_TOOL, false),  /* with the id and UUID of a VM */
	FIELD(IPC_BOX, ipc_box, kind, IPC_BOX_PASST, false), /* with a grant */
	FIELD(IPC_BOX, ipc_box, kind, IPC_BOX_PASST + 1, false),
	FIELD(IPC_NET, ipc_net, id, 0, false),
	FIELD(IPC_NET, ipc_net, id, INT32_MAX, true),
	FIELD(IPC_NET, ipc_net, id, 0x80000000u, false),
	FIELD(IPC_NET, ipc_net, kind, 0, false),
	FIELD(IPC_NET, ipc_net, kind, IPC_NET_RELAY, true),
	FIELD(IPC_NET, ipc_net, kind, IPC_NET_PASST + 1, false),
	FIELD(IPC_WORKER, ipc_worker, port_min, 0, false),
	FIELD(IPC_WORKER, ipc_worker, port_min, 65535, true),
	FIELD(IPC_WORKER, ipc_worker, port_min, 65536, false),
	FIELD(IPC_WORKER, ipc_worker, wake, 1, true),
	FIELD(IPC_WORKER, ipc_worker, wake, 2, false),
	FIELD(IPC_AUTOSTART, ipc_autostart, state, 0, false),
	FIELD(IPC_AUTOSTART, ipc_autostart, state, IPC_AUTOSTART_NONE, true),
	FIELD(IPC_AUTOSTART, ipc_autostart, state, IPC_AUTOSTART_UNKNOWN, true),
	FIELD(IPC_AUTOSTART, ipc_autostart, state, IPC_AUTOSTART_UNKNOWN + 1, false),
	FIELD(IPC_AUTOSTART, ipc_autostart, zero, 1, false),
	FIELD(IPC_TICKET_CHANGE, ipc_ticket_change, conn_id, 0, false),
	FIELD(IPC_TICKET_CHANGE, ipc_ticket_change, conn_id, UINT64_MAX, true),
	FIELD(IPC_TICKET_CHANGE, ipc_ticket_change, verbs, 0, true),
	FIELD(IPC_TICKET_CHANGE, ipc_ticket_change, verbs, 2, false),
	FIELD(IPC_TICKET_CHANGE, ipc_ticket_change, verbs, 7, true),
	FIELD(IPC_TICKET_CHANGE, ipc_ticket_change, verbs, 8, false),
	FIELD(IPC_TICKET_CHANGE, ipc_ticket_change, verbs, 15, false), /* and a reason */
	FIELD(IPC_TICKET_CHANGE, ipc_ticket_change, verbs, 16, false),
	FIELD(IPC_TICKET_CHANGE, ipc_ticket_change, zero, 1, false),
	FIELD(IPC_TICKET_CHANGE, ipc_ticket_change, reason[0], 0, false), /* and more behind it */
	FIELD(IPC_TICKET_CHANGE, ipc_ticket_change, reason[0], '\n', false),
	FIELD(IPC_TICKET_CHANGE, ipc_ticket_change, reason[239], 'x', false),
	FIELD(IPC_BOX, ipc_box, n_files, 0, false),
	FIELD(IPC_BOX, ipc_box, n_files, UINT32_MAX, true),
	FIELD(IPC_BOX, ipc_box, id, 0, false),
	FIELD(IPC_BOX, ipc_box, id, INT32_MAX, true),
	FIELD(IPC_BOX, ipc_box, id, 1u << 31, false),
	FIELD(IPC_BOX, ipc_box, uuid[0], 0, true),
	FIELD(IPC_BOX, ipc_box, grant.memory_kib, 0, false),
	FIELD(IPC_BOX, ipc_box, grant.memory_kib, IPC_MEMORY_MAX_KIB, true),
	FIELD(IPC_BOX, ipc_box, grant.memory_kib, IPC_MEMORY_MAX_KIB + 1, false),
	FIELD(IPC_BOX, ipc_box, grant.overhead_kib, 0, true),
	FIELD(IPC_BOX, ipc_box, grant.overhead_kib, IPC_MEMORY_MAX_KIB + 1, false),
	FIELD(IPC_BOX, ipc_box, grant.vcpus, 0, false),
	FIELD(IPC_BOX, ipc_box, grant.vcpus, IPC_VCPUS_MAX + 1, false),
	FIELD(IPC_BOX, ipc_box, grant.zero, 1, false),
	FIELD(IPC_BOXED, ipc_started, pid, 0, false),
	FIELD(IPC_BOXED, ipc_started, zero, 1, false),
	FIELD(IPC_LEAF_FOUND, ipc_leaf_found, leaf.uid, 0, false),
	FIELD(IPC_LEAF_FOUND, ipc_leaf_found, leaf.uid, UINT32_MAX, false),
	FIELD(IPC_LEAF_FOUND, ipc_leaf_found, leaf.id, 0, false),
	FIELD(IPC_LEAF_FOUND, ipc_leaf_found, leaf.id, INT32_MAX, true),
	FIELD(IPC_LEAF_FOUND, ipc_leaf_found, leaf.id, 1u << 31, false),
	FIELD(IPC_LEAF_FOUND, ipc_leaf_found, leaf.uuid[0], 0, true),
	FIELD(IPC_LEAF_FOUND, ipc_leaf_found, pid, 0, true),
	FIELD(IPC_LEAF_FOUND, ipc_leaf_found, zero, 1, false),
	FIELD(IPC_LEAF_FOUND, ipc_leaf_found, grant.memory_kib, 0, false),
	FIELD(IPC_LEAF_FOUND, ipc_leaf_found, grant.vcpus, 0, false),
	FIELD(IPC_LEAF_FOUND, ipc_leaf_found, grant.zero, 1, false),
	FIELD(IPC_LEAF_END, ipc_leaf, uid, 0, false),
	FIELD(IPC_LEAF_END, ipc_leaf, uid, UINT32_MAX, false),
	FIELD(IPC_LEAF_END, ipc_leaf, id, 0, false),
	FIELD(IPC_LEAF_END, ipc_leaf, id, INT32_MAX, true),
	FIELD(IPC_LEAF_END, ipc_leaf, id, 1u << 31, false),
	FIELD(IPC_LEAF_END, ipc_leaf, uuid[0], 0, true),
};

#endif
