/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * asker.c: connections of qemudctl; see asker.h.
 *
 * What one may make this program hold is bounded: nothing more is asked for while OUT_ENOUGH bytes wait
 * to be read, and of what a client sends no more is read than its question.
 */
#include "view/asker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/fd.h"
#include "lib/foreign.h"
#include "lib/link.h"
#include "lib/log.h"
#include "lib/take.h"

enum { OUT_ENOUGH = 256 * 1024, OUT_MAX = 64 * 1024 * 1024, RETRY_MS = 20 };

/* In the order in which they are shown. */
static const enum ipc_limit host_limits[] = {IPC_LIMIT_HOST_VMS, IPC_LIMIT_HOST_VCPUS,
	IPC_LIMIT_HOST_MEMORY, IPC_LIMIT_HOST_CONNECTIONS};
static const enum ipc_limit user_limits[] = {IPC_LIMIT_VMS, IPC_LIMIT_VCPUS, IPC_LIMIT_MEMORY,
	IPC_LIMIT_VM_VCPUS, IPC_LIMIT_VM_MEMORY, IPC_LIMIT_PIDS, IPC_LIMIT_CPU_WEIGHT,
	IPC_LIMIT_CONNECTIONS};

enum { N_HOST_LIMITS = sizeof host_limits / sizeof *host_limits };
enum { N_USER_LIMITS = sizeof user_limits / sizeof *user_limits };

static void proceed(struct asker *asker);

/* --- its turn ----------------------------------------------------------------------------- */

static void
wait_no_more(struct asker *asker)
{
	if (asker->waits)
		TAILQ_REMOVE(&asker->all->waiting, asker, turn);
	asker->waits = false;
}

/* May it ask now? If not, it goes on when it may. */
static bool
has_turn(struct asker *asker)
{
	struct askers *all = asker->all;

	if (all->n_open < ASKERS_OPEN_MAX)
		return true;
	if (!asker->waits)
		TAILQ_INSERT_TAIL(&all->waiting, asker, turn);
	asker->waits = true;
	return false;
}

static void
give_turns(struct askers *all)
{
	struct asker *asker;

	while (all->n_open < ASKERS_OPEN_MAX && (asker = TAILQ_FIRST(&all->waiting))) {
		wait_no_more(asker);
		proceed(asker);
	}
}

/* --- its end ------------------------------------------------------------------------------ */

static void
end(struct asker *asker)
{
	struct askers *all = asker->all;

	owners_wait_stop(&all->owners, &asker->wait);
	wait_no_more(asker);
	timer_stop(&asker->deadline);
	timer_stop(&asker->pause);
	io_stop(&asker->io);
	foreign_close(&asker->fd);
	rpc_buffer_fini(&asker->out);
	free(take_ptr(asker->subjects));
	free(take_ptr(asker->vms));
	LIST_REMOVE(asker, entry);
	uplink_gone(all->uplink, &asker->conn);
	if (--all->n == 0)
		all->occupied(all, false);
}

static void
deadline_due(struct timer *timer)
{
	end(container_of(timer, struct asker, deadline));
}

static void
set_deadline(struct asker *asker, unsigned seconds)
{
	struct loop *loop = asker->all->loop;

	timer_set(loop, &asker->deadline, loop_now(loop) + LOOP_S(seconds), deadline_due);
}

/* --- what is said ------------------------------------------------------------------------- */

static void
say(struct asker *asker, const struct talk_row *row)
{
	char line[TALK_ROW_MAX];
	size_t n = talk_row_write(row, line);

	/* What has no room makes the count wrong: who reads it sees that. */
	(void)rpc_buffer_append(&asker->out, line, n);
	asker->n_rows++;
	asker->n_bytes += n;
	io_set(&asker->io, EPOLLOUT);
}

static void
finish(struct asker *asker)
{
	struct talk_row row = {
		.kind = TALK_END, .values = {[TALK_END_ROWS] = talk_number(asker->n_rows)}};

	owners_wait_stop(&asker->all->owners, &asker->wait);
	wait_no_more(asker);
	timer_stop(&asker->pause);
	asker->cookie = 0;
	asker->step = ASKER_SENDS;
	say(asker, &row);
}

