/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link.h: one end of a link between two of our programs: whole, checked messages and nothing else.
 *
 * Runs in every program, root's included. Receives packets (lib/packet.h), judges them by the
 * table (protocol/ipc/ipc.h), matches answers with open asks, and hands over what passed. It
 * never waits and keeps no queue of its own: what the kernel's queue does not take is LINK_E_FULL.
 */
#ifndef LIB_LINK_H
#define LIB_LINK_H

#include <errno.h>

#include "lib/loop.h"
#include "protocol/ipc/ipc.h"

struct link;

enum {
	LINK_ASKS_MAX = 64,
	LINK_BATCH = 16, /* packets received before others have a turn */
	/*
	 * A receive or an ask that the kernel refuses (it has no memory, say) is made again in the next
	 * turns; when so many have failed in a row, the link is over.
	 */
	LINK_FAILURES_MAX = 1000,
	/*
	 * The error of a message whose descriptors did not come, because this process may have no more
	 * open: an answer is one with that error, and whatever they stood for has lost its other end; an
	 * ask or a notice has its body, and -1 for each. A peer whose message should have none has
	 * broken a rule all the same.
	 */
	LINK_CUT = -ENOBUFS
};

enum link_error {
	/* The peer does not read, LINK_ASKS_MAX asks are open, or the kernel refuses to send. */
	LINK_E_FULL = 1,
	LINK_E_GONE /* the peer has closed; the `end` callback follows from the loop */
};

struct link_ops {
	/*
	 * A message that passed. fds are owned by the link and closed afterwards, except those
	 * set to -1 by the callee. For an answer, cookie is what link_ask() was given. The state
	 * has been advanced already.
	 */
	void (*message)(
		struct link *link, const struct ipc_message *message, int *fds, uint64_t cookie);
	/*
	 * The link is over and stopped: fault is IPC_OK when the peer closed, else the rule it
	 * broke (type says by which message, 0 if unknown). Called once, from the loop, after all
	 * that the peer sent before it closed. link_n_open() still counts the asks that stay
	 * without an answer.
	 */
	void (*end)(struct link *link, enum ipc_fault fault, uint16_t type);
	/* After LINK_E_FULL: there may be room, or a place for an ask, again. May be NULL. */
	void (*writable)(struct link *link);
};

struct link_ask {
	uint32_t serial; /* 0: free */
	uint16_t type;
	uint64_t cookie;
};

struct link {
	struct io io;
	int fd; /* owned; -1 when stopped */
	enum ipc_link kind;
	enum ipc_side self;
	enum ipc_state state;
	uint64_t seen;
	uint32_t next_serial;
	unsigned n_asks;
	struct link_ask asks[LINK_ASKS_MAX];
	const struct link_ops *ops;
	bool asks_full;              /* an ask found no place */
	unsigned n_unread, n_unsent; /* failures in a row, of receives and of asks */
};

/**
 * Take over fd, one end of a packet_pair(), and serve it on the loop, before sources without
 * IO_FIRST. Returns 0 or a negative errno (fd is closed then). The link is zero or stopped before.
 */
int link_start(struct link *link, struct loop *loop, int fd, enum ipc_link kind, enum ipc_side self,
	const struct link_ops *ops);
/** Stop and close; no callback follows. Nothing happens when already stopped. */
void link_stop(struct link *link);

/**
 * Send an ask that has an answer. cookie comes back with the answer. body is the type's struct,
 * fds as many as the table says (they stay the caller's). Returns 0 or LINK_E_* (LINK_E_GONE when
 * stopped, too); sending what the table or a checker does not allow in this state is a broken
 * invariant of ours and ends the process.
 */
int link_ask(
	struct link *link, enum ipc_type type, const void *body, const int *fds, uint64_t cookie);
/** Answer an ask. err is 0, or a negative errno: then body and fds are left out. Else as above. */
int link_answer(struct link *link, enum ipc_type type, uint32_t serial, int err, const void *body,
	const int *fds);
/** Send a message that has no answer. Else as above. */
int link_notify(struct link *link, enum ipc_type type, const void *body);
/** The same of one with descriptors, as many as the table says (they stay the caller's). */
int link_notify_fds(struct link *link, enum ipc_type type, const void *body, const int *fds);
/** Number of asks of that type that are open. */
unsigned link_n_open(const struct link *link, enum ipc_type type);

#endif
