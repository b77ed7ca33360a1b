/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whatever fits a shape survives encoding and decoding; whatever does not is refused and costs
 * nothing.
 *
 * The first tests go over every procedure and event of the table with values made up from their
 * shapes; the others take one procedure per kind of wire type to its bounds.
 */
#include "protocol/rpc/codec.h"

#include <stdbool.h>
#include <stdint.h>

#include "lib/take.h"
#include "protocol/rpc/arena.h"
#include "protocol/rpc/bigendian.h"
#include "protocol/rpc/buffer.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/procedure.h"
#include "protocol/rpc/types.h"
#include "tests/unit/hex.h"
#include "tests/unit/test.h"

enum { VALUE_SIZE = 4096, N_VARIANTS = 8 };

struct value {
	_Alignas(8) uint8_t bytes[VALUE_SIZE];
};

static struct rpc_arena made, arena; /* of made-up values, of decoded ones */
static struct rpc_buffer buffer;

/* --- values made up from a shape ---------------------------------------------------------- */

static void fill(const struct rpc_shape *shape, uint8_t *value, unsigned variant);

static uint32_t next_number;

static char *
some_string(void)
{
	char text[] = "abc\xc3\xa4";

	/* Lengths 0 to 5, so that every padding occurs. */
	text[next_number++ % 6] = '\0';
	return rpc_arena_strdup(&made, text);
}

static void
fill_string(void *member)
{
	char *s = some_string();

	memcpy(member, &s, sizeof(s));
}

static void
fill_typed_value(const struct rpc_field *field, uint8_t *value, unsigned variant)
{
	int32_t type = (int32_t)(1 + variant % 7);

	memcpy(value + field->count, &type, sizeof(type));
	if (type == VIR_TYPED_PARAM_STRING)
		fill_string(value + field->offset);
	else
		memset(value + field->offset, 0xc0 | (int)variant, 8);
}

/* Variant 0 has nothing that may be absent, variant n has n % 4 elements in every array. */
static void
fill_array(const struct rpc_field *field, uint8_t *value, unsigned variant)
{
	const struct rpc_shape *shape = &rpc_shapes[field->shape];
	uint32_t n = field->max < variant % 4 ? field->max : variant % 4;
	size_t size = field->kind != RPC_KIND_ARRAY       ? 1
		      : field->element == RPC_KIND_STRUCT ? shape->size
		      : field->element == RPC_KIND_32     ? 4
							  : 8;
	uint8_t *elements = rpc_arena_array(&made, n, size);

	memcpy(value + field->count, &n, sizeof(n));
	memcpy(value + field->offset, &elements, sizeof(elements));
	for (uint32_t i = 0; i < n; i++) {
		if (field->kind == RPC_KIND_ARRAY && field->element == RPC_KIND_STRUCT)
			fill(shape, elements + i * size, variant + i);
		else if (field->kind == RPC_KIND_ARRAY && field->element == RPC_KIND_STRING)
			fill_string(elements + i * size);
		else
			memset(elements + i * size, 0x80 + (int)i, size);
	}
}

static void
fill_field(const struct rpc_field *field, uint8_t *value, unsigned variant)
{
	uint8_t *member = value + field->offset, *optional;

	switch ((enum rpc_kind)field->kind) {
	case RPC_KIND_32:
		memset(member, 0x81 + (int)variant, 4);
		break;
	case RPC_KIND_64:
		memset(member, 0x71 + (int)variant, 8);
		break;
	case RPC_KIND_CHAR:
	case RPC_KIND_UCHAR:
		*member = (uint8_t)(0xfe + variant);
		break;
	case RPC_KIND_USHORT:
		memset(member, 0xfe, 2);
		break;
	case RPC_KIND_STRING_OPT:
		if (variant > 0)
			fill_string(member);
		break;
	case RPC_KIND_STRING:
		fill_string(member);
		break;
	case RPC_KIND_UUID:
		memset(member, 0xa0 + (int)variant, 16);
		break;
	case RPC_KIND_CHARS_FIXED:
		memset(member, 0xe0 + (int)variant, field->max);
		break;
	case RPC_KIND_CHARS:
	case RPC_KIND_OPAQUE:
	case RPC_KIND_ARRAY:
		fill_array(field, value, variant);
		break;
	case RPC_KIND_STRUCT:
		fill(&rpc_shapes[field->shape], member, variant);
		break;
	case RPC_KIND_OPTIONAL:
		if (variant == 0)
			break;
		optional = rpc_arena_array(&made, 1, rpc_shapes[field->shape].size);
		fill(&rpc_shapes[field->shape], optional, variant);
		memcpy(member, &optional, sizeof(optional));
		break;
	case RPC_KIND_TYPED_VALUE:
		fill_typed_value(field, value, variant);
		break;
	}
}

