/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * leases.c: every virtual machine of the host, from the ask to the end of all that runs of it.
 *
 * Runs in the broker, as root. Must never give a seed to a worker that did not ask for it, keep its
 * socket, or call a lease over while anything of it may run.
 */
#include "broker/leases.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "broker/broker.h"
#include "broker/child.h"
#include "broker/limits.h"
#include "broker/nets.h"
#include "broker/users.h"
#include "broker/wishes.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "lib/uuid.h"

/* What one user may start: thirty-two at once, then eight a second. */
static const struct bucket_size pace = {.interval_ns = LOOP_MS(125), .burst = 32};

static void ask_end(struct lease *lease);

/* The lease in a line of the log; lives until the end of the block. */
#define LEASE_FMT "uid=%" PRIu32 " id=%" PRIu32 " uuid=%s"
#define LEASE_ARGS(lease) \
	(lease)->user->uid, (lease)->id, uuid_format((lease)->uuid, (char[UUID_TEXT_SIZE]){0})

static struct broker *
broker_of(const struct lease *lease)
{
	return lease->user->child.broker;
}

static void
note(const struct lease *lease, enum audit_kind kind, enum audit_verdict verdict, const char *why)
{
	struct audit_event event = audit_by(lease->user, kind, verdict);

	event.target = lease->user->account.name;
	event.vm = lease->id;
	event.uuid = lease->uuid;
	event.memory_kib = lease->grant.memory_kib;
	event.vcpus = lease->grant.vcpus;
	audit_record(&broker_of(lease)->audit, &event, "%s", why);
}

int
leases_init(struct leases *leases, struct broker *broker, uint32_t size)
{
	*leases = (struct leases){.broker = broker, .size = size};
	leases->table = calloc(size, sizeof *leases->table);
	return leases->table ? 0 : -ENOMEM;
}

void
leases_fini(struct leases *leases)
{
	for (uint32_t i = 0; i < leases->n_touched; i++) {
		timer_stop(&leases->table[i].retry);
		io_stop(&leases->table[i].end_io);
		fd_close(&leases->table[i].pidfd);
	}
	free(leases->table);
	*leases = (struct leases){.size = 0};
}

/* --- the table ---------------------------------------------------------------------------- */

/* What is one user's, and what is the host's, of what a lease takes. */
static void
count(struct leases *leases, const struct lease *lease, bool more)
{
	struct quota_amounts amounts = quota_of(&lease->grant);

	for (enum quota_key key = QUOTA_VMS; key < QUOTA_N; key++) {
		struct quota_amounts *used =
			key < QUOTA_HOST_VMS ? &lease->user->leases.used : &leases->used;

		used->of[key] += more ? amounts.of[key] : -amounts.of[key];
	}
}

static struct lease *
enter(struct leases *leases, struct user *user, uint32_t id, const uint8_t uuid[static UUID_SIZE],
	const struct ipc_grant *grant)
{
	struct lease *lease = leases->free;

	if (lease)
		leases->free = lease->next;
	else if (leases->n_touched < leases->size)
		lease = &leases->table[leases->n_touched++];
	else
		return NULL;
	*lease = (struct lease){.next = user->leases.first,
		.user = user,
		.state = LEASE_ASKED,
		.id = id,
		.grant = *grant,
		.pidfd = -1};
	memcpy(lease->uuid, uuid, sizeof lease->uuid);
	user->leases.first = lease;
	count(leases, lease, true);
	return lease;
}

void
leases_settle(struct lease *lease)
{
	struct leases *leases = &broker_of(lease)->leases;

	/* It stays where its questions are. */
	if (!lease->over || lease->freezing.open || lease->growth.question.open)
		return;
	lease->next = leases->free;
	leases->free = lease;
}

void
leases_count_as(struct lease *lease, const struct ipc_grant *grant)
{
	struct leases *leases = &broker_of(lease)->leases;

	count(leases, lease, false);
	lease->grant = *grant;
	count(leases, lease, true);
}

