/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpus.c: a VM that runs gets more virtual CPUs, or has to do with fewer; see vcpus.h.
 *
 * Runs in the worker, as the user. Must never plug one that the broker does not count. Which are there,
 * and which of them can go, is asked of QEMU each time: nobody else knows.
 */
#include "worker/vm/vcpus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/take.h"
#include "worker/qemu/hotplug_cpus.h"
#include "worker/vm/ask.h"
#include "worker/vm/status.h"
#include "worker/vm/vm.h"
#include "worker/vm/vms.h"

enum {
	LEASE_S = 30,       /* for broker and starter, and for its turn to come */
	ASK_AGAIN_MS = 250, /* the broker changes some a second, of a user's */
	UNPLUG_S = 5,       /* for the guest to let go of one, as libvirt's */
	SETTLE_S = 10       /* until it is tried again */
};

enum vcpus_step {
	VCPUS_BEGIN,
	VCPUS_LISTED,    /* QEMU says which there are */
	VCPUS_ASK,       /* once more for the lease */
	VCPUS_LEASED,    /* the broker has changed it, or not */
	VCPUS_PLUGGED,   /* QEMU has one more, or not */
	VCPUS_UNPLUGGED, /* QEMU has asked the guest to let one go, or not */
	VCPUS_GONE       /* it has gone, or not in time */
};

struct vcpus {
	struct vm_op op;
	vm_done_fn *done; /* NULL: nobody wants to know */
	void *arg;
	uint32_t want;  /* 0: as many as there are */
	uint32_t noted; /* as many as the note for the next worker says */
	struct hotplug_cpus cpus;
	uint32_t at; /* the one that is plugged, or unplugged */
	enum vm_vcpu_end end;
	bool failed;           /* the job's error says why; the lease is left to do */
	struct timer turn;     /* of the next ask, or for the guest */
	uint64_t ask_until_ns; /* 0: not asked yet */
};

static const struct job_ops vcpus_ops;

static void settle(struct vm *vm);

static struct vcpus *
vcpus_of(struct job *job)
{
	return container_of(vm_op_of(job), struct vcpus, op);
}

static const char *
name_of(const struct vm *vm)
{
	return domain_def_now(vm->domain)->name;
}

static void
its_turn(struct timer *timer)
{
	struct vcpus *vcpus = container_of(timer, struct vcpus, turn);

	/* It may be over, and about to be freed. */
	if (vcpus->op.job.jobs)
		job_wake(vcpus->op.job.jobs, vcpus->op.ticket, 0, NULL);
}

static void
set_turn(struct vcpus *vcpus, uint64_t after_ns)
{
	struct loop *loop = vcpus->op.vm->vms->loop;

	timer_set(loop, &vcpus->turn, loop_now(loop) + after_ns, its_turn);
}

static struct domain_vcpu_set
set_of(const struct hotplug_cpus *cpus)
{
	struct domain_vcpu_set there = {.words = {0}};

	for (uint32_t i = 0; i < cpus->n; i++)
		if (cpus->cpus[i].there)
			domain_vcpu_set_add(&there, i);
	return there;
}

/* As a definition can have them, or not at all. */
static bool
read_answer(const json_t *answer, const struct domain_def *live, struct hotplug_cpus *ret)
{
	struct domain_vcpu_set there;

	if (hotplug_cpus_read(answer, live->vcpus, ret) != 0)
		return false;
	there = set_of(ret);
	return domain_vcpus_possible(live, &there);
}

static void
take_count(struct vcpus *vcpus)
{
	const struct domain_vcpu_set there = set_of(&vcpus->cpus);

	(void)domain_vcpus_take(vcpus->op.vm->domain->live, &there);
}

/* --- the lease ---------------------------------------------------------------------------- */

static bool
is_growing(const struct vcpus *vcpus)
{
	return !vcpus->failed && vcpus->want > vcpus->cpus.n_there;
}