static void
fail(struct asker *asker, const char *code, const char *text)
{
	struct talk_row row = {.kind = TALK_ERROR,
		.values = {
			[TALK_ERROR_CODE] = talk_text(code), [TALK_ERROR_TEXT] = talk_text(text)}};

	say(asker, &row);
	finish(asker);
}

/* A row of the answer; an error and the end have room behind it. */
static void
put(struct asker *asker, const struct talk_row *row)
{
	if (asker->step == ASKER_SENDS)
		return;
	if (asker->n_rows < TALK_ROWS_MAX - 1 &&
		asker->n_bytes < TALK_ANSWER_MAX - 3 * (size_t)TALK_ROW_MAX)
		say(asker, row);
	else
		fail(asker, TALK_CODE_FAILED,
			"there is more than one answer has room for: ask about one user, or as "
			"one who sees fewer");
}

/* --- about whom --------------------------------------------------------------------------- */

static bool
is_wanted(const struct asker *asker, const struct report_subject *subject)
{
	const char *user = asker->question.user;
	char uid[16];

	(void)snprintf(uid, sizeof uid, "%" PRIu32, subject->uid);
	return *user == '\0' || strcmp(user, subject->name) == 0 || strcmp(user, uid) == 0 ||
	       (subject->own && strcmp(user, asker->self.name) == 0);
}

static void
add_subject(struct asker *asker, const struct report_subject *subject)
{
	if (is_wanted(asker, subject))
		asker->subjects[asker->n_subjects++] = *subject;
}

/* Who may be told of, herself first. False: there is no memory. */
static bool
find_subjects(struct asker *asker)
{
	const struct owners *owners = &asker->all->owners;
	const struct owner *owner;
	size_t n = 1;

	TAILQ_FOREACH (owner, &owners->all, entry)
		n++;
	asker->subjects = calloc(n, sizeof *asker->subjects);
	if (!asker->subjects)
		return false;
	/* What is root's own is the system account's, who is among the owners if there is one. */
	if (!owners_own(owners) && asker->self.uid != 0)
		add_subject(asker, &asker->self);
	TAILQ_FOREACH (owner, &owners->all, entry) {
		struct report_subject subject = {.uid = owner->uid, .own = owner->own};

		memcpy(subject.name, owner->label, sizeof owner->label);
		add_subject(asker, &subject);
	}
	return true;
}

/* --- asking ------------------------------------------------------------------------------- */

static void
pause_over(struct timer *timer)
{
	proceed(container_of(timer, struct asker, pause));
}

static void
pause_for(struct asker *asker, unsigned ms)
{
	struct loop *loop = asker->all->loop;

	timer_set(loop, &asker->pause, loop_now(loop) + LOOP_MS(ms), pause_over);
}

static void
ask(struct asker *asker, enum ipc_type type, const void *body)
{
	struct askers *all = asker->all;
	int r;

	asker->cookie = ++all->last_cookie;
	r = uplink_ask_status(all->uplink, type, body, asker->cookie);
	if (r == 0) {
		all->n_open++;
		return;
	}
	asker->cookie = 0;
	if (r == LINK_E_FULL)
		pause_for(asker, RETRY_MS);
	else
		fail(asker, TALK_CODE_FAILED, "qemud has ended; ask again");
}

static void
ask_user(struct asker *asker)
{
	struct ipc_status_user body = {.uid = asker->subjects[asker->at].uid};

	ask(asker, IPC_STATUS_USER, &body);
}

static void
ask_vm(struct asker *asker)
{
	struct ipc_status_vm body = {.uid = asker->subjects[asker->at].uid};

	if (asker->n_vms > 0)
		body.after = asker->vms[asker->n_vms - 1].id;
	ask(asker, IPC_STATUS_VM, &body);
}

/* The host's come before those of all subjects, where they are wanted. */
static bool
is_at_host(const struct asker *asker)
{
	return asker->sees_all && asker->question.user[0] == '\0' && asker->limit < N_HOST_LIMITS &&
	       asker->at == 0;
}

