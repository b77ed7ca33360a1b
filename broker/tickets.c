/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tickets.c: what open connections may do, when that changes; see tickets.h.
 *
 * Runs in the broker, as root. What is still to be told stands first among those that a child has
 * taken, whose order means nothing else.
 */
#include "broker/tickets.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/route.h"
#include "lib/err.h"
#include "lib/log.h"

static bool
is_of(const struct conn *conn, const struct child *child)
{
	return conn->list == &child->passed || conn->list == &child->taken;
}

/* It may do nothing any more, and no child has it. */
static void
refuse(struct broker *broker, struct conn *conn)
{
	char reason[IPC_REASON_MAX];

	memcpy(reason, conn->pass.reason, sizeof(reason));
	route_refuse(broker, conn, IPC_REFUSAL_POLICY, "%s", reason);
}

void
tickets_change(struct broker *broker, struct conn *conn, uint32_t verbs, const char *reason)
{
	struct ipc_conn_pass *pass = &conn->pass;
	struct child *child = conn->child; /* NULL: nothing is decided yet */

	/* Over already: refused, or about to be closed. */
	if (!child || pass->verbs == 0)
		return;
	if (pass->verbs == verbs && strcmp(pass->reason, reason) == 0)
		return;
	if (is_of(conn, child))
		conn->loses |= (pass->verbs & ~verbs) != 0;
	pass->verbs = verbs;
	memset(pass->reason, 0, sizeof(pass->reason));
	(void)snprintf(pass->reason, sizeof(pass->reason), "%s", reason);
	if (!is_of(conn, child)) {
		if (verbs == 0) {
			refuse(broker, conn);
			/* It may have been the last that the child had to be there for. */
			child_next(child);
		}
		return;
	}
	conn->untold = true;
	if (conn->list == &child->taken)
		conn_push(&child->taken, conn);
	child_next(child);
}

static bool
tell(struct child *child, struct conn *conn)
{
	struct tickets_share *share = &child->tickets;
	unsigned at = (share->first + share->n) % TICKETS_OPEN_MAX;
	struct ipc_ticket_change body = {.conn_id = conn->pass.conn_id, .verbs = conn->pass.verbs};
	unsigned seconds = conn->loses ? TICKETS_LOSS_S : TICKETS_GAIN_S;

	memcpy(body.reason, conn->pass.reason, sizeof(body.reason));
	/* Full: more when it is writable. Gone: its end is about to be told. */
	if (share->n == TICKETS_OPEN_MAX ||
		link_ask(&child->link, IPC_TICKET_CHANGE, &body, NULL, conn->pass.conn_id) != 0)
		return false;
	log_debug("ticket conn=%" PRIu64 " uid=%" PRIu32 " verbs=%" PRIu32, conn->pass.conn_id,
		conn->pass.uid, conn->pass.verbs);
	share->open[at].conn_id = conn->pass.conn_id;
	share->open[at].deadline_ns = loop_now(&child->broker->loop) + LOOP_S(seconds);
	share->n++;
	conn->untold = conn->loses = false;
	return true;
}

void
tickets_tell(struct child *child)
{
	struct conn *conn;

	for (conn = child->passed.first; conn; conn = conn->next)
		if (conn->untold && !tell(child, conn))
			return;
	while ((conn = child->taken.first) && conn->untold) {
		if (!tell(child, conn))
			return;
		conn_append(&child->taken, conn);
	}
}

const char *
tickets_acknowledged(struct child *child, const struct ipc_message *message, uint64_t conn_id)
{
	struct tickets_share *share = &child->tickets;

	/* The link has matched it with an ask that is open. */
	ASSERT(share->n > 0);
	if (share->open[share->first].conn_id != conn_id)
		return "it is not in the order of what was said";
	/* That it has gone has crossed the change, or is still to be told. */
	if (message->err < 0 && message->err != -ENOENT)
		return "it is not its to refuse";
	log_debug("ticket conn=%" PRIu64 " holds", conn_id);
	share->first = (share->first + 1) % TICKETS_OPEN_MAX;
	share->n--;
	return NULL;
}

uint64_t
tickets_due(const struct child *child)
{
	const struct tickets_share *share = &child->tickets;
	uint64_t due_ns = UINT64_MAX;

	/* What is lost may be behind what is given, which has more time. */
	for (unsigned i = 0; i < share->n; i++) {
		uint64_t one_ns = share->open[(share->first + i) % TICKETS_OPEN_MAX].deadline_ns;

		if (one_ns < due_ns)
			due_ns = one_ns;
	}
	return due_ns;
}

void
tickets_forget(struct child *child)
{
	struct conn *conn = child->passed.first, *next;

	child->tickets.n = 0;
	for (; conn; conn = next) {
		next = conn->next;
		conn->untold = conn->loses = false;
		if (conn->pass.verbs == 0 && conn->pass.refusal == IPC_REFUSAL_NONE)
			refuse(child->broker, conn);
	}
}
