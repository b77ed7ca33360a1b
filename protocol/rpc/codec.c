/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * codec.c: the one interpreter of shapes, in both directions; see codec.h.
 *
 * Decoding reads a client's bytes: every function takes what it needs off the front of what is
 * left, or says RPC_CODEC_E_BAD. Encoding trusts the struct but not its sizes.
 */
#include "protocol/rpc/codec.h"

#include <stdbool.h>
#include <string.h>

#include "protocol/rpc/arena.h"
#include "protocol/rpc/bigendian.h"
#include "protocol/rpc/buffer.h"
#include "protocol/rpc/frame.h"

enum { UUID_SIZE = 16 };

/* Element of an array: its size in C, and the fewest bytes it takes on the wire. */
struct element {
	size_t size, min;
};

static struct element
element_of(const struct rpc_field *field)
{
	switch (field->element) {
	case RPC_KIND_32:
		return (struct element){4, 4};
	case RPC_KIND_64:
		return (struct element){8, 8};
	case RPC_KIND_STRING:
		return (struct element){sizeof(char *), 4};
	default:
		return (struct element){
			rpc_shapes[field->shape].size, rpc_shapes[field->shape].min};
	}
}

/* The wire pads counted bytes to a multiple of four. */
static size_t
padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* --- decode ------------------------------------------------------------------------------- */

struct in {
	const uint8_t *p, *end;
	/* What elements take that are still to come, at least: nobody before them may claim it. */
	size_t owed;
	struct rpc_arena *arena;
};

static size_t
left(const struct in *in)
{
	return (size_t)(in->end - in->p) - in->owed;
}

/* The next n bytes, or NULL. */
static const uint8_t *
take(struct in *in, size_t n)
{
	const uint8_t *p = in->p;

	if (left(in) < n)
		return NULL;
	in->p += n;
	return p;
}

static int
get_u32(struct in *in, uint32_t *ret)
{
	const uint8_t *p = take(in, 4);

	if (!p)
		return RPC_CODEC_E_BAD;
	*ret = rpc_read_u32(p);
	return 0;
}

static int
get_32(struct in *in, void *ret)
{
	uint32_t v;

	if (get_u32(in, &v))
		return RPC_CODEC_E_BAD;
	memcpy(ret, &v, sizeof(v));
	return 0;
}

static int
get_64(struct in *in, void *ret)
{
	const uint8_t *p = take(in, 8);
	uint64_t v;

	if (!p)
		return RPC_CODEC_E_BAD;
	v = rpc_read_u64(p);
	memcpy(ret, &v, sizeof(v));
	return 0;
}

/* A count of elements that are at least min bytes each on the wire. */
static int
get_count(struct in *in, uint32_t max, size_t min, uint32_t *ret)
{
	if (get_u32(in, ret) || *ret > max || *ret > left(in) / min)
		return RPC_CODEC_E_BAD;
	return 0;
}

/* Bytes with a count, copied with a NUL after them. */
static int
get_counted(struct in *in, uint32_t max, uint32_t *ret_n, void *ret)
{
	const uint8_t *p;
	char *copy;
	uint32_t n;

	if (get_count(in, max, 1, &n))
		return RPC_CODEC_E_BAD;
	p = take(in, padded(n));
	if (!p)
		return RPC_CODEC_E_BAD;
	copy = rpc_arena_bytes(in->arena, (size_t)n + 1);
	if (!copy)
		return RPC_CODEC_E_FULL;
	memcpy(copy, p, n);
	copy[n] = '\0';
	memcpy(ret, &copy, sizeof(copy));
	if (ret_n)
		*ret_n = n;
	return 0;
}

/* Is it present? If not, *ret becomes NULL. */
static int
get_presence(struct in *in, void *ret, bool *ret_present)
{
	uint32_t flag;

	if (get_u32(in, &flag))
		return RPC_CODEC_E_BAD;
	*ret_present = flag != 0;
	memset(ret, 0, sizeof(void *));
	return 0;
}

/* n chars of four bytes each; the low byte counts. */
static int
get_chars(struct in *in, uint32_t n, char *ret)
{
	const uint8_t *p = take(in, (size_t)n * 4);

	if (!p)
		return RPC_CODEC_E_BAD;
	for (uint32_t i = 0; i < n; i++)
		ret[i] = (char)p[(size_t)i * 4 + 3];
	return 0;
}

static int get_shape(struct in *in, const struct rpc_shape *shape, uint8_t *ret);

