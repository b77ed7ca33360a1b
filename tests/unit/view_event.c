/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events of all workers that run reach a connection that wants them, with the view's handles, once
 * each; a worker cannot make up events of another's machines, nor of kinds that nobody wants.
 */
#include "tests/unit/view.h"

#include "lib/derived_uuid.h"
#include "tests/unit/test.h"

static struct {
	unsigned n;
	uint32_t uids[16];
	int32_t events[16];
	struct played *workers[16];
} asked;

static bool
registers(struct played *worker, const struct rpc_frame *frame, const void *args)
{
	const struct rpc_connect_domain_event_callback_register_any_args *wanted = args;
	struct rpc_connect_domain_event_callback_register_any_ret ret;

	if (frame->header.procedure != RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY)
		return false;
	asked.uids[asked.n] = worker->uid;
	asked.workers[asked.n] = worker;
	asked.events[asked.n] = wanted->eventID;
	ret.callbackID = 40 + (int32_t)asked.n++;
	CHECK(!wanted->dom);
	play_reply(worker, frame, &ret);
	return true;
}

static void
turns(unsigned n)
{
	while (n-- > 0)
		rig_turn(1);
}

static int
want(int sock, int32_t event, struct rpc_domain *dom, int32_t *ret_id)
{
	struct rpc_connect_domain_event_callback_register_any_args args = {
		.eventID = event, .dom = dom};
	struct rpc_connect_domain_event_callback_register_any_ret ret;
	int r = call(sock, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, &args, &ret);

	*ret_id = r == 0 ? ret.callbackID : -1;
	return r;
}

static void
say(struct played *worker, int32_t procedure, int32_t id, const char *name)
{
	struct rpc_domain_event_callback_lifecycle_msg msg = {.callbackID = id,
		.dom = {.name = (char *)(uintptr_t)name, .id = 8},
		.event = 2,
		.detail = 0};
	struct rpc_header header = {.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = procedure,
		.type = RPC_MESSAGE,
		.serial = 1};

	memcpy(msg.dom.uuid, uuid_a, UUID_SIZE);
	play_frame(worker, header,
		rpc_procedure_find(RPC_PROGRAM_REMOTE, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE)
			->args,
		&msg);
}

static bool
is_told(int sock, int32_t id, const char *name, const uint8_t uuid[UUID_SIZE])
{
	struct rpc_domain_event_callback_lifecycle_msg msg;
	const struct rpc_procedure *row =
		rpc_procedure_find(RPC_PROGRAM_REMOTE, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE);

	if (!receive_packet(sock) || reply.header.type != RPC_MESSAGE ||
		reply.header.procedure != row->number)
		return false;
	rpc_arena_reset(&reply.arena);
	ASSERT(rpc_decode(row->args, reply.payload, reply.size, &reply.arena, &msg) == 0);
	return msg.callbackID == id && strcmp(msg.dom.name, name) == 0 &&
	       memcmp(msg.dom.uuid, uuid, UUID_SIZE) == 0 && msg.event == 2;
}

static bool
is_silent(int sock)
{
	uint8_t byte;

	turns(20);
	return recv(sock, &byte, 1, 0) < 0 && errno == EAGAIN;
}

static int
begin(void)
{
	memset(&asked, 0, sizeof(asked));
	rig_start();
	rig.answer = registers;
	rig.told[0].found.worker = 1;
	rig.told[1].found.worker = 1;
	return rig_open();
}

static void
test_told(void)
{
	uint8_t derived[UUID_SIZE];
	struct rpc_domain filter = {.name = (char *)(uintptr_t) ""};
	int32_t all, one, reboot;
	int sock = begin();

	derived_uuid(1001, uuid_a, derived);
	memcpy(filter.uuid, derived, UUID_SIZE);
	CHECK(want(sock, 0, NULL, &all) == 0 && want(sock, 0, &filter, &one) == 0);
	CHECK(want(sock, 0, NULL, &reboot) == VIR_ERR_INVALID_ARG);
	CHECK(want(sock, 27, NULL, &reboot) == VIR_ERR_INTERNAL_ERROR);
	turns(20);
	/* Of each worker that runs, once. */
	CHECK(asked.n == 2 && asked.uids[0] + asked.uids[1] == 2001);
	for (unsigned i = 0; i < 2; i++)
		if (asked.uids[i] == 1001)
			say(asked.workers[i], RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE,
				40 + (int32_t)i, "box");
	CHECK(is_told(sock, all, "bob:box", derived) && is_told(sock, one, "bob:box", derived));
	for (unsigned i = 0; i < 2; i++)
		if (asked.uids[i] == 1000)
			say(asked.workers[i], RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE,
				40 + (int32_t)i, "box");
	CHECK(is_told(sock, all, "box", uuid_a));
	CHECK(is_silent(sock));
	fd_close(&sock);
	rig_stop();
}

static void
test_new_worker(void)
{
	int32_t id;
	int sock = begin();

	CHECK(want(sock, 0, NULL, &id) == 0);
	turns(20);
	CHECK(asked.n == 2);
	tell(2, 990, "qemud-vm", VERBS_VIEW, "+0\n")->found.worker = 1;
	broker_send(IPC_INVENTORY_CHANGED, 0, 0, NULL, 0, -1);
	turns(20);
	CHECK(asked.n == 3 && asked.uids[2] == 990);
	/* One that was lost is asked again. */
	fd_close(&asked.workers[2]->fd);
	for (unsigned i = 0; i < TURNS && asked.n == 3; i++)
		rig_turn(10);
	CHECK(asked.n == 4 && asked.uids[3] == 990);
	fd_close(&sock);
	rig_stop();
}

static void
test_lies(void)
{
	int32_t id;
	unsigned bob;
	int sock = begin();

	CHECK(want(sock, 0, NULL, &id) == 0);
	turns(20);
	CHECK(asked.n == 2);
	bob = asked.uids[0] == 1001 ? 0 : 1;
	/* Another's, by name; of no id that there is; of a kind that nobody asked for; half of one. */
	say(asked.workers[bob], RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, 40 + (int32_t)bob,
		"alice:box");
	say(asked.workers[bob], RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, 41 - (int32_t)bob, "box");
	say(asked.workers[bob], RPC_PROC_DOMAIN_EVENT_CALLBACK_REBOOT, 40 + (int32_t)bob, "box");
	say(asked.workers[bob], RPC_PROC_DOMAIN_EVENT_CALLBACK_GRAPHICS, 40 + (int32_t)bob, "box");
	say(asked.workers[bob], RPC_PROC_DOMAIN_EVENT_LIFECYCLE, 40 + (int32_t)bob, "box");
	say(asked.workers[bob], RPC_PROC_DOMAIN_CREATE, 40 + (int32_t)bob, "box");
	CHECK(is_silent(sock));
	fd_close(&sock);
	rig_stop();
}

int
main(void)
{
	rpc_arena_init(&reply.arena, (size_t)64 << 20);
	TEST("events of all that run come, to whom they are for", test_told);
	TEST("a worker that comes, or comes back, is asked, too", test_new_worker);
	TEST("what a worker makes up is dropped", test_lies);
	return TEST_END();
}
