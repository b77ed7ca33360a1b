/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call.h: one call of a client, from its packet to its answer; what every handler works with.
 *
 * Runs in worker and view. Most calls are answered when their handler returns. A handler that has to
 * wait returns RPC_LATER: the call object, with arguments, result and memory, then lives on until
 * call_answer(), also when its client has gone in between.
 */
#ifndef SERVE_CALL_H
#define SERVE_CALL_H

#include <stdint.h>
#include <sys/queue.h>

#include "protocol/rpc/arena.h"
#include "protocol/rpc/error.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/procedure.h"

struct client;
struct server;

struct rpc_call {
	struct client *client;        /* NULL when it has gone */
	LIST_ENTRY(rpc_call) entry;   /* of the client's calls that are answered later */
	LIST_ENTRY(rpc_call) waiting; /* of whoever will answer it */
	struct server *server; /* of those that it counts as waiting; NULL: not one of them */
	size_t weight;         /* bytes, as counted there */
	const struct rpc_procedure *procedure;
	unsigned verbs; /* that it needs, with its arguments */
	struct rpc_header header;
	struct rpc_error error;
	struct rpc_arena arena; /* of arguments, result, and what the handler makes for it */
	void *ret;              /* of the procedure's struct, zeroed; NULL for (void) */
	unsigned n_fds;
	int fds[RPC_FDS_MAX]; /* that came with the call; -1 when taken */
	int reply_fd;         /* that goes with the result, if it is to be: owned; -1: none */
};

LIST_HEAD(rpc_calls, rpc_call);

/* virTypedParameterFlags: a flag of all procedures with parameters. */
enum { TYPED_PARAM_STRING_OKAY = 0x4 };

/** A call without content, or NULL. */
struct rpc_call *call_new(void);
/** Make a call ready for the next packet. */
void call_reset(struct rpc_call *call);
/** Release a call that is in no list; NULL is nothing. Returns NULL. */
struct rpc_call *call_free(struct rpc_call *call);

/** The call waits for its answer from now on. */
void call_wait(struct rpc_call *call, struct server *server);
/** Answer a call after its handler returned RPC_LATER: RPC_DONE or RPC_FAILED. Releases the call.
 */
void call_answer(struct rpc_call *call, enum rpc_handled handled);

/* What handlers return in the usual cases; each fills in the call's error if it fails. */

/** A string result: *ret is a copy. */
int call_return_string(struct rpc_call *call, const char *text, char **ret);
/** No memory for what the handler wanted to do. */
int call_out_of_memory(struct rpc_call *call);
/** The connection has not been opened. */
int call_not_open(struct rpc_call *call);
/** RPC_DONE while the call's connection may do what the call needs. */
int call_check_verbs(struct rpc_call *call);
/** RPC_DONE when flags has no bit beyond those supported. */
int call_check_flags(struct rpc_call *call, uint32_t flags, uint32_t supported);
/** RPC_DONE when a client wants that many parameters of max at most; 0 asks how many there are. */
int call_check_nparams(struct rpc_call *call, int32_t nparams, int32_t max);

#endif
