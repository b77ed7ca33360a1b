/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loop.c: callbacks come in the documented order, and never for a source that was stopped.
 */
#include "lib/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "tests/unit/test.h"

enum { N_SOURCES = 100 };

struct source {
	struct io io;
	int fd;
	unsigned n_calls;
	uint32_t events;
};

static struct loop loop;
static struct source sources[N_SOURCES];
static struct timer timers[4];
static struct deferred deferreds[3];
static char order[64];

static void
mark(char c)
{
	size_t n = strlen(order);

	if (n + 1 < sizeof order)
		order[n] = c;
}

static void
set_up(unsigned n_sources)
{
	memset(sources, 0, sizeof sources);
	memset(timers, 0, sizeof timers);
	memset(deferreds, 0, sizeof deferreds);
	memset(order, 0, sizeof order);
	CHECK(loop_init(&loop) == 0);
	for (unsigned i = 0; i < N_SOURCES; i++)
		sources[i].fd = i < n_sources ? eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
}

static void
tear_down(void)
{
	for (unsigned i = 0; i < N_SOURCES; i++) {
		io_stop(&sources[i].io);
		fd_close(&sources[i].fd);
	}
	loop_fini(&loop);
	CHECK(loop.epoll_fd == -1);
}

static void
count(struct io *io, uint32_t events)
{
	struct source *source = container_of(io, struct source, io);

	source->n_calls++;
	source->events = events;
}

static void
stop_all(struct io *io, uint32_t events)
{
	count(io, events);
	for (unsigned i = 0; i < N_SOURCES; i++)
		io_stop(&sources[i].io);
}

static void
unwatch_all(struct io *io, uint32_t events)
{
	count(io, events);
	for (unsigned i = 0; i < N_SOURCES; i++)
		if (sources[i].io.loop)
			io_set(&sources[i].io, 0);
}

static void
start(unsigned i, unsigned flags, io_fn *fn)
{
	CHECK(io_start(&loop, &sources[i].io, sources[i].fd, EPOLLIN, flags, fn) == 0);
}

static unsigned
n_calls(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_SOURCES; i++)
		n += sources[i].n_calls;
	return n;
}

static void
serves(void)
{
	set_up(2);
	start(0, 0, count);
	start(1, 0, count);
	CHECK(loop_once(&loop, 0) == 0);
	CHECK(sources[0].n_calls == 1 && sources[1].n_calls == 1);
	CHECK(sources[0].events == EPOLLIN);
	io_set(&sources[0].io, 0);
	io_set(&sources[1].io, EPOLLIN | EPOLLOUT);
	CHECK(loop_once(&loop, 0) == 0);
	CHECK(sources[0].n_calls == 1 && sources[1].n_calls == 2);
	CHECK(sources[1].events == (EPOLLIN | EPOLLOUT));
	io_stop(&sources[1].io);
	io_stop(&sources[1].io);
	CHECK(loop_once(&loop, 0) == 0);
	CHECK(n_calls() == 3);
	start(1, 0, count);
	CHECK(loop_once(&loop, 0) == 0);
	CHECK(sources[1].n_calls == 3);
	tear_down();
}

static void
refuses(void)
{
	struct source file = {.fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC)};

	set_up(0);
	CHECK(io_start(&loop, &file.io, file.fd, EPOLLIN, 0, count) == -EPERM);
	CHECK(!file.io.loop);
	CHECK(io_start(&loop, &file.io, -1, EPOLLIN, 0, count) == -EBADF);
	fd_close(&file.fd);
	tear_down();
}

static void
stops_pending(void)
{
	/* All are ready in one batch: the one served first stops itself and the others. */
	set_up(20);
	for (unsigned i = 0; i < 20; i++)
		start(i, 0, stop_all);
	CHECK(loop_once(&loop, 0) == 0);
	CHECK(n_calls() == 1);
	CHECK(loop_once(&loop, 0) == 0);
	CHECK(n_calls() == 1);
	tear_down();
}

static void
restart_others(struct io *io, uint32_t events)
{
	count(io, events);
	for (unsigned i = 0; i < 10; i++) {
		if (&sources[i].io == io)
			continue;
		io_stop(&sources[i].io);
		start(i, 0, count);
	}
}