static void
fill(const struct rpc_shape *shape, uint8_t *value, unsigned variant)
{
	for (unsigned i = 0; i < shape->n_fields; i++)
		fill_field(&shape->fields[i], value, variant);
}

typedef void encoding_fn(const struct rpc_procedure *procedure, const struct rpc_shape *shape,
	const uint8_t *wire, size_t size);

static void
with_encoding(const struct rpc_procedure *procedure, const struct rpc_shape *shape,
	unsigned variant, encoding_fn *fn)
{
	static struct value value;
	uint8_t *wire; /* of the exact size, for the sanitizer */
	size_t size;

	CHECK(shape->size <= sizeof(value));
	memset(&value, 0, sizeof(value));
	rpc_arena_reset(&made);
	next_number = procedure->number + variant;
	fill(shape, value.bytes, variant);
	CHECK(rpc_encode(shape, &value, &buffer) == 0);
	size = rpc_buffer_left(&buffer);
	CHECK(size >= shape->min && size % 4 == 0);
	wire = malloc(size);
	memcpy(wire, rpc_buffer_front(&buffer), size);
	rpc_buffer_drop(&buffer, size);
	fn(procedure, shape, wire, size);
	free(wire);
}

/* Call fn with every shape of the table and every variant of a value, encoded. */
static void
for_each_encoding(encoding_fn *fn)
{
	for (unsigned i = 0; i < RPC_N_PROGRAMS; i++)
		for (unsigned j = 0; j < rpc_programs[i].n_procedures * N_VARIANTS; j++) {
			const struct rpc_procedure *p = &rpc_programs[i].procedures[j / N_VARIANTS];

			if (p->args)
				with_encoding(p, p->args, j % N_VARIANTS, fn);
			if (p->ret)
				with_encoding(p, p->ret, j % N_VARIANTS, fn);
		}
}

static int
decode(const struct rpc_shape *shape, const uint8_t *wire, size_t size, struct value *ret)
{
	rpc_arena_reset(&arena);
	memset(ret, 0x55, sizeof(*ret));
	return rpc_decode(shape, wire, size, &arena, ret);
}

/* Encode what was decoded; is it these bytes? */
static bool
encodes_to(
	const struct rpc_shape *shape, const struct value *value, const uint8_t *wire, size_t size)
{
	bool same = rpc_encode(shape, value, &buffer) == 0 && rpc_buffer_left(&buffer) == size &&
		    memcmp(rpc_buffer_front(&buffer), wire, size) == 0;

	rpc_buffer_cut(&buffer, 0);
	return same;
}

static unsigned n_round_trips;

static void
round_trip(const struct rpc_procedure *procedure, const struct rpc_shape *shape,
	const uint8_t *wire, size_t size)
{
	static struct value value;

	n_round_trips++;
	if (decode(shape, wire, size, &value) || !encodes_to(shape, &value, wire, size) ||
		arena.used > 4 * size) {
		printf("# %s is not what it was\n", procedure->name);
		test_this_failed = 1;
	}
}

static void
every_shape(void)
{
	for_each_encoding(round_trip);
	CHECK(n_round_trips > 400 * N_VARIANTS);
}

