/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire_fields.h: the wire form of any shape of the table with one of its fields at or beyond its
 * bounds, made without the codec.
 *
 * A place is a field, an element or a flag, numbered from 0 in the order of the wire; each can be
 * written in several ways, from 0: the usual one. The usual domain is the one that a test names.
 */
#ifndef TESTS_UNIT_WIRE_FIELDS_H
#define TESTS_UNIT_WIRE_FIELDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "protocol/rpc/codec.h"
#include "protocol/rpc/frame.h"

static struct fields {
	uint8_t *data; /* of RPC_PAYLOAD_MAX bytes */
	size_t size;
	unsigned place, at; /* the one that is written otherwise; the next one */
	unsigned way;
	bool found; /* there is such a way at that place */
	bool bad;   /* it is not of the shape */
	bool cut;   /* nothing more is written */
	/* Strings to be tried, of any length; the first is the usual one. */
	const char *const *texts;
	unsigned n_texts;
	uint8_t uuid[16];
} fields;

static inline void
fields_bytes(const void *data, size_t size)
{
	if (fields.cut || size == 0)
		return;
	ASSERT(size <= RPC_PAYLOAD_MAX - fields.size);
	memcpy(fields.data + fields.size, data, size);
	fields.size += size;
}

static inline void
fields_u32(uint32_t value)
{
	const uint8_t bytes[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
		(uint8_t)(value >> 8), (uint8_t)value};

	fields_bytes(bytes, sizeof(bytes));
}

/* How the place that comes next is written: `n` ways there are. */
static inline unsigned
fields_way(unsigned n)
{
	if (fields.at++ != fields.place)
		return 0;
	fields.found = fields.way < n;
	return fields.found ? fields.way : 0;
}

static inline void
fields_spoil(uint32_t value, bool bad)
{
	fields_u32(value);
	fields.bad |= bad;
	fields.cut = true;
}

#define FIELDS_COUNT(list) (unsigned)(sizeof(list) / sizeof((list)[0]))

static inline void
fields_32(void)
{
	static const uint32_t values[] = {0, 1, 2, 3, 4, 7, 8, 16, 31, 63, 255, 0x1000, 0xffff,
		0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};

	fields_u32(values[fields_way(FIELDS_COUNT(values))]);
}

static inline void
fields_64(void)
{
	static const uint32_t values[][2] = {{0, 0}, {0, 1}, {0, 0xffffffff}, {1, 0},
		{0x7fffffff, 0xffffffff}, {0x80000000, 0}, {0xffffffff, 0xffffffff},
		{0x7ff00000, 0}, {0x7ff80000, 1}};
	unsigned way = fields_way(FIELDS_COUNT(values));

	fields_u32(values[way][0]);
	fields_u32(values[way][1]);
}

static inline void
fields_counted(const void *data, uint32_t size)
{
	fields_u32(size);
	fields_bytes(data, size);
	fields_bytes("\0\0", -size & 3);
}

static inline void
fields_string(void)
{
	enum { LONGEST, TOO_LONG, NEGATIVE, LOWEST, ALL, NOTHING, NUL, N };
	unsigned way = fields_way(fields.n_texts + N);
	static char *longest;

	if (way < fields.n_texts) {
		fields_counted(fields.texts[way], (uint32_t)strlen(fields.texts[way]));
		return;
	}
	if (!longest) {
		longest = malloc((size_t)RPC_STRING_MAX + 1);
		ASSERT(longest);
		memset(longest, 'x', (size_t)RPC_STRING_MAX + 1);
	}
	switch (way - fields.n_texts) {
	case LONGEST:
		fields_counted(longest, RPC_STRING_MAX);
		break;
	case TOO_LONG:
		fields_counted(longest, RPC_STRING_MAX + 1);
		fields.bad = true;
		break;
	case NEGATIVE:
		fields_spoil(0xffffffff, true);
		break;
	case LOWEST:
		fields_spoil(0x80000000, true);
		break;
	case ALL:
		fields_spoil(0x7fffffff, true);
		break;
	case NOTHING:
		fields_spoil(1, true);
		break;
	default:
		fields_counted("v\0m", 3);
		break;
	}
}

/* Elements whose count is at most max, each at least min bytes; one writes one of them. */
static inline void
fields_array(uint32_t max, size_t min, void (*one)(const struct rpc_field *field),
	const struct rpc_field *field)
{
	const uint32_t counts[] = {1, 0, 2, max, max + 1, 0x7fffffff, 0x80000000, 0xffffffff};
	uint32_t count = counts[fields_way(FIELDS_COUNT(counts))];
	/* What does not fit into a packet is not there. */
	bool there = count <= max && count <= (RPC_PAYLOAD_MAX - fields.size) / min / 4;

	if (!there) {
		fields_spoil(count, count > 0);
		return;
	}
	fields_u32(count);
	for (uint32_t i = 0; i < count; i++)
		one(field);
}

