/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * leaves.c: the broker's asks about VMs' leaves; see leaves.h.
 */
#include "broker/launch/leaves.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/launch/grant.h"
#include "broker/launch/resident.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"

enum { EVENTS_TEXT_MAX = 64 /* "populated 0\nfrozen 0\n" */ };

static void
answer(const struct leaves *leaves, enum ipc_type type, uint32_t serial, int err, const void *body,
	const int *fds)
{
	if (link_answer(leaves->link, type, serial, err, body, fds) == LINK_E_FULL)
		log_error("op=%s: the broker does not read its answers",
			ipc_type_name((uint16_t)type));
}

static int
leave(const struct leaves *leaves, const struct ipc_leaf *vm)
{
	char name[LEDGER_LEAF_MAX];

	ledger_vm_name(vm, name);
	return ledger_leave(leaves->ledger, vm->uid, name);
}

static int
find(const struct leaves *leaves, const struct ipc_leaf *vm, int *ret_fd)
{
	char name[LEDGER_LEAF_MAX];

	ledger_vm_name(vm, name);
	return ledger_find(leaves->ledger, vm->uid, name, ret_fd);
}

/*
 * Remove the leaf if nobody is in it; *how becomes how its last ended, where the kernel says more than
 * that they did. The same as leave().
 */
static int
end(const struct leaves *leaves, const struct ipc_leaf *vm, enum ipc_gone *how)
{
	fd_auto int leaf_fd = -1;

	if (find(leaves, vm, &leaf_fd) == 0 && *how == IPC_GONE_ENDED)
		*how = grant_how_ended(leaf_fd);
	return leave(leaves, vm);
}

/* Is somebody in the leaf? Reading this is also what makes the kernel tell the next change. */
static bool
is_populated(int events_fd)
{
	char text[EVENTS_TEXT_MAX];
	ssize_t n = pread(events_fd, text, sizeof(text) - 1, 0);

	/* ENODEV: there is no such leaf any more. */
	if (n < 0)
		return errno != ENODEV;
	text[n] = '\0';
	return !strstr(text, "populated 0");
}

void
leaves_init(struct leaves *leaves, struct loop *loop, struct link *link,
	const struct ledger *ledger, bool enforce, struct sweep *left)
{
	*leaves = (struct leaves){
		.loop = loop, .link = link, .ledger = ledger, .enforce = enforce, .left = left};
}

/* --- what is granted ---------------------------------------------------------------------- */

static int
enforce(const struct leaves *leaves, int leaf_fd, const struct ipc_grant *grant)
{
	int r = grant_enforce(leaf_fd, grant);

	return r == -EOPNOTSUPP && !leaves->enforce ? 0 : r;
}

int
leaves_grant(const struct leaves *leaves, int leaf_fd, const struct ipc_grant *grant)
{
	int r;

	if (leaf_fd < 0)
		return leaves->enforce ? -EOPNOTSUPP : 0;
	r = grant_write(leaf_fd, grant);
	return r < 0 ? r : enforce(leaves, leaf_fd, grant);
}

/* The kernel would end what has more already. */
static bool
has_more(int leaf_fd, const struct ipc_grant *grant)
{
	char text[EVENTS_TEXT_MAX];

	return ledger_read(leaf_fd, "memory.current", text, sizeof(text)) == 0 &&
	       strtoull(text, NULL, 10) / 1024 >= grant->memory_kib + grant->overhead_kib;
}

int
leaves_limit(struct leaves *leaves, const struct ipc_leaf *vm, const struct ipc_grant *grant)
{
	fd_auto int leaf_fd = -1;
	struct ipc_grant before = {.vcpus = 0}, both = *grant;
	int r;

	/* Without a ledger nothing is limited; the broker counts. */
	if (leaves->ledger->dir_fd < 0)
		return leaves->enforce ? -EOPNOTSUPP : 0;
	r = find(leaves, vm, &leaf_fd);
	if (r == 0)
		r = grant_read(leaf_fd, &before);
	if (r < 0)
		return r;
	if (has_more(leaf_fd, grant))
		return -EBUSY;
	/* Whoever ends now: what is noted is never less than what may be had. */
	if (both.memory_kib < before.memory_kib)
		both.memory_kib = before.memory_kib;
	if (both.overhead_kib < before.overhead_kib)
		both.overhead_kib = before.overhead_kib;
	if (both.vcpus < before.vcpus)
		both.vcpus = before.vcpus;
	r = grant_write(leaf_fd, &both);
	if (r == 0)
		r = enforce(leaves, leaf_fd, grant);
	if (r == 0)
		r = grant_write(leaf_fd, grant);
	if (r < 0) {
		log_error("uid=%" PRIu32 " vm=%" PRIu32 ": its limits cannot be changed: %s",
			vm->uid, vm->id, strerror(-r));
		(void)enforce(leaves, leaf_fd, &before);
		(void)grant_write(leaf_fd, &before);
	}
	return r;
}

