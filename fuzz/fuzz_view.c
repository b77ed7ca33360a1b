/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_view.c: whatever a client, workers and inventories say to a view of the host, in any order.
 *
 * Input: a byte of flags (1: the read-only socket; 2: workers say nothing but what is in the input;
 * 4: the connection is open already), then records: who, a byte; a size, a byte; so many bytes. Who:
 * 0 the client, 1 the worker of the channel that was opened last, 2 bob's inventory, 3 the worker
 * goes, 4 turns of the loop. Oracle: what the view sends its client are whole packets, in which no
 * handle passes for one of the principal's own that is bob's; what it sends a worker decodes (asserted
 * by the workers that are played); all connections are forgotten at the end.
 */
#include "fuzz/check.h"

#include "tests/unit/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLAG_READ_ONLY = 1, FLAG_MANUAL = 2, FLAG_OPEN = 4, TURNS_EACH = 3 };

static struct rpc_buffer answers;
static bool over; /* the view has closed */

static bool
says_nothing(struct played *worker, const struct rpc_frame *frame, const void *args)
{
	(void)worker;
	(void)frame;
	(void)args;
	return true;
}

static void
hear(int sock)
{
	uint8_t data[65536];
	ssize_t n;

	while ((n = recv(sock, data, sizeof(data), MSG_DONTWAIT)) > 0)
		ASSERT(rpc_buffer_append(&answers, data, (size_t)n) == 0);
	over = over || n == 0 || errno != EAGAIN;
}

static void
turn(int sock)
{
	for (unsigned i = 0; i < TURNS_EACH; i++) {
		rig_turn(0);
		hear(sock);
	}
}

/* bob's machines are called "bob:", alice's are not. */
static void
check_list(const uint8_t *payload, size_t size)
{
	struct rpc_connect_list_all_domains_ret ret;
	const struct rpc_procedure *row =
		rpc_procedure_find(RPC_PROGRAM_REMOTE, RPC_PROC_CONNECT_LIST_ALL_DOMAINS);

	rpc_arena_reset(&reply.arena);
	ASSERT(rpc_decode(row->ret, payload, size, &reply.arena, &ret) == 0);
	for (uint32_t i = 0; i < ret.n_domains; i++) {
		bool own = memcmp(ret.domains[i].uuid, uuid_a, UUID_SIZE) == 0 ||
			   memcmp(ret.domains[i].uuid, uuid_b, UUID_SIZE) == 0;

		/* The other of alice's is what a worker of her own may have said. */
		if (strchr(ret.domains[i].name, ':'))
			ASSERT(!own);
	}
}

static void
check_answers(void)
{
	struct rpc_header header;
	size_t length;

	while (rpc_buffer_left(&answers) > 0 &&
		rpc_frame_length(rpc_buffer_front(&answers), rpc_buffer_left(&answers), &length) ==
			0 &&
		length <= rpc_buffer_left(&answers)) {
		const uint8_t *frame = rpc_buffer_front(&answers);

		rpc_header_read(frame + RPC_LENGTH_SIZE, &header);
		ASSERT(header.type == RPC_REPLY || header.type == RPC_REPLY_WITH_FDS ||
			header.type == RPC_MESSAGE || header.type == RPC_STREAM);
		if (header.type == RPC_REPLY && header.status == RPC_OK &&
			header.program == RPC_PROGRAM_REMOTE &&
			header.procedure == RPC_PROC_CONNECT_LIST_ALL_DOMAINS)
			check_list(frame + RPC_FRAME_MIN, length - RPC_FRAME_MIN);
		/* A descriptor's byte follows, and is no packet. */
		if (header.type == RPC_REPLY_WITH_FDS)
			break;
		rpc_buffer_drop(&answers, length);
	}
}

static struct played *
last_worker(void)
{
	struct played *last = NULL;

	for (unsigned i = 0; i < WORKERS; i++)
		if (rig.played[i].fd >= 0)
			last = &rig.played[i];
	return last;
}

static void
record(int sock, uint8_t who, const uint8_t *data, size_t size)
{
	struct played *worker = last_worker();

	switch (who % 5) {
	case 0:
		(void)!send(sock, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case 1:
		if (worker)
			(void)!send(worker->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case 2:
		tell(1, 1001, "bob", VERBS_ALL, "+0\n");
		for (size_t i = 0; i < size; i++)
			rig.told[1].text[i] = data[i] ? (char)data[i] : ' ';
		rig.told[1].text[size > 0 ? size : 3] = '\0';
		broker_send(IPC_INVENTORY_CHANGED, 0, 0, NULL, 0, -1);
		break;
	case 3:
		if (worker)
			fd_close(&worker->fd);
		break;
	default:
		break;
	}
	turn(sock);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	int sock;

	if (size < 1)
		return 0;
	if (!reply.arena.limit)
		rpc_arena_init(&reply.arena, (size_t)64 << 20);
	rpc_buffer_init(&answers, (size_t)64 << 20);
	over = false;
	rig_start();
	sock = data[0] & FLAG_OPEN ? rig_open() : rig_connect(data[0] & FLAG_READ_ONLY);
	rig.answer = data[0] & FLAG_MANUAL ? says_nothing : NULL;
	data++;
	while (end - data >= 2 && !over) {
		size_t n = data[1] < end - data - 2 ? data[1] : (size_t)(end - data - 2);

		record(sock, data[0], data + 2, n);
		data += 2 + n;
	}
	check_answers();
	fd_close(&sock);
	for (unsigned i = 0; i < 50 && rig.n_forgotten == 0; i++)
		rig_turn(0);
	ASSERT(rig.n_forgotten == 1 && rig.host.server.inflow.granted == 0);
	rig_stop();
	rpc_buffer_fini(&answers);
	rpc_arena_fini(&reply.arena);
	return 0;
}
