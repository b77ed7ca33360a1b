/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auditor.c: the process qemud-audit, as the broker has it; see auditor.h.
 *
 * Runs in the broker, as root. Must never have two of them at a time, wait for one, or forget a record
 * that it has not answered.
 */
#include "broker/auditor.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "broker/broker.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"

static void look_up(struct auditor *auditor);

static struct broker *
broker_of(const struct auditor *auditor)
{
	return auditor->audit->broker;
}

void
auditor_init(struct auditor *auditor, struct audit *audit)
{
	*auditor = (struct auditor){.audit = audit, .pidfd = -1, .wait_s = AUDITOR_FIRST_S};
	auditor->link.fd = -1;
}

void
auditor_fini(struct auditor *auditor)
{
	timer_stop(&auditor->timer);
	link_stop(&auditor->link);
	io_stop(&auditor->end_io);
	fd_close(&auditor->pidfd);
}

bool
auditor_writes(const struct auditor *auditor)
{
	return auditor->state == AUDITOR_SERVING && auditor->write_err == 0;
}

/* --- its end ------------------------------------------------------------------------------ */

static void timer_due(struct timer *timer);

/* There is none; it is tried again, later each time that this was in vain. */
static void
absent(struct auditor *auditor)
{
	struct loop *loop = &broker_of(auditor)->loop;

	/* The next one that writes will tell. */
	if (!auditor->gone)
		audit_record(auditor->audit, &(struct audit_event){.kind = AUDIT_GONE},
			"there is no qemud-audit any more, or not yet: what happens waits for the "
			"next one");
	auditor->gone = true;
	auditor->state = AUDITOR_ABSENT;
	timer_set(loop, &auditor->timer, loop_now(loop) + LOOP_S(auditor->wait_s), timer_due);
	auditor->wait_s *= 2;
	if (auditor->wait_s > AUDITOR_LAST_S)
		auditor->wait_s = AUDITOR_LAST_S;
	audit_stuck(auditor->audit);
}

