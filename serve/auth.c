/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth.c: procedures about authentication. There is nothing to authenticate: the kernel told the
 * broker who connected before this process got the socket.
 *
 * Runs in worker and view.
 */
#include "protocol/rpc/handlers.h"
#include "serve/call.h"

enum { AUTH_NONE = 0 };

int
rpc_auth_list(struct rpc_call *call, struct rpc_auth_list_ret *ret)
{
	ret->types = rpc_arena_new(&call->arena, uint32_t);
	if (!ret->types)
		return call_out_of_memory(call);
	ret->types[0] = AUTH_NONE;
	ret->n_types = 1;
	return RPC_DONE;
}

/* A method that is not in the list; the words are libvirt's. */
static int
not_offered(struct rpc_call *call)
{
	return rpc_error_set(&call->error, VIR_ERR_AUTH_FAILED, VIR_FROM_RPC,
		"authentication failed: authentication failed");
}

int
rpc_auth_sasl_init(struct rpc_call *call, struct rpc_auth_sasl_init_ret *ret)
{
	(void)ret;
	return not_offered(call);
}

int
rpc_auth_sasl_start(struct rpc_call *call, const struct rpc_auth_sasl_start_args *args,
	struct rpc_auth_sasl_start_ret *ret)
{
	(void)args;
	(void)ret;
	return not_offered(call);
}

int
rpc_auth_sasl_step(struct rpc_call *call, const struct rpc_auth_sasl_step_args *args,
	struct rpc_auth_sasl_step_ret *ret)
{
	(void)args;
	(void)ret;
	return not_offered(call);
}

int
rpc_auth_polkit(struct rpc_call *call, struct rpc_auth_polkit_ret *ret)
{
	(void)ret;
	return not_offered(call);
}
