/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker_error.c: the error that a worker answered with; see worker_error.h.
 */
#include "view/worker_error.h"

#include <string.h>

#include "lib/utf8.h"
#include "protocol/rpc/arena.h"
#include "protocol/rpc/codec.h"
#include "protocol/rpc/types.h"

enum { ERROR_MAX = 64 * 1024 };

/* What no terminal should be sent stands as a question mark. */
static void
make_harmless(char *text)
{
	size_t size = strlen(text);

	for (size_t at = 0, n; at < size; at += n) {
		uint32_t c;

		n = utf8_next(text + at, size - at, &c);
		if (n > 0 && (!utf8_is_control(c) || c == '\n' || c == '\t'))
			continue;
		n = n > 0 ? n : 1;
		memset(text + at, '?', n);
	}
}

void
worker_error(const struct rpc_frame *frame, struct rpc_error *ret)
{
	struct rpc_remote_error error;
	struct rpc_arena arena;
	bool lost;

	rpc_arena_init(&arena, ERROR_MAX);
	if (frame->size > ERROR_MAX / 4 ||
		rpc_decode(&rpc_shapes[RPC_SHAPE_REMOTE_ERROR], frame->payload, frame->size, &arena,
			&error) != 0 ||
		error.code <= 0 || !error.message) {
		(void)rpc_error_set(ret, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: a worker answered with an error that cannot be read");
		rpc_arena_fini(&arena);
		return;
	}
	make_harmless(error.message);
	/* Clients take these for a connection that was lost. */
	lost = (error.code == VIR_ERR_INTERNAL_ERROR || error.code == VIR_ERR_SYSTEM_ERROR) &&
	       (error.domain == VIR_FROM_RPC || error.domain == VIR_FROM_REMOTE);
	(void)rpc_error_set(ret, (enum vir_error_code)error.code,
		lost ? VIR_FROM_QEMU : (enum vir_error_domain)error.domain, "%s", error.message);
	if (error.code == VIR_ERR_SYSTEM_ERROR && error.int1 > 0)
		ret->errnum = error.int1;
	rpc_arena_fini(&arena);
}
