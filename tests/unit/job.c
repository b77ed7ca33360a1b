/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Wherever a job is stopped, and by whatever, it is undone in reverse order, done with once, freed,
 * and no ticket of it enters anything any more.
 */
#include "worker/job/job.h"

#include <errno.h>

#include "lib/take.h"
#include "tests/unit/test.h"

/* A job of this many waits; step I is entered when I answers have come, and then pushes undo I. */
enum { STEPS = 5 };

enum ending {
	BY_NOTHING,
	BY_DEADLINE,
	BY_PEER,
	BY_CANCEL,
	BY_CANCEL_ALL,
	BY_STEP, /* it finds out by itself */
	N_ENDINGS
};

struct walk {
	struct job job;
	enum ending ending;
	int stop_after; /* answers */
	int body;       /* what it was last entered with */
	uint64_t tickets[STEPS];
};

/* What became of the job, which is gone itself. */
static struct {
	int entered[64], undone[64], n_entered, n_undone, n_explained, n_done;
	int explained_step, explained_err;
	bool ok, undone_before_done;
	struct rpc_error error;
	int32_t code;
} seen;

static struct loop loop;
static struct jobs jobs;

static void
undo(struct job *job, void *arg)
{
	CHECK(job->jobs == NULL);
	seen.undone[seen.n_undone++] = (int)(intptr_t)arg;
}

static enum job_verdict
walk_step(struct job *job, int step, const void *body)
{
	struct walk *walk = container_of(job, struct walk, job);
	bool stopping = step == walk->stop_after;
	uint64_t patience = walk->ending == BY_DEADLINE && stopping ? 1 : LOOP_S(600);

	seen.entered[seen.n_entered++] = step;
	CHECK((body == NULL) == (step == 0));
	if (body)
		CHECK(*(const int *)body == step);
	if (step == STEPS)
		return JOB_DONE;
	job_push_undo(job, undo, (void *)(intptr_t)step);
	if (stopping && walk->ending == BY_STEP) {
		(void)rpc_error_set(&job->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU, "own");
		return JOB_FAILED;
	}
	walk->tickets[step] = job_wait(job, step + 1, patience);
	return JOB_WAIT;
}

static void
walk_explain(struct job *job, int step, int err)
{
	seen.n_explained++;
	seen.explained_step = step;
	seen.explained_err = err;
	(void)rpc_error_set(&job->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU, "explained");
}

static void
walk_done(struct job *job, bool ok)
{
	seen.n_done++;
	seen.ok = ok;
	seen.code = job->error.code;
	seen.undone_before_done = seen.n_undone > 0;
	free(container_of(job, struct walk, job));
}

static const struct job_ops walk_ops = {
	.name = "walk", .step = walk_step, .explain = walk_explain, .done = walk_done};

static struct walk *
walk_start(enum ending ending, int stop_after)
{
	struct walk *walk = calloc(1, sizeof(*walk));

	if (!walk)
		abort();
	memset(&seen, 0, sizeof(seen));
	walk->ending = ending;
	walk->stop_after = stop_after;
	job_start(&jobs, &walk->job, &walk_ops, 0);
	return walk;
}

/* Answer what it waits for, n times. Every ticket it gave out is kept in tickets[]. */
static void
answer(struct walk *walk, int n, uint64_t tickets[static STEPS])
{
	for (int i = 0; i < n; i++) {
		int body = i + 1;

		tickets[i] = walk->tickets[i];
		job_wake(&jobs, walk->tickets[i], 0, &body);
	}
}

static void
end_walk(struct walk *walk, uint64_t ticket)
{
	switch (walk->ending) {
	case BY_DEADLINE:
		while (seen.n_done == 0)
			CHECK(loop_once(&loop, -1) == 0);
		break;
	case BY_PEER:
		job_wake(&jobs, ticket, -EPIPE, NULL);
		break;
	case BY_CANCEL:
		job_cancel(&walk->job);
		break;
	case BY_CANCEL_ALL:
		jobs_cancel_all(&jobs);
		break;
	case BY_NOTHING:
	case BY_STEP:
	case N_ENDINGS:
		break;
	}
}

static void
check_walk(enum ending ending, int stop_after)
{
	static const int errors[N_ENDINGS] = {[BY_DEADLINE] = -ETIMEDOUT,
		[BY_PEER] = -EPIPE,
		[BY_CANCEL] = -ECANCELED,
		[BY_CANCEL_ALL] = -ECANCELED};

	CHECK(seen.n_done == 1 && !seen.ok);
	CHECK(seen.n_entered == stop_after + 1 && seen.n_undone == stop_after + 1);
	CHECK(seen.undone_before_done);
	for (int i = 0; i <= stop_after; i++)
		CHECK(seen.entered[i] == i && seen.undone[i] == stop_after - i);
	if (ending == BY_STEP) {
		CHECK(seen.n_explained == 0 && seen.code == VIR_ERR_INTERNAL_ERROR);
		return;
	}
	CHECK(seen.n_explained == 1 && seen.explained_err == errors[ending]);
	CHECK(seen.explained_step == stop_after + 1);
	CHECK(seen.code == VIR_ERR_OPERATION_FAILED);
}

