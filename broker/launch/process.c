/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.c: a process that the starter has started; see process.h.
 */
#include "broker/launch/process.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"

static LIST_HEAD(process_list, process) all_running = LIST_HEAD_INITIALIZER(all_running);

static void
log_end(const struct process *child, int code, int status)
{
	if (code == CLD_EXITED)
		(status == 0 ? log_info : log_warning)("uid=%" PRIu32
						       " pid=%d %s: ended with status %d",
			child->uid, child->pid, child->name, status);
	else
		/* SIGKILL comes from somebody, who had a reason: destroy is one. */
		(status == SIGKILL ? log_info : log_warning)("uid=%" PRIu32
							     " pid=%d %s: ended by signal %d (%s)",
			child->uid, child->pid, child->name, status, strsignal(status));
}

static void
free_child(struct deferred *deferred)
{
	struct process *child = container_of(deferred, struct process, freeing);

	LIST_REMOVE(child, running);
	free(child);
}

/* Whoever traces it is told first; the pidfd tells again when that one has let go of it. */
static void
keep(struct process *child)
{
	if (!child->kept)
		log_warning("uid=%" PRIu32
			    " pid=%d %s: has ended, and is kept by whoever traces it",
			child->uid, child->pid, child->name);
	child->kept = true;
	relay_stop(&child->relay);
}

static void
ended(struct io *io, uint32_t events)
{
	struct process *child = container_of(io, struct process, end_io);
	struct loop *loop = io->loop;
	siginfo_t info = {0};
	int r = waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG);

	(void)events;
	/* ECHILD would mean that somebody else reaps here. */
	ASSERT(r == 0);
	if (info.si_pid == 0) {
		keep(child);
		return;
	}
	relay_stop(&child->relay);
	if (!child->quiet)
		log_end(child, info.si_code, info.si_status);
	child->end(child, info.si_code, info.si_status);
	io_stop(&child->end_io);
	fd_close(&child->pidfd);
	loop_defer(loop, &child->freeing, free_child);
}

/* It cannot be watched, so it may not run: ended and reaped at once. */
static void
abandon(struct process *child)
{
	siginfo_t info;

	process_kill(child);
	while (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED) < 0 && errno == EINTR)
		;
	relay_stop(&child->relay);
	fd_close(&child->pidfd);
}

int
process_start(struct loop *loop, struct spawn *spawn, const char *name, process_end_fn *end,
	void *arg, struct process **ret)
{
	free_auto struct process *child = calloc(1, sizeof(*child));
	fd_auto int read_fd = -1;
	fd_auto int write_fd = -1;
	int fds[2], r;

	if (!child)
		return -ENOMEM;
	r = relay_pipe(fds);
	if (r < 0)
		return r;
	read_fd = fds[0];
	write_fd = fds[1];
	spawn->errors_fd = write_fd;
	r = spawn_start(spawn, &child->pidfd, &child->pid);
	if (r < 0)
		return r;
	child->uid = spawn->uid;
	child->name = name;
	child->end = end;
	child->arg = arg;
	r = relay_start(&child->relay, loop, take_fd(&read_fd), child->uid, child->pid, name);
	/* Once for each change: it stays readable while somebody keeps it. */
	if (r == 0)
		r = io_start(loop, &child->end_io, child->pidfd, EPOLLIN | EPOLLET, 0, ended);
	if (r < 0) {
		abandon(child);
		return r;
	}
	LIST_INSERT_HEAD(&all_running, child, running);
	*ret = take_ptr(child);
	return 0;
}

void
process_kill(const struct process *child)
{
	/* ESRCH: it has ended already. */
	(void)syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
}

unsigned
process_n_kept(uint32_t uid)
{
	const struct process *child;
	unsigned n = 0;

	LIST_FOREACH (child, &all_running, running)
		n += child->kept && child->uid == uid;
	return n;
}
