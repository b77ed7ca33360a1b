/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * child.h: a user's worker, the refuser, or a view: from the wish for one to its end.
 *
 * Runs in the broker, as root. A worker is there while it is wanted: somebody waits for it, its
 * user has virtual machines, or some that start with the host. What a child says is judged by the link; what it may not say, or
 * says of what is not its own, ends it through its pidfd. Whatever a child does or leaves undone
 * costs the connections that it serves, and nobody else's.
 */
#ifndef BROKER_CHILD_H
#define BROKER_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/bucket.h"
#include "broker/conns.h"
#include "broker/starter.h"
#include "broker/tickets.h"
#include "lib/link.h"
#include "lib/loop.h"

struct broker;
struct user;
struct view;

enum {
	/*
	 * Passed and not taken yet. Descriptors in flight count against root as a whole
	 * (unix(7), ETOOMANYREFS), so nobody may have many there.
	 */
	CHILD_UNTAKEN_MAX = 8,
	CHILD_REFUSALS_MAX = 256, /* connections that wait for the refuser, which all users share */
	CHILD_WAIT_S = 10,        /* as long a connection waits for a child to take it */
	CHILD_HELLO_S = 10,       /* a new child says HELLO in that time, or is ended */
	CHILD_LEAVE_S = 8,        /* five seconds for running jobs, and some to exit in */
	CHILD_DRAIN_MS = 500,     /* for what it said before it ended, if others hold its link */
	CHILD_CTL_IDLE_S = 5,     /* what serves qemudctl is there no longer for nobody */
	CHILD_VAIN_MAX = 3,       /* so often it may end without ever taking a connection ... */
	CHILD_VAIN_S = 10 /* ... in that time; then none is started for its sake until it is over */
};

enum child_state {
	CHILD_ABSENT = 1, /* there is none */
	CHILD_ASKED,      /* the starter is asked for one */
	CHILD_STARTING,   /* it runs, and has not said HELLO */
	CHILD_SERVING,
	CHILD_LEAVING, /* it was let go, or told to, or has closed its link */
	CHILD_KILLED,  /* it was sent SIGKILL, and has not ended */
	CHILD_ENDED    /* the process has ended; what it said before may still be in the link */
};

enum child_error { CHILD_E_FULL = 1 };

/* Ends without ever having taken a connection. */
struct child_vain {
	unsigned n;
	uint64_t since_ns;
};

struct child {
	struct broker *broker;
	struct user *user; /* whose worker; or NULL */
	struct view *view; /* that it is; or NULL: with neither it is the refuser */
	enum child_state state;
	struct question start;
	struct link link;
	struct io end_io;           /* on pidfd */
	int pidfd;                  /* owned; -1 when there is no process */
	uint32_t pid;               /* for logs */
	uint64_t state_deadline_ns; /* of STARTING, LEAVING and ENDED */
	uint64_t linger_ns; /* a view without connections is told to end then; 0: it has some */
	struct timer timer;
	struct conn_list waiting; /* not passed yet, the longest waiting first */
	struct conn_list passed;  /* passed, not taken yet: the broker still has its copy */
	struct conn_list taken;
	struct tickets_share tickets;
	bool has_taken;       /* this process took a connection */
	bool told;            /* this process was told to end, which is said once */
	struct bucket starts; /* its users can make it start over and over */
	/*
	 * While somebody waited: who waits is refused then. And while nobody did: it was there for
	 * the virtual machines of its user alone, and is there for them again later.
	 */
	struct child_vain awaited, alone;
};

/** user is NULL for the refuser and for a view, which sets `view` itself. */
void child_init(struct child *child, struct broker *broker, struct user *user);

/**
 * Have the child serve (or refuse) a connection; it is started if there is none. Returns 0, or
 * CHILD_E_FULL when CHILD_REFUSALS_MAX wait for the refuser already: the connection is where it was
 * then. A worker takes all that its user may have.
 */
int child_give(struct child *child, struct conn *conn);

/** Start the child though nobody waits for it. */
void child_start(struct child *child);
/**
 * After anything has happened to it, or to what its user has: do what can be done now, and wake up
 * for the rest.
 */
void child_next(struct child *child);
/** It broke a rule, with a message of that type: end it. */
void child_violation(struct child *child, uint16_t type, const char *rule);
/** Tell it to end, at the broker's own. */
void child_stop(struct child *child);
/** End it now; nothing happens when it does not run. */
void child_kill(struct child *child);
/** Forget it: close what is open. The process, if any, sees the end of its link. */
void child_fini(struct child *child);
/** Is there no process, none asked for, and nobody waiting for one? */
bool child_is_absent(const struct child *child);

#endif
