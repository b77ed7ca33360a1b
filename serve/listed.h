/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listed.h: which domains a call that lists them means, and how many it may want.
 *
 * Runs in worker and view; pure.
 */
#ifndef SERVE_LISTED_H
#define SERVE_LISTED_H

#include <stdbool.h>
#include <stdint.h>

#include "serve/call.h"

enum {
	LISTED_MAX = 16384, /* REMOTE_DOMAIN_LIST_MAX */
	LISTED_ALL = 0xffff /* every flag of virConnectListAllDomainsFlags */
};

/** What a list asks of a domain. */
struct listed {
	bool active, persistent, autostart;
	uint32_t state; /* virDomainState */
};

/**
 * Does it pass these flags (virConnectListAllDomainsFlags)? They are pairs and groups; in a group
 * any must hold, of all groups each. Nothing has snapshots or checkpoints.
 */
bool listed_passes(const struct listed *listed, uint32_t flags);
/** RPC_DONE when a client may want that many; what: how the procedure calls it. */
int listed_check_most(struct rpc_call *call, const char *what, int32_t most);
/** The same of the answer to a call that wants all. */
int listed_check_n(struct rpc_call *call, uint32_t n);

#endif
