/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * messages.h: the messages between our programs as the tests expect them, written down a second
 * time (the table of the programs is protocol/ipc/rules.c), each with a body that must be accepted.
 */
#ifndef TESTS_UNIT_MESSAGES_H
#define TESTS_UNIT_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "protocol/ipc/audit.h"
#include "protocol/ipc/ipc.h"

enum { NOTICE, ASK, ANSWER };

struct expected {
	enum ipc_type type;
	unsigned kind;
	const char *name;
	size_t size;
	unsigned n_fds;
	unsigned link;   /* enum ipc_link */
	unsigned sender; /* enum ipc_side */
	unsigned states; /* enum ipc_state, or'ed */
	bool once;
	const void *body;
};

static const struct ipc_hello good_hello = {.pid = 77};
static const struct ipc_conn_pass good_conn_pass = {.conn_id = 1,
	.uid = 1000,
	.gid = 1000,
	.pid = 5,
	.verbs = 15,
	.socket = IPC_SOCKET_RW,
	.origin = IPC_ORIGIN_UNIX,
	.label = "alice"};
static const struct ipc_conn_taken good_conn_taken = {.conn_id = 1};
static const struct ipc_conn_gone good_conn_gone = {.conn_id = 1};
static const struct ipc_idle_answer good_idle_answer = {.granted = 0};
static const struct ipc_tool good_tool = {.kind = IPC_TOOL_PROBE};
static const struct ipc_lease good_lease = {.uuid = {1}, .memory_kib = 524288, .vcpus = 2};
static const struct ipc_leased good_leased = {.id = 1, .pid = 77};
static const struct ipc_lease_gone good_lease_gone = {.id = 1, .how = IPC_GONE_ENDED};
static const struct ipc_lease_stop good_lease_stop = {.id = 1};
static const struct ipc_lease_next good_lease_next = {.after = 0};
static const struct ipc_lease_found good_lease_found = {
	.uuid = {1}, .id = 1, .pid = 77, .vcpus = 2, .memory_kib = 1024};
static const struct ipc_net good_net = {.id = 1, .kind = IPC_NET_PASST};
static const struct ipc_autostart good_autostart = {.state = IPC_AUTOSTART_SOME};
static const struct ipc_ticket_change good_ticket_change = {
	.conn_id = 1, .verbs = 1, .reason = "why"};
static const struct ipc_lease_change good_lease_change = {
	.id = 1, .memory_kib = 524288, .vcpus = 2};
static const struct ipc_lease_refused good_lease_refused = {.why = "limit vms"};
static const struct ipc_worker good_worker = {
	.uid = 1000, .n_files = 1024, .idle_seconds = 60, .log_level = 3, .port_min = 1024};
static const struct ipc_view good_view = {
	.uid = 995, .gid = 995, .n_files = 1024, .log_level = 3, .kind = IPC_VIEW_REFUSER};
static const struct ipc_started good_started = {.pid = 77};
static const struct ipc_resolve good_resolve = {.uid = 1000, .kind = IPC_RESOLVE_ACCOUNT};
static const struct ipc_box good_box = {.uid = 1000,
	.kind = IPC_BOX_VM,
	.n_files = 1024,
	.id = 1,
	.uuid = {1},
	.grant = {.memory_kib = 524288, .overhead_kib = 65536, .vcpus = 2}};
static const struct ipc_leaf good_leaf = {.uid = 1000, .id = 1, .uuid = {1}};
static const struct ipc_leaf_ended good_leaf_ended = {.how = IPC_GONE_ENDED};
static const struct ipc_leaf_limit good_leaf_limit = {.leaf = {.uid = 1000, .id = 1, .uuid = {1}},
	.grant = {.memory_kib = 524288, .overhead_kib = 65536, .vcpus = 2}};
static const struct ipc_user_limit good_user_limit = {
	.uid = 1000, .share = {.tasks = 500, .cpu_weight = 100}};
