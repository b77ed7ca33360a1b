/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * params.h: a list of typed parameters, built for a result.
 *
 * Runs in the worker. The list and its names live in the call's arena. The first failure (no
 * memory, or more than a call may hold) is kept, and what follows does nothing.
 */
#ifndef WORKER_RPC_PARAMS_H
#define WORKER_RPC_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/rpc/arena.h"
#include "protocol/rpc/types.h"

struct params {
	struct rpc_arena *arena;
	struct rpc_typed_param *list;
	uint32_t n, room;
	bool failed;
};

/* Each adds one; its name is printed by fmt. */
void params_int(struct params *params, int32_t value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void params_uint(struct params *params, uint32_t value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void params_llong(struct params *params, int64_t value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void params_ullong(struct params *params, uint64_t value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** value: copied. */
void params_string(struct params *params, const char *value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
