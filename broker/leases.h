/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * leases.h: every virtual machine of the host, from the ask to the end of all that runs of it.
 *
 * Runs in the broker, as root. A worker asks, the starter makes the box, the worker gets the seed's
 * socket, and the pidfd stays here. A lease ends neither with the worker that asked for it nor with
 * the broker: it is over when its process has ended and the starter has found its leaf empty.
 *
 * It counts from the ask to the end. What each was granted is written on its leaf, where the next
 * broker finds it: the sums of a broker that has just begun are those of the one before.
 */
#ifndef BROKER_LEASES_H
#define BROKER_LEASES_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/bucket.h"
#include "broker/growth.h"
#include "broker/pace.h"
#include "broker/quota.h"
#include "broker/starter.h"
#include "lib/loop.h"
#include "protocol/ipc/ipc.h"

struct broker;
struct user;

enum {
	LEASES_FILES = 4096, /* RLIMIT_NOFILE of a seed; its plan goes further down */
	LEASES_RETRY_S = 1   /* what could not be ended is tried again after that */
};

enum lease_state {
	LEASE_FREE = 0,
	LEASE_ASKED, /* the starter is asked for a box */
	LEASE_HELD,  /* it runs */
	LEASE_ENDING /* its process has ended; the starter ends what is left in its leaf */
};

/* What a user has of them. Zeroed: nothing. */
struct leases_share {
	struct lease *first; /* in no order */
	struct quota_amounts used;
	struct bucket pace;
	struct bucket changes; /* of what one that runs was granted */
	struct pace refusals;
};

/* What was asked for has been done, or not: err is 0 or a negative errno. Called once, from the loop. */
typedef void leases_done_fn(void *arg, int err);

struct lease {
	struct lease *next; /* of its user's, or of the free ones */
	struct user *user;
	enum lease_state state;
	uint32_t id;
	uint8_t uuid[IPC_UUID_SIZE];
	struct ipc_grant
		grant;   /* zero: of one that was found, and nobody knows what it was granted */
	uint32_t serial; /* of the worker's ask; 0: nobody waits for the answer any more */
	bool unwanted;   /* to be ended as soon as it is there */
	bool forced;     /* the same, and her worker has not asked for it */
	bool told;       /* that it cannot be ended */
	struct question question;
	struct io end_io; /* on pidfd */
	int pidfd;        /* owned; -1 when there is no process; see LEAF_FOUND */
	uint32_t pid;     /* 0: not known */
	struct timer retry;
	struct question freezing;
	bool freeze; /* what is asked for */
	bool frozen;
	struct growth growth;
	bool over; /* nothing is left of it, but those questions */
	leases_done_fn *freeze_done;
	void *freeze_arg;
	struct net *nets; /* the first of what runs for its network */
};

struct leases {
	struct broker *broker;
	struct lease *table, *free;
	uint32_t size, n_touched;
	struct quota_amounts used; /* of the host */
	uint32_t last_id;
	struct question finding;
	bool known; /* all that ran when the starter started are here */
};

/** Make room for size leases: max_vms, or as many as run. Returns 0 or -ENOMEM. */
int leases_init(struct leases *leases, struct broker *broker, uint32_t size);
/** Close what is open. No virtual machine notices. */
void leases_fini(struct leases *leases);

/**
 * Ask the starter for what runs already; broker_leases_known() or broker_leases_failed() follows
 * from the loop.
 */
void leases_find(struct leases *leases);

/**
 * The user's worker asks. Returns 0, and the answer follows by wishes_answer_lease() from the loop;
 * -EEXIST: she has a lease with that UUID; -EDQUOT: a limit is against it, ret says which;
 * -EAGAIN: she asks too often.
 */
int leases_ask(struct leases *leases, struct user *user, const struct ipc_lease *want,
	uint32_t serial, struct quota_refusal *ret);
/** End everything of that virtual machine; nothing happens if it is none of the user's. */
void leases_stop(const struct user *user, uint32_t id);
/**
 * The same for who may do it to her, whatever her worker does: the worker is told that somebody else
 * did. Returns 0, also when it is ending already, or -ENOENT: there is none.
 */
int leases_force_stop(const struct user *user, uint32_t id);
/**
 * Have all of it stand still, or go on, whatever her worker does; it can be ended meanwhile. done(arg)
 * follows: -EOPNOTSUPP: the host has no control groups; -ESRCH: it has ended. Returns 0; -ENOENT: none
 * of hers with that id runs; -EBUSY: the last such ask is not answered yet.
 */
int leases_freeze(const struct user *user, uint32_t id, bool on, leases_done_fn *done, void *arg);
/** The user's lease of that id, or NULL. */
struct lease *leases_by_id(const struct user *user, uint32_t id);
/** The user's lease with the smallest id above that, or NULL. */
const struct lease *leases_next(const struct user *user, uint32_t after);
/**
 * May she have that much more for a virtual machine that has been granted that (zero: a new one)?
 * Returns 0, or -EDQUOT with the words, which are logged.
 */
int leases_decide(struct leases *leases, struct user *user, const struct ipc_grant *has,
	const struct quota_amounts *more, struct quota_refusal *ret);
/** It counts as that from now on. */
void leases_count_as(struct lease *lease, const struct ipc_grant *grant);
/** A question of it was answered: if it is over, and that was the last, it makes room. */
void leases_settle(struct lease *lease);
/** The user's worker has ended. What runs goes on; what it waited for is not wanted any more. */
void leases_forsake(const struct user *user);

#endif