static void
kill_process(struct auditor *auditor)
{
	/* ESRCH: it has ended already, which the loop is about to tell. */
	if (pidfd_send_signal(auditor->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		log_error("qemud-audit pid=%" PRIu32 " cannot be killed: %s", auditor->pid,
			strerror(errno));
	auditor->state = AUDITOR_KILLED;
	link_stop(&auditor->link);
	timer_stop(&auditor->timer);
}

static void
process_ended(struct io *io, uint32_t events)
{
	struct auditor *auditor = container_of(io, struct auditor, end_io);

	(void)events;
	log_warning("qemud-audit ended pid=%" PRIu32 "%s", auditor->pid,
		auditor->has_kept ? ""
				  : ": it has written nothing, for a reason that it told above");
	io_stop(&auditor->end_io);
	fd_close(&auditor->pidfd);
	link_stop(&auditor->link);
	auditor->asked = false;
	auditor->works = auditor->has_kept;
	absent(auditor);
}

static void
link_ended(struct link *link, enum ipc_fault fault, uint16_t type)
{
	struct auditor *auditor = container_of(link, struct auditor, link);

	if (fault != IPC_OK) {
		log_warning("violation by qemud-audit pid=%" PRIu32 ": %s: %s", auditor->pid,
			ipc_type_name(type), ipc_fault_text(fault));
		kill_process(auditor);
	}
}

/* --- records ------------------------------------------------------------------------------ */

static void
wake(struct auditor *auditor, uint32_t seconds)
{
	struct loop *loop = &broker_of(auditor)->loop;

	timer_set(loop, &auditor->timer, loop_now(loop) + LOOP_S(seconds), timer_due);
}

void
auditor_next(struct auditor *auditor)
{
	const struct ipc_audit_record *record = audit_next(auditor->audit);

	if (auditor->state != AUDITOR_SERVING || auditor->asked || !record ||
		(auditor->write_err < 0 && timer_is_set(&auditor->timer)))
		return;
	/* Nothing else is on its way: there is room, or an end that is about to be told. */
	if (link_ask(&auditor->link, IPC_AUDIT_RECORD, record, NULL, 0) != 0)
		return;
	auditor->asked = true;
	wake(auditor, AUDITOR_ANSWER_S);
}

static void
timer_due(struct timer *timer)
{
	struct auditor *auditor = container_of(timer, struct auditor, timer);

	if (auditor->state == AUDITOR_ABSENT) {
		look_up(auditor);
	} else if (auditor->asked) {
		log_warning("qemud-audit pid=%" PRIu32
			    " is killed: it did not write a record within %d seconds",
			auditor->pid, AUDITOR_ANSWER_S);
		kill_process(auditor);
	} else {
		auditor_next(auditor);
	}
}

static void
kept(struct link *link, const struct ipc_message *message, int *fds, uint64_t cookie)
{
	struct auditor *auditor = container_of(link, struct auditor, link);

	(void)fds;
	(void)cookie;
	auditor->asked = false;
	timer_stop(&auditor->timer);
	if (message->err < 0) {
		if (auditor->write_err == 0)
			log_warning(
				"audit: a record cannot be written: %s; it is tried again until "
				"it is",
				strerror(-message->err));
		auditor->write_err = message->err;
		wake(auditor, AUDITOR_FULL_S);
		audit_stuck(auditor->audit);
		return;
	}
	auditor->has_kept = auditor->works = true;
	auditor->write_err = auditor->told_err = 0;
	auditor->wait_s = AUDITOR_FIRST_S;
	auditor->gone = false;
	audit_kept(auditor->audit);
	auditor_next(auditor);
}

/* --- its start ---------------------------------------------------------------------------- */

/* It cannot be had. Told when the reason is another than before. */
static void
failed(struct auditor *auditor, int err, const char *why)
{
	const struct config *config = &broker_of(auditor)->config;

	if (err != auditor->told_err)
		log_error("qemud-audit, as the account %s, cannot be started: %s%s",
			config->audit_account, why,
			config->audit == CONFIG_AUDIT_REFUSE
				? "; until it is, no virtual machine is (audit = refuse)"
				: "; until it is, nothing is recorded (audit = continue)");
	auditor->told_err = err;
	auditor->works = false;
	absent(auditor);
}

static int
fill_start(struct question *question, union question_body *ret, int *ret_fd)
{
	const struct auditor *auditor = container_of(question, struct auditor, question);
	const struct config *config = &broker_of(auditor)->config;

	(void)ret_fd;
	ret->audit = (struct ipc_audit){
		.uid = auditor->account.uid,
		.gid = auditor->account.gid,
		.log_level = config->log_level,
		.file_mib = config->audit_file_mib,
		.n_files = config->audit_files,
	};
	(void)snprintf(ret->audit.dir, sizeof ret->audit.dir, "%s", config->log_dir);
	return 0;
}

static void
start_answered(struct question *question, int err, const void *body, int *fds)
{
	static const struct link_ops ops = {.message = kept, .end = link_ended};
	struct auditor *auditor = container_of(question, struct auditor, question);
	struct loop *loop = &broker_of(auditor)->loop;

	if (err < 0) {
		failed(auditor, err, strerror(-err));
		return;
	}
	auditor->pid = ((const struct ipc_started *)body)->pid;
	auditor->pidfd = take_fd(&fds[1]);
	auditor->has_kept = false;
	err = link_start(
		&auditor->link, loop, take_fd(&fds[0]), IPC_LINK_AUDIT, IPC_SIDE_BROKER, &ops);
	if (err == 0)
		err = io_start(loop, &auditor->end_io, auditor->pidfd, EPOLLIN, 0, process_ended);
	if (err < 0) {
		kill_process(auditor);
		fd_close(&auditor->pidfd);
		failed(auditor, err, strerror(-err));
		return;
	}
	log_info("qemud-audit started pid=%" PRIu32, auditor->pid);
	auditor->state = AUDITOR_SERVING;
	auditor->write_err = 0;
	auditor_next(auditor);
}

static void
account_answered(struct question *question, int err, const void *body, int *fds)
{
	static const struct question_ops ops = {
		.type = IPC_AUDIT, .fill = fill_start, .answered = start_answered};
	struct auditor *auditor = container_of(question, struct auditor, question);

	(void)body;
	if (err == 0)
		err = broker_read_account(fds[0], &auditor->account);
	if (err == 0 && (auditor->account.uid == 0 || auditor->account.gid == 0))
		failed(auditor, -EPERM, "it is root's or of root's group");
	else if (err == -ENOENT)
		failed(auditor, err, "there is no such account (useradd --system)");
	else if (err < 0)
		failed(auditor, err, strerror(-err));
	else
		starter_ask(&broker_of(auditor)->starter, &auditor->question, &ops, LANE_KNOWN);
}

static int
fill_account(struct question *question, union question_body *ret, int *ret_fd)
{
	const struct auditor *auditor = container_of(question, struct auditor, question);

	(void)ret_fd;
	ret->resolve.kind = IPC_RESOLVE_ACCOUNT;
	(void)snprintf(ret->resolve.name, sizeof ret->resolve.name, "%s",
		broker_of(auditor)->config.audit_account);
	return 0;
}

static void
look_up(struct auditor *auditor)
{
	static const struct question_ops ops = {
		.type = IPC_RESOLVE, .fill = fill_account, .answered = account_answered};

	auditor->state = AUDITOR_ASKED;
	starter_ask(&broker_of(auditor)->starter, &auditor->question, &ops, LANE_KNOWN);
}

void
auditor_start(struct auditor *auditor)
{
	look_up(auditor);
}

void
auditor_stop(struct auditor *auditor)
{
	timer_stop(&auditor->timer);
	io_stop(&auditor->end_io);
	link_stop(&auditor->link);
}