static void
forgets_pending(void)
{
	/* An event that was pending when its source was stopped is not told after a new start. */
	set_up(10);
	for (unsigned i = 0; i < 10; i++)
		start(i, 0, restart_others);
	CHECK(loop_once(&loop, 0) == 0);
	CHECK(n_calls() == 1);
	tear_down();
}

static void
unwatches_pending(void)
{
	set_up(10);
	for (unsigned i = 0; i < 10; i++)
		start(i, 0, unwatch_all);
	CHECK(loop_once(&loop, 0) == 0);
	CHECK(n_calls() == 1);
	tear_down();
}

static void
mark_ordinary(struct io *io, uint32_t events)
{
	(void)io;
	(void)events;
	mark('o');
}

static void
mark_first(struct io *io, uint32_t events)
{
	(void)io;
	(void)events;
	mark('F');
}

static void
mark_timer(struct timer *timer)
{
	(void)timer;
	mark('t');
}

static void
mark_deferred(struct deferred *deferred)
{
	(void)deferred;
	mark('d');
}

static void
orders(void)
{
	set_up(4);
	loop_defer(&loop, &deferreds[0], mark_deferred);
	loop_defer(&loop, &deferreds[0], mark_deferred);
	timer_set(&loop, &timers[0], 1, mark_timer);
	start(0, 0, mark_ordinary);
	start(1, IO_FIRST, mark_first);
	start(2, 0, mark_ordinary);
	start(3, IO_FIRST, mark_first);
	CHECK(loop_once(&loop, -1) == 0);
	CHECK_STR(order, "FFootd");
	CHECK(!deferreds[0].queued && !timer_is_set(&timers[0]));
	tear_down();
}

static void
is_fair(void)
{
	/* More sources than a batch, all always ready: each has its turn. */
	set_up(N_SOURCES);
	for (unsigned i = 0; i < N_SOURCES; i++)
		start(i, 0, count);
	for (unsigned i = 0; i < 4; i++)
		CHECK(loop_once(&loop, 0) == 0);
	for (unsigned i = 0; i < N_SOURCES; i++)
		CHECK(sources[i].n_calls > 0);
	tear_down();
}

static void
again_at_once(struct timer *timer)
{
	mark('a');
	timer_set(&loop, timer, 0, again_at_once);
}

static void
quit_by_timer(struct timer *timer)
{
	(void)timer;
	mark('q');
	loop_quit(&loop, 7);
}

static void
stop_second(struct timer *timer)
{
	(void)timer;
	mark('s');
	timer_stop(&timers[1]);
}

static void
times(void)
{
	uint64_t start_ns;

	set_up(0);
	timer_set(&loop, &timers[0], 0, again_at_once);
	CHECK(loop_once(&loop, -1) == 0);
	CHECK_STR(order, "a");
	CHECK(loop_once(&loop, -1) == 0);
	CHECK_STR(order, "aa");
	timer_stop(&timers[0]);
	timer_stop(&timers[0]);
	CHECK(!timer_is_set(&timers[0]));

	/* A timer stops one that is due with it. */
	memset(order, 0, sizeof order);
	timer_set(&loop, &timers[0], 1, stop_second);
	timer_set(&loop, &timers[1], 2, mark_timer);
	CHECK(loop_once(&loop, -1) == 0);
	CHECK(loop_once(&loop, 0) == 0);
	CHECK_STR(order, "s");

	/* Never early, in order, and moved by setting it again. */
	memset(order, 0, sizeof order);
	start_ns = loop_now(&loop);
	timer_set(&loop, &timers[0], start_ns + LOOP_S(3600), mark_timer);
	timer_set(&loop, &timers[1], start_ns + LOOP_MS(20), quit_by_timer);
	timer_set(&loop, &timers[2], start_ns + LOOP_MS(10), mark_timer);
	timer_set(&loop, &timers[0], start_ns + LOOP_MS(15), mark_timer);
	CHECK(loop_run(&loop) == 7);
	CHECK_STR(order, "ttq");
	CHECK(loop_now(&loop) >= start_ns + LOOP_MS(20));
	tear_down();
}