static enum ipc_limit
limit_of(const struct asker *asker)
{
	return is_at_host(asker) ? host_limits[asker->limit]
				 : user_limits[asker->limit - N_HOST_LIMITS];
}

static void
ask_limit(struct asker *asker)
{
	struct ipc_status_limit body = {
		.uid = is_at_host(asker) ? 0 : asker->subjects[asker->at].uid,
		.limit = limit_of(asker),
	};

	ask(asker, IPC_STATUS_LIMIT, &body);
}

/* --- the steps ---------------------------------------------------------------------------- */

static void
begin_step(struct asker *asker, enum asker_step step)
{
	asker->step = step;
	asker->at = 0;
	asker->limit = asker->sees_all && asker->question.user[0] == '\0' ? 0 : N_HOST_LIMITS;
}

/* What is known of the one before is of no other. */
static void
next_subject(struct asker *asker)
{
	asker->at++;
	asker->limit = N_HOST_LIMITS;
	asker->n_vms = 0;
}

/* All subjects of a step had their turn. */
static void
step_over(struct asker *asker)
{
	if (asker->step == ASKER_PINGS)
		begin_step(asker, ASKER_USERS);
	else if (asker->step == ASKER_USERS && asker->question.ask == TALK_ASK_VMS)
		begin_step(asker, ASKER_VMS);
	else
		finish(asker);
}

/* Ask for what is next, unless that is being done, or who asked is to read first. */
static void
proceed(struct asker *asker)
{
	while (asker->step > ASKER_HOST && asker->step < ASKER_SENDS &&
		asker->at == asker->n_subjects)
		step_over(asker);
	if (asker->step < ASKER_HOST || asker->step >= ASKER_SENDS || asker->cookie != 0 ||
		timer_is_set(&asker->pause) || rpc_buffer_left(&asker->out) > OUT_ENOUGH ||
		!has_turn(asker))
		return;
	if (asker->step == ASKER_HOST)
		ask(asker, IPC_STATUS, NULL);
	else if (asker->step == ASKER_PINGS || asker->step == ASKER_USERS)
		ask_user(asker);
	else if (asker->step == ASKER_VMS)
		ask_vm(asker);
	else
		ask_limit(asker);
}

static void
told_host(struct asker *asker, const struct ipc_status *status)
{
	struct loop *loop = asker->all->loop;
	struct report report;

	asker->sees_all = status->all;
	report_host(status, &report);
	put(asker, &report.row);
	asker->patient_ns = loop_now(loop) + LOOP_MS(ASKER_PATIENCE_MS);
	if (!find_subjects(asker))
		fail(asker, TALK_CODE_FAILED, "qemud-view has no memory left");
	else if (asker->question.user[0] != '\0' && asker->n_subjects == 0)
		fail(asker, TALK_CODE_UNKNOWN,
			"there is no such user here, or none whose limits you may see");
	else
		begin_step(
			asker, asker->question.ask == TALK_ASK_LIMITS ? ASKER_LIMITS : ASKER_PINGS);
}

static void
told_user(struct asker *asker, const struct ipc_status_user_told *told)
{
	const struct report_subject *subject = &asker->subjects[asker->at];
	const struct askers *all = asker->all;
	struct report report;

	/* That it reads shows in the next answer. */
	if (asker->step == ASKER_USERS && told->worker == IPC_WORKER_SERVES && !told->reads &&
		loop_now(all->loop) < asker->patient_ns) {
		pause_for(asker, RETRY_MS);
		return;
	}
	if (asker->step == ASKER_USERS) {
		report_user(subject, told, owners_find(&all->owners, subject->uid), &report);
		put(asker, &report.row);
	}
	next_subject(asker);
}

static void
told_limit(struct asker *asker, const struct ipc_status_limit_told *told)
{
	const struct report_subject *subject =
		is_at_host(asker) ? NULL : &asker->subjects[asker->at];
	struct report report;

	report_limit(subject, limit_of(asker), told, &report);
	put(asker, &report.row);
	if (++asker->limit == N_HOST_LIMITS + N_USER_LIMITS)
		next_subject(asker);
}

