/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start.c: a VM is started, step by step.
 *
 * Runs in the worker, as the user. Whatever fails, at whatever step, ends what was begun; the error
 * is told when nothing of it runs any more, so that the next start finds the way free.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "worker/qemu/command.h"
#include "worker/qemu/seed.h"
#include "worker/vm/chain.h"
#include "worker/vm/channels.h"
#include "worker/vm/clock.h"
#include "worker/vm/files.h"
#include "worker/vm/interfaces.h"
#include "worker/vm/status.h"
#include "worker/vm/throttle.h"
#include "worker/vm/vm.h"
#include "worker/vm/vms.h"

enum {
	FILES_S = 60,   /* for one piece of a kernel, on a slow file system */
	LEASE_S = 30,   /* for broker and starter to make a seed, and for its turn to come */
	SEED_S = 15,    /* for the box to take what it is given; it has 10 itself */
	MONITOR_S = 60, /* for QEMU to begin, on a host that is busy */
	NET_S = 30      /* for relay and passt */
};

/* What QEMU said before it ended goes into the client's error as far as there is room. */
enum { LAST_WORDS_MAX = 800 };

/* A user may start many at once, of which the broker grants some a second: the others wait. */
enum { ASK_AGAIN_MS = 250 };

enum { CODE_MIB = 1024 };

enum start_step {
	START_BEGIN,  /* it is its turn */
	START_COPY,   /* one more piece of a kernel */
	START_ASK,    /* once more for a lease */
	START_LEASED, /* the broker has granted it, or not yet */
	START_SEEDED, /* the box has become QEMU, or not */
	START_OPENED, /* QEMU talks */
	START_SHOWN,  /* it listens where its screen is to be seen, or not */
	START_BOUND,  /* it has taken the bounds of a disk, or not */
	START_NET,    /* its network is there, or not yet */
	START_RUNS    /* QEMU has let the guest go */
};

struct start {
	struct vm_op op;
	bool paused;
	vm_done_fn *done;
	void *arg;
	struct qemu_command command;
	struct vm_files files;
	struct seed_link seed;
	struct timer turn;     /* the next piece of a kernel, or ask */
	uint64_t ask_until_ns; /* 0: not asked yet */
	size_t binding;        /* the disk whose bounds QEMU is told of */
	off_t log_begin;       /* of what this start has written to the log */
};

static uint64_t
min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static struct start *
start_of(struct job *job)
{
	return container_of(vm_op_of(job), struct start, op);
}

static const char *
name_of(const struct vm *vm)
{
	return domain_def_now(vm->domain)->name;
}

/* --- what failed -------------------------------------------------------------------------- */

/* With QEMU's last words, as libvirt says it. */
static void
say_ended(struct start *start, const char *what)
{
	char words[LAST_WORDS_MAX];

	vm_log_tail(&start->op.vm->log, start->log_begin, words, sizeof(words));
	(void)rpc_error_set(&start->op.job.error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
		"internal error: %s%s%s", what, *words ? ": " : "", words);
}

static void
explain_lease(struct start *start, int err)
{
	const struct vm *vm = start->op.vm;
	struct rpc_error *error = &start->op.job.error;

	if (err == -EEXIST)
		(void)rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
			"Requested operation is not valid: domain is already running: what is left "
			"of it has not ended yet");
	else if (err == -EDQUOT)
		/* Not VIR_ERR_OPERATION_DENIED: she has the right, and not the room. */
		(void)rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: domain '%s' may not start now: %s", name_of(vm),
			*vm->vms->uplink->refusal ? vm->vms->uplink->refusal
						  : "a limit is reached");
	else if (err == -EAGAIN)
		(void)rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: no box can be had within %d seconds: too many machines "
			"of this user were started just now",
			LEASE_S);
	else
		(void)rpc_error_set_errno(
			error, -err, VIR_FROM_QEMU, "no box can be had for the machine");
}

