/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * child.c: a user's worker, the refuser, or a view: from the wish for one to its end.
 *
 * Runs in the broker, as root. Must never wait for a child, believe an id that a child names, or
 * give up a connection that no child has taken: it goes to the next child, or is refused in words.
 */
#include "broker/child.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>

#include "broker/broker.h"
#include "broker/registry.h"
#include "broker/route.h"
#include "broker/users.h"
#include "broker/views.h"
#include "broker/wishes.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"

/* Starts of one child: ten at once, then one a second. */
static const struct bucket_size start_size = {.interval_ns = LOOP_S(1), .burst = 10};

static const struct question_ops worker_ops, view_ops;

static uint64_t
now(const struct child *child)
{
	return loop_now(&child->broker->loop);
}

static const char *
name(const struct child *child)
{
	return child->user ? "worker" : child->view ? "view" : "refuser";
}

static uint32_t
uid_of(const struct child *child)
{
	if (child->view)
		return child->view->uid;
	return child->user ? child->user->uid : child->broker->view.uid;
}

void
child_init(struct child *child, struct broker *broker, struct user *user)
{
	*child = (struct child){.broker = broker, .user = user, .state = CHILD_ABSENT, .pidfd = -1};
	child->link.fd = -1;
}

void
child_fini(struct child *child)
{
	timer_stop(&child->timer);
	link_stop(&child->link);
	io_stop(&child->end_io);
	fd_close(&child->pidfd);
}

static bool
has_leases(const struct child *child)
{
	return child->user && child->user->leases.first;
}

/* Wanted though nobody waits for it. */
static bool
is_wanted(const struct child *child)
{
	return has_leases(child) || (child->user && child->user->autostart.starting);
}

bool
child_is_absent(const struct child *child)
{
	return child->state == CHILD_ABSENT && child->waiting.n == 0;
}

static void
note(const struct child *child, enum audit_kind kind, enum audit_verdict verdict, const char *why)
{
	audit_record(&child->broker->audit,
		&(struct audit_event){
			.kind = kind,
			.verdict = verdict,
			.uid = uid_of(child),
			.pid = child->pid,
			.label = child->user ? child->user->account.name : child->broker->view.name,
			.target = name(child),
		},
		"%s", why);
}

/* --- connections that it will not serve --------------------------------------------------- */

/* It was this child's to serve (or to refuse), and that cannot be. */
__attribute__((format(printf, 3, 4))) static void
give_up(struct child *child, struct conn *conn, const char *fmt, ...)
{
	struct broker *broker = child->broker;
	va_list ap;
	uint64_t n;

	if (child->user || child->view) {
		va_start(ap, fmt);
		route_refuse_va(broker, conn, IPC_REFUSAL_WORKER, fmt, ap);
		va_end(ap);
		return;
	}
	if (pace_tell(&broker->unrefused, now(child), &n))
		log_warning("closed %" PRIu64 " refused connections without a word, the last of "
			    "uid=%" PRIu32 ": qemud-view does not serve",
			n, conn->pass.uid);
	conns_remove(&broker->conns, conn);
}

static void
give_up_all(struct child *child, const char *why)
{
	while (child->waiting.first)
		give_up(child, child->waiting.first,
			"the %s of uid %" PRIu32 " cannot be started: %s; its owner and the "
			"administrator find more in qemud's log",
			name(child), uid_of(child), why);
}

static void
give_up_late(struct child *child)
{
	while (child->waiting.first && child->waiting.first->deadline_ns <= now(child))
		give_up(child, child->waiting.first,
			"the %s of uid %" PRIu32 " did not take the connection within %d "
			"seconds; %s",
			name(child), uid_of(child), CHILD_WAIT_S,
			child->user ? "its owner can end it (pkill -KILL -f qemud-worker) and "
				      "connect again"
				    : "connect again");
}

/* --- its end ------------------------------------------------------------------------------ */