static enum job_verdict
over(const struct vcpus *vcpus)
{
	return vcpus->failed ? JOB_FAILED : JOB_DONE;
}

/* The lease is not changed. What has been done stays done; the rest of the lease is tried again later. */
static enum job_verdict
not_leased(struct vcpus *vcpus, int err)
{
	const struct vm *vm = vcpus->op.vm;
	struct rpc_error *error = &vcpus->op.job.error;
	const char *why = vm->vms->uplink->refusal;

	if (!is_growing(vcpus)) {
		log_warning("dom=%s: its lease cannot be made equal to its %" PRIu32 " vCPUs: %s",
			log_quote(name_of(vm)), vcpus->cpus.n_there, strerror(-err));
		return over(vcpus);
	}
	if (err == -EDQUOT)
		(void)rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: domain '%s' may not have %" PRIu32 " vCPUs now: %s",
			name_of(vm), vcpus->want, *why ? why : "a limit is reached");
	else if (err == -EAGAIN || err == -EBUSY)
		(void)rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: no more vCPUs can be had within %d seconds: %s", LEASE_S,
			err == -EBUSY ? "what the machine may have is being changed"
				      : "too many machines of this user were changed just now");
	else if (err == -ENOENT)
		(void)rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: domain is not running any more");
	else if (err == -EPIPE)
		(void)rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: qemud is being restarted; the domain is left as it is");
	else
		(void)rpc_error_set_errno(
			error, -err, VIR_FROM_QEMU, "no more vCPUs can be had for the machine");
	return JOB_FAILED;
}

static enum job_verdict
ask_later(struct vcpus *vcpus, int err)
{
	if (loop_now(vcpus->op.vm->vms->loop) >= vcpus->ask_until_ns)
		return not_leased(vcpus, err);
	(void)vm_op_await(&vcpus->op, VCPUS_ASK, LOOP_S(LEASE_S));
	set_turn(vcpus, LOOP_MS(ASK_AGAIN_MS));
	return JOB_WAIT;
}

static enum job_verdict
ask_lease(struct vcpus *vcpus)
{
	struct vm *vm = vcpus->op.vm;
	struct ipc_lease_change change = {
		.id = (uint32_t)vm->domain->id,
		.vcpus = is_growing(vcpus) ? vcpus->want : vcpus->cpus.n_there,
		/* All that the guest may have: a balloon that gives some back changes nothing. */
		.memory_kib = vm->grant.vcpus ? vm->grant.memory_kib : vm->domain->live->memory_kib,
	};
	int r;

	if (vcpus->ask_until_ns == 0)
		vcpus->ask_until_ns = loop_now(vm->vms->loop) + LOOP_S(LEASE_S);
	vm->grant.asked = change.vcpus;
	vm->grant.ticket = vm_op_await(&vcpus->op, VCPUS_LEASED, LOOP_S(LEASE_S));
	r = uplink_ask_change(vm->vms->uplink, &change, (uint64_t)change.id << 32 | change.vcpus);
	if (r == 0)
		return JOB_WAIT;
	return r == LINK_E_FULL ? ask_later(vcpus, -EAGAIN) : not_leased(vcpus, -EPIPE);
}

static bool
is_settled(const struct vm *vm)
{
	return vm->grant.vcpus == 0 || vm->grant.vcpus == vm->domain->live->current_vcpus;
}

static bool
is_changing(const struct vm *vm)
{
	const struct vm_op *op = TAILQ_FIRST(&vm->ops);

	return op && op->ops == &vcpus_ops && op->job.jobs;
}

void
vm_lease_changed(struct vm *vm, uint32_t vcpus, int err)
{
	struct vm_grant *grant = &vm->grant;

	if (err == 0 && grant->vcpus == 0)
		grant->memory_kib = vm->domain->live->memory_kib;
	if (err == 0)
		grant->vcpus = vcpus;
	/* Whoever asked before, and has not waited, asked for the same, or is not meant. */
	if (grant->asked == vcpus)
		job_wake(vm->vms->jobs, grant->ticket, 0, &err);
	if (err == 0 && !is_changing(vm) && !is_settled(vm))
		settle(vm);
}