static void
explain(struct job *job, int step, int err)
{
	struct start *start = start_of(job);

	if (err == -ECANCELED)
		(void)rpc_error_set(&job->error, VIR_ERR_OPERATION_ABORTED, VIR_FROM_QEMU,
			"operation aborted: domain '%s' was ended while it started",
			name_of(start->op.vm));
	else if (err == -ENOMEM)
		(void)rpc_error_set(&job->error, VIR_ERR_NO_MEMORY, VIR_FROM_NONE, "out of memory");
	else if (step == START_LEASED)
		explain_lease(start, err);
	else if (err == -EPIPE && step <= START_OPENED)
		say_ended(start, "process exited while connecting to monitor");
	else if (err == -EPIPE)
		say_ended(start, "qemu unexpectedly closed the monitor");
	else if (err == -ETIMEDOUT && step == START_NET)
		say_ended(start, "what its network needs did not begin in time");
	else if (err == -ETIMEDOUT)
		say_ended(start, step == START_SEEDED ? "the box did not become QEMU in time"
						      : "QEMU did not answer in time");
	else
		(void)rpc_error_set_errno(&job->error, -err, VIR_FROM_QEMU,
			"domain '%s' cannot be started", name_of(start->op.vm));
}

static enum job_verdict
failed(struct start *start, int err)
{
	explain(&start->op.job, start->op.job.step, err);
	return JOB_FAILED;
}

/* --- steps -------------------------------------------------------------------------------- */

/* What this start waits for has come; but it may be over, and about to be freed. */
static void
wake(struct start *start, const void *body)
{
	if (start->op.job.jobs)
		job_wake(start->op.job.jobs, start->op.ticket, 0, body);
}

static void
its_turn(struct timer *timer)
{
	struct start *start = container_of(timer, struct start, turn);

	wake(start, NULL);
}

static enum job_verdict
ask_later(struct start *start)
{
	struct loop *loop = start->op.vm->vms->loop;

	if (loop_now(loop) >= start->ask_until_ns) {
		explain_lease(start, -EAGAIN);
		return JOB_FAILED;
	}
	(void)vm_op_await(&start->op, START_ASK, LOOP_S(LEASE_S));
	timer_set(loop, &start->turn, loop_now(loop) + LOOP_MS(ASK_AGAIN_MS), its_turn);
	return JOB_WAIT;
}

/*
 * Translated code that QEMU keeps at most: as its accel/tcg (tcg_init, size_code_gen_buffer) has it,
 * an eighth of the host's memory up to 1 GiB where nobody has said how much, and 2 GiB at most.
 */