static void
truncate_everywhere(const struct rpc_procedure *procedure, const struct rpc_shape *shape,
	const uint8_t *wire, size_t size)
{
	static struct value value;

	for (size_t n = 0; n < size; n++) {
		free_auto uint8_t *part = malloc(n + 1); /* its end is the end of memory */

		memcpy(part + 1, wire, n);
		if (decode(shape, part + 1, n, &value) != RPC_CODEC_E_BAD || arena.used > 4 * n) {
			printf("# %s decodes or allocates without its last bytes\n",
				procedure->name);
			test_this_failed = 1;
		}
	}
}

static void
every_truncation(void)
{
	for_each_encoding(truncate_everywhere);
}

/* Every word of the payload in turn becomes something extreme. */
static void
spoil_everywhere(const struct rpc_procedure *procedure, const struct rpc_shape *shape,
	const uint8_t *wire, size_t size)
{
	static const uint32_t words[] = {0, 2, 0x7fffffff, 0x80000000, 0xffffffff, 16384, 4194304};
	static struct value value, again;
	free_auto uint8_t *spoilt = malloc(size);

	for (size_t at = 0; at < size; at += 4)
		for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			memcpy(spoilt, wire, size);
			rpc_write_u32(spoilt + at, words[i]);
			if (decode(shape, spoilt, size, &value) == 0) {
				CHECK(rpc_encode(shape, &value, &buffer) == 0);
				CHECK(decode(shape, rpc_buffer_front(&buffer),
					      rpc_buffer_left(&buffer), &again) == 0);
				rpc_buffer_cut(&buffer, 0);
			}
			if (arena.used > 4 * size) {
				printf("# %s allocates too much\n", procedure->name);
				test_this_failed = 1;
			}
		}
}

static void
every_spoilt_word(void)
{
	for_each_encoding(spoil_everywhere);
}

/* --- bounds, one procedure per kind of wire type ------------------------------------------ */

struct bound {
	int32_t procedure;
	bool of_ret;
	uint32_t max;
	const char
		*element; /* on the wire, in hex; bytes of opaque and string are padded together */
	size_t before;    /* zero bytes before the count, after the last element */
	size_t after;
};

#define STRING     \
	"00000001" \
	"61000000"
#define DOMAIN                                    \
	STRING "11111111111111111111111111111111" \
	       "ffffffff"

static const struct bound bounds[] = {
	{RPC_PROC_CONNECT_LIST_DOMAINS, true, 16384, "00000007", 0, 0},
	{RPC_PROC_AUTH_LIST, true, 20, "00000000", 0, 0},
	{RPC_PROC_DOMAIN_SEND_KEY, false, 16, "0000001c", 32, 4},
	{RPC_PROC_NODE_GET_CELLS_FREE_MEMORY, true, 1024, "0000000100000000", 0, 0},
	{RPC_PROC_CONNECT_LIST_DEFINED_DOMAINS, true, 16384, STRING, 0, 0},
	{RPC_PROC_NODE_LIST_DEVICES, true, 65536, STRING, 0, 0},
	{RPC_PROC_CONNECT_LIST_ALL_DOMAINS, true, 16384, DOMAIN, 0, 4},
	{RPC_PROC_DOMAIN_GET_SCHEDULER_PARAMETERS, true, 16,
		STRING "00000001"
		       "00000005",
		0, 0},
	{RPC_PROC_DOMAIN_GET_CPU_STATS, true, 2048,
		STRING "00000005"
		       "3ff0000000000000",
		0, 4},
	{RPC_PROC_DOMAIN_GET_SECURITY_LABEL, true, 4097, "00000061", 0, 4},
	{RPC_PROC_AUTH_SASL_STEP, false, 65536, "00000061", 4, 0},
	{RPC_PROC_DOMAIN_BLOCK_PEEK, true, 4194304, "61", 0, 0},
	{RPC_PROC_DOMAIN_PIN_VCPU, false, 2048, "ff", 28, 0},
	{RPC_PROC_CONNECT_GET_TYPE, true, RPC_STRING_MAX, "61", 0, 0},
	{RPC_PROC_CONNECT_OPEN, false, RPC_STRING_MAX, "61", 0, 4},
	{RPC_PROC_DOMAIN_GET_FSINFO, true, 256, STRING STRING STRING "00000001" STRING, 0, 4},
};

