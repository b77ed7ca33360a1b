/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * autostart.c: when the host has begun, the workers of those whose machines start with it; see
 * autostart.h.
 *
 * Runs in the broker, as root, also while it is boxed. Touches nothing that is a user's.
 */
#include "broker/autostart.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "broker/broker.h"
#include "broker/registry.h"
#include "broker/route.h"
#include "broker/users.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "policy/nobody.h"
#include "policy/ticket.h"
#include "protocol/verb.h"

enum { LOOKS_AT_ONCE = 32, NAME_SIZE = 16 };

/* Four at once, then four a second. */
static const struct bucket_size pace = {.interval_ns = LOOP_MS(250), .burst = AUTOSTART_AT_ONCE};

static void search(struct deferred *deferred);

static void
go_on(struct autostart *autostart)
{
	if (autostart->begun)
		loop_defer(&autostart->broker->loop, &autostart->search, search);
}

static void
timer_due(struct timer *timer)
{
	go_on(container_of(timer, struct autostart, timer));
}

static void
go_on_later(struct autostart *autostart, uint64_t due_ns)
{
	timer_set(&autostart->broker->loop, &autostart->timer, due_ns, timer_due);
}

/* --- once while the host runs ------------------------------------------------------------- */

static bool
has_run(const struct broker *broker, uint32_t uid)
{
	char name[NAME_SIZE];
	struct stat st;

	(void)snprintf(name, sizeof name, "%" PRIu32, uid);
	return fstatat(broker->places.started_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
note_run(struct user *user)
{
	fd_auto int fd = -1;
	char name[NAME_SIZE];

	if (user->autostart.ran)
		return;
	(void)snprintf(name, sizeof name, "%" PRIu32, user->uid);
	fd = openat(user->child.broker->places.started_fd, name,
		O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	user->autostart.ran = fd >= 0;
	/* At worst a worker is started that finds nothing to do. */
	if (fd < 0)
		log_warning("uid=%" PRIu32 ": a file in autostarted/ cannot be made: %s", user->uid,
			strerror(errno));
}

/* --- one user ----------------------------------------------------------------------------- */

static void
start(struct autostart *autostart, struct user *user)
{
	user->autostart.starting = true;
	autostart->n_starting++;
}

static void
conclude(struct user *user)
{
	struct autostart *autostart = &user->child.broker->autostart;

	user->autostart.starting = false;
	timer_stop(&user->autostart.deadline);
	autostart->n_starting--;
	go_on(autostart);
}

/* It is tried again, with all others that were not possible; why is told the first time. */
static void
put_off(struct user *user, const char *why)
{
	struct autostart *autostart = &user->child.broker->autostart;

	if (autostart->pass == 0)
		log_warning("uid=%" PRIu32 " has machines that start with the host, which do not "
			    "yet: %s",
			user->uid, why);
	autostart->uids[autostart->n_again++] = user->uid;
	if (user->autostart.starting)
		conclude(user);
}

static void
deadline_due(struct timer *timer)
{
	put_off(container_of(timer, struct user, autostart.deadline),
		"its worker does not open what it has");
}

void
autostart_looked_up(struct user *user)
{
	struct ticket ticket;

	if (!user->autostart.starting)
		return;
	if (!user->has_account) {
		put_off(user, user->lookup_err == -ENOENT ? "it has no account"
							  : strerror(-user->lookup_err));
		return;
	}
	authority_decide(&user->child.broker->authority, user, IPC_SOCKET_RW, &ticket);
	if (!(ticket.verbs & VERB_POWER))
		put_off(user, ticket.reason);
	else
		child_next(&user->child);
}

void
autostart_worker_gone(struct user *user)
{
	if (user->autostart.starting)
		put_off(user, "its worker cannot be started, or has ended at once");
}

void
autostart_hear(struct user *user, enum ipc_autostart_state state)
{
	if (state != IPC_AUTOSTART_UNKNOWN)
		note_run(user);
	if (!user->autostart.starting)
		return;
	if (state == IPC_AUTOSTART_UNKNOWN)
		put_off(user, "its worker cannot open what it has");
	else
		conclude(user);
}

/* --- all of them -------------------------------------------------------------------------- */

/* Returns false when there is no room for another user now. */
static bool
consider(struct autostart *autostart, uint32_t uid)
{
	struct broker *broker = autostart->broker;
	uint64_t now_ns = loop_now(&broker->loop);
	struct user *user;

	if (uid == 0 || (nobody_uid_why(uid) && !authority_names(&broker->authority, uid)) ||
		has_run(broker, uid) || !registry_autostart(broker->places.registry_fd, uid))
		return true;
	if (users_n_free(&broker->users) <= broker->users.size / AUTOSTART_SPARE)
		return false;
	user = users_find(&broker->users, uid);
	if (!user)
		user = users_add(&broker->users, uid, false);
	if (!user)
		return false;
	if (user->child.state != CHILD_ABSENT) {
		put_off(user, "its worker runs, and has not opened what it has");
		return true;
	}
	(void)bucket_take(&autostart->starts, now_ns, pace);
	start(autostart, user);
	timer_set(&broker->loop, &user->autostart.deadline, now_ns + LOOP_S(AUTOSTART_WAIT_S),
		deadline_due);
	if (user->has_account && now_ns < user->lookup_again_ns)
		autostart_looked_up(user);
	else
		route_look_up(broker, user);
	return true;
}

static void
wait_for_room(struct autostart *autostart)
{
	struct broker *broker = autostart->broker;

	if (!autostart->told_full)
		log_warning("machines that start with the host wait: of max_users %" PRIu32
			    " one in %d stays for those who connect",
			broker->config.max_users, AUTOSTART_SPARE);
	autostart->told_full = true;
	autostart->next--;
	go_on_later(autostart, loop_now(&broker->loop) + LOOP_S(AUTOSTART_AGAIN_S));
}

static void
end_pass(struct autostart *autostart)
{
	uint32_t wait_s = (uint32_t)AUTOSTART_AGAIN_S << autostart->pass;

	log_debug("machines that start with the host: %" PRIu32 " users are put off",
		autostart->n_again);
	autostart->n = autostart->n_again;
	autostart->next = autostart->n_again = 0;
	if (autostart->n == 0)
		return;
	if (++autostart->pass == AUTOSTART_PASSES) {
		log_warning("%" PRIu32 " users have machines that start with the host, which "
			    "could not: they do when these users connect",
			autostart->n);
		autostart->n = 0;
		return;
	}
	if (wait_s > AUTOSTART_LATE_S)
		wait_s = AUTOSTART_LATE_S;
	go_on_later(autostart, loop_now(&autostart->broker->loop) + LOOP_S(wait_s));
}

static void
search(struct deferred *deferred)
{
	struct autostart *autostart = container_of(deferred, struct autostart, search);
	struct loop *loop = &autostart->broker->loop;

	for (unsigned i = 0; autostart->begun && i < LOOKS_AT_ONCE; i++) {
		uint64_t ready_ns = bucket_ready(&autostart->starts, loop_now(loop), pace);

		if (autostart->next == autostart->n) {
			if (autostart->n_starting == 0)
				end_pass(autostart);
			return;
		}
		if (autostart->n_starting >= AUTOSTART_AT_ONCE)
			return;
		if (ready_ns > loop_now(loop)) {
			go_on_later(autostart, ready_ns);
			return;
		}
		if (!consider(autostart, autostart->uids[autostart->next++])) {
			wait_for_room(autostart);
			return;
		}
	}
	go_on(autostart);
}

int
autostart_init(struct autostart *autostart, struct broker *broker)
{
	*autostart = (struct autostart){.broker = broker};
	return registry_list(broker->places.registry_fd, &autostart->uids, &autostart->n);
}

void
autostart_fini(struct autostart *autostart)
{
	autostart_stop(autostart);
	free(autostart->uids);
	autostart->uids = NULL;
}

void
autostart_begin(struct autostart *autostart)
{
	autostart->begun = true;
	go_on(autostart);
}

void
autostart_stop(struct autostart *autostart)
{
	autostart->begun = false;
	timer_stop(&autostart->timer);
}