/* It is over, or came to nothing: the worker is told in either case, which may know its id. */
static void
release(struct lease *lease, enum ipc_gone how)
{
	struct ipc_lease_gone gone = {.id = lease->id,
		.how = how == IPC_GONE_ENDED && lease->forced ? IPC_GONE_STOPPED : how,
		.limit_kib = lease->grant.memory_kib + lease->grant.overhead_kib};
	struct leases *leases = &broker_of(lease)->leases;
	struct user *user = lease->user;
	struct lease **at = &user->leases.first;

	while (*at != lease)
		at = &(*at)->next;
	*at = lease->next;
	count(leases, lease, false);
	lease->state = LEASE_FREE;
	lease->over = true;
	wishes_lease_gone(&user->child, &gone);
	inventories_vms_changed(user);
	growth_over(lease);
	leases_settle(lease);
}

static bool
is_used(const struct leases *leases, uint32_t id)
{
	for (uint32_t i = 0; i < leases->n_touched; i++)
		if (leases->table[i].state != LEASE_FREE && leases->table[i].id == id)
			return true;
	return false;
}

/* The smallest one above all that were given; past the largest, one that is not in use. */
static uint32_t
new_id(struct leases *leases)
{
	do {
		leases->last_id = leases->last_id < INT32_MAX ? leases->last_id + 1 : 1;
	} while (is_used(leases, leases->last_id));
	return leases->last_id;
}

const struct lease *
leases_next(const struct user *user, uint32_t after)
{
	const struct lease *best = NULL;

	for (const struct lease *lease = user->leases.first; lease; lease = lease->next)
		if (lease->id > after && (!best || lease->id < best->id))
			best = lease;
	return best;
}

/* --- its end ------------------------------------------------------------------------------ */

static void process_ended(struct io *io, uint32_t events);

