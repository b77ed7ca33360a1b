/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nets.h: the processes for the networks of virtual machines (a relay, a passt for each interface),
 * from the ask to the end.
 *
 * Runs in the broker, as root. A worker asks for them while it has the lease; the starter makes
 * them in the VM's leaf, with which they end. They outlive the worker, and the broker too: those
 * of earlier brokers are known to the starter alone, which counts what is in a leaf.
 */
#ifndef BROKER_NETS_H
#define BROKER_NETS_H

#include <stdint.h>

#include "broker/bucket.h"
#include "broker/quota.h"
#include "broker/starter.h"
#include "lib/loop.h"
#include "protocol/ipc/ipc.h"

struct broker;
struct lease;
struct user;

enum {
	NETS_PASSTS_MAX = 8, /* at a time, of one virtual machine */
	NETS_RELAYS_MAX = 1,
	NETS_PER_VM = 2,   /* at a time, of all, for each that there may be */
	NETS_FILES = 16384 /* RLIMIT_NOFILE: of a passt, the connections of its guest */
};

/* What a user has of them. Zeroed: nothing. */
struct nets_share {
	uint32_t n; /* asked for, or not ended yet */
	struct bucket pace;
};

struct net {
	struct net *next;    /* of its lease's, or of the free ones */
	struct lease *lease; /* NULL: that is over, and so will this be */
	struct user *user;   /* NULL: free */
	uint32_t id;         /* the lease's, for logs */
	enum ipc_net_kind kind;
	uint32_t serial; /* of the worker's ask; 0: nobody waits for the answer any more */
	struct question start;
	struct io end_io; /* on pidfd */
	int pidfd;        /* owned; -1 when there is no process */
	uint32_t pid;     /* for logs */
};

struct nets {
	struct broker *broker;
	struct net *table, *free;
	uint32_t size, n_touched, n; /* n: of all users, in use */
};

/** Make room for size of them. Returns 0 or -ENOMEM. */
int nets_init(struct nets *nets, struct broker *broker, uint32_t size);
/** Close what is open. What runs goes on. */
void nets_fini(struct nets *nets);

/**
 * The user's worker asks. Returns 0, and the answer follows by wishes_answer_net() from the loop;
 * -EACCES: the configuration gives nobody any; -EPERM: policy gives her none, and ret has the words; -ENOENT: no virtual machine of hers with that id
 * runs; -EDQUOT: it has as many as it may have; -EAGAIN: she asks too often, or the host has as many
 * as there may be.
 */
int nets_ask(struct nets *nets, struct user *user, const struct ipc_net *want, uint32_t serial,
	struct quota_refusal *ret);
/** The virtual machine has ended: so do they. */
void nets_end(struct lease *lease);
/** The user's worker has ended: what it waited for is not wanted any more. */
void nets_forsake(const struct user *user);

#endif