static const struct ipc_leaf_freeze good_leaf_freeze = {
	.leaf = {.uid = 1000, .id = 1, .uuid = {1}}, .on = 1};
static const struct ipc_leaf_found good_leaf_found = {.leaf = {.uid = 1000, .id = 1, .uuid = {1}},
	.pid = 77,
	.grant = {.memory_kib = 524288, .overhead_kib = 65536, .vcpus = 2}};
static const struct ipc_audit_record good_audit_record = {.kind = AUDIT_VM_START,
	.verdict = AUDIT_REFUSED,
	.uid = 1000,
	.count = 1,
	.vm = 1,
	.label = "alice",
	.target = "bob",
	.rule = "policy.conf:3",
	.outcome = "no"};
static const struct ipc_audit good_audit = {
	.uid = 993, .gid = 993, .log_level = 3, .file_mib = 64, .dir = "/var/log/qemud"};

static const struct ipc_inventory good_inventory = {.size = 3};
static const struct ipc_inventory_next good_inventory_next = {.after = 7};
static const struct ipc_inventory_found good_inventory_found = {
	.generation = 8, .uid = 1000, .verbs = 15, .name = "alice"};
static const struct ipc_vm_stop good_vm_stop = {.conn_id = 1, .uid = 1000, .id = 1};
static const struct ipc_status good_status = {.since_s = 1,
	.policy_s = 1,
	.limits = IPC_LIMITS_COUNT,
	.controllers = IPC_CONTROLLERS_ALL,
	.all = 1,
	.audit = IPC_AUDIT_WRITES,
	.memory_kib = 1};
static const struct ipc_status_user good_status_user = {.uid = 1000};
static const struct ipc_status_user_told good_status_user_told = {
	.worker = IPC_WORKER_SERVES, .reads = 1};
static const struct ipc_status_limit good_status_limit = {.uid = 1000, .limit = IPC_LIMIT_VMS};
static const struct ipc_status_limit_told good_status_limit_told = {
	.used = 1, .max = 2, .rule = "policy.conf:1"};
static const struct ipc_status_vm good_status_vm = {.uid = 1000};
static const struct ipc_status_vm_told good_status_vm_told = {
	.id = 1, .state = IPC_VM_RUNS, .grant = {.memory_kib = 1, .vcpus = 1}};
static const struct ipc_vm_freeze good_vm_freeze = {
	.vm = {.conn_id = 1, .uid = 1000, .id = 1}, .on = 1};
static const struct ipc_channel good_channel = {.conn_id = 1, .uid = 1000};

enum {
	N = IPC_STATE_NEW,
	S = IPC_STATE_SERVING,
	L = IPC_STATE_LEAVING,
	BROKER = IPC_SIDE_BROKER,
	PEER = IPC_SIDE_PEER,
	CHILD = IPC_LINK_CHILD,
	STARTER = IPC_LINK_STARTER,
	AUDIT = IPC_LINK_AUDIT
};