/*
 * A payload that says count and has n elements. Returns its size; *ret_wire is freed by the caller.
 */
static size_t
build(const struct bound *bound, uint32_t count, uint32_t n, uint8_t **ret_wire)
{
	size_t element = strlen(bound->element) / 2, size = 0;
	size_t most = bound->before + 8 + n * element + 3 + bound->after;
	uint8_t *wire = calloc(1, most);

	size = bound->before;
	if (bound->procedure == RPC_PROC_CONNECT_OPEN) {
		rpc_write_u32(wire + size, 5); /* a presence flag is true when not 0 */
		size += 4;
	}
	rpc_write_u32(wire + size, count);
	size += 4;
	for (uint32_t i = 0; i < n; i++)
		hex_read(bound->element, wire, &size, most);
	size = (size + 3) / 4 * 4 + bound->after;
	*ret_wire = wire;
	return size;
}

static const struct rpc_shape *
shape_of(const struct bound *bound)
{
	const struct rpc_procedure *p = rpc_procedure_find(RPC_PROGRAM_REMOTE, bound->procedure);

	return bound->of_ret ? p->ret : p->args;
}

static bool
accepts(const struct bound *bound, uint32_t count, uint32_t n)
{
	static struct value value;
	const struct rpc_shape *shape = shape_of(bound);
	free_auto uint8_t *wire = NULL;
	size_t size = build(bound, count, n, &wire);
	int r = decode(shape, wire, size, &value);

	if (!r && bound->procedure != RPC_PROC_CONNECT_OPEN)
		CHECK(encodes_to(shape, &value, wire, size));
	return r == 0;
}

static void
at_the_bound(void)
{
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		const struct bound *b = &bounds[i];
		size_t below;

		CHECK(accepts(b, 0, 0));
		CHECK(accepts(b, 1, 1));
		CHECK(accepts(b, b->max, b->max));
		CHECK(!accepts(b, b->max + 1, b->max + 1));
		CHECK(!accepts(b, b->max, 0));
		/* What stands before the count may have been allocated, the count itself not. */
		CHECK(!accepts(b, UINT32_MAX, 16));
		below = arena.used;
		CHECK(below <= b->before);
		CHECK(!accepts(b, UINT32_MAX - 3, 16) && arena.used == below);
		CHECK(!accepts(b, 0x80000000, 16) && arena.used == below);
		CHECK(!accepts(b, 0x7fffffff, 16) && arena.used == below);
		CHECK(!accepts(b, 0x40000000, 16) && arena.used == below);
		CHECK(!accepts(b, b->max, 1) && arena.used == below);
	}
}

static int
decode_hex(const struct rpc_shape *shape, const char *hex, struct value *ret)
{
	uint8_t wire[256];
	size_t n = 0;

	hex_read(hex, wire, &n, sizeof(wire));
	return decode(shape, wire, n, ret);
}

static const struct rpc_shape *
args_of(int32_t procedure)
{
	return rpc_procedure_find(RPC_PROGRAM_REMOTE, procedure)->args;
}

static void
as_libvirtd_reads(void)
{
	struct value value;
	const struct rpc_connect_open_args *open = (void *)&value;
	const struct rpc_connect_domain_event_callback_register_any_args *event = (void *)&value;

	/* Padding that is not zero, bytes after the end. */
	CHECK(decode_hex(args_of(RPC_PROC_CONNECT_OPEN),
		      "00000007 00000003 616263ff 00000001 deadbeef", &value) == 0);
	CHECK_STR(open->name, "abc");
	CHECK(open->flags == 1);
	/* A NUL inside a string ends it. */
	CHECK(decode_hex(args_of(RPC_PROC_CONNECT_OPEN), "00000001 00000004 61006263 00000000",
		      &value) == 0);
	CHECK_STR(open->name, "a");
	/* What is absent is NULL. */
	CHECK(decode_hex(args_of(RPC_PROC_CONNECT_OPEN), "00000000 00000006", &value) == 0);
	CHECK(!open->name && open->flags == 6);
	CHECK(decode_hex(args_of(RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY),
		      "00000002 00000000", &value) == 0);
	CHECK(event->eventID == 2 && !event->dom);
	/* No arguments: whatever there is. */
	CHECK(rpc_decode(NULL, "abc", 3, &arena, NULL) == 0);
}

