/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handles.c: the domains that are named in arguments or results; see handles.h.
 *
 * Shapes nest but never contain themselves, so recursion is as deep as the deepest shape.
 */
#include "view/handles.h"

#include <stdbool.h>
#include <string.h>

static bool
is_domain(const struct rpc_shape *shape)
{
	return shape == &rpc_shapes[RPC_SHAPE_DOMAIN];
}

/* The shape of what is in a field, or NULL when that is no struct. */
static const struct rpc_shape *
inner(const struct rpc_field *field)
{
	bool has = field->kind == RPC_KIND_STRUCT || field->kind == RPC_KIND_OPTIONAL ||
		   (field->kind == RPC_KIND_ARRAY && field->element == RPC_KIND_STRUCT);

	return has ? &rpc_shapes[field->shape] : NULL;
}

static bool
may_hold(const struct rpc_shape *shape)
{
	if (is_domain(shape))
		return true;
	for (unsigned i = 0; i < shape->n_fields; i++)
		if (inner(&shape->fields[i]) && may_hold(inner(&shape->fields[i])))
			return true;
	return false;
}

static int
each_of(const struct rpc_field *field, char *value, handle_fn *fn, void *arg)
{
	const struct rpc_shape *shape = &rpc_shapes[field->shape];
	uint32_t n = 1;
	char *at = value + field->offset;
	int r = 0;

	if (field->kind != RPC_KIND_STRUCT)
		memcpy(&at, value + field->offset, sizeof(at));
	if (field->kind == RPC_KIND_ARRAY)
		memcpy(&n, value + field->count, sizeof(n));
	for (uint32_t i = 0; at && r == 0 && i < n; i++)
		r = handles_each(shape, at + (size_t)i * shape->size, fn, arg);
	return r;
}

int
handles_each(const struct rpc_shape *shape, void *value, handle_fn *fn, void *arg)
{
	int r = 0;

	if (!shape || !value)
		return 0;
	if (is_domain(shape))
		return fn(value, arg);
	for (unsigned i = 0; r == 0 && i < shape->n_fields; i++) {
		const struct rpc_field *field = &shape->fields[i];

		if (inner(field) && may_hold(inner(field)))
			r = each_of(field, value, fn, arg);
	}
	return r;
}
