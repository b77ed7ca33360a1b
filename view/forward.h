/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forward.h: calls that an owner's worker answers.
 *
 * Runs in the view. A call about VMs goes to the worker of their owner, with the handles that this
 * worker knows; what it answers comes back with the handles of this view, which are made of the
 * owner's and not of what her worker says she is. A definition goes to the worker of the VM whose UUID
 * it has (hint.h). A call about none goes to the worker of the
 * principal's own account, or, when it makes a VM, to that of the system account, if its VMs are
 * the principal's to manage. All else of a call, its answer and its error passes.
 */
#ifndef VIEW_FORWARD_H
#define VIEW_FORWARD_H

#include "protocol/rpc/types.h"
#include "serve/call.h"
#include "view/owners.h"

struct viewer;

/** Forward a call by what it names. Returns RPC_LATER, or RPC_FAILED with the call's error. */
int forward_call(struct rpc_call *call, const void *args);

/** A VM as this view shows it. */
struct rpc_domain forward_shown(const struct owner_vm *vm);

#endif
