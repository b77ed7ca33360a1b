/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rights.h: what one connection may do, and what is said of what it may not.
 *
 * Runs in worker and view. The broker decides; it says so when it passes the connection, and again
 * whenever that changes (TICKET_CHANGE). A client can only take from it, for good: who opens
 * read-only sees. The read-only socket gives `view` and nothing else, whatever is said later.
 */
#ifndef SERVE_RIGHTS_H
#define SERVE_RIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/ipc/ipc.h"
#include "protocol/rpc/error.h"

struct rights {
	uint32_t verbs;   /* protocol/verb.h: what counts; 0: nothing is left */
	uint32_t granted; /* by the broker */
	bool read_only;
	char reason[IPC_REASON_MAX]; /* why not all is granted; empty: nothing to say */
};

/** As the broker has passed it. */
void rights_init(struct rights *rights, const struct ipc_conn_pass *pass);
/** The client asked for no more than to see. */
void rights_open_read_only(struct rights *rights);
/** The broker has decided anew. */
void rights_change(struct rights *rights, const struct ipc_ticket_change *change);

/**
 * The answer to a call (its name in libvirt's API, and what it asks for in how, or "") that needs
 * more. Returns RPC_FAILED.
 */
int rights_refuse(
	const struct rights *rights, const char *api, const char *how, struct rpc_error *error);
/** The answer to any call, and on any stream, of a connection that has nothing left. As above. */
int rights_refuse_all(const struct rights *rights, struct rpc_error *error);

#endif