static void
kill_lease(struct lease *lease)
{
	/* Of one that was found it may be unknown which process it is: all in its leaf is ended. */
	if (lease->pid == 0) {
		process_ended(&lease->end_io, 0);
		return;
	}
	/* ESRCH: it has ended already, which the loop is about to tell. */
	if (pidfd_send_signal(lease->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		log_error("lease " LEASE_FMT " pid=%" PRIu32 " cannot be killed: %s",
			LEASE_ARGS(lease), lease->pid, strerror(errno));
}

static int
fill_end(struct question *question, union question_body *ret, int *ret_fd)
{
	const struct lease *lease = container_of(question, struct lease, question);

	(void)ret_fd;
	ret->leaf = (struct ipc_leaf){.uid = lease->user->uid, .id = lease->id};
	memcpy(ret->leaf.uuid, lease->uuid, sizeof ret->leaf.uuid);
	return 0;
}

static void
end_again(struct timer *timer)
{
	ask_end(container_of(timer, struct lease, retry));
}

static const char *
how_ended(enum ipc_gone how)
{
	if (how == IPC_GONE_MEMORY)
		return ": it needed more memory than it was granted";
	return how == IPC_GONE_HOST_MEMORY ? ": the host had no more memory" : "";
}

static void
leaf_ended(struct question *question, int err, const void *body, int *fds)
{
	struct lease *lease = container_of(question, struct lease, question);
	struct loop *loop = &broker_of(lease)->loop;

	(void)fds;
	if (err == 0) {
		enum ipc_gone how = ((const struct ipc_leaf_ended *)body)->how;

		log_info("lease gone " LEASE_FMT "%s", LEASE_ARGS(lease), how_ended(how));
		note(lease, AUDIT_VM_END, AUDIT_ALLOWED,
			how_ended(how) + (*how_ended(how) ? 2 : 0));
		release(lease, how);
		return;
	}
	if (!lease->told)
		log_warning("lease " LEASE_FMT
			    " is not gone yet: %s; it is tried again until it is",
			LEASE_ARGS(lease), strerror(-err));
	lease->told = true;
	timer_set(loop, &lease->retry, loop_now(loop) + LOOP_S(LEASES_RETRY_S), end_again);
}

static void
ask_end(struct lease *lease)
{
	static const struct question_ops ops = {
		.type = IPC_LEAF_END, .fill = fill_end, .answered = leaf_ended};

	lease->state = LEASE_ENDING;
	nets_end(lease);
	starter_ask(&broker_of(lease)->starter, &lease->question, &ops, LANE_ENDS);
}

static void
process_ended(struct io *io, uint32_t events)
{
	struct lease *lease = container_of(io, struct lease, end_io);

	(void)events;
	io_stop(&lease->end_io);
	fd_close(&lease->pidfd);
	ask_end(lease);
}

static int
hold(struct lease *lease, uint32_t pid, int pidfd)
{
	lease->state = LEASE_HELD;
	lease->pid = pid;
	lease->pidfd = pidfd;
	inventories_vms_changed(lease->user);
	return io_start(&broker_of(lease)->loop, &lease->end_io, pidfd, EPOLLIN, 0, process_ended);
}

/* --- its start ---------------------------------------------------------------------------- */

static int
fill_box(struct question *question, union question_body *ret, int *ret_fd)
{
	const struct lease *lease = container_of(question, struct lease, question);

	if (lease->unwanted)
		return -ECANCELED;
	*ret_fd = broker_account_fd(&lease->user->account);
	ret->box = (struct ipc_box){.uid = lease->user->uid,
		.kind = IPC_BOX_VM,
		.n_files = LEASES_FILES,
		.id = lease->id,
		.grant = lease->grant,
		.share = shares_say(lease->user)};
	memcpy(ret->box.uuid, lease->uuid, sizeof ret->box.uuid);
	return *ret_fd < 0 ? *ret_fd : 0;
}

/* The worker is told what became of its ask. Returns whether it has the seed. */
static bool
give(struct lease *lease, int err, int fd)
{
	static const char cannot[IPC_REASON_MAX] =
		"this host's control groups do not limit processor, memory and threads (limits = "
		"enforce in qemud.conf); root of this host can change it";
	struct ipc_leased leased = {.id = lease->id, .pid = lease->pid};
	uint32_t serial = lease->serial;
	int r;

	lease->serial = 0;
	if (serial == 0)
		return false;
	if (err == -EOPNOTSUPP && broker_of(lease)->config.limits == CONFIG_LIMITS_ENFORCE) {
		(void)wishes_refuse_lease(&lease->user->child, serial, cannot);
		return false;
	}
	r = wishes_answer_lease(&lease->user->child, serial, err, &leased, fd);
	return r == 0 && err == 0;
}

static void
boxed(struct question *question, int err, const void *body, int *fds)
{
	struct lease *lease = container_of(question, struct lease, question);

	if (err == 0)
		err = hold(lease, ((const struct ipc_started *)body)->pid, take_fd(&fds[1]));
	if (err == 0 && lease->unwanted)
		err = -ECANCELED;
	if (err == 0 && wishes_is_behind(&lease->user->child))
		err = -EAGAIN;
	if (err < 0 && !lease->unwanted)
		log_error("lease " LEASE_FMT " cannot be granted: %s", LEASE_ARGS(lease),
			strerror(-err));
	if (err < 0)
		note(lease, AUDIT_VM_START, AUDIT_FAILED, strerror(-err));
	if (give(lease, err, err < 0 ? -1 : fds[0])) {
		log_info("lease granted " LEASE_FMT " pid=%" PRIu32 " vcpus=%" PRIu32
			 " memory=%" PRIu64 "KiB",
			LEASE_ARGS(lease), lease->pid, lease->grant.vcpus, lease->grant.memory_kib);
		note(lease, AUDIT_VM_START, AUDIT_ALLOWED, "");
	} else if (lease->state == LEASE_ASKED && err != LINK_CUT) {
		release(lease, IPC_GONE_ENDED);
	} else if (lease->state == LEASE_ASKED) {
		/* There is a process in its leaf, of which nothing is known. */
		ask_end(lease);
	} else {
		/* There is a process that nobody took, and maybe nobody watches. */
		kill_lease(lease);
		if (!lease->end_io.loop)
			process_ended(&lease->end_io, 0);
	}
}

int
leases_decide(struct leases *leases, struct user *user, const struct ipc_grant *has,
	const struct quota_amounts *more, struct quota_refusal *ret)
{
	struct policy_who who = authority_who(&leases->broker->authority, user);
	struct quota_amounts used = leases->used, own = quota_of(has);
	struct quota_limits limits;
	enum quota_key key;
	uint64_t n;

	for (key = 0; key < QUOTA_HOST_VMS; key++)
		used.of[key] = key < QUOTA_VMS ? own.of[key] : user->leases.used.of[key];
	limits_of(leases->broker, &who,
		leases->used.of[QUOTA_HOST_VMS] - user->leases.used.of[QUOTA_VMS], &limits);
	key = quota_decide(&limits, &used, more);
	if (key == QUOTA_N)
		return 0;
	quota_words(key, &limits, &used, more, ret);
	if (pace_tell(&user->leases.refusals, loop_now(&leases->broker->loop), &n))
		log_info("lease refused uid=%" PRIu32 ": %s (%" PRIu64 " since it was told last)",
			user->uid, ret->all, n);
	return -EDQUOT;
}

int
leases_ask(struct leases *leases, struct user *user, const struct ipc_lease *want, uint32_t serial,
	struct quota_refusal *ret)
{
	static const struct question_ops ops = {
		.type = IPC_BOX, .fill = fill_box, .answered = boxed};
	struct ipc_grant grant = quota_grant(want), nothing = {.vcpus = 0};
	struct quota_amounts more = quota_of(&grant);
	struct lease *lease;
	int r;

	for (lease = user->leases.first; lease; lease = lease->next)
		if (memcmp(lease->uuid, want->uuid, sizeof want->uuid) == 0)
			return -EEXIST;
	r = leases_decide(leases, user, &nothing, &more, ret);
	if (r < 0)
		return r;
	if (!bucket_take(&user->leases.pace, loop_now(&leases->broker->loop), pace))
		return -EAGAIN;
	lease = enter(leases, user, new_id(leases), want->uuid, &grant);
	/* max_vms is at most what there is room for. */
	if (!lease)
		return -EAGAIN;
	lease->serial = serial;
	starter_ask(&leases->broker->starter, &lease->question, &ops, LANE_KNOWN);
	return 0;
}

struct lease *
leases_by_id(const struct user *user, uint32_t id)
{
	struct lease *lease = user->leases.first;

	while (lease && lease->id != id)
		lease = lease->next;
	return lease;
}

void
leases_stop(const struct user *user, uint32_t id)
{
	struct lease *lease = leases_by_id(user, id);

	if (!lease)
		return;
	lease->unwanted = true;
	/* Who does it without its worker is told by who asked for it. */
	if (!lease->forced)
		note(lease, AUDIT_VM_STOP, AUDIT_FACT, "");
	if (lease->state == LEASE_HELD)
		kill_lease(lease);
}

int
leases_force_stop(const struct user *user, uint32_t id)
{
	struct lease *lease = leases_by_id(user, id);

	if (!lease)
		return -ENOENT;
	lease->forced = true;
	leases_stop(user, id);
	inventories_vms_changed(lease->user);
	return 0;
}

/* --- standing still ----------------------------------------------------------------------- */

static int
fill_freeze(struct question *question, union question_body *ret, int *ret_fd)
{
	const struct lease *lease = container_of(question, struct lease, freezing);

	(void)ret_fd;
	if (lease->over)
		return -ESRCH;
	ret->leaf_freeze = (struct ipc_leaf_freeze){
		.leaf = {.uid = lease->user->uid, .id = lease->id}, .on = lease->freeze};
	memcpy(ret->leaf_freeze.leaf.uuid, lease->uuid, sizeof ret->leaf_freeze.leaf.uuid);
	return 0;
}

static void
frozen(struct question *question, int err, const void *body, int *fds)
{
	struct lease *lease = container_of(question, struct lease, freezing);

	(void)body;
	(void)fds;
	/* Without a ledger there is no leaf of what runs. */
	if (err == -ENOENT)
		err = lease->over ? -ESRCH : -EOPNOTSUPP;
	if (err == 0 && !lease->over) {
		log_info("lease %s " LEASE_FMT, lease->freeze ? "frozen" : "thawed",
			LEASE_ARGS(lease));
		lease->frozen = lease->freeze;
		inventories_vms_changed(lease->user);
	}
	lease->freeze_done(lease->freeze_arg, err);
	leases_settle(lease);
}

int
leases_freeze(const struct user *user, uint32_t id, bool on, leases_done_fn *done, void *arg)
{
	static const struct question_ops ops = {
		.type = IPC_LEAF_FREEZE, .fill = fill_freeze, .answered = frozen};
	struct lease *lease = leases_by_id(user, id);

	if (!lease || lease->state != LEASE_HELD)
		return -ENOENT;
	if (lease->freezing.open)
		return -EBUSY;
	lease->freeze = on;
	lease->freeze_done = done;
	lease->freeze_arg = arg;
	starter_ask(&broker_of(lease)->starter, &lease->freezing, &ops, LANE_KNOWN);
	return 0;
}

void
leases_forsake(const struct user *user)
{
	for (struct lease *lease = user->leases.first; lease; lease = lease->next) {
		lease->serial = 0;
		growth_forsake(&lease->growth);
		if (lease->state == LEASE_ASKED)
			lease->unwanted = true;
	}
}

/* --- what runs already -------------------------------------------------------------------- */

/* Take over what an earlier broker granted. Returns false after a line that says why not. */
static bool
take_over(struct leases *leases, const struct ipc_leaf_found *found, int *pidfd)
{
	const struct config *config = &leases->broker->config;
	struct users *users = &leases->broker->users;
	struct user *user = users_find(users, found->leaf.uid);
	struct lease *lease;
	int r;

	if (!user)
		user = users_add(users, found->leaf.uid, false);
	if (!user) {
		log_error("virtual machines of more users run than there were at the start, and "
			  "than may be known (max_users %" PRIu32 "): start qemud again",
			config->max_users);
		return false;
	}
	lease = enter(leases, user, found->leaf.id, found->leaf.uuid, &found->grant);
	if (!lease) {
		log_error("more virtual machines run than there were at the start, and than may "
			  "(max_vms %" PRIu32 "): start qemud again",
			config->max_vms);
		return false;
	}
	if (leases->last_id < lease->id)
		leases->last_id = lease->id;
	if (found->grant.vcpus == 0)
		log_warning("lease " LEASE_FMT
			    ": what it was granted is not known, and not counted",
			LEASE_ARGS(lease));
	lease->frozen = found->frozen;
	r = hold(lease, found->pid, take_fd(pidfd));
	if (r < 0)
		log_error("lease " LEASE_FMT " pid=%" PRIu32 " cannot be watched: %s",
			LEASE_ARGS(lease), lease->pid, strerror(-r));
	else
		log_info("lease found " LEASE_FMT " pid=%" PRIu32 " vcpus=%" PRIu32
			 " memory=%" PRIu64 "KiB",
			LEASE_ARGS(lease), lease->pid, lease->grant.vcpus, lease->grant.memory_kib);
	note(lease, AUDIT_VM_FOUND, r < 0 ? AUDIT_FAILED : AUDIT_ALLOWED,
		r < 0 ? strerror(-r) : "");
	return r == 0;
}

static int
fill_nothing(struct question *question, union question_body *ret, int *ret_fd)
{
	(void)question;
	(void)ret;
	(void)ret_fd;
	return 0;
}

static void
leaf_found(struct question *question, int err, const void *body, int *fds)
{
	struct leases *leases = container_of(question, struct leases, finding);

	if (err == -ENOENT) {
		leases->known = true;
		broker_leases_known(leases->broker);
		return;
	}
	if (err < 0)
		log_error("which virtual machines run cannot be told: %s", strerror(-err));
	if (err == 0 && take_over(leases, body, &fds[0]))
		leases_find(leases);
	else
		broker_leases_failed(leases->broker);
}

void
leases_find(struct leases *leases)
{
	static const struct question_ops ops = {
		.type = IPC_LEAF_NEXT, .fill = fill_nothing, .answered = leaf_found};

	starter_ask(&leases->broker->starter, &leases->finding, &ops, LANE_KNOWN);
}
