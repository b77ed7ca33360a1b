/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * draw.h: arguments of any shape of the table, drawn from the bytes of an input, so that most of
 * what a fuzzer tries is decoded and reaches the handlers. What cannot be decoded is for rpc_args
 * and rpc_client.
 */
#ifndef FUZZ_DRAW_H
#define FUZZ_DRAW_H

#include <stdint.h>
#include <string.h>

#include "protocol/rpc/codec.h"

enum { DRAWN_MAX = 65536, DRAWN_STRING_MAX = 4096, DRAWN_ARRAY_MAX = 8 };

/* Its bytes are used up from the front; then everything is 0. */
static struct draw {
	const uint8_t *data;
	size_t size;
	uint8_t out[DRAWN_MAX];
	size_t n_out;
	const char *const *texts; /* that make sense somewhere */
	unsigned n_texts;
	uint8_t uuid[16]; /* likewise */
} draw;

static inline uint8_t
draw_byte(void)
{
	if (draw.size == 0)
		return 0;
	draw.size--;
	return *draw.data++;
}

/* Small numbers and single bits are the likely ones. */
static inline uint32_t
draw_number(void)
{
	uint32_t value = draw_byte();

	if (value < 0xc0)
		return value;
	if (value < 0xe0)
		return UINT32_C(1) << (value - 0xc0);
	if (value < 0xf0)
		return UINT32_MAX - (value - 0xe0);
	for (int i = 0; i < 4; i++)
		value = value << 8 | draw_byte();
	return value;
}

static inline void
drawn_bytes(const void *data, size_t size)
{
	if (size > sizeof(draw.out) - draw.n_out)
		size = sizeof(draw.out) - draw.n_out;
	if (size > 0)
		memcpy(draw.out + draw.n_out, data, size);
	draw.n_out += size;
}

static inline void
drawn_u32(uint32_t value)
{
	const uint8_t bytes[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
		(uint8_t)(value >> 8), (uint8_t)value};

	drawn_bytes(bytes, sizeof(bytes));
}

static inline void
drawn_counted(const void *data, size_t size)
{
	drawn_u32((uint32_t)size);
	drawn_bytes(data, size);
	drawn_bytes("\0\0", -size & 3);
}

/* One of the texts, or so many bytes of the input. */
static inline void
draw_string(void)
{
	uint32_t which = draw_byte();
	size_t size;

	if (which < draw.n_texts) {
		drawn_counted(draw.texts[which], strlen(draw.texts[which]));
		return;
	}
	size = which == 0xff ? (size_t)draw_byte() << 8 | draw_byte() : which - draw.n_texts;
	if (size > draw.size)
		size = draw.size;
	if (size > DRAWN_STRING_MAX)
		size = DRAWN_STRING_MAX;
	drawn_counted(draw.data, size);
	draw.data += size;
	draw.size -= size;
}

static inline void draw_shape(const struct rpc_shape *shape);

static inline void
draw_array(const struct rpc_field *field)
{
	uint32_t count = draw_byte() % DRAWN_ARRAY_MAX;

	if (count > field->max)
		count = field->max;
	drawn_u32(count);
	for (uint32_t i = 0; i < count; i++)
		if (field->kind == RPC_KIND_CHARS || field->element == RPC_KIND_32)
			drawn_u32(draw_number());
		else if (field->element == RPC_KIND_STRING)
			draw_string();
		else if (field->element == RPC_KIND_STRUCT)
			draw_shape(&rpc_shapes[field->shape]);
		else
			drawn_bytes("\0\0\0\0\0\0\0\1", 8);
}

static inline void
draw_typed_value(void)
{
	uint32_t type = 1 + draw_byte() % 7U;

	drawn_u32(type);
	if (type == VIR_TYPED_PARAM_STRING) {
		draw_string();
		return;
	}
	if (type >= VIR_TYPED_PARAM_LLONG && type <= VIR_TYPED_PARAM_DOUBLE)
		drawn_u32(draw_number());
	drawn_u32(draw_number());
}

static inline void
draw_uuid(void)
{
	uint8_t other[16];

	if (draw_byte() < 0xf0) {
		drawn_bytes(draw.uuid, sizeof(draw.uuid));
		return;
	}
	for (unsigned i = 0; i < sizeof(other); i++)
		other[i] = draw_byte();
	drawn_bytes(other, sizeof(other));
}

static inline void
draw_field(const struct rpc_field *field)
{
	uint32_t count;

	switch ((enum rpc_kind)field->kind) {
	case RPC_KIND_32:
	case RPC_KIND_CHAR:
	case RPC_KIND_UCHAR:
	case RPC_KIND_USHORT:
		drawn_u32(draw_number());
		break;
	case RPC_KIND_64:
		drawn_u32(draw_byte() & 1 ? draw_number() : 0);
		drawn_u32(draw_number());
		break;
	case RPC_KIND_STRING:
		draw_string();
		break;
	case RPC_KIND_UUID:
		draw_uuid();
		break;
	case RPC_KIND_CHARS_FIXED:
		for (uint32_t i = 0; i < field->max; i++)
			drawn_u32(draw_byte());
		break;
	case RPC_KIND_OPAQUE:
		count = draw_byte();
		count = count < field->max ? count : field->max;
		count = count < draw.size ? count : (uint32_t)draw.size;
		drawn_counted(draw.data, count);
		draw.data += count;
		draw.size -= count;
		break;
	case RPC_KIND_CHARS:
	case RPC_KIND_ARRAY:
		draw_array(field);
		break;
	case RPC_KIND_STRUCT:
		draw_shape(&rpc_shapes[field->shape]);
		break;
	case RPC_KIND_STRING_OPT:
	case RPC_KIND_OPTIONAL:
		count = draw_byte() & 1;
		drawn_u32(count);
		if (count && field->kind == RPC_KIND_STRING_OPT)
			draw_string();
		else if (count)
			draw_shape(&rpc_shapes[field->shape]);
		break;
	case RPC_KIND_TYPED_VALUE:
		draw_typed_value();
		break;
	}
}

static inline void
draw_shape(const struct rpc_shape *shape)
{
	for (unsigned i = 0; i < shape->n_fields; i++)
		draw_field(&shape->fields[i]);
}

/* The wire form of one, in draw.out. A NULL shape is of no bytes. */
static inline void
draw_payload(const struct rpc_shape *shape)
{
	draw.n_out = 0;
	if (shape)
		draw_shape(shape);
}

#endif
