/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inquiry.c: rounds of questions to the QEMU of a VM; see inquiry.h.
 *
 * Runs in the worker, as the user. Must never send a round's commands while one of another is open.
 */
#include "worker/vm/inquiry.h"

#include <errno.h>

#include "lib/take.h"
#include "worker/qemu/block_stats.h"
#include "worker/qemu/qmp.h"
#include "worker/vm/vm.h"
#include "worker/vm/vms.h"

/* Without it the chain below each node comes along. */
static json_t *
flat(const struct vm *vm)
{
	(void)vm;
	return json_pack("{sb}", "flat", 1);
}

static json_t *
guest_stats(const struct vm *vm)
{
	return json_pack("{so ss}", "path",
		json_sprintf("/machine/peripheral/%s", vm->domain->live->memballoon.device.alias),
		"property", "guest-stats");
}

/* QEMU reads a command byte by byte, at some microseconds each: no word more than is needed. */
static const struct {
	const char *command;
	json_t *(*arguments)(const struct vm *vm);
} questions[] = {
	[INQUIRY_BLOCK_STATS] = {"query-blockstats", NULL},
	[INQUIRY_BLOCK_NODES] = {"query-named-block-nodes", flat},
	[INQUIRY_BLOCK_STATE] = {"query-block", NULL},
	[INQUIRY_BALLOON] = {"query-balloon", NULL},
	[INQUIRY_GUEST_STATS] = {"qom-get", guest_stats},
	[INQUIRY_IOTHREADS] = {"query-iothreads", NULL},
};

static const unsigned block_questions = 1U << INQUIRY_BLOCK_STATS | 1U << INQUIRY_BLOCK_NODES;

static const struct inquiry_answers nothing;

static void
forget_answers(struct inquiries *inquiries)
{
	for (unsigned i = 0; i < INQUIRY_N_QUESTIONS; i++)
		json_decref(take_ptr(inquiries->answers.values[i]));
}

static void
tell(struct inquiry *inquiry, int err, const struct inquiry_answers *answers)
{
	timer_stop(&inquiry->late);
	LIST_REMOVE(inquiry, entry);
	inquiry->done(inquiry, err, answers);
}

static void
too_late(struct timer *timer)
{
	tell(container_of(timer, struct inquiry, late), -ETIMEDOUT, &nothing);
}

/* Move all of a list, which is the empty one then. */
static void
move_all(struct inquiry_list *from, struct inquiry_list *to)
{
	while (!LIST_EMPTY(from)) {
		struct inquiry *inquiry = LIST_FIRST(from);

		LIST_REMOVE(inquiry, entry);
		LIST_INSERT_HEAD(to, inquiry, entry);
	}
}

static void
tell_all(struct inquiry_list *list, int err, const struct inquiry_answers *answers)
{
	struct inquiry_list told = LIST_HEAD_INITIALIZER(told);

	/* Whoever is told may ask again. */
	move_all(list, &told);
	while (!LIST_EMPTY(&told))
		tell(LIST_FIRST(&told), err, answers);
}

static int
put_question(struct vm *vm, enum inquiry_question question)
{
	int r = monitor_question(&vm->monitor, questions[question].command,
		questions[question].arguments ? questions[question].arguments(vm) : NULL,
		INQUIRY_COOKIE | question);

	if (r == 0)
		vm->inquiries.open |= 1U << question;
	return r;
}

static bool
may_use_nodes(const struct vm *vm)
{
	const struct inquiries *inquiries = &vm->inquiries;

	return inquiries->nodes &&
	       loop_now(vm->vms->loop) - inquiries->nodes_since < LOOP_S(INQUIRY_NODES_KEPT_S);
}

/* Nothing has happened to it since it was asked, and it was paused then. */
static bool
stands_still(const struct vm *vm)
{
	return vm->domain->state == DOMAIN_STATE_PAUSED &&
	       vm->inquiries.stats_since == vm->monitor.n_doings;
}

/* Send what those in `next` want to know. Returns 0, or the error of the first that cannot go. */
static int
begin_round(struct vm *vm)
{
	struct inquiries *inquiries = &vm->inquiries;
	const struct inquiry *inquiry;
	unsigned wanted = 0;
	int r = 0;

	inquiries->since = loop_now(vm->vms->loop);
	LIST_FOREACH (inquiry, &inquiries->next, entry)
		wanted |= inquiry->questions;
	inquiries->stats_since = vm->monitor.n_doings;
	inquiries->nodes_wanted =
		(wanted & block_questions) == block_questions && may_use_nodes(vm);
	if (inquiries->nodes_wanted)
		wanted &= ~(1U << INQUIRY_BLOCK_NODES);
	for (unsigned i = 0; i < INQUIRY_N_QUESTIONS && r == 0; i++)
		if (wanted & 1U << i)
			r = put_question(vm, i);
	/* Those that went are answered, and then this round is over as any other. */
	if (r == 0 || inquiries->open)
		move_all(&inquiries->next, &inquiries->asked);
	return inquiries->open ? 0 : r;
}