/* clang-format off */
static const struct expected messages[] = {
	{2, NOTICE, "HELLO", 8, 0, CHILD, PEER, N | L, true, &good_hello},
	{4, ASK, "CONN_PASS", 400, 1, CHILD, BROKER, S, false, &good_conn_pass},
	{5, ANSWER, "CONN_TAKEN", 8, 0, CHILD, PEER, S | L, false, &good_conn_taken},
	{6, NOTICE, "CONN_GONE", 8, 0, CHILD, PEER, S | L, false, &good_conn_gone},
	{8, ASK, "IDLE_ASK", 0, 0, CHILD, PEER, S | L, false, NULL},
	{9, ANSWER, "IDLE_ANSWER", 8, 0, CHILD, BROKER, S | L, false, &good_idle_answer},
	{10, NOTICE, "STOP", 0, 0, CHILD, BROKER, N | S | L, true, NULL},
	{12, ASK, "TOOL", 8, 0, CHILD, PEER, S | L, false, &good_tool},
	{13, ANSWER, "TOOL_READY", 0, 1, CHILD, BROKER, S | L, false, NULL},
	{14, ASK, "LEASE", 32, 0, CHILD, PEER, S | L, false, &good_lease},
	{15, ANSWER, "LEASED", 8, 1, CHILD, BROKER, S | L, false, &good_leased},
	{16, NOTICE, "LEASE_GONE", 16, 0, CHILD, BROKER, S | L, false, &good_lease_gone},
	{18, NOTICE, "LEASE_STOP", 8, 0, CHILD, PEER, S | L, false, &good_lease_stop},
	{20, ASK, "LEASE_NEXT", 8, 0, CHILD, PEER, S | L, false, &good_lease_next},
	{21, ANSWER, "LEASE_FOUND", 40, 0, CHILD, BROKER, S | L, false, &good_lease_found},
	{22, ASK, "NET", 8, 0, CHILD, PEER, S | L, false, &good_net},
	{23, ANSWER, "NET_READY", 0, 1, CHILD, BROKER, S | L, false, NULL},
	{24, NOTICE, "AUTOSTART", 8, 0, CHILD, PEER, S | L, false, &good_autostart},
	{26, ASK, "TICKET_CHANGE", 256, 0, CHILD, BROKER, S | L, false, &good_ticket_change},
	{27, ANSWER, "TICKET_CHANGED", 0, 0, CHILD, PEER, S | L, false, NULL},
	{28, ASK, "LEASE_CHANGE", 16, 0, CHILD, PEER, S | L, false, &good_lease_change},
	{29, ANSWER, "LEASE_CHANGED", 0, 0, CHILD, BROKER, S | L, false, NULL},
	{30, NOTICE, "LEASE_REFUSED", 240, 0, CHILD, BROKER, S | L, false, &good_lease_refused},
	{32, ASK, "WORKER", 32, 1, STARTER, BROKER, S, false, &good_worker},
	{33, ANSWER, "WORKER_STARTED", 8, 2, STARTER, PEER, S, false, &good_started},
	{34, ASK, "VIEW", 24, 0, STARTER, BROKER, S, false, &good_view},
	{35, ANSWER, "VIEW_STARTED", 8, 2, STARTER, PEER, S, false, &good_started},
	{36, ASK, "RESOLVE", 72, 0, STARTER, BROKER, S, false, &good_resolve},
	{37, ANSWER, "RESOLVED", 0, 1, STARTER, PEER, S, false, NULL},
	{38, ASK, "BOX", 64, 1, STARTER, BROKER, S, false, &good_box},
	{39, ANSWER, "BOXED", 8, 2, STARTER, PEER, S, false, &good_started},
	{40, ASK, "LEAF_NEXT", 0, 0, STARTER, BROKER, S, false, NULL},
	{41, ANSWER, "LEAF_FOUND", 56, 1, STARTER, PEER, S, false, &good_leaf_found},
	{42, ASK, "LEAF_END", 24, 0, STARTER, BROKER, S, false, &good_leaf},
	{43, ANSWER, "LEAF_ENDED", 8, 0, STARTER, PEER, S, false, &good_leaf_ended},
	{44, ASK, "INVENTORY", 8, 0, CHILD, PEER, S | L, false, &good_inventory},
	{45, ANSWER, "INVENTORY_KEPT", 0, 0, CHILD, BROKER, S | L, false, NULL},
	{46, NOTICE, "INVENTORY_CHANGED", 0, 0, CHILD, BROKER, S, false, NULL},
	{48, ASK, "INVENTORY_NEXT", 8, 0, CHILD, PEER, S | L, false, &good_inventory_next},
	{49, ANSWER, "INVENTORY_FOUND", 328, 1, CHILD, BROKER, S | L, false, &good_inventory_found},
	{50, ASK, "CHANNEL", 16, 0, CHILD, PEER, S | L, false, &good_channel},
	{51, ANSWER, "CHANNEL_OPEN", 0, 1, CHILD, BROKER, S | L, false, NULL},
	{52, ASK, "VM_STOP", 16, 0, CHILD, PEER, S | L, false, &good_vm_stop},
	{53, ANSWER, "VM_STOPPED", 0, 0, CHILD, BROKER, S | L, false, NULL},
	{54, ASK, "VM_FREEZE", 24, 0, CHILD, PEER, S | L, false, &good_vm_freeze},
	{55, ANSWER, "VM_FROZEN", 0, 0, CHILD, BROKER, S | L, false, NULL},
	{64, ASK, "LEAF_LIMIT", 48, 0, STARTER, BROKER, S, false, &good_leaf_limit},
	{65, ANSWER, "LEAF_LIMITED", 0, 0, STARTER, PEER, S, false, NULL},
	{66, ASK, "LEAF_FREEZE", 32, 0, STARTER, BROKER, S, false, &good_leaf_freeze},
	{67, ANSWER, "LEAF_FROZEN", 0, 0, STARTER, PEER, S, false, NULL},
	{68, ASK, "USER_LIMIT", 16, 0, STARTER, BROKER, S, false, &good_user_limit},
	{69, ANSWER, "USER_LIMITED", 0, 0, STARTER, PEER, S, false, NULL},
	{70, ASK, "STATUS", 0, 0, CHILD, PEER, S | L, false, NULL},
	{71, ANSWER, "STATUS_TOLD", 80, 0, CHILD, BROKER, S | L, false, &good_status},
	{72, ASK, "STATUS_USER", 8, 0, CHILD, PEER, S | L, false, &good_status_user},
	{73, ANSWER, "STATUS_USER_TOLD", 40, 0, CHILD, BROKER, S | L, false, &good_status_user_told},
	{74, ASK, "STATUS_LIMIT", 8, 0, CHILD, PEER, S | L, false, &good_status_limit},
	{75, ANSWER, "STATUS_LIMIT_TOLD", 112, 0, CHILD, BROKER, S | L, false, &good_status_limit_told},
	{76, ASK, "STATUS_VM", 8, 0, CHILD, PEER, S | L, false, &good_status_vm},
	{77, ANSWER, "STATUS_VM_TOLD", 48, 0, CHILD, BROKER, S | L, false, &good_status_vm_told},
	{78, NOTICE, "PING", 0, 0, CHILD, BROKER, S, false, NULL},
	{90, NOTICE, "INVENTORY_PLACE", 0, 1, CHILD, BROKER, S, true, NULL},
	{56, ASK, "AUDIT_RECORD", 488, 0, AUDIT, BROKER, S, false, &good_audit_record},
	{57, ANSWER, "AUDIT_KEPT", 0, 0, AUDIT, PEER, S, false, NULL},
	{58, ASK, "AUDIT", 120, 0, STARTER, BROKER, S, false, &good_audit},
	{59, ANSWER, "AUDIT_STARTED", 8, 2, STARTER, PEER, S, false, &good_started},
};
/* clang-format on */

enum { N_MESSAGES = sizeof messages / sizeof *messages };

struct raw {
	struct ipc_header header;
	uint8_t body[IPC_MESSAGE_MAX];
	size_t size; /* of the packet */
};

static inline struct raw
good_raw(const struct expected *expected)
{
	struct raw raw = {.header = {.version = IPC_VERSION,
				  .type = (uint16_t)expected->type,
				  .size = (uint16_t)expected->size,
				  .n_fds = (uint16_t)expected->n_fds,
				  .serial = expected->kind == NOTICE ? 0 : 1},
		.size = sizeof raw.header + expected->size};

	if (expected->body)
		memcpy(raw.body, expected->body, expected->size);
	return raw;
}

#endif
