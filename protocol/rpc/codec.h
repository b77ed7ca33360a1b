/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * codec.h: from bytes to C structs and back, for every shape of the table, by one interpreter.
 *
 * Pure; runs in worker and view on bytes that a client (or, in the view, a worker) chose. A shape
 * is a constant list of fields made from types.tsv and procedures.tsv; the structs are in
 * <protocol/rpc/types.h> of the build. Shapes nest but never contain themselves, so recursion is
 * as deep as the deepest shape.
 *
 * How wire types look in C: i32, u32, i64, u64, f64 as int32_t ... double; char4, uchar4, ushort4
 * as int8_t, uint8_t, uint16_t; string as char * (never NULL), string? as char * or NULL; uuid as
 * uint8_t[16]; char4[N] as char[N]; T[<=N] as a uint32_t n_X and T *X (X is NULL when n_X is 0);
 * T? as T * or NULL; typed_value as an int32_t type and a union rpc_typed_value.
 */
#ifndef PROTOCOL_RPC_CODEC_H
#define PROTOCOL_RPC_CODEC_H

#include <stddef.h>
#include <stdint.h>

struct rpc_arena;
struct rpc_buffer;
struct rpc_header;

enum { RPC_STRING_MAX = 4194304 /* bytes of a string, without its NUL */ };

enum rpc_kind {
	RPC_KIND_32 = 1,      /* i32, u32, auth_type */
	RPC_KIND_64,          /* i64, u64, f64 */
	RPC_KIND_CHAR,        /* char4: sign-extended to 4 bytes */
	RPC_KIND_UCHAR,       /* uchar4 */
	RPC_KIND_USHORT,      /* ushort4 */
	RPC_KIND_STRING,      /* string */
	RPC_KIND_STRING_OPT,  /* string? */
	RPC_KIND_UUID,        /* uuid */
	RPC_KIND_CHARS_FIXED, /* char4[N]; max is N */
	RPC_KIND_CHARS,       /* char4[<=N] */
	RPC_KIND_OPAQUE,      /* opaque[<=N] */
	RPC_KIND_ARRAY,       /* T[<=N] of what element says */
	RPC_KIND_STRUCT,      /* a struct in place */
	RPC_KIND_OPTIONAL,    /* T? of a struct */
	RPC_KIND_TYPED_VALUE  /* i32 discriminant, then the value that it names */
};

struct rpc_field {
	uint8_t kind;    /* enum rpc_kind */
	uint8_t element; /* of an array: RPC_KIND_32, _64, _STRING or _STRUCT */
	uint8_t shape;   /* of the struct, optional or array of structs: index in rpc_shapes */
	uint16_t offset; /* of the member in its struct */
	uint16_t count;  /* offset of n_X, or of a typed value's type */
	uint32_t max;    /* bound on the count */
};

struct rpc_shape {
	const struct rpc_field *fields;
	uint16_t n_fields;
	uint16_t size; /* bytes of the C struct */
	uint32_t min;  /* fewest bytes on the wire */
};

/** The generated shapes; those of types.tsv first, by enum rpc_shape_id. */
extern const struct rpc_shape rpc_shapes[];

enum vir_typed_param_type {
	VIR_TYPED_PARAM_INT = 1,
	VIR_TYPED_PARAM_UINT = 2,
	VIR_TYPED_PARAM_LLONG = 3,
	VIR_TYPED_PARAM_ULLONG = 4,
	VIR_TYPED_PARAM_DOUBLE = 5,
	VIR_TYPED_PARAM_BOOLEAN = 6,
	VIR_TYPED_PARAM_STRING = 7
};

/** The member that the int32_t before it (enum vir_typed_param_type) says. */
union rpc_typed_value {
	int32_t i;
	uint32_t ui;
	int64_t l;
	uint64_t ul;
	double d;
	int32_t b;
	char *s;
};

enum rpc_codec_error {
	RPC_CODEC_E_BAD = 1, /* decode: not this shape; encode: a value beyond its bound, or a
				string that may not be absent */
	RPC_CODEC_E_FULL     /* decode: the arena's limit; encode: beyond the largest packet or the
				buffer's cap; either: no memory */
};

/**
 * Decode the start of data into *ret (shape->size bytes; what it points to comes from the arena).
 * Padding and bytes after the last field are ignored, a presence flag is true when not 0, a NUL
 * inside a string ends it, as with libvirtd. Every count is checked against its bound and against
 * the bytes that are left before anything is allocated; what is allocated is at most four times
 * size. Returns 0, RPC_CODEC_E_BAD or RPC_CODEC_E_FULL; on an error *ret must not be used. A NULL
 * shape is (void): 0, and nothing is touched.
 */
int rpc_decode(const struct rpc_shape *shape, const void *data, size_t size,
	struct rpc_arena *arena, void *ret);
/**
 * Append the wire form of *value. Returns 0, or an error and leaves the buffer as it was:
 * RPC_CODEC_E_BAD or RPC_CODEC_E_FULL. A NULL shape appends nothing.
 */
int rpc_encode(const struct rpc_shape *shape, const void *value, struct rpc_buffer *buffer);
/** A whole packet: header, count of descriptors with types 4 and 5, *value. As rpc_encode(). */
int rpc_encode_frame(const struct rpc_header *header, uint32_t n_fds, const struct rpc_shape *shape,
	const void *value, struct rpc_buffer *buffer);

#endif
