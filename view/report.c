/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.c: rows for qemudctl, from what the broker says; see report.h.
 */
#include "view/report.h"

#include <string.h>

/* A word of a table, as far as there is one. */
#define WORD(words, i) talk_text((i) < sizeof(words) / sizeof *(words) ? (words)[i] : NULL)

void
report_host(const struct ipc_status *status, struct report *ret)
{
	static const char *const limits[] = {
		[IPC_LIMITS_COUNT] = "count", [IPC_LIMITS_ENFORCE] = "enforce"};
	static const char *const controllers[] = {[IPC_CONTROLLERS_NONE] = "none",
		[IPC_CONTROLLERS_SOME] = "some",
		[IPC_CONTROLLERS_ALL] = "all"};
	static const char *const audit[] = {[IPC_AUDIT_OFF] = "off",
		[IPC_AUDIT_WRITES] = "written",
		[IPC_AUDIT_STUCK] = "stuck"};
	struct talk_value *values = ret->row.values;

	*ret = (struct report){.row = {.kind = TALK_HOST}};
	values[TALK_HOST_PROTOCOL] = talk_number(TALK_PROTOCOL);
	values[TALK_HOST_VERSION] = talk_text(QEMUD_VERSION);
	values[TALK_HOST_SINCE] = talk_number(status->since_s);
	values[TALK_HOST_LIMITS] = WORD(limits, status->limits);
	values[TALK_HOST_CONTROLLERS] = WORD(controllers, status->controllers);
	values[TALK_HOST_POLICY_READ] = talk_number(status->policy_s);
	values[TALK_HOST_POLICY_RULES] = talk_number(status->n_files > 0 ? status->n_rules : 0);
	values[TALK_HOST_POLICY_FAILED] = talk_number(status->reload_failed);
	if (!status->all)
		return;
	values[TALK_HOST_WORKERS] = talk_number(status->n_workers);
	values[TALK_HOST_VMS] = talk_number(status->n_vms);
	values[TALK_HOST_CONNECTIONS] = talk_number(status->n_connections);
	values[TALK_HOST_MEMORY] = talk_number(status->memory_kib);
	values[TALK_HOST_AUDIT] = WORD(audit, status->audit);
	values[TALK_HOST_AUDIT_WAITING] = talk_number(status->audit_waiting);
	values[TALK_HOST_AUDIT_LOST] = talk_number(status->audit_lost);
}

void
report_user(const struct report_subject *subject, const struct ipc_status_user_told *told,
	const struct owner *owner, struct report *ret)
{
	static const char *const workers[] = {[IPC_WORKER_NONE] = "none",
		[IPC_WORKER_STARTS] = "starting",
		[IPC_WORKER_SERVES] = "serving",
		[IPC_WORKER_LEAVES] = "leaving"};
	struct talk_value *values = ret->row.values;

	*ret = (struct report){.row = {.kind = TALK_USER}};
	values[TALK_USER_UID] = talk_number(subject->uid);
	values[TALK_USER_NAME] = talk_text(subject->name);
	values[TALK_USER_OWN] = talk_number(subject->own);
	values[TALK_USER_WORKER] = WORD(workers, told->worker);
	if (told->worker == IPC_WORKER_SERVES)
		values[TALK_USER_ANSWERS] = talk_number(told->reads);
	values[TALK_USER_CONNECTIONS] = talk_number(told->n_connections);
	values[TALK_USER_VMS] = talk_number(told->n_vms);
	values[TALK_USER_VCPUS] = talk_number(told->vcpus);
	values[TALK_USER_MEMORY] = talk_number(told->memory_kib);
	values[TALK_USER_OVERHEAD] = talk_number(told->overhead_kib);
	if (owner)
		values[TALK_USER_REPORTED_VMS] =
			talk_number((uint64_t)rows_n_told(&owner->rows) + owner->rows.n_left_out);
}

void
report_limit(const struct report_subject *subject, enum ipc_limit limit,
	const struct ipc_status_limit_told *told, struct report *ret)
{
	/* As policy.conf(5) and qemud.conf(5) call them. */
	static const char *const keys[] = {
		[IPC_LIMIT_VM_VCPUS] = "vm-vcpus",
		[IPC_LIMIT_VM_MEMORY] = "vm-memory",
		[IPC_LIMIT_VMS] = "vms",
		[IPC_LIMIT_VCPUS] = "vcpus",
		[IPC_LIMIT_MEMORY] = "memory",
		[IPC_LIMIT_HOST_VMS] = "vms",
		[IPC_LIMIT_HOST_VCPUS] = "vcpus",
		[IPC_LIMIT_HOST_MEMORY] = "memory",
		[IPC_LIMIT_PIDS] = "pids",
		[IPC_LIMIT_CPU_WEIGHT] = "cpu-weight",
		[IPC_LIMIT_CONNECTIONS] = "connections",
		[IPC_LIMIT_HOST_CONNECTIONS] = "connections",
	};
	struct talk_value *values = ret->row.values;

	*ret = (struct report){.row = {.kind = TALK_LIMIT}};
	if (subject)
		values[TALK_LIMIT_UID] = talk_number(subject->uid);
	values[TALK_LIMIT_NAME] = talk_text(subject ? subject->name : NULL);
	values[TALK_LIMIT_KEY] = WORD(keys, (unsigned)limit);
	if (told->used != UINT64_MAX)
		values[TALK_LIMIT_USED] = talk_number(told->used);
	if (told->max != UINT64_MAX)
		values[TALK_LIMIT_MAX] = talk_number(told->max);
	values[TALK_LIMIT_RULE] = talk_text(told->rule);
}

void
report_vm(const struct report_subject *subject, const struct owner *owner,
	const struct owner_vm *listed, const struct ipc_status_vm_told *lease, struct report *ret)
{
	static const char *const leased[] = {[IPC_VM_STARTS] = "starting",
		[IPC_VM_RUNS] = "running",
		[IPC_VM_STANDS] = "frozen",
		[IPC_VM_ENDS] = "ending"};
	/* virDomainState, in virsh's words. */
	static const char *const states[] = {"no state", "running", "idle", "paused", "in shutdown",
		"shut off", "crashed", "pmsuspended"};
	struct talk_value *values = ret->row.values;

	*ret = (struct report){.row = {.kind = TALK_VM}};
	values[TALK_VM_UID] = talk_number(subject->uid);
	values[TALK_VM_OWNER] = talk_text(subject->name);
	values[TALK_VM_UUID] =
		talk_text(uuid_format(lease ? lease->uuid : listed->uuid, ret->uuid));
	if (lease) {
		values[TALK_VM_ID] = talk_number(lease->id);
		values[TALK_VM_STATE] = WORD(leased, lease->state);
	}
	/* Of one that an earlier broker granted, what is not known is zero. */
	if (lease && lease->grant.vcpus != 0) {
		values[TALK_VM_VCPUS] = talk_number(lease->grant.vcpus);
		values[TALK_VM_MEMORY] = talk_number(lease->grant.memory_kib);
		values[TALK_VM_OVERHEAD] = talk_number(lease->grant.overhead_kib);
	}
	if (listed) {
		values[TALK_VM_REPORTED_NAME] =
			talk_text(listed->name + strlen(owner->rows.prefix));
		values[TALK_VM_REPORTED_STATE] = WORD(states, listed->told.state);
	}
}
