/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * force.h: acts on a VM that need nothing of its owner's worker, which its owner could stop.
 *
 * Runs in the view. When a worker has not answered in time, the broker is asked to end the VM, or to
 * have it stand still or go on; it checks what the connection may do, as ever.
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

/** Is it a call that can be forced? If so, *ret (unless that is NULL) is what is done then. */
bool force_applies(const struct rpc_procedure *procedure, enum force_act *ret);

/**
 * For the connection vm->conn_id, force that call, which force_applies() to. cookie is the view's own,
 * never used before. Returns 0, and fn is called from the loop; or LINK_E_*: it never is.
 */
int force_start(struct forces *forces, struct force *force, struct uplink *uplink,
	const struct rpc_procedure *procedure, const struct ipc_vm_stop *vm, uint64_t cookie,
	force_fn *fn);
/** The broker has answered the one with that cookie. */
void force_done(struct forces *forces, uint64_t cookie, int err);
/** Nobody will answer any more: all fail. */
void force_fail_all(struct forces *forces);

#endif
