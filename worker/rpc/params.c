/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * params.c: a list of typed parameters; see params.h.
 *
 * Runs in the worker.
 */
#include "worker/rpc/params.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "protocol/rpc/codec.h"

enum { FIRST_ROOM = 32, NAME_MAX_SIZE = 80 /* VIR_TYPED_PARAM_FIELD_LENGTH */ };

static bool
make_room(struct params *params)
{
	uint32_t room = params->room ? 2 * params->room : FIRST_ROOM;
	struct rpc_typed_param *list;

	if (params->n < params->room)
		return true;
	list = rpc_arena_array(params->arena, room, sizeof(*list));
	if (!list)
		return false;
	if (params->n > 0)
		memcpy(list, params->list, params->n * sizeof(*list));
	params->list = list;
	params->room = room;
	return true;
}

__attribute__((format(printf, 4, 0))) static void
add(struct params *params, enum vir_typed_param_type type, union rpc_typed_value value,
	const char *fmt, va_list ap)
{
	char name[NAME_MAX_SIZE];
	char *field;

	(void)vsnprintf(name, sizeof(name), fmt, ap);
	field = params->failed ? NULL : rpc_arena_strdup(params->arena, name);
	params->failed = !field || !make_room(params);
	if (params->failed)
		return;
	params->list[params->n++] =
		(struct rpc_typed_param){.field = field, .type = (int32_t)type, .value = value};
}

#define ADD(type, member, value_)                                                        \
	do {                                                                             \
		va_list ap;                                                              \
		va_start(ap, fmt);                                                       \
		add(params, type, (union rpc_typed_value){.member = (value_)}, fmt, ap); \
		va_end(ap);                                                              \
	} while (0)

void
params_int(struct params *params, int32_t value, const char *fmt, ...)
{
	ADD(VIR_TYPED_PARAM_INT, i, value);
}

void
params_uint(struct params *params, uint32_t value, const char *fmt, ...)
{
	ADD(VIR_TYPED_PARAM_UINT, ui, value);
}

void
params_llong(struct params *params, int64_t value, const char *fmt, ...)
{
	ADD(VIR_TYPED_PARAM_LLONG, l, value);
}

void
params_ullong(struct params *params, uint64_t value, const char *fmt, ...)
{
	ADD(VIR_TYPED_PARAM_ULLONG, ul, value);
}

void
params_string(struct params *params, const char *value, const char *fmt, ...)
{
	char *copy = params->failed ? NULL : rpc_arena_strdup(params->arena, value);

	if (!copy)
		params->failed = true;
	ADD(VIR_TYPED_PARAM_STRING, s, copy);
}
