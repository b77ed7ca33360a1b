/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor.c: the conversation with the QEMU of one VM; see monitor.h.
 *
 * Runs in the worker, as the user. Must never take for the VM what is another process behind its
 * socket.
 */
#include "worker/vm/monitor.h"

#include <errno.h>
#include <string.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "lib/uuid.h"

static const char *const questions[] = {"qmp_capabilities", "query-uuid", "query-status"};

enum { N_QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

static struct monitor *
of_qmp(struct qmp *qmp)
{
	return container_of(qmp, struct monitor, qmp);
}

void
monitor_lose(struct monitor *monitor, const char *why)
{
	monitor_close(monitor);
	monitor->ops->lost(monitor, why);
}

static void
ask_next(struct monitor *monitor)
{
	if (qmp_command(&monitor->qmp, questions[monitor->question], NULL, 0) < 0)
		monitor_lose(monitor, "QEMU takes no command");
}

static void
on_greeting(struct qmp *qmp, json_t *version)
{
	(void)version;
	ask_next(of_qmp(qmp));
}

static bool
is_this_vm(const struct monitor *monitor, const json_t *value)
{
	const char *text = json_string_value(json_object_get(value, "UUID"));
	char uuid[UUID_TEXT_SIZE];

	return text && strcmp(text, uuid_format(monitor->uuid, uuid)) == 0;
}

/* The answer to one of the questions at the opening. */
static void
take_answer(struct monitor *monitor, const struct qmp_reply *reply)
{
	const char *question = questions[monitor->question];
	const char *status;

	if (!reply->value) {
		monitor_lose(monitor, "QEMU refuses the first questions");
		return;
	}
	if (strcmp(question, "query-uuid") == 0 && !is_this_vm(monitor, reply->value)) {
		monitor_lose(monitor, "the QEMU behind its monitor is another VM");
		return;
	}
	if (++monitor->question < N_QUESTIONS) {
		ask_next(monitor);
		return;
	}
	status = json_string_value(json_object_get(reply->value, "status"));
	if (!status) {
		monitor_lose(monitor, "QEMU does not say how it is");
		return;
	}
	monitor->state = MONITOR_OPEN;
	monitor->ops->opened(monitor, status);
}

static void
on_reply(struct qmp *qmp, uint64_t cookie, const struct qmp_reply *reply)
{
	struct monitor *monitor = of_qmp(qmp);

	if (monitor->state == MONITOR_OPENING)
		take_answer(monitor, reply);
	else
		monitor->ops->reply(monitor, cookie, reply);
}

static void
on_event(struct qmp *qmp, const char *name, json_t *data)
{
	of_qmp(qmp)->n_doings++;
	of_qmp(qmp)->ops->event(of_qmp(qmp), name, data);
}

static void
on_end(struct qmp *qmp, enum qmp_end why)
{
	monitor_lose(of_qmp(qmp), qmp_end_text(why));
}

int
monitor_open(struct monitor *monitor, struct loop *loop, int fd, const uint8_t uuid[static 16],
	const struct monitor_ops *ops)
{
	static const struct qmp_ops qmp_ops = {
		.greeting = on_greeting, .reply = on_reply, .event = on_event, .end = on_end};
	int r;

	monitor->ops = ops;
	monitor->question = 0;
	memcpy(monitor->uuid, uuid, UUID_SIZE);
	r = qmp_start(&monitor->qmp, loop, fd, &qmp_ops);
	if (r == 0)
		monitor->state = MONITOR_OPENING;
	return r;
}

void
monitor_close(struct monitor *monitor)
{
	monitor->state = MONITOR_CLOSED;
	qmp_stop(&monitor->qmp);
}

int
monitor_ask_fd(
	struct monitor *monitor, const char *command, json_t *arguments, int fd, uint64_t cookie)
{
	monitor->n_doings++;
	if (monitor->state == MONITOR_OPEN)
		return qmp_command_fd(&monitor->qmp, command, arguments, fd, cookie);
	json_decref(arguments);
	fd_close(&fd);
	return -ENOTCONN;
}

int
monitor_ask(struct monitor *monitor, const char *command, json_t *arguments, uint64_t cookie)
{
	return monitor_ask_fd(monitor, command, arguments, -1, cookie);
}

int
monitor_question(struct monitor *monitor, const char *command, json_t *arguments, uint64_t cookie)
{
	if (monitor->state == MONITOR_OPEN)
		return qmp_question(&monitor->qmp, command, arguments, cookie);
	json_decref(arguments);
	return -ENOTCONN;
}