static void
told_vm(struct asker *asker, const struct ipc_status_vm_told *told)
{
	struct ipc_status_vm_told *vms = reallocarray(asker->vms, asker->n_vms + 1, sizeof *vms);

	if (!vms) {
		fail(asker, TALK_CODE_FAILED, "qemud-view has no memory left");
		return;
	}
	asker->vms = vms;
	asker->vms[asker->n_vms++] = *told;
}

/* All leases of a subject are known: those that her worker lists, in its order, and then the others. */
static void
vms_known(struct asker *asker)
{
	const struct report_subject *subject = &asker->subjects[asker->at];
	const struct owner *owner = owners_find(&asker->all->owners, subject->uid);
	struct report report;

	for (unsigned i = 0; owner && i < owner->rows.n_vms; i++) {
		const struct owner_vm *listed = &owner->rows.vms[i];
		struct ipc_status_vm_told *lease;
		unsigned n = 0;

		if (listed->untold)
			continue;
		while (n < asker->n_vms &&
			(asker->vms[n].id == 0 ||
				memcmp(asker->vms[n].uuid, listed->uuid, UUID_SIZE) != 0))
			n++;
		lease = n < asker->n_vms ? &asker->vms[n] : NULL;
		report_vm(subject, owner, listed, lease, &report);
		put(asker, &report.row);
		/* It has its row. */
		if (lease)
			lease->id = 0;
	}
	for (unsigned i = 0; i < asker->n_vms; i++) {
		if (asker->vms[i].id == 0)
			continue;
		report_vm(subject, owner, NULL, &asker->vms[i], &report);
		put(asker, &report.row);
	}
	next_subject(asker);
}

/* There is no answer about what was asked. */
static void
told_error(struct asker *asker, int err)
{
	if (asker->step == ASKER_VMS && err == -ENOENT) {
		vms_known(asker);
	} else if (err == -EACCES && asker->step == ASKER_LIMITS && is_at_host(asker)) {
		/* She sees everybody no more. */
		asker->sees_all = false;
		asker->limit = N_HOST_LIMITS;
	} else if (err == -EACCES && asker->step > ASKER_HOST) {
		/* This one is shown no more. */
		next_subject(asker);
	} else {
		fail(asker, TALK_CODE_FAILED, "qemud has ended; ask again");
	}
}

void
askers_told(struct askers *askers, uint64_t cookie, int err, const void *body)
{
	struct asker *asker;

	askers->n_open--;
	/* Those who wait come before who has been told just now. */
	give_turns(askers);
	LIST_FOREACH (asker, &askers->list, entry)
		if (asker->cookie == cookie)
			break;
	/* Its client has gone. */
	if (!asker)
		return;
	asker->cookie = 0;
	if (err < 0)
		told_error(asker, err);
	else if (asker->step == ASKER_HOST)
		told_host(asker, body);
	else if (asker->step == ASKER_PINGS || asker->step == ASKER_USERS)
		told_user(asker, body);
	else if (asker->step == ASKER_VMS)
		told_vm(asker, body);
	else
		told_limit(asker, body);
	proceed(asker);
}

/* --- the connection ----------------------------------------------------------------------- */

static void
owners_known(struct owners_wait *wait)
{
	struct asker *asker = container_of(wait, struct asker, wait);

	asker->step = ASKER_HOST;
	proceed(asker);
}

static void
heard(struct asker *asker, size_t size)
{
	int r = talk_question_read(asker->line, size, &asker->question);

	set_deadline(asker, ASKER_ANSWER_S);
	io_set(&asker->io, 0);
	asker->step = ASKER_WAITS;
	if (r == TALK_E_PROTOCOL)
		fail(asker, TALK_CODE_QUESTION,
			"qemudctl and qemud are of versions that do not understand each other");
	else if (r != 0)
		fail(asker, TALK_CODE_QUESTION, "it is no question of qemudctl's");
	else
		owners_wait(&asker->all->owners, &asker->wait, owners_known);
}