static bool
encodes_to_hex(const struct rpc_shape *shape, const void *value, const char *hex)
{
	uint8_t wire[256];
	size_t n = 0;

	hex_read(hex, wire, &n, sizeof(wire));
	return encodes_to(shape, value, wire, n);
}

static void
four_bytes_each(void)
{
	char label[] = "\x80z";
	struct rpc_storage_vol_get_info_ret vol = {.type = -2, .capacity = 1};
	struct rpc_domain_get_info_ret dom = {.state = 0xfe, .nrVirtCpu = 0xfffe};
	struct rpc_security_label security = {.n_label = 3, .label = label, .enforcing = -1};

	CHECK(encodes_to_hex(rpc_procedure_find(RPC_PROGRAM_REMOTE, 98)->ret, &vol,
		"fffffffe 0000000000000001 0000000000000000"));
	CHECK(encodes_to_hex(rpc_procedure_find(RPC_PROGRAM_REMOTE, 16)->ret, &dom,
		"000000fe 00*16 0000fffe 00*8"));
	CHECK(encodes_to_hex(&rpc_shapes[RPC_SHAPE_SECURITY_LABEL], &security,
		"00000003 ffffff80 0000007a 00000000 ffffffff"));
}

static void
typed_values(void)
{
	static const struct {
		const char *type_and_value;
		int r;
	} rows[] = {
		{"00000001 ffffffff", 0},
		{"00000002 ffffffff", 0},
		{"00000003 ffffffffffffffff", 0},
		{"00000004 ffffffffffffffff", 0},
		{"00000005 7ff8000000000001", 0},
		{"00000006 00000001", 0},
		{"00000007 00000001 61000000", 0},
		{"00000000 00000000", RPC_CODEC_E_BAD},
		{"00000008 0000000000000000", RPC_CODEC_E_BAD},
		{"ffffffff 0000000000000000", RPC_CODEC_E_BAD},
		{"00000003 ffffffff", RPC_CODEC_E_BAD},
	};
	struct value value;
	char hex[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(hex, sizeof(hex), "00000001 62000000 %s", rows[i].type_and_value);
		CHECK(decode_hex(&rpc_shapes[RPC_SHAPE_TYPED_PARAM], hex, &value) == rows[i].r);
	}
}

static void
encoding_is_bounded(void)
{
	static uint32_t types[21];
	static char *names[1];
	struct rpc_auth_list_ret auth = {.n_types = 20, .types = types};
	struct rpc_connect_list_defined_domains_ret list = {.n_names = 1, .names = names};
	struct rpc_connect_get_type_ret type = {0};
	struct rpc_typed_param param = {.field = names[0], .type = 8};
	const struct rpc_shape *auth_shape = rpc_procedure_find(RPC_PROGRAM_REMOTE, 66)->ret;
	const struct rpc_shape *list_shape = rpc_procedure_find(RPC_PROGRAM_REMOTE, 21)->ret;
	const struct rpc_shape *type_shape = rpc_procedure_find(RPC_PROGRAM_REMOTE, 3)->ret;
	char before[] = "before", a[] = "a";
	free_auto char *huge = malloc(RPC_STRING_MAX + 2);

	CHECK(rpc_buffer_append(&buffer, before, 6) == 0);
	CHECK(rpc_encode(auth_shape, &auth, &buffer) == 0);
	rpc_buffer_cut(&buffer, 6);
	auth.n_types = 21;
	CHECK(rpc_encode(auth_shape, &auth, &buffer) == RPC_CODEC_E_BAD);
	CHECK(rpc_encode(list_shape, &list, &buffer) == RPC_CODEC_E_BAD);
	list.names = NULL;
	CHECK(rpc_encode(list_shape, &list, &buffer) == RPC_CODEC_E_BAD);
	CHECK(rpc_encode(type_shape, &type, &buffer) == RPC_CODEC_E_BAD);
	param.field = a;
	CHECK(rpc_encode(&rpc_shapes[RPC_SHAPE_TYPED_PARAM], &param, &buffer) == RPC_CODEC_E_BAD);
	memset(huge, 'a', RPC_STRING_MAX + 1);
	huge[RPC_STRING_MAX + 1] = '\0';
	type.type = huge;
	CHECK(rpc_encode(type_shape, &type, &buffer) == RPC_CODEC_E_BAD);
	CHECK(rpc_buffer_left(&buffer) == 6 && memcmp(rpc_buffer_front(&buffer), before, 6) == 0);
	huge[RPC_STRING_MAX] = '\0';
	CHECK(rpc_encode(type_shape, &type, &buffer) == 0);
	rpc_buffer_drop(&buffer, rpc_buffer_left(&buffer));
}

