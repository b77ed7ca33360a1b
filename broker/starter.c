/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * starter.c: the broker's end of its link to qemud-launch, and the questions that wait for it.
 *
 * Runs in the broker, as root. The starter is trusted as far as its messages keep to the table.
 */
#include "broker/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/packet.h"
#include "lib/take.h"

enum { LINK_FD = 3, PROGRAM_PATH_MAX = 4096, EXIT_NOT_EXECUTED = 127 };

static const unsigned lane_limits[LANE_N] = {
	[LANE_KNOWN] = LINK_ASKS_MAX - STARTER_ENDS_MAX - STARTER_STRANGERS_MAX,
	[LANE_ENDS] = STARTER_ENDS_MAX,
	[LANE_STRANGERS] = STARTER_STRANGERS_MAX,
};

/* In the child: nothing is inherited but stderr and the link, which becomes descriptor 3. */
_Noreturn static void
become_starter(const char *program, char *const argv[], int fd)
{
	char *const environment[] = {NULL};

	(void)signal(SIGPIPE, SIG_DFL);
	/* Close-on-exec is not copied, except onto itself. */
	if (fd == LINK_FD ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, LINK_FD) < 0)
		die("the link to %s: %s", program, strerror(errno));
	(void)close_range(LINK_FD + 1, ~0U, 0);
	(void)execve(program, argv, environment);
	log_error("%s cannot be executed: %s", program, strerror(errno));
	_exit(EXIT_NOT_EXECUTED);
}

int
starter_exec(const struct starter_command *command, int *ret_fd)
{
	char program[PROGRAM_PATH_MAX];
	/* exec does not write to its arguments; its prototype is older than const. */
	const char *argv[] = {"qemud-launch", "--users", command->users, "--libexec",
		command->libexec, "--log", command->log_level, NULL, NULL, NULL, NULL, NULL};
	size_t n = 7;
	int fds[2];
	pid_t pid;
	int r;

	r = snprintf(program, sizeof program, "%s/qemud-launch", command->libexec);
	if ((size_t)r >= sizeof program)
		return -ENAMETOOLONG;
	if (*command->cgroup) {
		argv[n++] = "--cgroup";
		argv[n++] = command->cgroup;
	}
	if (command->kvm)
		argv[n++] = "--kvm";
	if (command->enforce)
		argv[n++] = "--enforce";
	r = packet_pair(fds);
	if (r < 0)
		return r;
	pid = fork();
	r = -errno;
	if (pid == 0)
		become_starter(program, (char *const *)(uintptr_t)argv, fds[1]);
	fd_close(&fds[1]);
	if (pid < 0) {
		fd_close(&fds[0]);
		return r;
	}
	*ret_fd = fds[0];
	return 0;
}

static struct question *
pop(struct starter_queue *queue)
{
	struct question *question = queue->first;

	queue->first = question->next;
	if (!queue->first)
		queue->last = &queue->first;
	return question;
}

static void
answer(struct question *question, int err, const void *body, int *fds)
{
	question->open = false;
	question->ops->answered(question, err, body, fds);
}

/* Send the first question of a lane. Returns false when the link takes no more for now. */
static bool
send_first(struct starter *starter, struct starter_queue *queue)
{
	struct question *question = queue->first;
	union question_body body;
	fd_auto int fd = -1;
	int r;

	memset(&body, 0, sizeof body);
	r = question->ops->fill(question, &body, &fd);
	if (r < 0) {
		(void)pop(queue);
		answer(question, r, NULL, NULL);
		return true;
	}
	if (link_ask(&starter->link, question->ops->type, &body, &fd, (uintptr_t)question) != 0)
		return false;
	(void)pop(queue);
	queue->n_sent++;
	return true;
}

static void
send_questions(struct deferred *deferred)
{
	struct starter *starter = container_of(deferred, struct starter, sending);

	for (enum starter_lane lane = 0; lane < LANE_N; lane++) {
		struct starter_queue *queue = &starter->lanes[lane];

		while (queue->first && queue->n_sent < lane_limits[lane])
			if (!send_first(starter, queue))
				return;
	}
}

static void
starter_message(struct link *link, const struct ipc_message *message, int *fds, uint64_t cookie)
{
	struct starter *starter = container_of(link, struct starter, link);
	struct question *question = (struct question *)(uintptr_t)cookie;

	if (message->err == LINK_CUT)
		log_error("what qemud-launch answered has lost its descriptors: this process may "
			  "have no more files open (LimitNOFILE= of the service)");
	starter->lanes[question->lane].n_sent--;
	answer(question, message->err, message->err ? NULL : message->body,
		message->err ? NULL : fds);
	loop_defer(starter->loop, &starter->sending, send_questions);
}

static void
starter_ended(struct link *link, enum ipc_fault fault, uint16_t type)
{
	struct starter *starter = container_of(link, struct starter, link);

	starter->ended(starter, fault, type);
}

static void
starter_writable(struct link *link)
{
	struct starter *starter = container_of(link, struct starter, link);

	loop_defer(starter->loop, &starter->sending, send_questions);
}

int
starter_start(struct starter *starter, struct loop *loop, int fd,
	void (*ended)(struct starter *starter, enum ipc_fault fault, uint16_t type))
{
	static const struct link_ops ops = {
		.message = starter_message, .end = starter_ended, .writable = starter_writable};

	*starter = (struct starter){.loop = loop, .ended = ended};
	for (enum starter_lane lane = 0; lane < LANE_N; lane++)
		starter->lanes[lane].last = &starter->lanes[lane].first;
	return link_start(&starter->link, loop, fd, IPC_LINK_STARTER, IPC_SIDE_BROKER, &ops);
}

void
starter_stop(struct starter *starter)
{
	link_stop(&starter->link);
}

void
starter_ask(struct starter *starter, struct question *question, const struct question_ops *ops,
	enum starter_lane lane)
{
	struct starter_queue *queue = &starter->lanes[lane];

	ASSERT(!question->open);
	*question = (struct question){.ops = ops, .lane = lane, .open = true};
	*queue->last = question;
	queue->last = &question->next;
	loop_defer(starter->loop, &starter->sending, send_questions);
}