static uint32_t
code_mib(const struct domain_def *def)
{
	uint64_t mib = def->features.tb_cache_mib;

	if (def->type == DOMAIN_TYPE_KVM)
		return 0;
	if (mib == 0)
		mib = min((uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 8 >>
				  20,
			CODE_MIB);
	return (uint32_t)min(mib, IPC_CODE_MAX_MIB);
}

static enum job_verdict
ask_lease(struct start *start)
{
	struct vm *vm = start->op.vm;
	const struct domain_def *live = vm->domain->live;
	struct ipc_lease lease = {
		.memory_kib = live->memory_kib,
		.vcpus = live->current_vcpus, /* QEMU runs no more until it is given more */
		.code_mib = code_mib(live),
	};

	memcpy(lease.uuid, live->uuid, sizeof(lease.uuid));
	vm->grant = (struct vm_grant){.vcpus = lease.vcpus, .memory_kib = lease.memory_kib};
	if (start->ask_until_ns == 0)
		start->ask_until_ns = loop_now(vm->vms->loop) + LOOP_S(LEASE_S);
	if (uplink_ask_lease(vm->vms->uplink, &lease, (uintptr_t)vm) != 0)
		return ask_later(start);
	vm->lease = VM_LEASE_ASKED;
	(void)vm_op_await(&start->op, START_LEASED, LOOP_S(LEASE_S));
	return JOB_WAIT;
}

/* Kernels are copied a piece a turn; then all that QEMU needs is there. */
static enum job_verdict
copy(struct start *start)
{
	struct vm *vm = start->op.vm;
	struct loop *loop = vm->vms->loop;
	int r = vm_files_copy(
		&start->files, vm->domain->live, &start->command, &start->op.job.error);

	if (r == RPC_FAILED)
		return JOB_FAILED;
	if (r == RPC_DONE)
		return ask_lease(start);
	(void)vm_op_await(&start->op, START_COPY, LOOP_S(FILES_S));
	timer_set(loop, &start->turn, loop_now(loop), its_turn);
	return JOB_WAIT;
}

/* For who has to find out why it does not start. */
static void
log_command(struct start *start)
{
	struct vm_log *log = &start->op.vm->log;
	free_auto char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	vm_log_note(log, "starting up qemud version: " QEMUD_VERSION);
	for (unsigned i = 0; file && i < start->command.n_args; i++) {
		const char *arg = start->command.args[i];

		(void)fprintf(file, "%s%s", i == 0 ? "" : *arg == '-' ? " \\\n" : " ", arg);
	}
	if (file)
		(void)fputc('\n', file);
	/* Without memory the log does without. */
	if (file && fclose(file) == 0)
		vm_log_append(log, text, size);
	start->log_begin = vm_log_end(log);
}

static void
tell_missing(void *arg, const struct domain_disk *disk)
{
	struct happening what = {.kind = HAPPENED_DISK_CHANGE,
		.disk = {.path = disk->source.path,
			.alias = disk->device.alias,
			.reason = disk->what == DOMAIN_DISK ? DISK_DROPPED : DISK_EMPTIED}};

	vm_happened(arg, &what);
}

static enum job_verdict
begin(struct start *start)
{
	struct vm *vm = start->op.vm;
	const struct domain_def *live = vm->domain->live;
	int log_dir = vm->vms->home->folder_fd[HOME_LOG];
	int r = vm_log_open(&vm->log, log_dir, live->name, "log");

	if (r == 0)
		r = vm_log_open(&vm->console_log, log_dir, live->name, "console");
	if (r < 0) {
		(void)rpc_error_set_errno(&start->op.job.error, -r, VIR_FROM_QEMU,
			"the logs of domain '%s' in ~/.qemud/log cannot be opened", live->name);
		return JOB_FAILED;
	}
	vm_log_trim(&vm->log);
	if (domain_cpu_check(live, vm->vms->env, &start->op.job.error) != 0)
		return JOB_FAILED;
	if (vm_clock_begin(&vm->domain->live->clock, &start->op.job.error) != RPC_DONE)
		return JOB_FAILED;
	if (vm_chain_complete(vm->domain->live, tell_missing, vm, &start->op.job.error) != RPC_DONE)
		return JOB_FAILED;
	r = qemu_command_make(live, &start->command);
	if (r < 0)
		return failed(start, r);
	log_command(start);
	if (vm_graphics_listen(vm, &start->op.job.error) != RPC_DONE)
		return JOB_FAILED;
	if (vm_files_open(&start->files, live, &start->command, &start->op.job.error) != RPC_DONE)
		return JOB_FAILED;
	if (vm_interfaces_open(vm, &start->command, start->files.fds, &start->op.job.error) !=
		RPC_DONE)
		return JOB_FAILED;
	return copy(start);
}

static void
seed_ended(struct seed_link *seed, const struct plan_answer *answer)
{
	struct start *start = container_of(seed, struct start, seed);

	wake(start, answer);
}

static void
make_plan(const struct qemu_command *command, struct plan *plan)
{
	plan_init(plan);
	plan->program = PLAN_QEMU_X86_64;
	plan->profile = PLAN_VM;
	for (unsigned i = 0; i < command->n_fds; i++)
		plan->fds[plan->n_fds++] = command->fds[i].number;
	for (unsigned i = 0; i < command->n_args; i++)
		plan->args[plan->n_args++] = command->args[i];
}

/* Everything goes to the box; nothing of it stays here. */
static int
send_plan(struct start *start, int sock)
{
	static const struct seed_link_ops seed_ops = {.end = seed_ended};
	struct vm *vm = start->op.vm;
	fd_auto int log_fd = fcntl(vm->log.fd, F_DUPFD_CLOEXEC, 0);
	free_auto struct plan *plan = malloc(sizeof(*plan));
	int r;

	if (log_fd < 0 || !plan) {
		(void)close(sock);
		return -ENOMEM;
	}
	make_plan(&start->command, plan);
	r = seed_link_start(&start->seed, vm->vms->loop, sock, plan, take_fd(&log_fd),
		start->files.fds, &seed_ops);
	/* They were taken over, whatever became of it. */
	for (unsigned i = 0; i < start->files.n; i++)
		start->files.fds[i] = -1;
	return r == PLAN_E_BAD ? -E2BIG : r;
}

static enum job_verdict
leased(struct start *start)
{
	struct vm *vm = start->op.vm;
	int r = vm_interfaces_begin(vm);

	if (r == 0)
		r = vm_status_write_def(vm->domain->live, vm->domain->id);
	vm_set_state(vm, DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_STARTING_UP);
	(void)vm_op_await(&start->op, START_SEEDED, LOOP_S(SEED_S));
	if (r == 0)
		r = send_plan(start, take_fd(&vm->seed_sock));
	return r < 0 ? failed(start, r) : JOB_WAIT;
}

static enum job_verdict
seeded(struct start *start, const struct plan_answer *answer)
{
	struct vm *vm = start->op.vm;
	int r;

	if (!answer->ok) {
		(void)rpc_error_set(&start->op.job.error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: the box did not become QEMU: %s", log_quote(answer->why));
		return JOB_FAILED;
	}
	vm->landlock = answer->landlock;
	(void)vm_op_await(&start->op, START_OPENED, LOOP_S(MONITOR_S));
	r = vm_open_monitor(vm);
	/* Nobody listens: QEMU is not there any more. */
	return r < 0 ? failed(start, r == -ECONNREFUSED ? -EPIPE : r) : JOB_WAIT;
}

static void
started(struct vm *vm, enum domain_state state, int32_t reason)
{
	vm->started = true;
	vm_set_state(vm, state, reason);
	vm_tell(vm, EVENT_STARTED, EVENT_STARTED_BOOTED);
	log_info("dom=%s runs pid=%" PRIu32 " landlock=%d", log_quote(name_of(vm)), vm->pid,
		vm->landlock);
}

/* What the command line cannot say. The answers say nothing that does not show later. */
static int
set_balloon(struct vm *vm)
{
	const struct domain_def *live = vm->domain->live;
	const struct domain_memballoon *balloon = &live->memballoon;
	int r = 0;

	if (!balloon->virtio)
		return 0;
	if (live->current_memory_kib < live->memory_kib)
		r = monitor_ask(&vm->monitor, "balloon",
			json_pack("{s:I}", "value", (json_int_t)live->current_memory_kib * 1024),
			0);
	if (r == 0 && balloon->stats_period_s > 0)
		r = monitor_ask(&vm->monitor, "qom-set",
			json_pack("{s:o, s:s, s:I}", "path",
				json_sprintf("/machine/peripheral/%s", balloon->device.alias),
				"property", "guest-stats-polling-interval", "value",
				(json_int_t)balloon->stats_period_s),
			0);
	return r;
}

/* When all that it needs is there. */
static enum job_verdict
let_go(struct start *start)
{
	struct vm *vm = start->op.vm;
	uint64_t ticket;
	int r = vm_interfaces_check(vm, &start->op.job.error);

	if (r == RPC_FAILED)
		return JOB_FAILED;
	if (r == RPC_LATER) {
		(void)vm_op_await(&start->op, START_NET, LOOP_S(NET_S));
		return JOB_WAIT;
	}
	if (start->paused) {
		started(vm, DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_USER);
		vm_tell(vm, EVENT_SUSPENDED, EVENT_SUSPENDED_PAUSED);
		return JOB_DONE;
	}
	ticket = vm_op_await(&start->op, START_RUNS, LOOP_S(MONITOR_S));
	r = monitor_ask(&vm->monitor, "cont", NULL, ticket);
	return r < 0 ? failed(start, r) : JOB_WAIT;
}

/* One disk after another, from this one on. */
static enum job_verdict
bind_disks(struct start *start, size_t from)
{
	struct vm *vm = start->op.vm;
	const struct domain_def *live = vm->domain->live;
	uint64_t ticket;
	int r;

	start->binding = vm_throttle_next(live, from);
	if (start->binding == live->n_disks)
		return let_go(start);
	ticket = vm_op_await(&start->op, START_BOUND, LOOP_S(MONITOR_S));
	r = monitor_ask(&vm->monitor, "block_set_io_throttle",
		vm_throttle_arguments(&live->disks[start->binding]), ticket);
	return r < 0 ? failed(start, r) : JOB_WAIT;
}

static enum job_verdict
opened(struct start *start)
{
	struct vm *vm = start->op.vm;
	uint64_t ticket;
	int r;

	vm_open_consoles(vm);
	vm_channels_begin(vm);
	r = set_balloon(vm);
	if (r == 0)
		r = vm_graphics_set_password(vm);
	if (r == 0)
		r = vm_interfaces_link(vm);
	if (r < 0)
		return failed(start, r);
	ticket = vm_op_await(&start->op, START_SHOWN, LOOP_S(MONITOR_S));
	if (!vm_graphics_show(vm, ticket, &r))
		return bind_disks(start, 0);
	return r < 0 ? failed(start, r) : JOB_WAIT;
}

static enum job_verdict
refused(struct start *start, const char *command, const struct qmp_reply *reply)
{
	(void)rpc_error_set(&start->op.job.error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
		"internal error: unable to execute QEMU command '%s': %s", command,
		log_quote(reply->error_text));
	return JOB_FAILED;
}

static enum job_verdict
shown(struct start *start, const struct qmp_reply *reply)
{
	return reply->value ? bind_disks(start, 0) : refused(start, VM_GRAPHICS_SHOW, reply);
}

static enum job_verdict
bound(struct start *start, const struct qmp_reply *reply)
{
	return reply->value ? bind_disks(start, start->binding + 1)
			    : refused(start, "block_set_io_throttle", reply);
}

static enum job_verdict
runs(struct start *start, const struct qmp_reply *reply)
{
	struct vm *vm = start->op.vm;

	if (!reply->value)
		return refused(start, "cont", reply);
	started(vm, DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	return JOB_DONE;
}

static enum job_verdict
step(struct job *job, int step, const void *body)
{
	struct start *start = start_of(job);

	switch ((enum start_step)step) {
	case START_BEGIN:
		return begin(start);
	case START_COPY:
		return copy(start);
	case START_ASK:
		return ask_lease(start);
	case START_LEASED:
		return start->op.vm->lease == VM_LEASE_HELD ? leased(start) : ask_later(start);
	case START_SEEDED:
		return seeded(start, body);
	case START_OPENED:
		return opened(start);
	case START_SHOWN:
		return shown(start, body);
	case START_BOUND:
		return bound(start, body);
	case START_NET:
		return let_go(start);
	case START_RUNS:
		return runs(start, body);
	}
	return JOB_FAILED;
}

/* --- begin and end ------------------------------------------------------------------------ */

static void
release(struct vm_op *op)
{
	struct start *start = container_of(op, struct start, op);

	timer_stop(&start->turn);
	seed_link_stop(&start->seed);
	vm_files_close(&start->files);
	qemu_command_fini(&start->command);
}

static void
over(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	struct start *start = arg;
	struct vm *vm = start->op.vm;

	if (handled == RPC_DONE) {
		start->done(start->arg, RPC_DONE, NULL);
		return;
	}
	if (vm_wait_end(vm, error, start->done, start->arg) < 0)
		start->done(start->arg, RPC_FAILED, error);
	vm_stop(vm, VM_END_FAILED);
}

static const struct job_ops start_ops = {
	.name = "start", .step = step, .explain = explain, .done = vm_op_done};

/* The domain's `live` is what is started. */
static int
start_live(struct vms *vms, struct domain *domain, const struct vm_start *how,
	struct rpc_error *error, vm_done_fn *done, void *arg)
{
	struct start *start = calloc(1, sizeof(*start));
	struct vm *vm = start ? vm_new(vms, domain) : NULL;

	if (!vm) {
		free(start);
		domains_settle(vms->domains, domain);
		return domains_not_live(error, -ENOMEM);
	}
	if (how->owner) {
		vm->autodestroy = true;
		vm->owner = how->owner;
		LIST_INSERT_HEAD(how->owner, vm, owned);
	}
	start->paused = how->paused;
	start->done = done;
	start->arg = arg;
	start->op.release = release;
	vm_files_init(&start->files);
	vm_op_put(vm, &start->op, &start_ops, false, over, start);
	return RPC_LATER;
}

int
vms_start(struct vms *vms, struct domain *domain, const struct vm_start *how,
	struct rpc_error *error, vm_done_fn *done, void *arg)
{
	int r;

	if (domain->vm)
		return rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
			"Requested operation is not valid: domain is already running");
	r = domain_def_live(domain->config, vms->env, &domain->live);
	return r == 0 ? start_live(vms, domain, how, error, done, arg) : domains_not_live(error, r);
}

int
vms_create(struct vms *vms, const char *xml, const struct guise *guise, const struct vm_start *how,
	struct rpc_error *error, vm_done_fn *done, void *arg, struct domain **ret_domain)
{
	if (domains_begin(vms->domains, xml, guise, error, ret_domain) != RPC_DONE)
		return RPC_FAILED;
	return start_live(vms, *ret_domain, how, error, done, arg);
}
