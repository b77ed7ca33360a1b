/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lookup.h: the broker's questions about accounts and groups, each answered by a qemud-resolve of
 * its own.
 *
 * Runs in qemud-launch. The name service may load modules, talk to the network and hang; so it runs
 * as nobody, without a capability, for at most two seconds, and what it prints is passed on unread
 * in a sealed memfd.
 */
#ifndef BROKER_LAUNCH_LOOKUP_H
#define BROKER_LAUNCH_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/link.h"
#include "lib/loop.h"
#include "protocol/ipc/ipc.h"

enum { LOOKUP_AT_ONCE = 16, LOOKUP_SECONDS = 2, LOOKUP_UID = 65534, LOOKUP_GID = 65534 };

struct process;
struct lookup_queue;

struct lookup {
	struct lookup_queue *queue;
	bool used;       /* from the ask until its child, if any, has ended */
	bool late;       /* answered already, and its child killed */
	uint32_t serial; /* of the ask */
	struct ipc_resolve ask;
	struct lookup *next; /* waiting for its turn */
	struct process *child;
	int output_fd; /* owned */
	struct timer deadline;
};

struct lookup_queue {
	struct loop *loop;
	struct link *link;
	int program_fd, null_fd;
	unsigned n_running;           /* without those that are late */
	struct lookup *first, **last; /* waiting */
	struct lookup lookups[LINK_ASKS_MAX];
};

/** program_fd is qemud-resolve; both descriptors stay the caller's. */
void lookup_init(struct lookup_queue *queue, struct loop *loop, struct link *link, int program_fd,
	int null_fd);

/** Answer that ask, now or later, with IPC_RESOLVED. */
void lookup_ask(struct lookup_queue *queue, uint32_t serial, const struct ipc_resolve *ask);

#endif
