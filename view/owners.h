/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * owners.h: whose virtual machines this view shows, and which: the owners' inventories.
 *
 * Runs in the view. The broker says who the owners are, what the view's principal may do with their VMs
 * and which of them run; what VMs an owner has is her worker's word, of which no byte is trusted: it
 * makes rows of hers and of nobody else (rows.h). The principal's own VMs have their plain names and
 * UUIDs, those of others stand behind "OWNER:", under derived UUIDs, always.
 *
 * Owners are asked for one after the other, each time the broker says that there is something newer.
 */
#ifndef VIEW_OWNERS_H
#define VIEW_OWNERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/loop.h"
#include "lib/uplink.h"
#include "lib/uuid.h"
#include "protocol/rpc/arena.h"
#include "protocol/rpc/types.h"
#include "view/ending.h"
#include "view/force.h"
#include "view/rows.h"

/* How long an inventory may be on its way: what worker and broker each wait for more, and some. */
enum { OWNERS_QUIET_MS = 600 };

struct owner {
	TAILQ_ENTRY(owner) entry;
	struct owners *owners;
	uint32_t uid;
	uint32_t verbs; /* protocol/verb.h: of the view's principal over the owner's VMs */
	char reason[IPC_REASON_MAX]; /* why not all, if that is policy's doing; or empty */
	bool own;                    /* they are the principal's */
	bool system;                 /* they are the system account's */
	bool worker;                 /* her worker ran when the broker last said */
	char label[IPC_NAME_MAX];    /* for people, for good: "alice", "system", "1000" */
	struct rows rows;
	struct timer unsettled;
	/*
	 * Her worker has told by itself what there is: an inventory that comes until then may be older,
	 * and waits.
	 */
	struct timer quiet;
	int held_fd;     /* that inventory; -1: none */
	uint32_t n_held; /* struct ipc_running behind it */
};

TAILQ_HEAD(owner_list, owner);

struct owners_wait;
/** What was asked for is there, or will not be (the broker has gone). */
typedef void owners_wait_fn(struct owners_wait *wait);

/** Somebody who waits until all is known that the broker knew when the wait began. */
struct owners_wait {
	TAILQ_ENTRY(owners_wait) entry;
	uint64_t round;
	bool waits;
	owners_wait_fn *fn;
};

TAILQ_HEAD(owners_waits, owners_wait);

struct owners {
	struct uplink *uplink;
	struct loop *loop;
	/*
	 * An owner has come, or has other verbs (none: she is about to go), or her worker has come;
	 * NULL: all are known now.
	 */
	void (*changed)(struct owners *owners, struct owner *owner);
	struct owner_list all; /* the principal's own first, then by prefix */
	uint64_t after;        /* generation of the last that was told */
	uint64_t round;        /* of asking, to the end of what is new; 0: none yet */
	bool asking, again;
	bool known; /* all that the broker knew at the beginning */
	bool over;  /* the broker has gone */
	struct timer retry;
	struct owners_waits waits;
	struct endings endings;
};

void owners_init(struct owners *owners, struct loop *loop, struct uplink *uplink,
	void (*changed)(struct owners *owners, struct owner *owner));
void owners_fini(struct owners *owners);

/** The broker says that there is something newer. Also to begin with. */
void owners_refresh(struct owners *owners);
/** The broker's answer; fd is owned from here on (-1 with an error). */
void owners_found(struct owners *owners, int err, const struct ipc_inventory_found *found, int fd);
/** Wait; fn is called from the loop, or at once when the broker has gone. */
void owners_wait(struct owners *owners, struct owners_wait *wait, owners_wait_fn *fn);
/** Wait no longer. */
void owners_wait_stop(struct owners *owners, struct owners_wait *wait);

/**
 * Her worker says what there is, sooner than its inventory comes: after owners_wait(), so that what of it
 * runs is known.
 */
void owners_told(
	struct owners *owners, struct owner *owner, const struct rpc_domain *domains, uint32_t n);

/**
 * The broker ends the VM with that id, has it stand still or go on, without its worker; what comes from
 * the broker next says the same.
 */
void owners_forced(struct owners *owners, uint32_t uid, uint32_t vm_id, enum force_act act);

/** By uid, or NULL. */
struct owner *owners_find(const struct owners *owners, uint32_t uid);
/** The principal's own, or NULL: there is nobody. */
struct owner *owners_own(const struct owners *owners);

/* The VM with that UUID, name (both as shown) or id, and whose it is; NULL when there is none. */

struct owner_vm *owners_find_uuid(const struct owners *owners,
	const uint8_t shown[static UUID_SIZE], struct owner **ret_owner);
struct owner_vm *owners_find_name(
	const struct owners *owners, const char *shown, struct owner **ret_owner);
struct owner_vm *owners_find_id(const struct owners *owners, int32_t id, struct owner **ret_owner);

/** From a handle as her worker has it to the view's. False: it is none, or there is no memory. */
bool owner_show(const struct owner *owner, struct rpc_domain *dom, struct rpc_arena *arena);

#endif
