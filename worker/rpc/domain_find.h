/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_find.h: from the domain that a call names to the domain, and back.
 *
 * Runs in the worker.
 */
#ifndef WORKER_RPC_DOMAIN_FIND_H
#define WORKER_RPC_DOMAIN_FIND_H

#include "protocol/rpc/types.h"
#include "serve/call.h"
#include "worker/store/domains.h"

/** The user's VMs. */
struct domains *call_domains(const struct rpc_call *call);
/**
 * The domain that a call is about: by UUID alone, as in libvirt. NULL when there is none; then the
 * call's error is filled in.
 */
struct domain *call_find_domain(struct rpc_call *call, const struct rpc_domain *dom);
/* virDomainModificationImpact */
enum affect_flag { AFFECT_LIVE = 0x1, AFFECT_CONFIG = 0x2 };

/**
 * The definition that flags (enum affect_flag among them) mean: the one it runs with, if it runs, or
 * the one of its next start. supported: the flags that the call may have. NULL: the call's error says
 * why there is none.
 */
const struct domain_def *call_find_def(
	struct rpc_call *call, const struct rpc_domain *dom, uint32_t flags, uint32_t supported);
/** Name, UUID and id for a result; the name is the domain's own, borrowed. */
struct rpc_domain call_domain_ret(const struct domain *domain);

#endif
