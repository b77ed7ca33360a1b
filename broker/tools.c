/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools.c: the boxes in which workers have QEMU's tools run, from the ask to the end.
 *
 * Runs in the broker, as root. Must never give a seed to a worker that did not ask for it, keep its
 * socket, or forget one that runs.
 */
#include "broker/tools.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "broker/broker.h"
#include "broker/child.h"
#include "broker/users.h"
#include "broker/wishes.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"

/* What one user may start: sixteen at once, then four a second. */
static const struct bucket_size pace = {.interval_ns = LOOP_MS(250), .burst = 16};

static const unsigned life_s[] = {[IPC_TOOL_PROBE] = TOOLS_PROBE_S};

static struct broker *
broker_of(const struct tool *tool)
{
	return tool->user->child.broker;
}

static void
note(const struct tool *tool, enum audit_verdict verdict, const char *why)
{
	struct audit_event event = audit_by(tool->user, AUDIT_TOOL_START, verdict);

	event.target = tool->user->account.name;
	event.pid = tool->pid;
	audit_record(&broker_of(tool)->audit, &event, "%s", why);
}

static void
kill_tool(struct tool *tool)
{
	/* ESRCH: it has ended already, which the loop is about to tell. */
	if (pidfd_send_signal(tool->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		log_error("tool uid=%" PRIu32 " pid=%" PRIu32 " cannot be killed: %s",
			tool->user->uid, tool->pid, strerror(errno));
	timer_stop(&tool->deadline);
}

/* There is no process, or none any more. */
static void
release(struct tool *tool)
{
	timer_stop(&tool->deadline);
	io_stop(&tool->end_io);
	fd_close(&tool->pidfd);
	broker_of(tool)->tools.n--;
	tool->user->tools.n--;
	tool->user = NULL;
}

static void
process_ended(struct io *io, uint32_t events)
{
	struct tool *tool = container_of(io, struct tool, end_io);

	(void)events;
	log_info("tool ended uid=%" PRIu32 " pid=%" PRIu32, tool->user->uid, tool->pid);
	release(tool);
}

static void
too_late(struct timer *timer)
{
	struct tool *tool = container_of(timer, struct tool, deadline);

	log_warning("tool uid=%" PRIu32 " pid=%" PRIu32 " is killed: it did not end within %u s",
		tool->user->uid, tool->pid, life_s[tool->kind]);
	kill_tool(tool);
}

static int
fill_box(struct question *question, union question_body *ret, int *ret_fd)
{
	const struct tool *tool = container_of(question, struct tool, start);

	/* The worker has ended while this waited for its turn. */
	if (tool->serial == 0)
		return -ECANCELED;
	*ret_fd = broker_account_fd(&tool->user->account);
	ret->box = (struct ipc_box){
		.uid = tool->user->uid, .kind = IPC_BOX_TOOL, .n_files = TOOLS_FILES};
	return *ret_fd < 0 ? *ret_fd : 0;
}

static int
adopt(struct tool *tool, int pidfd)
{
	struct loop *loop = &broker_of(tool)->loop;
	int r;

	tool->pidfd = pidfd;
	r = io_start(loop, &tool->end_io, pidfd, EPOLLIN, 0, process_ended);
	if (r < 0) {
		kill_tool(tool);
		return r;
	}
	log_info("tool started uid=%" PRIu32 " pid=%" PRIu32, tool->user->uid, tool->pid);
	note(tool, AUDIT_ALLOWED, "");
	timer_set(loop, &tool->deadline, loop_now(loop) + LOOP_S(life_s[tool->kind]), too_late);
	return 0;
}

static void
boxed(struct question *question, int err, const void *body, int *fds)
{
	struct tool *tool = container_of(question, struct tool, start);
	struct child *child = &tool->user->child;
	uint32_t serial = tool->serial;
	bool behind;

	if (err == 0) {
		tool->pid = ((const struct ipc_started *)body)->pid;
		err = adopt(tool, take_fd(&fds[1]));
	}
	tool->serial = 0;
	if (err < 0) {
		if (serial != 0)
			log_error("tool of uid=%" PRIu32 " cannot be started: %s", tool->user->uid,
				strerror(-err));
		note(tool, AUDIT_FAILED, strerror(-err));
		release(tool);
	}
	behind = err == 0 && wishes_is_behind(child);
	if (behind)
		err = -EAGAIN;
	if (serial != 0 && wishes_answer_tool(child, serial, err, err ? -1 : fds[0]) == 0 &&
		!behind)
		return;
	/* Nobody took it. */
	if (behind || err == 0)
		kill_tool(tool);
}

void
tools_init(struct tools *tools, struct broker *broker)
{
	*tools = (struct tools){.broker = broker};
}

int
tools_ask(struct tools *tools, struct user *user, enum ipc_tool_kind kind, uint32_t serial)
{
	static const struct question_ops ops = {
		.type = IPC_BOX, .fill = fill_box, .answered = boxed};
	struct tool *tool = tools->table;

	if (user->tools.n >= TOOLS_USER_MAX)
		return -EDQUOT;
	if (tools->n >= TOOLS_MAX ||
		!bucket_take(&user->tools.pace, loop_now(&tools->broker->loop), pace))
		return -EAGAIN;
	while (tool->user)
		tool++;
	*tool = (struct tool){.user = user, .kind = kind, .serial = serial, .pidfd = -1};
	tools->n++;
	user->tools.n++;
	starter_ask(&tools->broker->starter, &tool->start, &ops, LANE_KNOWN);
	return 0;
}

void
tools_end(struct tools *tools, const struct user *user)
{
	for (unsigned i = 0; i < TOOLS_MAX && user->tools.n > 0; i++) {
		struct tool *tool = &tools->table[i];

		if (tool->user != user)
			continue;
		tool->serial = 0;
		if (tool->pidfd >= 0)
			kill_tool(tool);
	}
}

void
tools_fini(struct tools *tools)
{
	for (unsigned i = 0; i < TOOLS_MAX && tools->n > 0; i++) {
		struct tool *tool = &tools->table[i];

		if (!tool->user)
			continue;
		if (tool->pidfd >= 0)
			kill_tool(tool);
		release(tool);
	}
}