static int
get_element(struct in *in, const struct rpc_field *field, uint8_t *ret)
{
	switch (field->element) {
	case RPC_KIND_32:
		return get_32(in, ret);
	case RPC_KIND_64:
		return get_64(in, ret);
	case RPC_KIND_STRING:
		return get_counted(in, RPC_STRING_MAX, NULL, ret);
	default:
		return get_shape(in, &rpc_shapes[field->shape], ret);
	}
}

static int
get_array(struct in *in, const struct rpc_field *field, uint32_t *ret_n, void *ret)
{
	struct element element = element_of(field);
	uint8_t *elements = NULL;
	int r = get_count(in, field->max, element.min, ret_n);

	if (!r && *ret_n > 0) {
		elements = rpc_arena_array(in->arena, *ret_n, element.size);
		if (!elements)
			return RPC_CODEC_E_FULL;
		in->owed += *ret_n * element.min;
	}
	for (uint32_t i = 0; !r && i < *ret_n; i++) {
		in->owed -= element.min;
		r = get_element(in, field, elements + i * element.size);
	}
	memcpy(ret, &elements, sizeof(elements));
	return r;
}

static int
get_char_array(struct in *in, const struct rpc_field *field, uint32_t *ret_n, void *ret)
{
	char *chars;

	if (get_count(in, field->max, 4, ret_n))
		return RPC_CODEC_E_BAD;
	chars = rpc_arena_bytes(in->arena, (size_t)*ret_n + 1);
	if (!chars)
		return RPC_CODEC_E_FULL;
	chars[*ret_n] = '\0';
	memcpy(ret, &chars, sizeof(chars));
	return get_chars(in, *ret_n, chars);
}

static int
get_optional(struct in *in, const struct rpc_shape *shape, void *ret)
{
	uint8_t *value;
	bool present;

	if (get_presence(in, ret, &present))
		return RPC_CODEC_E_BAD;
	if (!present)
		return 0;
	if (left(in) < shape->min)
		return RPC_CODEC_E_BAD;
	value = rpc_arena_array(in->arena, 1, shape->size);
	if (!value)
		return RPC_CODEC_E_FULL;
	memcpy(ret, &value, sizeof(value));
	return get_shape(in, shape, value);
}

static int
get_typed_value(struct in *in, void *ret_type, void *ret)
{
	uint32_t type;

	if (get_u32(in, &type))
		return RPC_CODEC_E_BAD;
	memcpy(ret_type, &type, sizeof(type));
	switch (type) {
	case VIR_TYPED_PARAM_INT:
	case VIR_TYPED_PARAM_UINT:
	case VIR_TYPED_PARAM_BOOLEAN:
		return get_32(in, ret);
	case VIR_TYPED_PARAM_LLONG:
	case VIR_TYPED_PARAM_ULLONG:
	case VIR_TYPED_PARAM_DOUBLE:
		return get_64(in, ret);
	case VIR_TYPED_PARAM_STRING:
		return get_counted(in, RPC_STRING_MAX, NULL, ret);
	default:
		return RPC_CODEC_E_BAD;
	}
}

static int
get_field(struct in *in, const struct rpc_field *field, uint8_t *ret_struct)
{
	uint8_t *ret = ret_struct + field->offset;
	uint32_t *ret_n = (uint32_t *)(void *)(ret_struct + field->count);
	uint32_t v;
	bool present;
	int r;

	switch ((enum rpc_kind)field->kind) {
	case RPC_KIND_32:
		return get_32(in, ret);
	case RPC_KIND_64:
		return get_64(in, ret);
	case RPC_KIND_CHAR:
	case RPC_KIND_UCHAR:
		r = get_u32(in, &v);
		if (!r)
			*ret = (uint8_t)v;
		return r;
	case RPC_KIND_USHORT:
		r = get_u32(in, &v);
		if (!r)
			*(uint16_t *)(void *)ret = (uint16_t)v;
		return r;
	case RPC_KIND_STRING_OPT:
		r = get_presence(in, ret, &present);
		if (r || !present)
			return r;
		return get_counted(in, RPC_STRING_MAX, NULL, ret);
	case RPC_KIND_STRING:
		return get_counted(in, RPC_STRING_MAX, NULL, ret);
	case RPC_KIND_UUID: {
		const uint8_t *p = take(in, UUID_SIZE);

		if (!p)
			return RPC_CODEC_E_BAD;
		memcpy(ret, p, UUID_SIZE);
		return 0;
	}
	case RPC_KIND_CHARS_FIXED:
		return get_chars(in, field->max, (char *)ret);
	case RPC_KIND_CHARS:
		return get_char_array(in, field, ret_n, ret);
	case RPC_KIND_OPAQUE:
		return get_counted(in, field->max, ret_n, ret);
	case RPC_KIND_ARRAY:
		return get_array(in, field, ret_n, ret);
	case RPC_KIND_STRUCT:
		return get_shape(in, &rpc_shapes[field->shape], ret);
	case RPC_KIND_OPTIONAL:
		return get_optional(in, &rpc_shapes[field->shape], ret);
	case RPC_KIND_TYPED_VALUE:
		return get_typed_value(in, ret_n, ret);
	}
	return RPC_CODEC_E_BAD;
}