int
leaves_freeze(struct leaves *leaves, const struct ipc_leaf *vm, bool on)
{
	fd_auto int leaf_fd = -1;
	fd_auto int fd = -1;
	int r = find(leaves, vm, &leaf_fd);

	if (r < 0)
		return r;
	fd = openat(leaf_fd, "cgroup.freeze", O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, on ? "1" : "0", 1) != 1 ? -errno : 0;
}

/* Has it been asked to stand still? Without the file it cannot. */
static bool
is_frozen(int leaf_fd)
{
	char text[EVENTS_TEXT_MAX];

	return ledger_read(leaf_fd, "cgroup.freeze", text, sizeof(text)) == 0 && text[0] == '1';
}

/* --- LEAF_NEXT ---------------------------------------------------------------------------- */

static void
free_stay(struct deferred *deferred)
{
	struct leaf_stay *stay = container_of(deferred, struct leaf_stay, freeing);

	LIST_REMOVE(stay, next);
	free(stay);
}

static void
stay_changed(struct io *io, uint32_t events)
{
	struct leaf_stay *stay = container_of(io, struct leaf_stay, changed);
	struct loop *loop = io->loop;

	(void)events;
	if (is_populated(stay->events_fd))
		return;
	io_stop(&stay->changed);
	fd_close(&stay->events_fd);
	fd_close(&stay->alive_fd);
	loop_defer(loop, &stay->freeing, free_stay);
}

/*
 * Watch the leaf for the broker: *ret_fd ends when nobody is in it any more. Returns 0, -ENOENT when
 * nobody is, or another negative errno.
 */