/* Returns false when the connection is over. */
static bool
receive(struct asker *asker)
{
	char *at = asker->line + asker->n_line;
	size_t room = sizeof asker->line - asker->n_line;
	const char *newline;
	ssize_t n;

	/* Without room for control data: descriptors that come along are closed by the kernel. */
	foreign_begin();
	n = recv(asker->fd, at, room, MSG_DONTWAIT);
	foreign_end();
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	asker->n_line += (size_t)n;
	newline = memchr(at, '\n', (size_t)n);
	if (newline)
		heard(asker, (size_t)(newline - asker->line));
	else if (asker->n_line == sizeof asker->line)
		heard(asker, sizeof asker->line);
	return n > 0;
}

/* Returns false when the connection is over, or all is said. */
static bool
flush(struct asker *asker)
{
	ssize_t n = send(asker->fd, rpc_buffer_front(&asker->out), rpc_buffer_left(&asker->out),
		MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	rpc_buffer_drop(&asker->out, (size_t)n);
	if (rpc_buffer_left(&asker->out) == 0)
		io_set(&asker->io, 0);
	return rpc_buffer_left(&asker->out) > 0 || asker->step != ASKER_SENDS;
}

static void
asker_ready(struct io *io, uint32_t events)
{
	struct asker *asker = container_of(io, struct asker, io);
	bool ok = true;

	if (asker->step == ASKER_LISTENS && (events & EPOLLIN))
		ok = receive(asker);
	else if (events & (EPOLLHUP | EPOLLERR))
		ok = false;
	else if (rpc_buffer_left(&asker->out) > 0)
		ok = flush(asker);
	if (ok)
		proceed(asker);
	else
		end(asker);
}

int
asker_start(struct askers *askers, const struct ipc_conn_pass *pass, int fd)
{
	struct asker *asker = calloc(1, sizeof *asker);
	int r = -ENOMEM;

	if (asker)
		r = io_start(askers->loop, &asker->io, fd, EPOLLIN, 0, asker_ready);
	if (r < 0) {
		free(asker);
		foreign_close(&fd);
		return r;
	}
	asker->all = askers;
	asker->conn.id = pass->conn_id;
	asker->fd = fd;
	asker->step = ASKER_LISTENS;
	asker->self = (struct report_subject){.uid = pass->uid, .own = true};
	(void)snprintf(asker->self.name, sizeof asker->self.name, "%s", pass->label);
	rpc_buffer_init(&asker->out, OUT_MAX);
	set_deadline(asker, ASKER_QUESTION_S);
	LIST_INSERT_HEAD(&askers->list, asker, entry);
	if (askers->n++ == 0)
		askers->occupied(askers, true);
	return 0;
}

void
asker_free(struct asker *asker)
{
	free(asker);
}

int
askers_change(struct askers *askers, const struct ipc_ticket_change *change)
{
	struct asker *asker;

	LIST_FOREACH (asker, &askers->list, entry)
		if (asker->conn.id == change->conn_id)
			break;
	if (!asker)
		return -ENOENT;
	if (change->verbs == 0 && asker->step != ASKER_SENDS)
		fail(asker, TALK_CODE_REFUSED, change->reason);
	return 0;
}

/* --- all of them -------------------------------------------------------------------------- */

static void
owner_changed(struct owners *owners, struct owner *owner)
{
	(void)owners;
	(void)owner;
}

void
askers_init(struct askers *askers, struct loop *loop, struct uplink *uplink,
	void (*occupied)(struct askers *askers, bool occupied))
{
	*askers = (struct askers){.loop = loop, .uplink = uplink, .occupied = occupied};
	LIST_INIT(&askers->list);
	TAILQ_INIT(&askers->waiting);
	owners_init(&askers->owners, loop, uplink, owner_changed);
}

void
askers_drain(struct askers *askers)
{
	struct asker *asker = LIST_FIRST(&askers->list), *next;

	for (; asker; asker = next) {
		next = LIST_NEXT(asker, entry);
		if (asker->step == ASKER_LISTENS)
			end(asker);
	}
}

void
askers_fini(struct askers *askers)
{
	while (!LIST_EMPTY(&askers->list))
		end(LIST_FIRST(&askers->list));
	owners_fini(&askers->owners);
}
