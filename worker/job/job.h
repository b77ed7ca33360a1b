/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.h: operations that wait: one struct, one step function, one place for time, cancel and undo.
 *
 * Runs in the worker. An operation that has to wait for QEMU, the broker or a helper process is a
 * job: a heap struct that embeds struct job, an enum of its steps, and one step function that
 * reads top to bottom: each case is "what has just arrived, what to ask next". A step never
 * blocks and is never entered for a job that is over.
 *
 * The engine owns the rest. Every wait has a deadline. A deadline that passes, a peer that ends
 * and a cancel all fail the job without entering a step; then what the steps pushed is undone in
 * reverse order, and `done` is called once. An answer that comes too late finds nobody.
 */
#ifndef WORKER_JOB_JOB_H
#define WORKER_JOB_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/loop.h"
#include "protocol/rpc/error.h"

struct job;

enum { JOB_UNDO_MAX = 16 };

enum job_verdict {
	JOB_WAIT = 1, /* job_wait() was called; enter the next step with what arrives */
	JOB_DONE,
	JOB_FAILED /* job->error says why */
};

typedef void job_undo_fn(struct job *job, void *arg);

struct job_ops {
	const char *name; /* "start"; for logs and for clients that ask what goes on */
	/* body is what was waited for, of the type that the one who wakes says; it may be NULL. */
	enum job_verdict (*step)(struct job *job, int step, const void *body);
	/* What failed, in a client's words, when the engine ends the job: err is a negative errno
	 * (-ETIMEDOUT, -ECANCELED, what the waker gave). Fills in job->error. */
	void (*explain)(struct job *job, int step, int err);
	/*
	 * It is over, undone if it failed. A job that nothing but this engine calls may be freed
	 * here; one that embeds a conversation may be inside its callback: it is freed later.
	 */
	void (*done)(struct job *job, bool ok);
};

struct job_undo {
	job_undo_fn *fn;
	void *arg;
};

struct job {
	LIST_ENTRY(job) entry;
	struct jobs *jobs; /* NULL: not started, or over */
	const struct job_ops *ops;
	uint64_t id;     /* never used twice */
	int step;        /* that is entered next */
	bool entered;    /* its step function runs */
	uint64_t ticket; /* of the wait that is open; 0: none */
	struct timer deadline;
	unsigned n_undo;
	struct job_undo undo[JOB_UNDO_MAX];
	struct rpc_error error;
};

LIST_HEAD(job_list, job);

struct jobs {
	struct loop *loop;
	struct job_list running;
	unsigned n;
	uint64_t next_id, next_ticket;
};

void jobs_init(struct jobs *jobs, struct loop *loop);
/**
 * Cancel all that run now: each is undone and done with before this returns. Those that a `done`
 * starts meanwhile go on. Not from inside a step.
 */
void jobs_cancel_all(struct jobs *jobs);

/** Start a zeroed job with its first step, which is entered before this returns, with no body. */
void job_start(struct jobs *jobs, struct job *job, const struct job_ops *ops, int first_step);
/**
 * From inside a step: wait at most until timeout_ns from now, then enter next_step. Returns the
 * ticket to give to whoever brings the answer; a newer wait makes older tickets void.
 */
uint64_t job_wait(struct job *job, int next_step, uint64_t timeout_ns);
/**
 * Bring what a ticket waits for; err is 0, or a negative errno that fails the job. Not from inside
 * a step of that job. A void ticket is no error: nobody waits.
 */
void job_wake(struct jobs *jobs, uint64_t ticket, int err, const void *body);
/** Fail a job from outside its steps with -ECANCELED; nothing happens when it is over. */
void job_cancel(struct job *job);

/** From inside a step: if the job fails, call fn(job, arg), before those pushed earlier. */
void job_push_undo(struct job *job, job_undo_fn *fn, void *arg);

#endif
