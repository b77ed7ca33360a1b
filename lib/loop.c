/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loop.c: one thread, one level-triggered epoll loop with timers, signals and deferred calls.
 *
 * Runs in every program, root's included. Events that epoll reported and no callback has seen yet
 * wait in loop->batch; whoever stops a source takes its events out of there.
 */
#include "lib/loop.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/take.h"

enum { SIGNALS_AT_ONCE = 8 };

uint64_t
loop_clock(void)
{
	struct timespec now;
	int r = clock_gettime(CLOCK_MONOTONIC, &now);

	ASSERT(r == 0);
	return LOOP_S(now.tv_sec) + (uint64_t)now.tv_nsec;
}

int
loop_init(struct loop *loop)
{
	*loop = (struct loop){.signal_fd = -1};
	loop->deferred_last = &loop->deferred_first;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd < 0 ? -errno : 0;
}

void
loop_fini(struct loop *loop)
{
	if (loop->signal_io.loop)
		io_stop(&loop->signal_io);
	fd_close(&loop->signal_fd);
	fd_close(&loop->epoll_fd);
}

uint64_t
loop_now(struct loop *loop)
{
	return loop->now_ns ? loop->now_ns : loop_clock();
}

/* How long epoll may wait, in its milliseconds, rounded up: a timer is never early. */
static int
wait_ms(const struct loop *loop, int timeout_ms)
{
	const struct heap_node *first = heap_first(&loop->timers);
	uint64_t now, ms;

	if (loop->deferred_first)
		return 0;
	if (!first)
		return timeout_ms;
	now = loop_clock();
	if (first->key <= now)
		return 0;
	ms = (first->key - now - 1) / LOOP_MS(1) + 1;
	if (timeout_ms >= 0 && ms > (uint64_t)timeout_ms)
		return timeout_ms;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Serve the events of the batch whose sources have, or have not, IO_FIRST. */
static void
serve(struct loop *loop, unsigned first)
{
	for (int i = 0; i < loop->n_batch; i++) {
		struct io *io = loop->batch[i].data.ptr;
		uint32_t events;

		if (!io || (io->flags & IO_FIRST) != first)
			continue;
		loop->batch[i].data.ptr = NULL;
		/* What is no longer watched since the batch was fetched is not told. */
		events = loop->batch[i].events & (io->events | EPOLLERR | EPOLLHUP);
		if (events)
			io->fn(io, events);
	}
}

static void
run_timers(struct loop *loop)
{
	struct heap_node *first;

	while ((first = heap_first(&loop->timers)) && first->key <= loop->now_ns) {
		struct timer *timer = container_of(first, struct timer, node);

		heap_remove(&loop->timers, first);
		timer->fn(timer);
	}
}

static void
run_deferred(struct loop *loop)
{
	struct deferred *deferred;

	/* What these calls queue has the new turn, and waits for the next iteration. */
	loop->turn++;
	while ((deferred = loop->deferred_first) && deferred->turn != loop->turn) {
		loop->deferred_first = deferred->next;
		if (!deferred->next)
			loop->deferred_last = &loop->deferred_first;
		deferred->queued = false;
		deferred->fn(deferred);
	}
}

int
loop_once(struct loop *loop, int timeout_ms)
{
	int n = epoll_wait(loop->epoll_fd, loop->batch, LOOP_BATCH, wait_ms(loop, timeout_ms));

	if (n < 0 && errno != EINTR)
		return -errno;
	loop->now_ns = loop_clock();
	loop->n_batch = n < 0 ? 0 : n;
	serve(loop, IO_FIRST);
	serve(loop, 0);
	loop->n_batch = 0;
	run_timers(loop);
	run_deferred(loop);
	loop->now_ns = 0;
	return 0;
}

int
loop_run(struct loop *loop)
{
	while (!loop->quit) {
		int r = loop_once(loop, -1);

		if (r < 0)
			return r;
	}
	return loop->status;
}

void
loop_quit(struct loop *loop, int status)
{
	loop->quit = true;
	loop->status = status;
}

static void
signal_ready(struct io *io, uint32_t events)
{
	struct loop *loop = container_of(io, struct loop, signal_io);
	struct signalfd_siginfo infos[SIGNALS_AT_ONCE];
	ssize_t n;

	(void)events;
	n = read(loop->signal_fd, infos, sizeof infos);
	for (ssize_t i = 0; n > 0 && i < n / (ssize_t)sizeof *infos; i++)
		loop->signal_fn(loop->signal_arg, (int)infos[i].ssi_signo);
}

int
loop_signals(struct loop *loop, const sigset_t *set, loop_signal_fn *fn, void *arg)
{
	int r;

	ASSERT(loop->signal_fd < 0);
	if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
		return -errno;
	loop->signal_fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop->signal_fd < 0)
		return -errno;
	loop->signal_fn = fn;
	loop->signal_arg = arg;
	r = io_start(loop, &loop->signal_io, loop->signal_fd, EPOLLIN, IO_FIRST, signal_ready);
	if (r < 0)
		fd_close(&loop->signal_fd);
	return r;
}

int
io_start(struct loop *loop, struct io *io, int fd, uint32_t events, unsigned flags, io_fn *fn)
{
	struct epoll_event ev = {.events = events, .data.ptr = io};

	ASSERT(!io->loop);
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	*io = (struct io){.loop = loop, .fd = fd, .events = events, .flags = flags, .fn = fn};
	return 0;
}

void
io_set(struct io *io, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = io};
	int r;

	if (io->events == events)
		return;
	r = epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &ev);
	ASSERT(r == 0);
	io->events = events;
}

void
io_stop(struct io *io)
{
	struct loop *loop = io->loop;
	int r;

	if (!loop)
		return;
	r = epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	/* Fails when the descriptor was closed first: then its events would have no owner. */
	ASSERT(r == 0);
	for (int i = 0; i < loop->n_batch; i++)
		if (loop->batch[i].data.ptr == io)
			loop->batch[i].data.ptr = NULL;
	io->loop = NULL;
}

void
timer_set(struct loop *loop, struct timer *timer, uint64_t due_ns, timer_fn *fn)
{
	timer_stop(timer);
	timer->loop = loop;
	timer->fn = fn;
	/* Later than this iteration, or a timer that sets itself would never let go of it. */
	heap_insert(&loop->timers, &timer->node, due_ns > loop->now_ns ? due_ns : loop->now_ns + 1);
}

void
timer_stop(struct timer *timer)
{
	if (timer->node.in)
		heap_remove(&timer->loop->timers, &timer->node);
}

void
loop_defer(struct loop *loop, struct deferred *deferred, deferred_fn *fn)
{
	if (deferred->queued)
		return;
	*deferred = (struct deferred){.fn = fn, .turn = loop->turn, .queued = true};
	*loop->deferred_last = deferred;
	loop->deferred_last = &deferred->next;
}