static void
waits_as_long(void)
{
	const struct itimerspec soon = {.it_value.tv_nsec = 20000000};

	/* 2^32 milliseconds, which are none in an int, and the end of time. */
	for (unsigned i = 0; i < 2; i++) {
		set_up(0);
		sources[0].fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
		start(0, 0, count);
		timer_set(&loop, &timers[0],
			i == 0 ? loop_now(&loop) + LOOP_MS(1ull << 32) : UINT64_MAX, mark_timer);
		CHECK(timerfd_settime(sources[0].fd, 0, &soon, NULL) == 0);
		CHECK(loop_once(&loop, -1) == 0);
		CHECK(sources[0].n_calls == 1 && order[0] == '\0');
		timer_stop(&timers[0]);
		tear_down();
	}
	/* One wait is enough: it is not cut short, to be repeated until the timer is due. */
	set_up(0);
	timer_set(&loop, &timers[0], loop_now(&loop) + LOOP_MS(10) + 1, mark_timer);
	CHECK(loop_once(&loop, -1) == 0);
	CHECK_STR(order, "t");
	tear_down();
}

static void
defer_another(struct deferred *deferred)
{
	mark('1');
	loop_defer(&loop, deferred, mark_deferred);
	loop_defer(&loop, &deferreds[2], mark_deferred);
}

static void
defers(void)
{
	set_up(0);
	loop_defer(&loop, &deferreds[0], defer_another);
	loop_defer(&loop, &deferreds[1], mark_deferred);
	CHECK(loop_once(&loop, -1) == 0);
	CHECK_STR(order, "1d");
	CHECK(loop_once(&loop, -1) == 0); /* does not wait: there is something to do */
	CHECK_STR(order, "1ddd");
	CHECK(loop_once(&loop, 0) == 0);
	CHECK_STR(order, "1ddd");
	loop_defer(&loop, &deferreds[1], mark_deferred);
	CHECK(loop_once(&loop, 0) == 0);
	CHECK_STR(order, "1dddd");
	tear_down();
}

static void
on_signal(void *arg, int signo)
{
	*(unsigned *)arg |= 1u << signo;
	if (signo == SIGTERM)
		loop_quit(&loop, 3);
}

static void
takes_signals(void)
{
	unsigned seen = 0;
	sigset_t set;

	set_up(0);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	CHECK(loop_signals(&loop, &set, on_signal, &seen) == 0);
	CHECK(fcntl(loop.signal_fd, F_GETFD) & FD_CLOEXEC);
	(void)raise(SIGHUP);
	(void)raise(SIGTERM);
	CHECK(loop_run(&loop) == 3);
	CHECK(seen == (1u << SIGTERM | 1u << SIGHUP));
	tear_down();
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void
nothing(int signo)
{
	(void)signo;
}

static void
survives_signals(void)
{
	struct sigaction action = {.sa_handler = nothing};
	pid_t pid;

	set_up(0);
	(void)sigaction(SIGUSR1, &action, NULL);
	(void)fflush(stdout);
	timer_set(&loop, &timers[0], loop_now(&loop) + LOOP_MS(50), quit_by_timer);
	pid = fork();
	if (pid == 0) {
		(void)kill(getppid(), SIGUSR1);
		_exit(0);
	}
	CHECK(loop_run(&loop) == 7);
	(void)waitpid(pid, NULL, 0);
	tear_down();
}

static void
tells_now(void)
{
	uint64_t first, second;

	set_up(0);
	first = loop_now(&loop);
	while ((second = loop_now(&loop)) == first) {}
	CHECK(second > first); /* outside an iteration it is read afresh */
	tear_down();
}

static void
is_closed_on_exec(void)
{
	set_up(0);
	CHECK(fcntl(loop.epoll_fd, F_GETFD) & FD_CLOEXEC);
	tear_down();
}

int
main(void)
{
	TEST("sources are served, changed, stopped and started again", serves);
	TEST("what cannot be watched is refused", refuses);
	TEST("no callback comes for a source that another one stopped in the same batch",
		stops_pending);
	TEST("an event of before a stop is not told after a new start", forgets_pending);
	TEST("an event that is no longer watched is not told", unwatches_pending);
	TEST("first sources, then the others, timers, deferred calls", orders);
	TEST("more ready sources than a batch all have their turn", is_fair);
	TEST("timers run in order, never early, and let go when they set themselves", times);
	TEST("the loop waits until the first timer, however far", waits_as_long);
	TEST("deferred calls run once, those queued by them one iteration later", defers);
	TEST("signals arrive in the loop", takes_signals);
	TEST("a signal with a handler does not end the loop", survives_signals);
	TEST("now is read afresh outside an iteration", tells_now);
	TEST("the loop's descriptors are closed on exec", is_closed_on_exec);
	return TEST_END();
}