/* --- one after the other ------------------------------------------------------------------ */

static enum job_verdict next(struct vcpus *vcpus);

/* Why no more can be done: what was done stays, and has its lease. */
static enum job_verdict
give_up(struct vcpus *vcpus)
{
	vcpus->failed = true;
	return next(vcpus);
}

static enum job_verdict
plug(struct vcpus *vcpus)
{
	struct hotplug_cpus *cpus = &vcpus->cpus;
	json_t *device;

	for (vcpus->at = 0; cpus->cpus[vcpus->at].there; vcpus->at++)
		continue;
	device = hotplug_cpu_device(cpus, vcpus->at);
	if (!device) {
		(void)rpc_error_set(
			&vcpus->op.job.error, VIR_ERR_NO_MEMORY, VIR_FROM_NONE, "out of memory");
		return give_up(vcpus);
	}
	return vm_ask(&vcpus->op.job, VCPUS_PLUGGED, "device_add", device, -1);
}

static enum job_verdict
plugged(struct vcpus *vcpus, const struct qmp_reply *reply)
{
	struct hotplug_cpu *cpu = &vcpus->cpus.cpus[vcpus->at];

	if (!reply->value) {
		(void)vm_ask_refused(&vcpus->op.job, reply);
		return give_up(vcpus);
	}
	cpu->there = cpu->plugged = true;
	vcpus->cpus.n_there++;
	take_count(vcpus);
	return next(vcpus);
}

/* Those that are too many can go, all of them: else none is asked to. */
static bool
can_shrink(const struct vcpus *vcpus)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < vcpus->cpus.n; i++)
		n += vcpus->cpus.cpus[i].there && vcpus->cpus.cpus[i].plugged;
	return n >= vcpus->cpus.n_there - vcpus->want;
}

static enum job_verdict
unplug(struct vcpus *vcpus)
{
	struct hotplug_cpus *cpus = &vcpus->cpus;
	char alias[HOTPLUG_CPU_ALIAS_SIZE];

	if (!can_shrink(vcpus)) {
		(void)rpc_error_set(&vcpus->op.job.error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
			"unsupported configuration: failed to find appropriate hotpluggable vcpus "
			"to reach the desired target vcpu count");
		return give_up(vcpus);
	}
	vcpus->at = cpus->n - 1;
	while (!cpus->cpus[vcpus->at].there || !cpus->cpus[vcpus->at].plugged)
		vcpus->at--;
	vcpus->end = 0;
	return vm_ask(&vcpus->op.job, VCPUS_UNPLUGGED, "device_del",
		json_pack("{s:s}", "id", hotplug_cpu_alias(vcpus->at, alias)), -1);
}

static enum job_verdict
gone(struct vcpus *vcpus)
{
	struct rpc_error *error = &vcpus->op.job.error;

	timer_stop(&vcpus->turn);
	if (vcpus->end == VM_VCPU_GONE) {
		vcpus->cpus.cpus[vcpus->at].there = false;
		vcpus->cpus.n_there--;
		take_count(vcpus);
		return next(vcpus);
	}
	if (vcpus->end == VM_VCPU_KEPT)
		(void)rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: unplug of device was rejected by the guest");
	else
		(void)rpc_error_set(error, VIR_ERR_OPERATION_TIMEOUT, VIR_FROM_QEMU,
			"Timed out during operation: vcpu unplug request timed out. Unplug result "
			"must be manually inspected in the domain");
	return give_up(vcpus);
}