static inline void fields_shape(const struct rpc_shape *shape);

static inline void
fields_element(const struct rpc_field *field)
{
	/* Long arrays are of usual elements, but for the first. */
	switch (field->element) {
	case RPC_KIND_32:
		fields_32();
		break;
	case RPC_KIND_64:
		fields_64();
		break;
	case RPC_KIND_STRING:
		fields_string();
		break;
	default:
		fields_shape(&rpc_shapes[field->shape]);
		break;
	}
}

static inline void
fields_char(const struct rpc_field *field)
{
	(void)field;
	fields_u32('x');
}

static inline void
fields_opaque(uint32_t max)
{
	const uint32_t counts[] = {0, 1, 3, max, max + 1, 0x7fffffff, 0x80000000, 0xffffffff};
	uint32_t count = counts[fields_way(FIELDS_COUNT(counts))];

	if (count > max || count > RPC_PAYLOAD_MAX / 2) {
		fields_spoil(count, true);
		return;
	}
	fields_u32(count);
	for (uint32_t i = 0; i < count; i += 4)
		fields_bytes("\377\377\377\377", 4);
}

static inline void
fields_optional(const struct rpc_field *field)
{
	static const uint32_t flags[] = {1, 0, 2, 0xffffffff};
	unsigned way = fields_way(FIELDS_COUNT(flags) + 1);

	if (way == FIELDS_COUNT(flags)) {
		fields_spoil(1, true);
		return;
	}
	fields_u32(flags[way]);
	if (flags[way] == 0)
		return;
	if (field->kind == RPC_KIND_STRING_OPT)
		fields_string();
	else
		fields_shape(&rpc_shapes[field->shape]);
}

static inline void
fields_typed_value(void)
{
	static const uint32_t types[] = {
		1, 2, 3, 4, 5, 6, 7, 0, 8, 0x7fffffff, 0x80000000, 0xffffffff};
	uint32_t type = types[fields_way(FIELDS_COUNT(types))];

	fields_u32(type);
	if (type == VIR_TYPED_PARAM_STRING)
		fields_string();
	else if (type == VIR_TYPED_PARAM_INT || type == VIR_TYPED_PARAM_UINT ||
		 type == VIR_TYPED_PARAM_BOOLEAN)
		fields_32();
	else if (type >= VIR_TYPED_PARAM_LLONG && type <= VIR_TYPED_PARAM_DOUBLE)
		fields_64();
	else
		fields.bad = fields.cut = true;
}

static inline void
fields_uuid(void)
{
	static const uint8_t zeros[16], junk[16] = {255, 255, 255, 255, 255, 255, 255, 255, 255};
	const uint8_t *ways[] = {fields.uuid, zeros, junk};

	fields_bytes(ways[fields_way(FIELDS_COUNT(ways))], 16);
}

static inline void
fields_one(const struct rpc_field *field)
{
	switch ((enum rpc_kind)field->kind) {
	case RPC_KIND_32:
	case RPC_KIND_CHAR:
	case RPC_KIND_UCHAR:
	case RPC_KIND_USHORT:
		fields_32();
		break;
	case RPC_KIND_64:
		fields_64();
		break;
	case RPC_KIND_STRING:
		fields_string();
		break;
	case RPC_KIND_UUID:
		fields_uuid();
		break;
	case RPC_KIND_CHARS_FIXED:
		for (uint32_t i = 0; i < field->max; i++)
			fields_u32('x');
		break;
	case RPC_KIND_CHARS:
		fields_array(field->max, 4, fields_char, field);
		break;
	case RPC_KIND_OPAQUE:
		fields_opaque(field->max);
		break;
	case RPC_KIND_ARRAY:
		fields_array(field->max, 4, fields_element, field);
		break;
	case RPC_KIND_STRUCT:
		fields_shape(&rpc_shapes[field->shape]);
		break;
	case RPC_KIND_STRING_OPT:
	case RPC_KIND_OPTIONAL:
		fields_optional(field);
		break;
	case RPC_KIND_TYPED_VALUE:
		fields_typed_value();
		break;
	}
}

static inline void
fields_shape(const struct rpc_shape *shape)
{
	for (unsigned i = 0; i < shape->n_fields && !fields.cut; i++)
		fields_one(&shape->fields[i]);
}

/* Write the shape with one place in one way. Returns whether there is such a way there. */
static inline bool
fields_write(const struct rpc_shape *shape, unsigned place, unsigned way)
{
	fields.size = 0;
	fields.place = place;
	fields.way = way;
	fields.at = 0;
	fields.found = fields.bad = fields.cut = false;
	fields_shape(shape);
	return fields.found;
}

#endif
