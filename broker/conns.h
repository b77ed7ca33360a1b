/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conns.h: every connection that the broker knows: waiting, on its way to a child, or with one.
 *
 * Runs in the broker, as root. One table, sized at the start, whose pages are touched as slots are
 * first used; nothing grows later. A connection's socket is never read: it is passed on or closed.
 */
#ifndef BROKER_CONNS_H
#define BROKER_CONNS_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/budget.h"
#include "broker/peer.h"
#include "protocol/ipc/ipc.h"

struct child;
struct conn;

/* A queue, in the order in which connections came. */
struct conn_list {
	struct conn *first, *last;
	uint32_t n;
};

struct conn {
	struct conn *prev, *next;
	struct conn_list *list; /* the one it is in, which says how far it has come; or NULL */
	struct budget *payer;   /* whom it is charged to */
	struct child *child;    /* that serves or refuses it, or is to; NULL: not decided yet */
	int fd;                 /* owned; -1 once a child has taken it */
	uint64_t deadline_ns;   /* while it waits */
	unsigned n_children;    /* that ended while it waited for them */
	bool untold, loses;     /* its child does not know what is in pass; and it is less */
	uint64_t generation;    /* how often the slot was used */
	/*
	 * Of a channel: whose worker it goes to, and the connection that it is for; NULL when that has
	 * ended, and this is about to. Its fd is kept until then.
	 */
	uint32_t owner_uid; /* 0: it is no channel */
	struct conn *parent, *sibling;
	struct conn *channels; /* the first of those that are for this one */
	/* What its child is told; pass.conn_id is 0 while the slot is free. */
	struct ipc_conn_pass pass;
};

struct conns {
	struct conn *slots;
	uint32_t size, n_used, n_touched;
	unsigned slot_bits;
	struct conn *free;
};

/** Make room for size connections. Returns 0 or -ENOMEM. */
int conns_init(struct conns *conns, uint32_t size);
void conns_fini(struct conns *conns);

/**
 * Enter a connection, charged to payer; fd becomes the table's. NULL when the table is full (fd
 * stays the caller's). Ids are generation << slot_bits | slot: never 0, never given twice.
 */
struct conn *conns_add(struct conns *conns, int fd, const struct peer *peer, enum ipc_socket socket,
	struct budget *payer);
/**
 * Enter a channel to that owner's worker, for a connection whose principal is its own, and is
 * charged for it: else as above.
 */
struct conn *conns_add_channel(
	struct conns *conns, int fd, struct conn *parent, uint32_t owner_uid);
/** The connection with that id, or NULL: ids from a child are looked up, never believed. */
struct conn *conns_find(const struct conns *conns, uint64_t id);
/**
 * Close what is open, leave the list, give the charge back, free the slot. Nothing comes through its
 * channels any more: who has their other ends sees that they have ended.
 */
void conns_remove(struct conns *conns, struct conn *conn);

/** Charge the connection to somebody else. */
void conn_charge(struct conn *conn, struct budget *payer);
/** Move to the end of that list, out of the one it is in. */
void conn_append(struct conn_list *list, struct conn *conn);
/** Move to the front of that list, out of the one it is in, which may be the same. */
void conn_push(struct conn_list *list, struct conn *conn);
/** Move all of from to the front of that list, in their order. */
void conn_list_prepend(struct conn_list *list, struct conn_list *from);

#endif