static enum job_verdict
unplugged(struct vcpus *vcpus, const struct qmp_reply *reply)
{
	if (!reply->value) {
		(void)vm_ask_refused(&vcpus->op.job, reply);
		return give_up(vcpus);
	}
	if (vcpus->end)
		return gone(vcpus);
	(void)vm_op_await(&vcpus->op, VCPUS_GONE, LOOP_S(UNPLUG_S + LEASE_S));
	set_turn(vcpus, LOOP_S(UNPLUG_S));
	return JOB_WAIT;
}

/* What is to be done, by how many there are. */
static enum job_verdict
next(struct vcpus *vcpus)
{
	const struct vm_grant *grant = &vcpus->op.vm->grant;
	uint32_t there = vcpus->cpus.n_there;

	if (is_growing(vcpus))
		return grant->vcpus >= vcpus->want ? plug(vcpus) : ask_lease(vcpus);
	if (!vcpus->failed && vcpus->want != 0 && vcpus->want < there)
		return unplug(vcpus);
	/* What nobody knows is not counted either. */
	return grant->vcpus == 0 || grant->vcpus == there ? over(vcpus) : ask_lease(vcpus);
}

static enum job_verdict
listed(struct vcpus *vcpus, const struct qmp_reply *reply)
{
	const struct domain_def *live = vcpus->op.vm->domain->live;

	if (!reply->value)
		return vm_ask_refused(&vcpus->op.job, reply);
	if (!read_answer(reply->value, live, &vcpus->cpus)) {
		(void)rpc_error_set(&vcpus->op.job.error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: what QEMU answers to '%s' cannot be understood",
			VM_VCPUS_QUESTION);
		return JOB_FAILED;
	}
	take_count(vcpus);
	return next(vcpus);
}

static enum job_verdict
leased(struct vcpus *vcpus, int err)
{
	if (err == -EAGAIN || err == -EBUSY)
		return ask_later(vcpus, err);
	if (err < 0)
		return not_leased(vcpus, err);
	vcpus->ask_until_ns = 0;
	return next(vcpus);
}

static enum job_verdict
begin(struct job *job)
{
	const struct vm *vm = vm_op_of(job)->vm;

	if (!vm->started || vm->stopping) {
		(void)vm_not_running(&job->error);
		return JOB_FAILED;
	}
	return vm_ask(job, VCPUS_LISTED, VM_VCPUS_QUESTION, NULL, -1);
}

static enum job_verdict
step(struct job *job, int step, const void *body)
{
	struct vcpus *vcpus = vcpus_of(job);

	switch ((enum vcpus_step)step) {
	case VCPUS_BEGIN:
		return begin(job);
	case VCPUS_LISTED:
		return listed(vcpus, body);
	case VCPUS_ASK:
		return ask_lease(vcpus);
	case VCPUS_LEASED:
		return leased(vcpus, *(const int *)body);
	case VCPUS_PLUGGED:
		return plugged(vcpus, body);
	case VCPUS_UNPLUGGED:
		return unplugged(vcpus, body);
	case VCPUS_GONE:
		return gone(vcpus);
	}
	return JOB_FAILED;
}

static void
explain(struct job *job, int step, int err)
{
	if (err == -ETIMEDOUT && (step == VCPUS_LEASED || step == VCPUS_ASK))
		(void)rpc_error_set(&job->error, VIR_ERR_OPERATION_TIMEOUT, VIR_FROM_QEMU,
			"Timed out during operation: the host did not say within %d seconds "
			"whether the machine may have other vCPUs",
			LEASE_S);
	else
		vm_ask_explain(job, step, err);
}

/* --- begin and end ------------------------------------------------------------------------ */

static const struct job_ops vcpus_ops = {
	.name = "set-vcpus", .step = step, .explain = explain, .done = vm_op_done};

static void
release(struct vm_op *op)
{
	timer_stop(&container_of(op, struct vcpus, op)->turn);
}

void
vm_vcpus_settle_again(struct timer *timer)
{
	settle(container_of(timer, struct vm, settling));
}

