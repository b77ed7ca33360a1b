/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * force.h: acts on a VM that need nothing of its owner's worker, which its owner could stop.
 *
 * Runs in the view. When a worker has not answered in time, the broker is asked to end the VM, or to
 * have it stand still or go on; it checks what the connection may do, as ever. Nor is a worker's word
 * taken for it that another user's VM has ended, or cannot: the broker is asked to end it then, too.
 */
#ifndef VIEW_FORCE_H
#define VIEW_FORCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/uplink.h"
#include "protocol/rpc/procedure.h"

/* As long a worker has for a call that would be forced then, if it says anything at all. */
enum { FORCE_S = 15 };

struct force;
/** The broker's answer: 0 or a negative errno. */
typedef void force_fn(struct force *force, int err);

/** Embedded in what waits for the answer, and kept by it. */
struct force {
	LIST_ENTRY(force) entry;
	uint64_t cookie;
	force_fn *fn;
};

LIST_HEAD(forces, force);

enum force_act { FORCE_STOP = 1, FORCE_FREEZE, FORCE_THAW };

/**
 * Is it a call that can be forced? If so, *ret is what is done then. One with flags is not: they say
 * how it is to be done, and it is done in one way without the worker.
 */
bool force_applies(const struct rpc_procedure *procedure, const void *args, enum force_act *ret);

/**
 * For the connection vm->conn_id, do it. cookie is the view's own, never used before. Returns 0, and fn
 * is called from the loop; or LINK_E_*: it never is.
 */
int force_start(struct forces *forces, struct force *force, struct uplink *uplink,
	enum force_act act, const struct ipc_vm_stop *vm, uint64_t cookie, force_fn *fn);
/** The broker has answered the one with that cookie. */
void force_done(struct forces *forces, uint64_t cookie, int err);
/** Nobody will answer any more: all fail. */
void force_fail_all(struct forces *forces);

#endif
