/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inflow.c: the bound on unfinished packets of all clients; see inflow.h.
 */
#include "serve/inflow.h"

#include "lib/err.h"
#include "lib/take.h"

void
inflow_init(struct inflow *inflow, struct loop *loop, const struct inflow_ops *ops)
{
	*inflow = (struct inflow){.loop = loop, .ops = ops};
	TAILQ_INIT(&inflow->holders);
	TAILQ_INIT(&inflow->waiting);
}

static void
grant(struct inflow *inflow, struct inflow_claim *claim)
{
	claim->state = INFLOW_GRANTED;
	claim->heard_ns = loop_now(inflow->loop);
	inflow->granted += claim->size;
	TAILQ_INSERT_TAIL(&inflow->holders, claim, entry);
}

static void
look_for_stalled(struct timer *timer)
{
	struct inflow *inflow = container_of(timer, struct inflow, watch);
	uint64_t now = loop_now(inflow->loop);
	struct inflow_claim *claim = TAILQ_FIRST(&inflow->holders), *next;

	timer_set(inflow->loop, timer, now + LOOP_S(INFLOW_STALL_S), look_for_stalled);
	for (; claim; claim = next) {
		next = TAILQ_NEXT(claim, entry);
		if (now - claim->heard_ns >= LOOP_S(INFLOW_STALL_S))
			inflow->ops->stalled(claim);
	}
}

bool
inflow_ask(struct inflow *inflow, struct inflow_claim *claim, size_t size)
{
	ASSERT(claim->state == INFLOW_NONE && size <= INFLOW_MAX);
	claim->size = size;
	/* Nobody passes those who wait, or a large packet would wait for ever. */
	if (TAILQ_EMPTY(&inflow->waiting) && size <= INFLOW_MAX - inflow->granted) {
		grant(inflow, claim);
		return true;
	}
	claim->state = INFLOW_WAITING;
	TAILQ_INSERT_TAIL(&inflow->waiting, claim, entry);
	if (!timer_is_set(&inflow->watch))
		timer_set(inflow->loop, &inflow->watch,
			loop_now(inflow->loop) + LOOP_S(INFLOW_STALL_S), look_for_stalled);
	return false;
}

void
inflow_release(struct inflow *inflow, struct inflow_claim *claim)
{
	struct inflow_claim *next;

	if (claim->state == INFLOW_NONE)
		return;
	if (claim->state == INFLOW_GRANTED) {
		TAILQ_REMOVE(&inflow->holders, claim, entry);
		inflow->granted -= claim->size;
	} else {
		TAILQ_REMOVE(&inflow->waiting, claim, entry);
	}
	claim->state = INFLOW_NONE;
	while ((next = TAILQ_FIRST(&inflow->waiting)) &&
		next->size <= INFLOW_MAX - inflow->granted) {
		TAILQ_REMOVE(&inflow->waiting, next, entry);
		grant(inflow, next);
		inflow->ops->granted(next);
	}
	if (TAILQ_EMPTY(&inflow->waiting))
		timer_stop(&inflow->watch);
}
