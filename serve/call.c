/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call.c: one call of a client; see call.h.
 */
#include "serve/call.h"

#include <stdlib.h>

#include "lib/fd.h"
#include "serve/client.h"
#include "serve/server.h"

/* Arguments are decoded into at most four times their size; results are at most a packet. */
static const size_t ARENA_MAX = (size_t)5 * RPC_FRAME_MAX;

struct rpc_call *
call_new(void)
{
	struct rpc_call *call = calloc(1, sizeof *call);

	if (call)
		call->reply_fd = -1;
	if (call)
		rpc_arena_init(&call->arena, ARENA_MAX);
	return call;
}

void
call_reset(struct rpc_call *call)
{
	for (unsigned i = 0; i < call->n_fds; i++)
		fd_close(&call->fds[i]);
	call->n_fds = 0;
	fd_close(&call->reply_fd);
	call->ret = NULL;
	rpc_arena_reset(&call->arena);
}

struct rpc_call *
call_free(struct rpc_call *call)
{
	if (call) {
		call_reset(call);
		rpc_arena_fini(&call->arena);
		free(call);
	}
	return NULL;
}

void
call_wait(struct rpc_call *call, struct server *server)
{
	call->server = server;
	call->weight = call->arena.used;
	server->n_later++;
	server->later_bytes += call->weight;
}

void
call_answer(struct rpc_call *call, enum rpc_handled handled)
{
	call->server->n_later--;
	call->server->later_bytes -= call->weight;
	if (call->client)
		client_answer_later(call->client, call, handled);
	(void)call_free(call);
}

int
call_return_string(struct rpc_call *call, const char *text, char **ret)
{
	*ret = rpc_arena_strdup(&call->arena, text);
	return *ret ? RPC_DONE : call_out_of_memory(call);
}

int
call_out_of_memory(struct rpc_call *call)
{
	return rpc_error_set(&call->error, VIR_ERR_NO_MEMORY, VIR_FROM_RPC, "out of memory");
}

int
call_not_open(struct rpc_call *call)
{
	return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
		"internal error: hypervisor connection not open");
}

int
call_check_verbs(struct rpc_call *call)
{
	const struct rights *rights = &call->client->rights;

	if (!(call->verbs & ~rights->verbs))
		return RPC_DONE;
	return rights_refuse(rights, call->procedure->api,
		call->verbs & ~rights->verbs & call->procedure->verb ? "" : " with these arguments",
		&call->error);
}

int
call_check_flags(struct rpc_call *call, uint32_t flags, uint32_t supported)
{
	if (!(flags & ~supported))
		return RPC_DONE;
	return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
		"unsupported flags (0x%x) in function %s", flags & ~supported,
		call->procedure->api);
}

int
call_check_nparams(struct rpc_call *call, int32_t nparams, int32_t max)
{
	if (nparams >= 0 && nparams <= max)
		return RPC_DONE;
	return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
		nparams < 0 ? "internal error: nparams must be non-negative"
			    : "internal error: nparams too large");
}
