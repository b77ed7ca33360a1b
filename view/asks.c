/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * asks.c: what the broker is asked for: ways to owners' workers, a few at a time; see asks.h.
 */
#include "view/asks.h"

#include <errno.h>

#include "lib/fd.h"
#include "lib/take.h"

enum { REST_MS = 50 };

static void send_some(struct asks *asks);

static void
rest_over(struct timer *timer)
{
	send_some(container_of(timer, struct asks, rest));
}

static void
rest(struct asks *asks)
{
	timer_set(asks->loop, &asks->rest, loop_now(asks->loop) + LOOP_MS(REST_MS), rest_over);
}

static void
send_some(struct asks *asks)
{
	struct ask *ask;

	while (!timer_is_set(&asks->rest) && asks->n_sent < ASKS_SENT_MAX &&
		(ask = TAILQ_FIRST(&asks->waiting))) {
		ask->cookie = ++asks->last_cookie;
		/* When the broker has gone, the view ends soon. */
		if (uplink_ask_channel(asks->uplink, ask->conn_id, ask->uid, ask->cookie) ==
			LINK_E_FULL) {
			rest(asks);
			return;
		}
		TAILQ_REMOVE(&asks->waiting, ask, entry);
		TAILQ_INSERT_TAIL(&asks->sent, ask, entry);
		ask->state = ASK_SENT;
		asks->n_sent++;
	}
}

void
asks_want(struct asks *asks, struct ask *ask)
{
	if (ask->state != ASK_NONE)
		return;
	ask->state = ASK_WAITS;
	TAILQ_INSERT_TAIL(&asks->waiting, ask, entry);
	send_some(asks);
}

void
asks_stop(struct asks *asks, struct ask *ask)
{
	if (ask->state == ASK_WAITS)
		TAILQ_REMOVE(&asks->waiting, ask, entry);
	else if (ask->state == ASK_SENT)
		TAILQ_REMOVE(&asks->sent, ask, entry);
	ask->state = ASK_NONE;
}

void
asks_refuse(struct asks *asks, uint32_t uid)
{
	struct ask *ask = TAILQ_FIRST(&asks->waiting);

	while (ask) {
		if (ask->uid != uid) {
			ask = TAILQ_NEXT(ask, entry);
			continue;
		}
		asks_stop(asks, ask);
		ask->answer(ask, -EACCES, -1);
		/* Whoever was told may have stopped others. */
		ask = TAILQ_FIRST(&asks->waiting);
	}
}

void
asks_answered(struct asks *asks, uint64_t cookie, int err, int fd)
{
	struct ask *ask;

	asks->n_sent--;
	TAILQ_FOREACH (ask, &asks->sent, entry)
		if (ask->cookie == cookie)
			break;
	if (!ask) {
		/* Its connection has ended meanwhile. */
		fd_close(&fd);
	} else if (err == -EAGAIN) {
		TAILQ_REMOVE(&asks->sent, ask, entry);
		TAILQ_INSERT_HEAD(&asks->waiting, ask, entry);
		ask->state = ASK_WAITS;
		rest(asks);
	} else {
		asks_stop(asks, ask);
		ask->answer(ask, err, fd);
	}
	send_some(asks);
}

void
asks_init(struct asks *asks, struct loop *loop, struct uplink *uplink)
{
	*asks = (struct asks){.uplink = uplink, .loop = loop};
	TAILQ_INIT(&asks->waiting);
	TAILQ_INIT(&asks->sent);
}

void
asks_fini(struct asks *asks)
{
	timer_stop(&asks->rest);
}