/* Strings that are each allowed, but together more than a packet. */
static void
larger_than_a_packet(void)
{
	static char *names[9];
	struct rpc_connect_list_defined_domains_ret list = {.n_names = 7, .names = names};
	const struct rpc_procedure *p = rpc_procedure_find(RPC_PROGRAM_REMOTE, 21);
	struct rpc_header header = {.procedure = 21};
	free_auto char *huge = malloc(RPC_STRING_MAX + 1);

	memset(huge, 'a', RPC_STRING_MAX);
	huge[RPC_STRING_MAX] = '\0';
	for (size_t i = 0; i < 9; i++)
		names[i] = huge;
	CHECK(rpc_encode_frame(&header, 0, p->ret, &list, &buffer) == 0);
	rpc_buffer_cut(&buffer, 0);
	list.n_names = 8;
	CHECK(rpc_encode_frame(&header, 0, p->ret, &list, &buffer) == RPC_CODEC_E_FULL);
	list.n_names = 9;
	CHECK(rpc_encode_frame(&header, 0, p->ret, &list, &buffer) == RPC_CODEC_E_FULL);
	CHECK(rpc_buffer_left(&buffer) == 0);
	rpc_buffer_fini(&buffer);
}

static void
limited_arena(void)
{
	static struct value value;
	struct rpc_arena small;

	rpc_arena_init(&small, 3);
	CHECK(rpc_decode(args_of(RPC_PROC_DOMAIN_LOOKUP_BY_NAME), "\0\0\0\2ab\0\0", 8, &small,
		      &value) == 0);
	rpc_arena_reset(&small);
	CHECK(rpc_decode(args_of(RPC_PROC_DOMAIN_LOOKUP_BY_NAME), "\0\0\0\3abc\0", 8, &small,
		      &value) == RPC_CODEC_E_FULL);
	rpc_arena_fini(&small);
}

int
main(void)
{
	rpc_arena_init(&made, SIZE_MAX);
	rpc_arena_init(&arena, (size_t)4 * RPC_PAYLOAD_MAX);
	rpc_buffer_init(&buffer, RPC_FRAME_MAX + 100);
	TEST("every call, result and event survives encoding and decoding", every_shape);
	TEST("none decodes when its end is missing, at any byte", every_truncation);
	TEST("none allocates more than four times its bytes, whatever a word says",
		every_spoilt_word);
	TEST("counts are accepted up to the bound, and a huge one allocates nothing", at_the_bound);
	TEST("what libvirtd tolerates is tolerated", as_libvirtd_reads);
	TEST("a char is widened with its sign, an unsigned one without", four_bytes_each);
	TEST("a typed value has one of seven types", typed_values);
	TEST("a value beyond its bounds is not encoded and leaves no trace", encoding_is_bounded);
	TEST("a result larger than a packet is not encoded", larger_than_a_packet);
	TEST("the arena's limit stops decoding", limited_arena);
	rpc_arena_fini(&made);
	rpc_arena_fini(&arena);
	rpc_buffer_fini(&buffer);
	return TEST_END();
}