static void
settle_later(struct vm *vm)
{
	struct loop *loop = vm->vms->loop;

	if (!is_settled(vm) && !vm->stopping)
		timer_set(loop, &vm->settling, loop_now(loop) + LOOP_S(SETTLE_S),
			vm_vcpus_settle_again);
}

/* For the next worker, should QEMU not tell it. */
static void
note(const struct vm *vm)
{
	int r = vm_status_write_def(vm->domain->live, vm->domain->id);

	if (r < 0)
		log_warning("dom=%s: the definition for the next worker cannot be written: %s",
			log_quote(name_of(vm)), strerror(-r));
}

static void
told(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	struct vcpus *vcpus = arg;
	struct vm *vm = vcpus->op.vm;

	timer_stop(&vcpus->turn);
	if (!vm->stopping && vm->domain->live->current_vcpus != vcpus->noted)
		note(vm);
	settle_later(vm);
	if (vcpus->done)
		vcpus->done(vcpus->arg, handled, error);
}

/* Returns 0 or -ENOMEM. */
static int
put(struct vm *vm, uint32_t want, vm_done_fn *done, void *arg)
{
	struct vcpus *vcpus = calloc(1, sizeof(*vcpus));

	if (!vcpus)
		return -ENOMEM;
	vcpus->want = want;
	vcpus->noted = vm->domain->live->current_vcpus;
	vcpus->done = done;
	vcpus->arg = arg;
	vcpus->op.release = release;
	vm_op_put(vm, &vcpus->op, &vcpus_ops, false, told, vcpus);
	return 0;
}

int
vms_set_vcpus(
	struct domain *domain, uint32_t n, struct rpc_error *error, vm_done_fn *done, void *arg)
{
	if (!domain->vm)
		return vm_not_running(error);
	if (put(domain->vm, n, done, arg) < 0)
		return rpc_error_set(error, VIR_ERR_NO_MEMORY, VIR_FROM_NONE, "out of memory");
	return RPC_LATER;
}

/* --- as many as there are ----------------------------------------------------------------- */

/* Ask QEMU how many there are, and have a lease for these: once, however often it is wanted. */
static void
settle(struct vm *vm)
{
	const struct vm_op *op;

	TAILQ_FOREACH (op, &vm->ops, entry)
		if (op->ops == &vcpus_ops && !op->job.jobs)
			return;
	if (!vm->stopping && put(vm, 0, NULL, NULL) < 0)
		settle_later(vm);
}

void
vm_vcpus_take(struct vm *vm, const json_t *answer)
{
	struct domain_def *live = vm->domain->live;
	struct domain_vcpu_set there;
	struct hotplug_cpus cpus;
	uint32_t noted;

	if (!read_answer(answer, live, &cpus))
		return;
	noted = live->current_vcpus;
	there = set_of(&cpus);
	if (domain_vcpus_take(live, &there)) {
		log_info("dom=%s has %" PRIu32 " vCPUs, and not %" PRIu32 " as was noted",
			log_quote(name_of(vm)), live->current_vcpus, noted);
		note(vm);
	}
	if (!is_settled(vm))
		settle(vm);
}

void
vm_vcpu_told(struct vm *vm, const char *alias, enum vm_vcpu_end end)
{
	struct vm_op *op = TAILQ_FIRST(&vm->ops);
	char mine[HOTPLUG_CPU_ALIAS_SIZE];

	if (strncmp(alias, "vcpu", 4) != 0)
		return;
	if (is_changing(vm) && (op->job.step == VCPUS_UNPLUGGED || op->job.step == VCPUS_GONE)) {
		struct vcpus *vcpus = container_of(op, struct vcpus, op);

		if (strcmp(alias, hotplug_cpu_alias(vcpus->at, mine)) == 0) {
			vcpus->end = end;
			if (op->job.step == VCPUS_GONE)
				job_wake(vm->vms->jobs, op->ticket, 0, NULL);
			return;
		}
	}
	/* The guest has taken its time. */
	if (end == VM_VCPU_GONE)
		settle(vm);
}
