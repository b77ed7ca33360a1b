/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tickets.h: what open connections may do, when that changes: telling the children that have them.
 *
 * Runs in the broker, as root. A connection that waits is passed with what it may do by then, or
 * refused. One that a child has is changed there (TICKET_CHANGE), some at a time, and the child says
 * that it is so, in their order: at once where something was lost, or it is ended. It costs who is
 * connected through it; virtual machines run on.
 */
#ifndef BROKER_TICKETS_H
#define BROKER_TICKETS_H

#include <stdint.h>

#include "protocol/ipc/ipc.h"

struct broker;
struct child;
struct conn;

enum {
	TICKETS_OPEN_MAX = 16, /* changes that a child has not acknowledged */
	TICKETS_LOSS_S = 1,    /* as long it may take where something is lost ... */
	TICKETS_GAIN_S = 10    /* ... and elsewhere */
};

/* Of a child: what it was told and has not acknowledged, the oldest first. */
struct tickets_share {
	unsigned n, first;
	struct {
		uint64_t conn_id, deadline_ns;
	} open[TICKETS_OPEN_MAX];
};

/**
 * From now on that connection, which is served or to be, may do this; reason as in CONN_PASS. With
 * verbs 0 it is refused, or closed by its child. Nothing happens when it is so already, or is over.
 */
void tickets_change(struct broker *broker, struct conn *conn, uint32_t verbs, const char *reason);

/** Tell the child, which serves, what it has not been told, as far as there is room. */
void tickets_tell(struct child *child);
/** It acknowledges the change of that connection. Returns what is wrong with that, or NULL. */
const char *tickets_acknowledged(
	struct child *child, const struct ipc_message *message, uint64_t conn_id);
/** When the child has to have acknowledged the oldest; UINT64_MAX: there is none. */
uint64_t tickets_due(const struct child *child);
/**
 * The process has ended: nothing is open any more. What it had not taken goes to the next one with
 * what it may do by now, or is refused.
 */
void tickets_forget(struct child *child);

#endif
