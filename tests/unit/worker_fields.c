/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each field of each call that is served, at and beyond its bounds, cut short, and with bytes too
 * many: one formal answer each, the connection goes on, others are served, and nothing is left.
 * test: timeout=600 slow heavy
 *
 * TEST_LONG: again and again, until it was more than 10^5 calls.
 */
#include "tests/unit/test.h"

#include <malloc.h>

#include "tests/unit/machine.h"
#include "tests/unit/wire_fields.h"

enum { PLACES_MAX = 64, WAYS_MAX = 64, CUTS_MAX = 64 };

static const char xml[] = MACHINE_XML;
static const char *const texts[] = {MACHINE_NAME, "", "v", "nosuch", "%s%n%s%n", "../../etc/passwd",
	"/", "vda", "qemu:///session", "\xff\xfe", "a\x1b[2J\nb", "<a/>", xml};

static struct rpc_buffer packet;
static int client, other;
static uint32_t verbs;
static unsigned n_calls, n_answers, n_open;

/* --- one call ------------------------------------------------------------------------------- */

static void
connect_client(void)
{
	fd_close(&client);
	client = rig_open(verbs);
	n_open = 0;
}

static bool
is_formal(const struct rpc_procedure *row, const struct rpc_frame *frame, bool *ret_undecodable)
{
	struct rpc_remote_error error = {.code = 0};
	void *ret;

	*ret_undecodable = false;
	if (frame->header.status == RPC_ERROR) {
		if (rpc_decode(&rpc_shapes[RPC_SHAPE_REMOTE_ERROR], frame->payload, frame->size,
			    &rig.arena, &error) != 0 ||
			error.code <= 0 || error.level != 2 || !error.message)
			return false;
		*ret_undecodable =
			error.code == VIR_ERR_RPC && strstr(error.message, "Unable to decode");
		return true;
	}
	ret = row->ret ? rpc_arena_array(&rig.arena, 1, row->ret->size) : NULL;
	return frame->header.status == RPC_OK &&
	       rpc_decode(row->ret, frame->payload, frame->size, &rig.arena, ret) == 0;
}