bool
inquiry_known(const struct vm *vm, unsigned wanted, struct inquiry_answers *ret)
{
	const struct inquiries *inquiries = &vm->inquiries;

	*ret = (struct inquiry_answers){.values[INQUIRY_BLOCK_STATS] = inquiries->stats};
	if (!inquiries->stats || !stands_still(vm) || wanted & ~block_questions)
		return false;
	if (wanted & 1U << INQUIRY_BLOCK_NODES) {
		if (!may_use_nodes(vm) || inquiries->nodes_sum != block_stats_sum(inquiries->stats))
			return false;
		ret->values[INQUIRY_BLOCK_NODES] = inquiries->nodes;
	}
	return true;
}

static bool
is_busy(const struct vm *vm)
{
	const struct vm_op *op = TAILQ_FIRST(&vm->ops);

	return vm->inquiries.open || (op && op->job.jobs);
}

int
inquiry_start(
	struct vm *vm, struct inquiry *inquiry, unsigned wanted, bool no_wait, inquiry_fn *done)
{
	struct inquiries *inquiries = &vm->inquiries;
	struct loop *loop = vm->vms->loop;
	int r = 0;

	if (vm->monitor.state != MONITOR_OPEN || vm->stopping)
		return -ENOTCONN;
	if (no_wait && is_busy(vm))
		return -EBUSY;
	if (inquiries->open && loop_now(loop) - inquiries->since >= LOOP_S(INQUIRY_PATIENCE_S))
		return -ETIMEDOUT;
	inquiry->questions = wanted;
	inquiry->done = done;
	LIST_INSERT_HEAD(&inquiries->next, inquiry, entry);
	if (!inquiries->open)
		r = begin_round(vm);
	if (r < 0) {
		LIST_REMOVE(inquiry, entry);
		return r;
	}
	timer_set(loop, &inquiry->late, loop_now(loop) + LOOP_S(INQUIRY_PATIENCE_S), too_late);
	return 0;
}

/* All answers of a round are there. */
static void
end_round(struct vm *vm)
{
	struct inquiries *inquiries = &vm->inquiries;
	struct inquiry_answers answers = inquiries->answers;
	struct inquiry_list told = LIST_HEAD_INITIALIZER(told);
	int r;

	inquiries->answers = nothing;
	move_all(&inquiries->asked, &told);
	/* Before anybody is told: what they ask then comes behind those that wait already. */
	r = LIST_EMPTY(&inquiries->next) ? 0 : begin_round(vm);
	if (r < 0)
		tell_all(&inquiries->next, r, &nothing);
	tell_all(&told, 0, &answers);
	for (unsigned i = 0; i < INQUIRY_N_QUESTIONS; i++)
		json_decref(answers.values[i]);
}

/* What was written is known: the sizes of before are right, or it is asked for those of now. */
static void
settle_nodes(struct vm *vm)
{
	struct inquiries *inquiries = &vm->inquiries;
	json_t **values = inquiries->answers.values;

	inquiries->nodes_wanted = false;
	if (block_stats_sum(values[INQUIRY_BLOCK_STATS]) == inquiries->nodes_sum)
		values[INQUIRY_BLOCK_NODES] = json_incref(inquiries->nodes);
	else
		(void)put_question(vm, INQUIRY_BLOCK_NODES);
}

static void
keep_stats(struct vm *vm)
{
	struct inquiries *inquiries = &vm->inquiries;

	json_decref(take_ptr(inquiries->stats));
	if (stands_still(vm))
		inquiries->stats = json_incref(inquiries->answers.values[INQUIRY_BLOCK_STATS]);
}

static void
keep_nodes(struct vm *vm)
{
	struct inquiries *inquiries = &vm->inquiries;
	json_t *const *values = inquiries->answers.values;

	json_decref(inquiries->nodes);
	inquiries->nodes = json_incref(values[INQUIRY_BLOCK_NODES]);
	/* Before: what is written between the two answers shows the next time. */
	inquiries->nodes_sum = block_stats_sum(values[INQUIRY_BLOCK_STATS]);
	inquiries->nodes_since = loop_now(vm->vms->loop);
}

void
inquiry_reply(struct vm *vm, uint64_t cookie, const struct qmp_reply *reply)
{
	struct inquiries *inquiries = &vm->inquiries;
	unsigned question = (unsigned)(cookie & ~INQUIRY_COOKIE);

	inquiries->answers.values[question] = json_incref(reply->value);
	inquiries->open &= ~(1U << question);
	if (question == INQUIRY_BLOCK_STATS)
		keep_stats(vm);
	if (question == INQUIRY_BLOCK_STATS && inquiries->nodes_wanted)
		settle_nodes(vm);
	else if (question == INQUIRY_BLOCK_NODES)
		keep_nodes(vm);
	if (inquiries->open == 0)
		end_round(vm);
}

void
inquiries_fail(struct vm *vm, int err)
{
	struct inquiries *inquiries = &vm->inquiries;

	inquiries->open = 0;
	inquiries->nodes_wanted = false;
	json_decref(take_ptr(inquiries->nodes));
	json_decref(take_ptr(inquiries->stats));
	forget_answers(inquiries);
	tell_all(&inquiries->asked, err, &nothing);
	tell_all(&inquiries->next, err, &nothing);
}