static void
kill_process(struct child *child)
{
	/* ESRCH: it has ended already, which the loop is about to tell. */
	if (pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		log_error("%s uid=%" PRIu32 " pid=%" PRIu32 " cannot be killed: %s", name(child),
			uid_of(child), child->pid, strerror(errno));
	child->state = CHILD_KILLED;
}

static void
count_vain(const struct child *child, struct child_vain *vain)
{
	if (now(child) - vain->since_ns > LOOP_S(CHILD_VAIN_S))
		*vain = (struct child_vain){.since_ns = now(child)};
	vain->n++;
}

/* It has ended so often that starting it again is no use until then; 0: it may be. */
static uint64_t
vain_until(const struct child_vain *vain)
{
	return vain->n >= CHILD_VAIN_MAX ? vain->since_ns + LOOP_S(CHILD_VAIN_S) : 0;
}

/* The process has ended, and all that it said was heard. */
static void
finish(struct child *child)
{
	log_info("%s ended uid=%" PRIu32 " pid=%" PRIu32, name(child), uid_of(child), child->pid);
	note(child, AUDIT_PROCESS_END, AUDIT_FACT, "");
	link_stop(&child->link);
	if (child->user) {
		tools_end(&child->broker->tools, child->user);
		leases_forsake(child->user);
		nets_forsake(child->user);
		marks_worker_gone(child->user);
		inventories_worker_gone(child->user);
	}
	if (child->view)
		views_child_ended(child->view);
	while (child->taken.first)
		conns_remove(&child->broker->conns, child->taken.first);
	tickets_forget(child);
	conn_list_prepend(&child->waiting, &child->passed);
	/* Time for the next child, a few times. Who came first has had more of it: still in order.
	 */
	for (struct conn *conn = child->waiting.first; conn; conn = conn->next)
		if (conn->n_children++ < CHILD_VAIN_MAX)
			conn->deadline_ns = now(child) + LOOP_S(CHILD_WAIT_S);
	if (!child->has_taken)
		count_vain(child, child->waiting.first ? &child->awaited : &child->alone);
	child->state = CHILD_ABSENT;
	if (child->user)
		autostart_worker_gone(child->user);
	broker_child_ended(child->broker);
	child_next(child);
}

static void
note_violation(const struct child *child, uint16_t type, const char *rule)
{
	char why[IPC_REASON_MAX];

	(void)snprintf(why, sizeof why, "%s: %s; it is killed", ipc_type_name(type), rule);
	note(child, AUDIT_PROCESS_VIOLATION, AUDIT_FACT, why);
}

void
child_violation(struct child *child, uint16_t type, const char *rule)
{
	log_warning("violation by %s uid=%" PRIu32 " pid=%" PRIu32 ": %s: %s", name(child),
		uid_of(child), child->pid, ipc_type_name(type), rule);
	note_violation(child, type, rule);
	link_stop(&child->link);
	if (child->state == CHILD_ENDED)
		finish(child);
	else
		kill_process(child);
}

static void
process_ended(struct io *io, uint32_t events)
{
	struct child *child = container_of(io, struct child, end_io);

	(void)events;
	io_stop(&child->end_io);
	fd_close(&child->pidfd);
	if (child->link.fd < 0) {
		finish(child);
		return;
	}
	/* Until the link ends too: a connection that it took must not be passed to another. */
	child->state = CHILD_ENDED;
	child->state_deadline_ns = now(child) + LOOP_MS(CHILD_DRAIN_MS);
	child_next(child);
}

/* --- what it says ------------------------------------------------------------------------- */

static void
on_hello(struct child *child)
{
	if (child->state != CHILD_STARTING)
		return; /* a STOP has crossed it */
	child->state = CHILD_SERVING;
	if (child->user)
		inventories_worker_serves(child->user);
	else if (!child->view)
		broker_refuser_serves(child->broker);
}

static void
on_taken(struct child *child, const struct ipc_message *message, uint64_t conn_id)
{
	struct conn *conn = conns_find(&child->broker->conns, conn_id);
	const struct ipc_conn_taken *taken = message->body;

	/* The link has matched it with what was passed. */
	ASSERT(conn && conn->list == &child->passed);
	if (message->err < 0) {
		give_up(child, conn,
			"the %s of uid %" PRIu32 " cannot take one more connection: %s",
			name(child), uid_of(child), strerror(-message->err));
	} else if (taken->conn_id != conn_id) {
		child_violation(child, IPC_CONN_TAKEN, "it is not the connection that was passed");
	} else {
		/* A channel is kept in hand, to be ended with the connection that it is for. */
		if (conn->owner_uid == 0)
			fd_close(&conn->fd);
		if (conn->untold)
			conn_push(&child->taken, conn);
		else
			conn_append(&child->taken, conn);
		child->has_taken = true;
		child->awaited.n = child->alone.n = 0;
	}
}

static void
on_gone(struct child *child, const struct ipc_message *message)
{
	const struct ipc_conn_gone *gone = message->body;
	struct conn *conn = conns_find(&child->broker->conns, gone->conn_id);

	if (!conn || conn->list != &child->taken) {
		child_violation(child, IPC_CONN_GONE, "it is no connection that it has taken");
		return;
	}
	log_debug("gone conn=%" PRIu64 " uid=%" PRIu32, conn->pass.conn_id, conn->pass.uid);
	conns_remove(&child->broker->conns, conn);
}

static void
on_idle(struct child *child, const struct ipc_message *message)
{
	bool coming = child->waiting.first || child->passed.first || is_wanted(child);
	struct ipc_idle_answer answer = {.granted = child->state != CHILD_SERVING || !coming};
	int r = link_answer(&child->link, IPC_IDLE_ANSWER, message->serial, 0, &answer, NULL);

	if (r == LINK_E_FULL) {
		child_violation(child, IPC_IDLE_ASK, "it does not read what it is answered");
	} else if (answer.granted && child->state == CHILD_SERVING) {
		child->state = CHILD_LEAVING;
		child->state_deadline_ns = now(child) + LOOP_S(CHILD_LEAVE_S);
	}
}

static void
on_changed(struct child *child, const struct ipc_message *message, uint64_t conn_id)
{
	const char *why = tickets_acknowledged(child, message, conn_id);

	if (why)
		child_violation(child, IPC_TICKET_CHANGED, why);
}

static void
child_message(struct link *link, const struct ipc_message *message, int *fds, uint64_t cookie)
{
	struct child *child = container_of(link, struct child, link);

	(void)fds;
	/* Nothing else passes the table of a child's link. */
	if (message->type == IPC_HELLO)
		on_hello(child);
	else if (message->type == IPC_CONN_TAKEN)
		on_taken(child, message, cookie);
	else if (message->type == IPC_CONN_GONE)
		on_gone(child, message);
	else if (message->type == IPC_IDLE_ASK)
		on_idle(child, message);
	else if (message->type == IPC_TICKET_CHANGED)
		on_changed(child, message, cookie);
	else
		wishes_message(child, message);
	child_next(child);
}

static void
child_end(struct link *link, enum ipc_fault fault, uint16_t type)
{
	struct child *child = container_of(link, struct child, link);

	if (fault != IPC_OK) {
		child_violation(child, type, ipc_fault_text(fault));
	} else if (child->state == CHILD_ENDED) {
		finish(child);
	} else if (child->state != CHILD_KILLED) {
		child->state = CHILD_LEAVING;
		child->state_deadline_ns = now(child) + LOOP_S(CHILD_LEAVE_S);
	}
	child_next(child);
}

static void
child_writable(struct link *link)
{
	child_next(container_of(link, struct child, link));
}

/* --- its start ---------------------------------------------------------------------------- */

static void
ask_for(struct child *child)
{
	child->state = CHILD_ASKED;
	starter_ask(&child->broker->starter, &child->start, child->user ? &worker_ops : &view_ops,
		LANE_KNOWN);
}

static int
fill_worker(struct question *question, union question_body *ret, int *ret_fd)
{
	struct child *child = container_of(question, struct child, start);
	struct broker *broker = child->broker;
	int r;

	r = registry_keep(broker->places.registry_fd, &child->user->account, (uint64_t)time(NULL));
	if (r < 0)
		log_warning(
			"uid=%" PRIu32 " cannot be registered: %s", child->user->uid, strerror(-r));
	*ret_fd = broker_account_fd(&child->user->account);
	ret->worker = (struct ipc_worker){
		.uid = child->user->uid,
		.n_files = broker->worker_files,
		.idle_seconds = broker->config.idle_seconds,
		.log_level = broker->config.log_level,
		.port_min = broker->config.port_min,
		.wake = child->user->autostart.starting,
		.share = shares_say(child->user),
	};
	return *ret_fd < 0 ? *ret_fd : 0;
}

static int
fill_view(struct question *question, union question_body *ret, int *ret_fd)
{
	const struct child *child = container_of(question, struct child, start);
	const struct broker *broker = child->broker;
	bool ctl = child->view && child->view->socket == IPC_SOCKET_CTL;
	uint32_t idle = child->view ? broker->config.idle_seconds : 0;

	(void)ret_fd;
	ret->view = (struct ipc_view){
		.uid = broker->view.uid,
		.gid = broker->view.gid,
		.n_files = child->view ? broker->view_files : broker->conns.size,
		.log_level = broker->config.log_level,
		.kind = !child->view ? IPC_VIEW_REFUSER
			: ctl        ? IPC_VIEW_CTL
				     : IPC_VIEW_HOST,
		.idle_seconds = ctl && idle > CHILD_CTL_IDLE_S ? CHILD_CTL_IDLE_S : idle,
	};
	return 0;
}

/* Take over a new child: its pidfd and our end of its link. */
static int
adopt(struct child *child, int *fds)
{
	static const struct link_ops ops = {
		.message = child_message, .end = child_end, .writable = child_writable};
	struct loop *loop = &child->broker->loop;
	int r;

	child->pidfd = take_fd(&fds[1]);
	r = link_start(&child->link, loop, take_fd(&fds[0]), IPC_LINK_CHILD, IPC_SIDE_BROKER, &ops);
	if (r == 0)
		r = io_start(loop, &child->end_io, child->pidfd, EPOLLIN, 0, process_ended);
	if (r < 0) {
		kill_process(child);
		link_stop(&child->link);
		fd_close(&child->pidfd);
	}
	return r;
}

static void
start_answered(struct question *question, int err, const void *body, int *fds)
{
	struct child *child = container_of(question, struct child, start);
	const struct ipc_started *started = body;

	if (err == 0) {
		child->pid = started->pid;
		err = adopt(child, fds);
	}
	if (err < 0) {
		child->state = CHILD_ABSENT;
		count_vain(child, &child->alone);
		log_error("%s of uid=%" PRIu32 " cannot be started: %s", name(child), uid_of(child),
			strerror(-err));
		note(child, AUDIT_PROCESS_START, AUDIT_FAILED, strerror(-err));
		give_up_all(child, strerror(-err));
		if (child->user)
			autostart_worker_gone(child->user);
		child_next(child);
		if (!child->user && !child->view)
			broker_refuser_failed(child->broker);
		return;
	}
	log_info("%s started uid=%" PRIu32 " pid=%" PRIu32, name(child), uid_of(child), child->pid);
	note(child, AUDIT_PROCESS_START, AUDIT_FACT, "");
	child->state = CHILD_STARTING;
	child->state_deadline_ns = now(child) + LOOP_S(CHILD_HELLO_S);
	child->has_taken = child->told = false;
	child->broker->n_children++;
	if (child->broker->stopping)
		child_stop(child);
	child_next(child);
}

static const struct question_ops worker_ops = {
	.type = IPC_WORKER, .fill = fill_worker, .answered = start_answered};
static const struct question_ops view_ops = {
	.type = IPC_VIEW, .fill = fill_view, .answered = start_answered};

/* --- what is next ------------------------------------------------------------------------- */

static void
pass_waiting(struct child *child)
{
	while (child->waiting.first && child->passed.n < CHILD_UNTAKEN_MAX) {
		struct conn *conn = child->waiting.first;

		/* Full: more when it is writable. Gone: its end is about to be told. */
		if (link_ask(&child->link, IPC_CONN_PASS, &conn->pass, &conn->fd,
			    conn->pass.conn_id) != 0)
			return;
		conn_append(&child->passed, conn);
	}
}

static void
kill_late(struct child *child, const char *what)
{
	log_warning("%s uid=%" PRIu32 " pid=%" PRIu32 " is killed: it did not %s in time",
		name(child), uid_of(child), child->pid, what);
	note(child, AUDIT_PROCESS_VIOLATION, AUDIT_FACT, "it did nothing in time, and is killed");
	link_stop(&child->link);
	kill_process(child);
}

/* A view that serves, and has nobody to serve. */
static bool
is_lingering(const struct child *child)
{
	return child->view && child->state == CHILD_SERVING && !child->waiting.first &&
	       !child->passed.first && !child->taken.first;
}

static void
child_due(struct timer *timer)
{
	struct child *child = container_of(timer, struct child, timer);
	bool due = child->state_deadline_ns <= now(child);

	if (due && child->state == CHILD_ENDED) {
		finish(child);
	} else if (due && (child->state == CHILD_STARTING || child->state == CHILD_LEAVING)) {
		kill_late(child, child->state == CHILD_STARTING ? "say HELLO" : "end");
	} else if (child->state == CHILD_SERVING && child->passed.first &&
		   child->passed.first->deadline_ns <= now(child)) {
		kill_late(child, "take a connection");
	} else if (child->state == CHILD_SERVING && tickets_due(child) <= now(child)) {
		child_violation(child, IPC_TICKET_CHANGE, "it has not acknowledged it in time");
	} else if (is_lingering(child) && child->linger_ns <= now(child)) {
		child_stop(child);
	}
	give_up_late(child);
	child_next(child);
}

/* When it is to be started, if there is none; UINT64_MAX: it is not. */
static uint64_t
start_due(const struct child *child)
{
	uint64_t ready_ns = bucket_ready(&child->starts, now(child), start_size);
	uint64_t again_ns = vain_until(&child->alone);

	if (child->broker->stopping)
		return UINT64_MAX;
	if (child->waiting.first)
		return ready_ns;
	if (!is_wanted(child) || !child->user || !child->user->has_account)
		return UINT64_MAX;
	return ready_ns > again_ns ? ready_ns : again_ns;
}

static void
set_timer(struct child *child)
{
	bool state_due = child->state == CHILD_STARTING || child->state == CHILD_LEAVING ||
			 child->state == CHILD_ENDED;
	uint64_t due_ns = state_due ? child->state_deadline_ns : UINT64_MAX;
	struct conn *first = child->waiting.first;

	if (first && first->deadline_ns < due_ns)
		due_ns = first->deadline_ns;
	if (child->state == CHILD_SERVING && child->passed.first &&
		child->passed.first->deadline_ns < due_ns)
		due_ns = child->passed.first->deadline_ns;
	if (child->state == CHILD_SERVING && tickets_due(child) < due_ns)
		due_ns = tickets_due(child);
	if (child->state == CHILD_ABSENT && start_due(child) < due_ns)
		due_ns = start_due(child);
	if (is_lingering(child) && child->linger_ns < due_ns)
		due_ns = child->linger_ns;
	if (due_ns == UINT64_MAX)
		timer_stop(&child->timer);
	else
		timer_set(&child->broker->loop, &child->timer, due_ns, child_due);
}

void
child_next(struct child *child)
{
	if (child->state == CHILD_SERVING) {
		pass_waiting(child);
		tickets_tell(child);
	}
	if (!is_lingering(child))
		child->linger_ns = 0;
	else if (child->linger_ns == 0)
		child->linger_ns =
			now(child) + LOOP_S(child->broker->config.idle_seconds + VIEWS_LINGER_S);
	if (child->state == CHILD_ABSENT) {
		if (vain_until(&child->awaited) > now(child) && !child->broker->stopping)
			give_up_all(child, "it ended several times without taking a connection");
		if (start_due(child) <= now(child) &&
			bucket_take(&child->starts, now(child), start_size))
			ask_for(child);
	}
	set_timer(child);
}

int
child_give(struct child *child, struct conn *conn)
{
	/* A user's own wait as long as she may have connections: they are charged to her. */
	if (!child->user && !child->view && child->waiting.n >= CHILD_REFUSALS_MAX)
		return CHILD_E_FULL;
	conn->deadline_ns = now(child) + LOOP_S(CHILD_WAIT_S);
	conn->child = child;
	conn_append(&child->waiting, conn);
	child_next(child);
	return 0;
}

void
child_start(struct child *child)
{
	if (child->state == CHILD_ABSENT)
		ask_for(child);
}

void
child_stop(struct child *child)
{
	if (child->state != CHILD_STARTING && child->state != CHILD_SERVING &&
		child->state != CHILD_LEAVING)
		return;
	/* A child that cannot be told sees the end of its link, which says the same. */
	if (!child->told && link_notify(&child->link, IPC_STOP, NULL) != 0)
		link_stop(&child->link);
	child->told = true;
	child->state = CHILD_LEAVING;
	child->state_deadline_ns = now(child) + LOOP_S(CHILD_LEAVE_S);
	child_next(child);
}

void
child_kill(struct child *child)
{
	if (child->pidfd >= 0)
		kill_process(child);
}
