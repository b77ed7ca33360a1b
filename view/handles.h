/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handles.h: the domains that are named in the arguments or the result of a procedure.
 *
 * Runs in the view; pure.
 */
#ifndef VIEW_HANDLES_H
#define VIEW_HANDLES_H

#include "protocol/rpc/codec.h"
#include "protocol/rpc/types.h"

/** What is done with one. Returns 0, or ends the walk. */
typedef int handle_fn(struct rpc_domain *dom, void *arg);

/**
 * Call fn for each domain in *value, a decoded struct of that shape (NULL: there is none), in their
 * order on the wire. Returns 0, or what fn returned to end the walk.
 */
int handles_each(const struct rpc_shape *shape, void *value, handle_fn *fn, void *arg);

#endif
