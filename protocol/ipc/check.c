/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check.c: the one place where a message between our programs is judged.
 *
 * Pure. Used by every program, root's included. Reads nothing behind the size that it is given, and
 * believes no field before it is compared with the table.
 */
#include "protocol/ipc/check.h"

#include <string.h>

#include "lib/log.h"
#include "protocol/ipc/account.h"
#include "protocol/ipc/audit.h"
#include "protocol/ipc/inventory.h"
#include "protocol/verb.h"

enum { ERRNO_MAX = 4095 /* the kernel's MAX_ERRNO */ };

static bool
is_zero(const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/* Ended inside its array, zero behind the end, and without bytes that drive a terminal. */
static bool
is_string(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	if (len == size || !is_zero(text + len, size - len))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return true;
}

/* A uid or gid that a program may be given: never root's, never setuid()'s "leave it". */
static bool
is_unprivileged(uint32_t id)
{
	return id != 0 && id != UINT32_MAX;
}

static bool
is_log_level(uint32_t level)
{
	return level >= LEVEL_ERROR && level <= LEVEL_DEBUG;
}

/* A set that contains whatever its verbs include, see protocol/verb.h. */
static bool
is_verb_set(uint32_t verbs)
{
	if (verbs & ~(uint32_t)VERBS_ALL)
		return false;
	if (verbs & VERB_MANAGE)
		return verbs == VERBS_ALL;
	return verbs == VERBS_NONE || (verbs & VERB_VIEW);
}

static bool
is_share(const struct ipc_share *share)
{
	return share->tasks <= INT32_MAX && share->cpu_weight <= IPC_CPU_WEIGHT_MAX;
}

bool
ipc_check_hello(const void *body)
{
	const struct ipc_hello *hello = body;

	return hello->pid != 0 && hello->zero == 0;
}

/* Why not all verbs are there: said where none is, and not where all are. */
static bool
is_reason(const char reason[static IPC_REASON_MAX], uint32_t verbs)
{
	if (!is_string(reason, IPC_REASON_MAX))
		return false;
	return reason[0] != '\0' ? verbs != VERBS_ALL : verbs != VERBS_NONE;
}

bool
ipc_check_conn_pass(const void *body)
{
	const struct ipc_conn_pass *pass = body;

	if (pass->conn_id == 0 || !is_zero(pass->zero, sizeof pass->zero))
		return false;
	if (pass->socket < IPC_SOCKET_RW || pass->socket > IPC_SOCKET_CTL)
		return false;
	if (pass->origin != IPC_ORIGIN_UNIX &&
		(pass->origin != IPC_ORIGIN_VIEW || pass->socket == IPC_SOCKET_CTL))
		return false;
	if (pass->refusal > IPC_REFUSAL_WORKER || !is_verb_set(pass->verbs) ||
		(pass->verbs == VERBS_NONE) != (pass->refusal != IPC_REFUSAL_NONE))
		return false;
	if (pass->socket != IPC_SOCKET_RW && (pass->verbs & ~(uint32_t)VERBS_VIEW))
		return false;
	if (!is_string(pass->label, sizeof pass->label) || pass->label[0] == '\0')
		return false;
	if (!is_string(pass->owner, sizeof pass->owner) || strchr(pass->owner, ':') ||
		(pass->owner[0] != '\0' && pass->origin != IPC_ORIGIN_VIEW))
		return false;
	return is_reason(pass->reason, pass->verbs);
}

bool
ipc_check_conn_taken(const void *body)
{
	return ((const struct ipc_conn_taken *)body)->conn_id != 0;
}

bool
ipc_check_conn_gone(const void *body)
{
	return ((const struct ipc_conn_gone *)body)->conn_id != 0;
}

bool
ipc_check_idle_answer(const void *body)
{
	const struct ipc_idle_answer *answer = body;

	return answer->granted <= 1 && is_zero(answer->zero, sizeof answer->zero);
}

static bool
is_tool_kind(uint32_t kind)
{
	return kind == IPC_TOOL_PROBE;
}

bool
ipc_check_tool(const void *body)
{
	const struct ipc_tool *tool = body;

	return is_tool_kind(tool->kind) && tool->zero == 0;
}

/* An id of a VM: positive as libvirt's protocol has it. */
static bool
is_vm_id(uint32_t id)
{
	return id != 0 && id <= INT32_MAX;
}

/* As many, and as much, as a guest can have. */
static bool
is_size(uint64_t memory_kib, uint32_t vcpus)
{
	return memory_kib != 0 && memory_kib <= IPC_MEMORY_MAX_KIB && vcpus != 0 &&
	       vcpus <= IPC_VCPUS_MAX;
}

static bool
is_grant(const struct ipc_grant *grant)
{
	return is_size(grant->memory_kib, grant->vcpus) &&
	       grant->overhead_kib <= IPC_MEMORY_MAX_KIB && grant->zero == 0;
}

bool
ipc_check_lease(const void *body)
{
	const struct ipc_lease *lease = body;

	return is_size(lease->memory_kib, lease->vcpus) && lease->code_mib <= IPC_CODE_MAX_MIB;
}

bool
ipc_check_lease_change(const void *body)
{
	const struct ipc_lease_change *change = body;

	return is_vm_id(change->id) && is_size(change->memory_kib, change->vcpus);
}

bool
ipc_check_lease_refused(const void *body)
{
	const struct ipc_lease_refused *refused = body;

	return is_string(refused->why, sizeof refused->why) && refused->why[0] != '\0';
}

bool
ipc_check_leased(const void *body)
{
	const struct ipc_leased *leased = body;

	return is_vm_id(leased->id) && leased->pid != 0;
}

bool
ipc_check_lease_gone(const void *body)
{
	const struct ipc_lease_gone *gone = body;

	return is_vm_id(gone->id) && gone->how >= IPC_GONE_ENDED &&
	       gone->how <= IPC_GONE_HOST_MEMORY && gone->limit_kib <= 2 * IPC_MEMORY_MAX_KIB;
}

bool
ipc_check_lease_stop(const void *body)
{
	const struct ipc_lease_stop *stop = body;

	return is_vm_id(stop->id) && stop->zero == 0;
}

bool
ipc_check_lease_next(const void *body)
{
	const struct ipc_lease_next *next = body;

	return next->after <= INT32_MAX && next->zero == 0;
}

bool
ipc_check_lease_found(const void *body)
{
	const struct ipc_lease_found *found = body;
	bool known = found->vcpus != 0 || found->memory_kib != 0;

	return is_vm_id(found->id) && (!known || is_size(found->memory_kib, found->vcpus)) &&
	       found->zero == 0;
}

bool
ipc_check_net(const void *body)
{
	const struct ipc_net *net = body;

	return is_vm_id(net->id) && (net->kind == IPC_NET_RELAY || net->kind == IPC_NET_PASST);
}

bool
ipc_check_autostart(const void *body)
{
	const struct ipc_autostart *autostart = body;

	return autostart->state >= IPC_AUTOSTART_NONE &&
	       autostart->state <= IPC_AUTOSTART_UNKNOWN && autostart->zero == 0;
}

bool
ipc_check_ticket_change(const void *body)
{
	const struct ipc_ticket_change *change = body;

	return change->conn_id != 0 && is_verb_set(change->verbs) && change->zero == 0 &&
	       is_reason(change->reason, change->verbs);
}

bool
ipc_check_worker(const void *body)
{
	const struct ipc_worker *worker = body;

	return is_unprivileged(worker->uid) && worker->n_files != 0 &&
	       is_log_level(worker->log_level) && worker->port_min >= 1 &&
	       worker->port_min <= UINT16_MAX && worker->wake <= 1 && is_share(&worker->share);
}

bool
ipc_check_view(const void *body)
{
	const struct ipc_view *view = body;

	return is_unprivileged(view->uid) && is_unprivileged(view->gid) && view->n_files != 0 &&
	       is_log_level(view->log_level) && view->kind >= IPC_VIEW_REFUSER &&
	       view->kind <= IPC_VIEW_CTL &&
	       (view->kind != IPC_VIEW_REFUSER) == (view->idle_seconds != 0);
}

bool
ipc_check_started(const void *body)
{
	const struct ipc_started *started = body;

	return started->pid != 0 && started->zero == 0;
}

bool
ipc_check_resolve(const void *body)
{
	const struct ipc_resolve *resolve = body;

	if (resolve->kind != IPC_RESOLVE_ACCOUNT && resolve->kind != IPC_RESOLVE_GROUP)
		return false;
	if (!is_string(resolve->name, sizeof resolve->name))
		return false;
	if (resolve->name[0] == '\0')
		return resolve->kind == IPC_RESOLVE_ACCOUNT;
	return resolve->uid == 0 && account_name_valid(resolve->name);
}

bool
ipc_check_box(const void *body)
{
	const struct ipc_box *box = body;

	if (!is_unprivileged(box->uid) || box->n_files == 0 || box->kind == 0 ||
		!is_share(&box->share))
		return false;
	if (box->kind == IPC_BOX_VM ? !is_grant(&box->grant)
				    : !is_zero(&box->grant, sizeof box->grant))
		return false;
	if (box->kind == IPC_BOX_TOOL)
		return box->id == 0 && is_zero(box->uuid, sizeof box->uuid);
	return box->kind <= IPC_BOX_PASST && is_vm_id(box->id);
}

bool
ipc_check_leaf(const void *body)
{
	const struct ipc_leaf *leaf = body;

	return is_unprivileged(leaf->uid) && is_vm_id(leaf->id);
}

bool
ipc_check_leaf_ended(const void *body)
{
	const struct ipc_leaf_ended *ended = body;

	return ended->how >= IPC_GONE_ENDED && ended->how <= IPC_GONE_HOST_MEMORY &&
	       ended->how != IPC_GONE_STOPPED && ended->zero == 0;
}

bool
ipc_check_leaf_limit(const void *body)
{
	const struct ipc_leaf_limit *limit = body;

	return ipc_check_leaf(&limit->leaf) && is_grant(&limit->grant);
}

bool
ipc_check_user_limit(const void *body)
{
	const struct ipc_user_limit *limit = body;

	return is_unprivileged(limit->uid) && limit->zero == 0 && is_share(&limit->share);
}

bool
ipc_check_leaf_freeze(const void *body)
{
	const struct ipc_leaf_freeze *freeze = body;

	return ipc_check_leaf(&freeze->leaf) && freeze->on <= 1 && freeze->zero == 0;
}

bool
ipc_check_leaf_found(const void *body)
{
	const struct ipc_leaf_found *found = body;

	return ipc_check_leaf(&found->leaf) && found->frozen <= 1 &&
	       (is_grant(&found->grant) || is_zero(&found->grant, sizeof found->grant));
}

bool
ipc_check_inventory(const void *body)
{
	const struct ipc_inventory *inventory = body;

	return inventory->size >= 1 && inventory->size <= INVENTORY_MAX && inventory->zero == 0;
}

bool
ipc_check_inventory_next(const void *body)
{
	(void)body;
	return true; /* any generation: what it may be told does not depend on it */
}

bool
ipc_check_inventory_found(const void *body)
{
	const struct ipc_inventory_found *found = body;

	return found->generation != 0 && is_unprivileged(found->uid) && is_verb_set(found->verbs) &&
	       found->own <= 1 && found->system <= 1 && found->worker <= 1 && found->zero == 0 &&
	       is_string(found->name, sizeof found->name) &&
	       (found->name[0] == '\0' || account_name_valid(found->name)) &&
	       is_string(found->reason, sizeof found->reason) &&
	       (found->reason[0] == '\0' || found->verbs != VERBS_ALL);
}

bool
ipc_check_channel(const void *body)
{
	const struct ipc_channel *channel = body;

	return channel->conn_id != 0 && is_unprivileged(channel->uid) && channel->zero == 0;
}

bool
ipc_check_audit(const void *body)
{
	const struct ipc_audit *audit = body;

	return is_unprivileged(audit->uid) && is_unprivileged(audit->gid) &&
	       is_log_level(audit->log_level) && audit->file_mib != 0 && audit->zero == 0 &&
	       is_string(audit->dir, sizeof audit->dir) && audit->dir[0] == '/';
}

bool
ipc_check_audit_record(const void *body)
{
	const struct ipc_audit_record *record = body;

	return record->kind != 0 && record->kind < AUDIT_KINDS && record->verdict <= AUDIT_FAILED &&
	       record->count != 0 && record->vm <= INT32_MAX && record->zero == 0 &&
	       is_string(record->label, sizeof record->label) &&
	       is_string(record->target, sizeof record->target) &&
	       is_string(record->rule, sizeof record->rule) &&
	       is_string(record->outcome, sizeof record->outcome);
}

bool
ipc_check_vm_stop(const void *body)
{
	const struct ipc_vm_stop *stop = body;

	return stop->conn_id != 0 && is_unprivileged(stop->uid) && is_vm_id(stop->id);
}

bool
ipc_check_vm_freeze(const void *body)
{
	const struct ipc_vm_freeze *freeze = body;

	return ipc_check_vm_stop(&freeze->vm) && freeze->on <= 1 && freeze->zero == 0;
}

bool
ipc_check_status(const void *body)
{
	const size_t told = offsetof(struct ipc_status, n_workers);
	const struct ipc_status *status = body;
	bool has_all = status->audit >= IPC_AUDIT_OFF && status->audit <= IPC_AUDIT_STUCK;

	return status->since_s <= INT64_MAX && status->policy_s <= INT64_MAX &&
	       status->reload_failed <= 1 && status->limits >= IPC_LIMITS_COUNT &&
	       status->limits <= IPC_LIMITS_ENFORCE &&
	       status->controllers >= IPC_CONTROLLERS_NONE &&
	       status->controllers <= IPC_CONTROLLERS_ALL && status->all <= 1 &&
	       status->zero == 0 &&
	       (status->all ? has_all
			    : is_zero((const uint8_t *)body + told, sizeof *status - told));
}

bool
ipc_check_status_user(const void *body)
{
	const struct ipc_status_user *user = body;

	return is_unprivileged(user->uid) && user->zero == 0;
}

bool
ipc_check_status_user_told(const void *body)
{
	const struct ipc_status_user_told *told = body;

	return told->worker >= IPC_WORKER_NONE && told->worker <= IPC_WORKER_LEAVES &&
	       told->reads <= (told->worker == IPC_WORKER_SERVES) && told->zero == 0;
}

bool
ipc_check_status_limit(const void *body)
{
	const struct ipc_status_limit *limit = body;

	return (limit->uid == 0 || is_unprivileged(limit->uid)) &&
	       limit->limit >= IPC_LIMIT_VM_VCPUS && limit->limit <= IPC_LIMIT_HOST_CONNECTIONS;
}

bool
ipc_check_status_limit_told(const void *body)
{
	const struct ipc_status_limit_told *told = body;

	return is_string(told->rule, sizeof told->rule);
}

bool
ipc_check_status_vm(const void *body)
{
	const struct ipc_status_vm *vm = body;

	return is_unprivileged(vm->uid) && vm->after <= INT32_MAX;
}

bool
ipc_check_status_vm_told(const void *body)
{
	const struct ipc_status_vm_told *told = body;

	return is_vm_id(told->id) && told->state >= IPC_VM_STARTS && told->state <= IPC_VM_ENDS &&
	       (is_grant(&told->grant) || is_zero(&told->grant, sizeof told->grant));
}

/* The fields of the header that the table fixes. */
static enum ipc_fault
check_header(const struct ipc_context *ctx, const struct ipc_rule *rule,
	const struct ipc_header *header, size_t size, unsigned n_fds)
{
	bool answer = ipc_is_answer(header->type);

	if (rule->sender != ctx->sender)
		return IPC_FAULT_SENDER;
	if (header->size != rule->size || size != sizeof *header + rule->size)
		return IPC_FAULT_SIZE;
	if (header->err > 0 || header->err < -ERRNO_MAX || (header->err != 0 && !answer))
		return IPC_FAULT_ERR;
	if (header->n_fds != n_fds || n_fds != (header->err ? 0u : rule->n_fds))
		return IPC_FAULT_FDS;
	if (!(rule->states & ctx->state))
		return IPC_FAULT_STATE;
	if ((header->serial != 0) != (answer || ipc_wants_answer(header->type)))
		return IPC_FAULT_SERIAL;
	return IPC_OK;
}

enum ipc_fault
ipc_check(const struct ipc_context *ctx, const void *data, size_t size, unsigned n_fds,
	struct ipc_message *ret)
{
	const uint8_t *body = (const uint8_t *)data + sizeof(struct ipc_header);
	const struct ipc_rule *rule;
	struct ipc_header header;
	enum ipc_fault fault;

	if (size < sizeof header)
		return IPC_FAULT_SHORT;
	memcpy(&header, data, sizeof header);
	if (header.version != IPC_VERSION)
		return IPC_FAULT_VERSION;
	rule = ipc_rule_find(header.type);
	if (!rule || rule->link != ctx->link)
		return IPC_FAULT_TYPE;
	fault = check_header(ctx, rule, &header, size, n_fds);
	if (fault != IPC_OK)
		return fault;
	if (*ctx->seen & rule->once)
		return IPC_FAULT_AGAIN;
	if (header.err ? !is_zero(body, rule->size) : rule->check && !rule->check(body))
		return IPC_FAULT_BODY;
	*ctx->seen |= rule->once;
	*ret = (struct ipc_message){.type = rule->type,
		.serial = header.serial,
		.err = header.err,
		.body = rule->size > 0 ? body : NULL,
		.n_fds = n_fds};
	return IPC_OK;
}

enum ipc_state
ipc_state_after(enum ipc_state state, const struct ipc_message *message)
{
	const struct ipc_idle_answer *answer;

	if (message->type == IPC_HELLO && state == IPC_STATE_NEW)
		return IPC_STATE_SERVING;
	if (message->type == IPC_STOP)
		return IPC_STATE_LEAVING;
	if (message->type != IPC_IDLE_ANSWER)
		return state;
	answer = message->body;
	return answer->granted ? IPC_STATE_LEAVING : state;
}