static void
stopped_anywhere(void)
{
	for (enum ending ending = BY_DEADLINE; ending < N_ENDINGS; ending++)
		for (int stop_after = 0; stop_after < STEPS; stop_after++) {
			struct walk *walk = walk_start(ending, stop_after);
			uint64_t tickets[STEPS] = {0}, last = 0;
			int body = 1;

			if (seen.n_done == 0) {
				answer(walk, stop_after, tickets);
				last = seen.n_done == 0 ? walk->tickets[stop_after] : 0;
			}
			if (seen.n_done == 0)
				end_walk(walk, last);
			/* Nobody waits: neither the open wait's ticket nor an older one is good. */
			for (int i = 0; i < stop_after; i++)
				job_wake(&jobs, tickets[i], 0, &body);
			job_wake(&jobs, last, 0, &body);
			job_wake(&jobs, last, -EPIPE, NULL);
			check_walk(ending, stop_after);
			CHECK(jobs.n == 0 && LIST_EMPTY(&jobs.running));
			CHECK(heap_first(&loop.timers) == NULL);
		}
}

static void
carried_through(void)
{
	struct walk *walk = walk_start(BY_NOTHING, -1);
	uint64_t tickets[STEPS];

	CHECK(jobs.n == 1);
	answer(walk, STEPS, tickets);
	CHECK(seen.n_done == 1 && seen.ok && seen.n_entered == STEPS + 1);
	CHECK(seen.n_undone == 0 && seen.n_explained == 0);
	CHECK(jobs.n == 0 && heap_first(&loop.timers) == NULL);
}

static void
stale_tickets(void)
{
	struct walk *walk = walk_start(BY_NOTHING, -1);
	uint64_t first = walk->tickets[0];
	int body = 1;

	job_wake(&jobs, 0, 0, &body);
	job_wake(&jobs, first + 1000, 0, &body);
	CHECK(seen.n_entered == 1);
	job_wake(&jobs, first, 0, &body);
	CHECK(seen.n_entered == 2);
	/* The same answer twice, and a failure of what is over. */
	job_wake(&jobs, first, 0, &body);
	job_wake(&jobs, first, -EPIPE, NULL);
	CHECK(seen.n_entered == 2 && seen.n_done == 0);
	job_cancel(&walk->job);
	CHECK(seen.n_done == 1);
}

static void
many_at_once(void)
{
	struct walk *walks[8];
	uint64_t ticket;
	int body = 1;

	for (int i = 0; i < 8; i++)
		walks[i] = walk_start(BY_NOTHING, -1);
	CHECK(jobs.n == 8);
	for (int i = 1; i < 8; i++)
		CHECK(walks[i]->job.id != walks[i - 1]->job.id &&
			walks[i]->tickets[0] != walks[i - 1]->tickets[0]);
	/* Only the one whose ticket it is. */
	ticket = walks[3]->tickets[0];
	job_wake(&jobs, ticket, 0, &body);
	for (int i = 0; i < 8; i++)
		CHECK(walks[i]->job.step == (i == 3 ? 2 : 1));
	job_cancel(&walks[5]->job);
	CHECK(seen.n_done == 1 && jobs.n == 7);
	jobs_cancel_all(&jobs);
	CHECK(seen.n_done == 8 && jobs.n == 0);
}

/* --- jobs that follow one another --------------------------------------------------------- */

struct chain {
	struct job job;
	bool started_again;
};

static int n_chains;

static enum job_verdict
chain_step(struct job *job, int step, const void *body)
{
	(void)step;
	(void)body;
	(void)job_wait(job, 1, LOOP_S(600));
	return JOB_WAIT;
}

static void chain_done(struct job *job, bool ok);

static const struct job_ops chain_ops = {
	.name = "chain", .step = chain_step, .explain = walk_explain, .done = chain_done};

static void
chain_start(void)
{
	struct chain *chain = calloc(1, sizeof(*chain));

	if (!chain)
		abort();
	n_chains++;
	job_start(&jobs, &chain->job, &chain_ops, 0);
}

static void
chain_done(struct job *job, bool ok)
{
	CHECK(!ok);
	free(container_of(job, struct chain, job));
	if (n_chains < 100)
		chain_start();
}

static void
one_starts_the_next(void)
{
	n_chains = 0;
	chain_start();
	chain_start();
	jobs_cancel_all(&jobs);
	CHECK(n_chains == 4 && jobs.n == 2);
	n_chains = 100;
	jobs_cancel_all(&jobs);
	CHECK(jobs.n == 0);
}

/* --- a deadline is that of its own wait --------------------------------------------------- */

static void
answered_in_time(void)
{
	struct walk *walk = walk_start(BY_DEADLINE, 1);
	uint64_t ticket = walk->tickets[0];
	int body = 1;

	/* The first wait is long, the second is not; the deadline of the second alone passes. */
	CHECK(loop_once(&loop, 0) == 0 && seen.n_done == 0);
	job_wake(&jobs, ticket, 0, &body);
	while (seen.n_done == 0)
		CHECK(loop_once(&loop, -1) == 0);
	CHECK(seen.explained_err == -ETIMEDOUT && seen.explained_step == 2);
}

int
main(void)
{
	if (loop_init(&loop) < 0)
		abort();
	jobs_init(&jobs, &loop);
	TEST("stopped after any step in any way, it is undone backwards and done once",
		stopped_anywhere);
	TEST("answered to the end, it is done and nothing is undone", carried_through);
	TEST("a ticket is good once, and only while its wait is open", stale_tickets);
	TEST("many jobs: a ticket enters its own", many_at_once);
	TEST("cancelling all ends those that run, also when each starts another",
		one_starts_the_next);
	TEST("a deadline that was met does not pass later", answered_in_time);
	loop_fini(&loop);
	return TEST_END();
}
