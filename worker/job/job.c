/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.c: the engine of operations that wait; see job.h.
 *
 * Runs in the worker. Knows nothing of what a job does.
 */
#include "worker/job/job.h"

#include <errno.h>
#include <string.h>

#include "lib/err.h"
#include "lib/take.h"

void
jobs_init(struct jobs *jobs, struct loop *loop)
{
	memset(jobs, 0, sizeof(*jobs));
	jobs->loop = loop;
	LIST_INIT(&jobs->running);
}

/* The job may be freed when this returns. */
static void
finish(struct job *job, bool ok)
{
	timer_stop(&job->deadline);
	LIST_REMOVE(job, entry);
	job->jobs->n--;
	job->jobs = NULL;
	while (!ok && job->n_undo > 0) {
		const struct job_undo *undo = &job->undo[--job->n_undo];

		undo->fn(job, undo->arg);
	}
	job->ops->done(job, ok);
}

static void
fail(struct job *job, int err)
{
	/* A step that ends jobs could end its own under its feet. */
	ASSERT(!job->entered);
	job->ops->explain(job, job->step, err);
	finish(job, false);
}

static void
enter(struct job *job, const void *body)
{
	enum job_verdict verdict;

	job->entered = true;
	verdict = job->ops->step(job, job->step, body);
	job->entered = false;
	switch (verdict) {
	case JOB_WAIT:
		ASSERT(job->ticket != 0);
		break;
	case JOB_DONE:
		finish(job, true);
		break;
	case JOB_FAILED:
		finish(job, false);
		break;
	}
}

static void
too_late(struct timer *timer)
{
	fail(container_of(timer, struct job, deadline), -ETIMEDOUT);
}

void
job_start(struct jobs *jobs, struct job *job, const struct job_ops *ops, int first_step)
{
	job->jobs = jobs;
	job->ops = ops;
	job->id = ++jobs->next_id;
	job->step = first_step;
	LIST_INSERT_HEAD(&jobs->running, job, entry);
	jobs->n++;
	enter(job, NULL);
}

uint64_t
job_wait(struct job *job, int next_step, uint64_t timeout_ns)
{
	struct jobs *jobs = job->jobs;

	ASSERT(job->entered);
	job->step = next_step;
	job->ticket = ++jobs->next_ticket;
	timer_set(jobs->loop, &job->deadline, loop_now(jobs->loop) + timeout_ns, too_late);
	return job->ticket;
}

void
job_wake(struct jobs *jobs, uint64_t ticket, int err, const void *body)
{
	struct job *job;

	LIST_FOREACH (job, &jobs->running, entry)
		if (ticket != 0 && job->ticket == ticket)
			break;
	if (!job)
		return;
	/* A step that wakes its own job would be entered inside itself. */
	ASSERT(!job->entered);
	job->ticket = 0;
	if (err < 0)
		fail(job, err);
	else
		enter(job, body);
}

void
job_cancel(struct job *job)
{
	if (job->jobs)
		fail(job, -ECANCELED);
}

void
jobs_cancel_all(struct jobs *jobs)
{
	uint64_t last = jobs->next_id;
	struct job *job;

	do {
		/* Not those that are started meanwhile, or this might never end. */
		LIST_FOREACH (job, &jobs->running, entry)
			if (job->id <= last)
				break;
		if (job)
			fail(job, -ECANCELED);
	} while (job);
}

void
job_push_undo(struct job *job, job_undo_fn *fn, void *arg)
{
	ASSERT(job->entered && job->n_undo < JOB_UNDO_MAX);
	job->undo[job->n_undo++] = (struct job_undo){fn, arg};
}
