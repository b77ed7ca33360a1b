/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ask.h: a call that is answered when the domain's QEMU has been asked something.
 *
 * Runs in the worker. For procedures that change nothing (worker/vm/inquiry.h). A QEMU that does
 * not answer costs this call alone, an error in words.
 */
#ifndef WORKER_RPC_ASK_H
#define WORKER_RPC_ASK_H

#include "protocol/rpc/types.h"
#include "serve/call.h"
#include "worker/store/domains.h"
#include "worker/vm/inquiry.h"

/** Fill in the call's result; domain runs. Returns RPC_DONE or RPC_FAILED. The client may be gone. */
typedef int call_asked_fn(struct rpc_call *call, const void *args, const struct domain *domain,
	const struct inquiry_answers *answers);

/** The domain that a call is about, which must run; NULL: the call's error says why not. */
struct domain *call_find_running(struct rpc_call *call, const struct rpc_domain *dom);
/**
 * What only the agent in a guest could answer or do: fails, since none is spoken to. The domain is active.
 * Returns RPC_FAILED with the error that libvirt has for a guest without one.
 */
int call_without_agent(struct rpc_call *call, const struct domain *domain);
/**
 * Ask the QEMU of a domain that runs, then call fn with the args, which are the call's own. Returns
 * RPC_LATER, or RPC_FAILED with the error.
 */
int call_ask(struct rpc_call *call, const void *args, struct domain *domain, unsigned questions,
	call_asked_fn *fn);

#endif
