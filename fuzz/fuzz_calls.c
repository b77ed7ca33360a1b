/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_calls.c: what a client may ask of its worker, with arguments that can be decoded: every
 * handler, one call after the other, on a machine whose QEMU answers all that it is asked.
 *
 * Input: a byte for the verbs, whether the machine runs and whether calls wait for each other, then
 * calls: two bytes that say which, and those that its arguments are drawn from (fuzz/draw.h). Oracle:
 * each call has a formal answer, or the connection ends; another client is served; nothing is left.
 */
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "fuzz/draw.h"
#include "fuzz/stage.h"
#include "lib/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS_MAX = 12 };

static const char *const texts[] = {MACHINE_NAME, "", "vda", "serial0", "qemu:///session",
	MACHINE_XML, "<a/>", "urn:a", "a", "qemu-argv", "/usr/bin/qemu-system-x86_64", "pc",
	"x86_64", "qemu", "linux",
	"<domain type='qemu'><name>other</name><memory unit='MiB'>16</memory><os><type>hvm</type>"
	"</os><devices><serial type='pty'/><channel type='unix'><target type='virtio' name='a'/>"
	"</channel></devices></domain>"};

static const struct rpc_procedure *rows[1024];
static unsigned n_rows;

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
find_rows(void)
{
	for (unsigned i = 0; i < RPC_N_PROGRAMS; i++)
		for (unsigned k = 0; k < rpc_programs[i].n_procedures; k++)
			if (rpc_procedure_is_implemented(&rpc_programs[i].procedures[k]))
				rows[n_rows++] = &rpc_programs[i].procedures[k];
	log_open("fuzz", LEVEL_ERROR);
	draw.texts = texts;
	draw.n_texts = sizeof(texts) / sizeof(texts[0]);
	farm_uuid(VM, draw.uuid);
}

static void
check_answer(const struct rpc_procedure *row, const struct rpc_frame *frame)
{
	struct rpc_remote_error error = {.code = 0};
	void *ret;

	if (frame->header.status == RPC_OK) {
		ret = row->ret ? rpc_arena_array(&rig.arena, 1, row->ret->size) : NULL;
		require(rpc_decode(row->ret, frame->payload, frame->size, &rig.arena, ret) == 0);
		return;
	}
	require(frame->header.status == RPC_ERROR);
	require(rpc_decode(&rpc_shapes[RPC_SHAPE_REMOTE_ERROR], frame->payload, frame->size,
			&rig.arena, &error) == 0);
	require(error.code > 0 && error.level == 2 && error.message && error.message[0]);
	/* What was drawn can be decoded. */
	require(error.code != VIR_ERR_RPC || !strstr(error.message, "Unable to decode"));
}

/* False when the connection has ended. */
static bool
one_call(int client, bool wait)
{
	static uint8_t packet[RPC_FRAME_MIN + DRAWN_MAX];
	unsigned which = (unsigned)draw_byte() << 8;
	const struct rpc_procedure *row;
	struct rpc_header header;
	struct rpc_frame frame;
	size_t size;

	row = rows[(which | draw_byte()) % n_rows];
	draw_payload(row->args);
	header = call_header(row->number, call_serial++);
	header.program = row->program;
	size = raw_frame(packet, &header, draw.out, draw.n_out);
	if (!machine_sends(client, packet, size))
		return false;
	if (!wait)
		return true;
	if (!machine_receives(client, header.serial, &frame))
		return false;
	check_answer(row, &frame);
	return row->program != RPC_PROGRAM_REMOTE || row->number != RPC_PROC_CONNECT_CLOSE;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t verbs[] = {VERBS_ALL, VERBS_VIEW, VERB_VIEW | VERB_POWER, VERBS_ALL};
	struct rpc_connect_get_type_ret type = {0};
	fd_auto int tree_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int client, other;
	uint8_t how;

	require(tree_fd >= 0);
	if (n_rows == 0)
		find_rows();
	draw.data = data;
	draw.size = size;
	how = draw_byte();
	machine_begin(how & 4);
	client = rig_open(verbs[how & 3]);
	other = rig_open(VERBS_VIEW);
	for (unsigned i = 0; i < CALLS_MAX && draw.size > 0; i++) {
		if (!one_call(client, !(how & 8)))
			break;
		rpc_arena_reset(&rig.arena);
	}
	require(call(other, RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
	fd_close(&client);
	fd_close(&other);
	machine_settles(1);
	machine_end();
	require(fchdir(tree_fd) == 0);
	return 0;
}
