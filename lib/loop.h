/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loop.h: one thread, one level-triggered epoll loop with timers, signals and deferred calls.
 *
 * Runs in every program, root's included. All structs are embedded in their owners and zeroed
 * before first use; no call but loop_init() and io_start() can fail, none allocates.
 *
 * Order of one iteration: io callbacks (sources started with IO_FIRST before the others), then
 * timers that are due, then deferred calls. io_stop() and timer_stop() may be called from any
 * callback, also for the source that is running: after them no callback of that source runs.
 * An object that owns sources is freed in a deferred call, never inside its own callback.
 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "lib/heap.h"

struct io;
struct timer;
struct deferred;

enum { LOOP_BATCH = 64 };

enum io_flags { IO_FIRST = 1 /* served before other sources of the same iteration */ };

typedef void io_fn(struct io *io, uint32_t events);
typedef void timer_fn(struct timer *timer);
typedef void deferred_fn(struct deferred *deferred);
typedef void loop_signal_fn(void *arg, int signo);

struct io {
	struct loop *loop; /* NULL: not started */
	int fd;            /* borrowed: the owner closes it, after io_stop() */
	uint32_t events;   /* EPOLLIN, EPOLLOUT... as last set */
	unsigned flags;
	io_fn *fn;
};

struct timer {
	struct heap_node node;
	struct loop *loop;
	timer_fn *fn;
};

struct deferred {
	struct deferred *next;
	deferred_fn *fn;
	uint64_t turn; /* the loop's, when it was queued */
	bool queued;
};

struct loop {
	int epoll_fd;
	int signal_fd;
	struct io signal_io;
	loop_signal_fn *signal_fn;
	void *signal_arg;
	struct heap timers;
	struct deferred *deferred_first, **deferred_last;
	struct epoll_event batch[LOOP_BATCH]; /* data.ptr is NULL when served or stopped */
	int n_batch;
	uint64_t turn;   /* counts the rounds of deferred calls */
	uint64_t now_ns; /* 0 outside an iteration */
	bool quit;
	int status;
};

/** Make the loop. Returns 0 or a negative errno. */
int loop_init(struct loop *loop);
/** Close the loop's own descriptors. Sources must have been stopped or be about to be forgotten. */
void loop_fini(struct loop *loop);
/** Run until loop_quit(). Returns the status given to it, or a negative errno when epoll failed. */
int loop_run(struct loop *loop);
/** One iteration that waits at most timeout_ms (-1: until something happens). For tests. */
int loop_once(struct loop *loop, int timeout_ms);
/** Leave loop_run() after this iteration. */
void loop_quit(struct loop *loop, int status);
/** CLOCK_MONOTONIC in nanoseconds as of the start of this iteration (read afresh outside one). */
uint64_t loop_now(struct loop *loop);
/** The same as of this call, for work that shall take no more than its share of an iteration. */
uint64_t loop_clock(void);
/** Block the signals of the set and hand each to fn from the loop. Once per loop. */
int loop_signals(struct loop *loop, const sigset_t *set, loop_signal_fn *fn, void *arg);

/** Watch a descriptor. Returns 0 or a negative errno. */
int io_start(struct loop *loop, struct io *io, int fd, uint32_t events, unsigned flags, io_fn *fn);
/** Change the watched events; no system call when nothing changes. */
void io_set(struct io *io, uint32_t events);
/** Stop watching; nothing happens when not started. The descriptor stays open. */
void io_stop(struct io *io);

/**
 * Set or move a timer to an absolute time (see loop_now()). It is never early, and runs in a later
 * iteration than the callback that set it.
 */
void timer_set(struct loop *loop, struct timer *timer, uint64_t due_ns, timer_fn *fn);
void timer_stop(struct timer *timer);
static inline bool
timer_is_set(const struct timer *timer)
{
	return timer->node.in;
}

/**
 * Call fn at the end of this iteration (of the next one, when called by a deferred call); queueing
 * it twice is queueing it once.
 */
void loop_defer(struct loop *loop, struct deferred *deferred, deferred_fn *fn);

#define LOOP_MS(ms) ((uint64_t)(ms)*1000000u)
#define LOOP_S(s)   ((uint64_t)(s)*1000000000u)

#endif
