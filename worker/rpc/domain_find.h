/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_find.h: from the domain that a call names to the domain, and back.
 *
 * Runs in the worker.
 */
#ifndef WORKER_RPC_DOMAIN_FIND_H
#define WORKER_RPC_DOMAIN_FIND_H

#include "protocol/rpc/types.h"
#include "worker/rpc/call.h"
#include "worker/store/domains.h"

/** The user's VMs. */
struct domains *call_domains(const struct rpc_call *call);
/**
 * The domain that a call is about: by UUID alone, as in libvirt. NULL when there is none; then the
 * call's error is filled in.
 */
struct domain *call_find_domain(struct rpc_call *call, const struct rpc_domain *dom);
/** Name, UUID and id for a result; the name is the domain's own, borrowed. */
struct rpc_domain call_domain_ret(const struct domain *domain);

#endif