static int
get_shape(struct in *in, const struct rpc_shape *shape, uint8_t *ret)
{
	int r = 0;

	for (unsigned i = 0; !r && i < shape->n_fields; i++)
		r = get_field(in, &shape->fields[i], ret);
	return r;
}

int
rpc_decode(const struct rpc_shape *shape, const void *data, size_t size, struct rpc_arena *arena,
	void *ret)
{
	struct in in = {.p = data, .end = (const uint8_t *)data + size, .arena = arena};

	return shape ? get_shape(&in, shape, ret) : 0;
}

/* --- encode ------------------------------------------------------------------------------- */

static int
put_32(struct rpc_buffer *buffer, const void *value)
{
	uint8_t *p = rpc_buffer_grow(buffer, 4);
	uint32_t v;

	if (!p)
		return RPC_CODEC_E_FULL;
	memcpy(&v, value, sizeof(v));
	rpc_write_u32(p, v);
	return 0;
}

static int
put_u32(struct rpc_buffer *buffer, uint32_t v)
{
	return put_32(buffer, &v);
}

static int
put_64(struct rpc_buffer *buffer, const void *value)
{
	uint8_t *p = rpc_buffer_grow(buffer, 8);
	uint64_t v;

	if (!p)
		return RPC_CODEC_E_FULL;
	memcpy(&v, value, sizeof(v));
	rpc_write_u64(p, v);
	return 0;
}

static int
put_counted(struct rpc_buffer *buffer, uint32_t max, const void *bytes, size_t n)
{
	size_t whole = padded(n);
	uint8_t *p;

	if (n > max || (!bytes && n > 0))
		return RPC_CODEC_E_BAD;
	p = rpc_buffer_grow(buffer, 4 + whole);
	if (!p)
		return RPC_CODEC_E_FULL;
	rpc_write_u32(p, (uint32_t)n);
	if (n > 0)
		memcpy(p + 4, bytes, n);
	memset(p + 4 + n, 0, whole - n);
	return 0;
}

/* The pointer that is stored at member. */
static const void *
pointer_at(const uint8_t *member)
{
	const void *pointer;

	memcpy(&pointer, member, sizeof(pointer));
	return pointer;
}

static int
put_string(struct rpc_buffer *buffer, const uint8_t *member)
{
	const char *s = pointer_at(member);

	return s ? put_counted(buffer, RPC_STRING_MAX, s, strlen(s)) : RPC_CODEC_E_BAD;
}

static int
put_chars(struct rpc_buffer *buffer, const char *chars, uint32_t n)
{
	uint8_t *p = rpc_buffer_grow(buffer, (size_t)n * 4);

	if (!p)
		return RPC_CODEC_E_FULL;
	for (uint32_t i = 0; i < n; i++)
		rpc_write_u32(p + (size_t)i * 4, (uint32_t)(int8_t)chars[i]);
	return 0;
}

static int put_shape(
	struct rpc_buffer *buffer, const struct rpc_shape *shape, const uint8_t *value);

static int
put_element(struct rpc_buffer *buffer, const struct rpc_field *field, const uint8_t *value)
{
	switch (field->element) {
	case RPC_KIND_32:
		return put_32(buffer, value);
	case RPC_KIND_64:
		return put_64(buffer, value);
	case RPC_KIND_STRING:
		return put_string(buffer, value);
	default:
		return put_shape(buffer, &rpc_shapes[field->shape], value);
	}
}

static int
put_array(struct rpc_buffer *buffer, const struct rpc_field *field, uint32_t n,
	const uint8_t *elements)
{
	size_t size = element_of(field).size;
	int r;

	if (n > field->max || (!elements && n > 0))
		return RPC_CODEC_E_BAD;
	r = put_u32(buffer, n);
	for (uint32_t i = 0; !r && i < n; i++)
		r = put_element(buffer, field, elements + i * size);
	return r;
}

