/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * asks.h: what the broker is asked for: ways to owners' workers, a few at a time.
 *
 * Runs in the view. A connection that wants to hear of everything wants a way to each worker at once;
 * the broker ends a view that does not read its answers, and gives a principal so many ways a second.
 * So the others wait here, in the order in which they were wanted, and who is told that there is none
 * just now (-EAGAIN) waits again.
 */
#ifndef VIEW_ASKS_H
#define VIEW_ASKS_H

#include <stdint.h>
#include <sys/queue.h>

#include "lib/loop.h"
#include "lib/uplink.h"

enum { ASKS_SENT_MAX = 16 /* without an answer */ };

struct ask;
/** The answer, once: fd is the callee's, or err is a negative errno and fd -1. */
typedef void ask_answer_fn(struct ask *ask, int err, int fd);

enum ask_state { ASK_NONE = 0, ASK_WAITS, ASK_SENT };

/** Embedded in who wants a way. Zeroed: nothing is wanted. */
struct ask {
	TAILQ_ENTRY(ask) entry;
	enum ask_state state;
	uint64_t cookie;
	uint64_t conn_id; /* of the connection that it is for */
	uint32_t uid;     /* of the owner */
	ask_answer_fn *answer;
};

TAILQ_HEAD(ask_list, ask);

struct asks {
	struct uplink *uplink;
	struct loop *loop;
	struct ask_list waiting, sent;
	unsigned n_sent; /* and not answered, also those that nobody wants any more */
	uint64_t last_cookie;
	struct timer rest; /* nothing is sent while it runs */
};

void asks_init(struct asks *asks, struct loop *loop, struct uplink *uplink);
void asks_fini(struct asks *asks);
/** Ask for it, when its turn comes; one that is on its way is waited for. */
void asks_want(struct asks *asks, struct ask *ask);
/** Nobody wants the answer any more. */
void asks_stop(struct asks *asks, struct ask *ask);
/**
 * The owner with that uid is shown no more: ways to her worker that nobody was asked for yet are none
 * (-EACCES). Later her place with the broker may be another's, and an ask about her a violation.
 */
void asks_refuse(struct asks *asks, uint32_t uid);
/** The broker's answer; fd is owned from here on (-1 with an error). */
void asks_answered(struct asks *asks, uint64_t cookie, int err, int fd);

#endif