static void
check_other(void)
{
	struct rpc_connect_get_type_ret type = {0};

	CHECK(call(other, RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
}

/* What is wrong with the answer to this payload, or NULL. bad: it is of no shape. */
static const char *
wrong(const struct rpc_procedure *row, const void *payload, size_t size, bool bad)
{
	struct rpc_header header = call_header(row->number, call_serial++);
	struct rpc_frame frame;
	uint8_t *data;
	bool undecodable;

	header.program = row->program;
	rpc_buffer_drop(&packet, rpc_buffer_left(&packet));
	data = rpc_buffer_grow(&packet, RPC_FRAME_MIN + size);
	ASSERT(data);
	(void)raw_frame(data, &header, payload, size);
	n_calls++;
	if (!machine_sends(client, data, RPC_FRAME_MIN + size))
		return "the connection has ended";
	if (!machine_receives(client, header.serial, &frame))
		return "no answer";
	n_answers++;
	if (!is_formal(row, &frame, &undecodable))
		return "an answer of no form";
	if (bad && !undecodable && frame.header.status == RPC_OK)
		return "what cannot be decoded is taken";
	if (!bad && undecodable)
		return "what can be decoded is refused";
	return NULL;
}

static void
try(const struct rpc_procedure *row, const void *payload, size_t size, bool bad, const char *how,
	unsigned place, unsigned way)
{
	const char *what;

	machine_is_there();
	/* A connection has few streams, and some calls end it. */
	if (n_open++ == 8)
		connect_client();
	what = wrong(row, payload, size, bad);
	if (what) {
		printf("# %s: %s %u, way %u: %s\n", row->name, how, place, way, what);
		test_this_failed = 1;
		connect_client();
	}
	if (row->program == RPC_PROGRAM_REMOTE && row->number == RPC_PROC_CONNECT_CLOSE)
		connect_client();
	if (n_calls % 64 == 0)
		check_other();
	rpc_arena_reset(&rig.arena);
}

/* --- all of a procedure --------------------------------------------------------------------- */

static void
try_cuts(const struct rpc_procedure *row)
{
	size_t size, step;
	uint8_t *usual;

	(void)fields_write(row->args, PLACES_MAX, 0);
	CHECK(fields.at <= PLACES_MAX);
	size = fields.size;
	usual = malloc(size + 4096);
	ASSERT(usual);
	memcpy(usual, fields.data, size);
	memset(usual + size, 0xff, 4096);
	step = size / CUTS_MAX + 1;
	for (size_t cut = 0; cut < size; cut += step)
		try(row, usual, cut, true, "cut at byte", (unsigned)cut, 0);
	try(row, usual, size, false, "whole", 0, 0);
	try(row, usual, size + 4096, false, "with more", 0, 0);
	free(usual);
}

static void
try_procedure(const struct rpc_procedure *row)
{
	if (!row->args) {
		try(row, "", 0, false, "without arguments", 0, 0);
		try(row, "\377\377\377\377", 4, false, "with more", 0, 0);
		return;
	}
	try_cuts(row);
	for (unsigned place = 0; place < PLACES_MAX; place++)
		for (unsigned way = 0; way < WAYS_MAX; way++) {
			if (!fields_write(row->args, place, way))
				break;
			try(row, fields.data, fields.size, fields.bad, "place", place, way);
		}
}

static void
try_all(void)
{
	for (unsigned i = 0; i < RPC_N_PROGRAMS; i++)
		for (unsigned k = 0; k < rpc_programs[i].n_procedures; k++) {
			const struct rpc_procedure *row = &rpc_programs[i].procedures[k];

			if (rpc_procedure_is_implemented(row) && !(row->verb & ~verbs))
				try_procedure(row);
		}
}

/* The first warms caches. The leaks of one alone AddressSanitizer tells. */
#ifdef __SANITIZE_ADDRESS__
enum { ROUNDS = 1 };
#else
enum { ROUNDS = 2 };
#endif

static size_t
memory_in_use(void)
{
	return mallinfo2().uordblks;
}

static void
run(bool running, uint32_t with)
{
	enum { SLACK = 256 * 1024 };
	unsigned n_fds = 0, n_first = n_calls, rounds = getenv("TEST_LONG") ? 6 : ROUNDS;
	size_t memory = 0;

	verbs = with;
	machine_begin(running);
	other = rig_open(VERBS_VIEW);
	client = -1;
	for (unsigned round = 0; round < rounds; round++) {
		connect_client();
		try_all();
		fd_close(&client);
		machine_settles(2);
		if (round == 0) {
			memory = memory_in_use();
			n_fds = n_descriptors();
		}
	}
	CHECK(n_descriptors() <= n_fds);
	CHECK(memory_in_use() <= memory + SLACK);
	if (memory_in_use() > memory + SLACK)
		printf("# %zu bytes, then %zu\n", memory, memory_in_use());
	printf("# %u calls\n", n_calls - n_first);
	CHECK((n_calls - n_first) / rounds > 1000);
	fd_close(&other);
	machine_end();
}

static void
test_view(void)
{
	run(false, VERBS_VIEW);
}

static void
test_all(void)
{
	run(false, VERBS_ALL);
}

static void
test_running(void)
{
	run(true, VERBS_ALL);
}

int
main(void)
{
	rpc_buffer_init(&packet, RPC_FRAME_MAX);
	fields.data = malloc(RPC_PAYLOAD_MAX);
	ASSERT(fields.data);
	fields.texts = texts;
	fields.n_texts = FIELDS_COUNT(texts);
	farm_uuid(VM, fields.uuid);
	TEST("all of a connection for viewing", test_view);
	TEST("all of a connection that may do everything", test_all);
	TEST("all while the machine runs", test_running);
	rpc_buffer_fini(&packet);
	free(fields.data);
	return TEST_END();
}
