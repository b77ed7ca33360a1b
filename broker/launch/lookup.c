/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lookup.c: the broker's questions about accounts and groups; see lookup.h.
 */
#include "broker/launch/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/launch/process.h"
#include "broker/launch/program.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/memfd.h"
#include "lib/take.h"

enum { EXIT_NONE = 2 };

/* What a lookup asks for, for logs. */
static const char *
kind(const struct lookup *lookup)
{
	return lookup->ask.kind == IPC_RESOLVE_GROUP ? "group" : "account";
}

static const char *
subject(const struct lookup *lookup, char buf[static LOG_QUOTE_MAX])
{
	if (lookup->ask.name[0] != '\0')
		return log_quote_into(buf, lookup->ask.name);
	(void)snprintf(buf, LOG_QUOTE_MAX, "%" PRIu32, lookup->ask.uid);
	return buf;
}

static void
answer(const struct lookup *lookup, int err, int fd)
{
	int r = link_answer(lookup->queue->link, IPC_RESOLVED, lookup->serial, err, NULL, &fd);

	if (r == LINK_E_FULL)
		log_error("op=resolve: the broker does not read its answers");
}

/* The text that the child printed, as a sealed memfd. Returns it or a negative errno. */
static int
take_output(const struct lookup *lookup)
{
	char text[MEMFD_TEXT_MAX + 1];
	size_t size = 0;

	while (size < sizeof(text)) {
		ssize_t n = read(lookup->output_fd, text + size, sizeof(text) - size);

		if (n < 0 && errno == EINTR)
			continue;
		/* EAGAIN: somebody holds its end open, but all that the child wrote is here. */
		if (n <= 0)
			break;
		size += (size_t)n;
	}
	if (size == 0 || size > MEMFD_TEXT_MAX)
		return -EIO;
	return memfd_make("qemud-account", text, size);
}

static void run_waiting(struct lookup_queue *queue);

static void
ended(struct process *child, int code, int status)
{
	struct lookup *lookup = child->arg;
	struct lookup_queue *queue = lookup->queue;
	char buf[LOG_QUOTE_MAX];
	fd_auto int fd = -1;
	int err = 0;

	if (code == CLD_EXITED && status == EXIT_NONE)
		err = -ENOENT;
	else if (code != CLD_EXITED || status != 0)
		err = -EIO;
	if (!lookup->late && err == 0) {
		fd = take_output(lookup);
		err = fd < 0 ? fd : 0;
	}
	fd_close(&lookup->output_fd);
	lookup->used = false;
	if (lookup->late)
		return;
	timer_stop(&lookup->deadline);
	if (err != 0 && err != -ENOENT)
		log_warning("op=resolve %s=%s: the look-up failed (%s %d)", kind(lookup),
			subject(lookup, buf), code == CLD_EXITED ? "status" : "signal", status);
	answer(lookup, err, fd);
	queue->n_running--;
	run_waiting(queue);
}

/* A child that hangs in the kernel may outlive even SIGKILL: nobody waits for it. */
static void
too_late(struct timer *timer)
{
	struct lookup *lookup = container_of(timer, struct lookup, deadline);
	struct lookup_queue *queue = lookup->queue;
	char buf[LOG_QUOTE_MAX];

	process_kill(lookup->child);
	lookup->late = true;
	log_warning("op=resolve %s=%s: no answer from the name service within %d seconds",
		kind(lookup), subject(lookup, buf), LOOKUP_SECONDS);
	answer(lookup, -ETIMEDOUT, -1);
	queue->n_running--;
	run_waiting(queue);
}

static int
start(struct lookup *lookup)
{
	static char *const environment[] = {"HOME=/", "USER=nobody", "LOGNAME=nobody",
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL};
	static const struct spawn_limit limits[] = {
		{RLIMIT_CORE, 0},
		{RLIMIT_CPU, LOOKUP_SECONDS},
		{RLIMIT_NOFILE, 64},
		{RLIMIT_FSIZE, 0}, /* a pipe is no file */
#ifndef __SANITIZE_ADDRESS__       /* which reserves terabytes */
		{RLIMIT_AS, 512ul << 20},
#endif
	};
	struct lookup_queue *queue = lookup->queue;
	bool by_name = lookup->ask.name[0] != '\0', group = lookup->ask.kind == IPC_RESOLVE_GROUP;
	char uid[16], program[] = "qemud-resolve";
	char opt_uid[] = "--uid", opt_name[] = "--name", opt_group[] = "--group";
	char *argv[] = {program,
		group     ? opt_group
		: by_name ? opt_name
			  : opt_uid,
		by_name ? lookup->ask.name : uid, NULL};
	struct spawn spawn = {
		.program_fd = queue->program_fd,
		.argv = argv,
		.envp = environment,
		.uid = LOOKUP_UID,
		.gid = LOOKUP_GID,
		.cgroup_fd = -1,
		.starter_fd = -1,
		.null_fd = queue->null_fd,
		.link_fd = -1,
		.limits = limits,
		.n_limits = sizeof(limits) / sizeof(*limits),
	};
	fd_auto int write_fd = -1;
	int fds[2], r;

	(void)snprintf(uid, sizeof(uid), "%" PRIu32, lookup->ask.uid);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	lookup->output_fd = fds[0];
	write_fd = fds[1];
	spawn.output_fd = write_fd;
	/* Only this end: the child's may wait, the starter does not. */
	r = fcntl(lookup->output_fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	if (r == 0)
		r = process_start(queue->loop, &spawn, program_name(PROGRAM_RESOLVE), ended, lookup,
			&lookup->child);
	if (r < 0) {
		fd_close(&lookup->output_fd);
		return r;
	}
	lookup->child->quiet = true;
	timer_set(queue->loop, &lookup->deadline, loop_now(queue->loop) + LOOP_S(LOOKUP_SECONDS),
		too_late);
	queue->n_running++;
	return 0;
}

static void
run_waiting(struct lookup_queue *queue)
{
	struct lookup *lookup;

	while (queue->n_running < LOOKUP_AT_ONCE && (lookup = queue->first)) {
		char buf[LOG_QUOTE_MAX];
		int r;

		queue->first = lookup->next;
		if (!queue->first)
			queue->last = &queue->first;
		r = start(lookup);
		if (r == 0)
			continue;
		log_error("op=resolve %s=%s: qemud-resolve cannot be started: %s", kind(lookup),
			subject(lookup, buf), strerror(-r));
		lookup->used = false;
		answer(lookup, r, -1);
	}
}

void
lookup_init(struct lookup_queue *queue, struct loop *loop, struct link *link, int program_fd,
	int null_fd)
{
	*queue = (struct lookup_queue){
		.loop = loop, .link = link, .program_fd = program_fd, .null_fd = null_fd};
	queue->last = &queue->first;
}

void
lookup_ask(struct lookup_queue *queue, uint32_t serial, const struct ipc_resolve *ask)
{
	for (size_t i = 0; i < LINK_ASKS_MAX; i++) {
		struct lookup *lookup = &queue->lookups[i];

		if (lookup->used)
			continue;
		*lookup = (struct lookup){.queue = queue,
			.used = true,
			.serial = serial,
			.ask = *ask,
			.output_fd = -1};
		*queue->last = lookup;
		queue->last = &lookup->next;
		run_waiting(queue);
		return;
	}
	/* The broker asks no more than LINK_ASKS_MAX at once. */
	(void)link_answer(queue->link, IPC_RESOLVED, serial, -EBUSY, NULL, NULL);
}