static int
watch_stay(struct leaves *leaves, int leaf_fd, int *ret_fd)
{
	free_auto struct leaf_stay *stay = calloc(1, sizeof(*stay));
	fd_auto int events_fd = openat(leaf_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	fd_auto int read_fd = -1;
	fd_auto int write_fd = -1;
	int fds[2], r;

	if (!stay)
		return -ENOMEM;
	if (events_fd < 0)
		return -errno;
	if (!is_populated(events_fd))
		return -ENOENT;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	read_fd = fds[0];
	write_fd = fds[1];
	r = io_start(leaves->loop, &stay->changed, events_fd, EPOLLPRI, 0, stay_changed);
	if (r < 0)
		return r;
	stay->events_fd = take_fd(&events_fd);
	stay->alive_fd = take_fd(&write_fd);
	*ret_fd = take_fd(&read_fd);
	LIST_INSERT_HEAD(&leaves->stays, stay, next);
	(void)take_ptr(stay);
	return 0;
}

/* Returns -ENOENT when nobody is in it any more; any other error is about the starter's means. */
static int
tell(struct leaves *leaves, uint32_t serial, const struct ipc_leaf *vm)
{
	struct ipc_leaf_found body = {.leaf = *vm};
	fd_auto int leaf_fd = -1;
	fd_auto int end_fd = -1;
	int found = find(leaves, vm, &leaf_fd), r = found, noted;

	if (found == 0)
		r = found = resident_find(leaf_fd, &body.pid, &end_fd);
	if (found < 0 && leave(leaves, vm) == 0)
		return -ENOENT;
	if (found < 0 && leaf_fd >= 0)
		r = watch_stay(leaves, leaf_fd, &end_fd);
	if (r < 0)
		return r;
	if (found < 0)
		log_warning("uid=%" PRIu32 " vm=%" PRIu32
			    ": its process cannot be found: %s; it is there until its control "
			    "group is empty",
			vm->uid, vm->id, strerror(-found));
	noted = grant_read(leaf_fd, &body.grant);
	if (noted < 0)
		log_warning("uid=%" PRIu32 " vm=%" PRIu32
			    ": what it was granted cannot be read: %s",
			vm->uid, vm->id, strerror(-noted));
	body.frozen = is_frozen(leaf_fd);
	answer(leaves, IPC_LEAF_FOUND, serial, 0, &body, &end_fd);
	return 0;
}

int
leaves_next(struct leaves *leaves, uint32_t serial)
{
	while (leaves->n_told < leaves->left->n_vms) {
		const struct ipc_leaf *vm = &leaves->left->vms[leaves->n_told];
		int r = tell(leaves, serial, vm);

		if (r < 0 && r != -ENOENT) {
			log_error("uid=%" PRIu32 " vm=%" PRIu32 ": it cannot be watched: %s",
				vm->uid, vm->id, strerror(-r));
			return r;
		}
		leaves->n_told++;
		if (r == 0)
			return 0;
	}
	sweep_fini(leaves->left);
	leaves->n_told = 0;
	return -ENOENT;
}

/* --- LEAF_END ----------------------------------------------------------------------------- */

static void
finish(struct leaf_end *end, int err)
{
	struct ipc_leaf_ended body = {.how = end->how};
	uint32_t serial = end->serial;

	io_stop(&end->changed);
	timer_stop(&end->late);
	fd_close(&end->events_fd);
	end->serial = 0;
	answer(end->leaves, IPC_LEAF_ENDED, serial, err, &body, NULL);
}

static void
changed(struct io *io, uint32_t events)
{
	struct leaf_end *at = container_of(io, struct leaf_end, changed);

	(void)events;
	if (!is_populated(at->events_fd) && end(at->leaves, &at->vm, &at->how) == 0)
		finish(at, 0);
}

static void
too_late(struct timer *timer)
{
	struct leaf_end *at = container_of(timer, struct leaf_end, late);
	int r = end(at->leaves, &at->vm, &at->how);

	if (r < 0)
		log_warning("uid=%" PRIu32 " vm=%" PRIu32
			    ": killed, but still there after %d ms: %s",
			at->vm.uid, at->vm.id, LEAVES_END_MS, strerror(-r));
	finish(at, r);
}

/* Everything in the leaf, forks that are under way included. Returns 0 or a negative errno. */
static int
kill_all(int leaf_fd)
{
	fd_auto int fd = openat(leaf_fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, "1", 1) != 1 ? -errno : 0;
}

static struct leaf_end *
find_unused(struct leaves *leaves)
{
	for (size_t i = 0; i < LINK_ASKS_MAX; i++)
		if (leaves->ends[i].serial == 0)
			return &leaves->ends[i];
	return NULL;
}

/* Kill, and watch what becomes of it. Returns 0 or a negative errno. */
static int
begin(struct leaf_end *end, struct leaves *leaves, int leaf_fd)
{
	fd_auto int events_fd = openat(leaf_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int r;

	if (events_fd < 0)
		return -errno;
	/* Before the kill, whose effect is then a change. */
	(void)is_populated(events_fd);
	r = kill_all(leaf_fd);
	if (r < 0)
		return r;
	r = io_start(leaves->loop, &end->changed, events_fd, EPOLLPRI, 0, changed);
	if (r < 0)
		return r;
	end->events_fd = take_fd(&events_fd);
	timer_set(leaves->loop, &end->late, loop_now(leaves->loop) + LOOP_MS(LEAVES_END_MS),
		too_late);
	return 0;
}

int
leaves_end(struct leaves *leaves, uint32_t serial, const struct ipc_leaf *vm)
{
	struct leaf_end *at = find_unused(leaves);
	enum ipc_gone how = IPC_GONE_ENDED;
	fd_auto int leaf_fd = -1;
	int r = 0;

	/* Nobody in it, no leaf, no ledger: there is nothing to end. */
	if (end(leaves, vm, &how) == 0) {
		answer(leaves, IPC_LEAF_ENDED, serial, 0, &(struct ipc_leaf_ended){.how = how},
			NULL);
		return 0;
	}
	/* The broker asks no more than LINK_ASKS_MAX at once. */
	if (!at)
		return -EBUSY;
	r = find(leaves, vm, &leaf_fd);
	if (r == 0)
		r = begin(at, leaves, leaf_fd);
	if (r < 0) {
		log_error("uid=%" PRIu32 " vm=%" PRIu32 ": cannot be ended: %s", vm->uid, vm->id,
			strerror(-r));
		return r;
	}
	at->leaves = leaves;
	at->serial = serial;
	at->vm = *vm;
	at->how = how;
	return 0;
}

void
leaves_look(struct leaves *leaves)
{
	for (size_t i = 0; i < LINK_ASKS_MAX; i++) {
		struct leaf_end *at = &leaves->ends[i];

		if (at->serial != 0 && end(leaves, &at->vm, &at->how) == 0)
			finish(at, 0);
	}
}