static int
put_char_array(
	struct rpc_buffer *buffer, const struct rpc_field *field, uint32_t n, const char *chars)
{
	if (n > field->max || (!chars && n > 0))
		return RPC_CODEC_E_BAD;
	if (put_u32(buffer, n))
		return RPC_CODEC_E_FULL;
	return n > 0 ? put_chars(buffer, chars, n) : 0;
}

static int
put_typed_value(struct rpc_buffer *buffer, uint32_t type, const uint8_t *value)
{
	if (put_u32(buffer, type))
		return RPC_CODEC_E_FULL;
	switch (type) {
	case VIR_TYPED_PARAM_INT:
	case VIR_TYPED_PARAM_UINT:
	case VIR_TYPED_PARAM_BOOLEAN:
		return put_32(buffer, value);
	case VIR_TYPED_PARAM_LLONG:
	case VIR_TYPED_PARAM_ULLONG:
	case VIR_TYPED_PARAM_DOUBLE:
		return put_64(buffer, value);
	case VIR_TYPED_PARAM_STRING:
		return put_string(buffer, value);
	default:
		return RPC_CODEC_E_BAD;
	}
}

static int
put_field(struct rpc_buffer *buffer, const struct rpc_field *field, const uint8_t *value_struct)
{
	const uint8_t *value = value_struct + field->offset;
	const uint32_t *n = (const uint32_t *)(const void *)(value_struct + field->count);
	uint8_t *p;

	switch ((enum rpc_kind)field->kind) {
	case RPC_KIND_32:
		return put_32(buffer, value);
	case RPC_KIND_64:
		return put_64(buffer, value);
	case RPC_KIND_CHAR:
		return put_u32(buffer, (uint32_t)(int8_t)*value);
	case RPC_KIND_UCHAR:
		return put_u32(buffer, *value);
	case RPC_KIND_USHORT:
		return put_u32(buffer, *(const uint16_t *)(const void *)value);
	case RPC_KIND_STRING:
		return put_string(buffer, value);
	case RPC_KIND_STRING_OPT:
		if (!pointer_at(value))
			return put_u32(buffer, 0);
		return put_u32(buffer, 1) ? RPC_CODEC_E_FULL : put_string(buffer, value);
	case RPC_KIND_UUID:
		p = rpc_buffer_grow(buffer, UUID_SIZE);
		if (!p)
			return RPC_CODEC_E_FULL;
		memcpy(p, value, UUID_SIZE);
		return 0;
	case RPC_KIND_CHARS_FIXED:
		return put_chars(buffer, (const char *)value, field->max);
	case RPC_KIND_CHARS:
		return put_char_array(buffer, field, *n, pointer_at(value));
	case RPC_KIND_OPAQUE:
		return put_counted(buffer, field->max, pointer_at(value), *n);
	case RPC_KIND_ARRAY:
		return put_array(buffer, field, *n, pointer_at(value));
	case RPC_KIND_STRUCT:
		return put_shape(buffer, &rpc_shapes[field->shape], value);
	case RPC_KIND_OPTIONAL:
		if (!pointer_at(value))
			return put_u32(buffer, 0);
		if (put_u32(buffer, 1))
			return RPC_CODEC_E_FULL;
		return put_shape(buffer, &rpc_shapes[field->shape], pointer_at(value));
	case RPC_KIND_TYPED_VALUE:
		return put_typed_value(buffer, *n, value);
	}
	return RPC_CODEC_E_BAD;
}

static int
put_shape(struct rpc_buffer *buffer, const struct rpc_shape *shape, const uint8_t *value)
{
	int r = 0;

	for (unsigned i = 0; !r && i < shape->n_fields; i++)
		r = put_field(buffer, &shape->fields[i], value);
	return r;
}

int
rpc_encode(const struct rpc_shape *shape, const void *value, struct rpc_buffer *buffer)
{
	size_t before = rpc_buffer_left(buffer);
	int r = shape ? put_shape(buffer, shape, value) : 0;

	if (r)
		rpc_buffer_cut(buffer, before);
	return r;
}

int
rpc_encode_frame(const struct rpc_header *header, uint32_t n_fds, const struct rpc_shape *shape,
	const void *value, struct rpc_buffer *buffer)
{
	size_t start;
	int r;

	if (rpc_frame_begin(buffer, header, n_fds, &start))
		return RPC_CODEC_E_FULL;
	r = rpc_encode(shape, value, buffer);
	if (r)
		rpc_buffer_cut(buffer, start);
	else if (rpc_frame_end(buffer, start))
		r = RPC_CODEC_E_FULL;
	return r;
}
