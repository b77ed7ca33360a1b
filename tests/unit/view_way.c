/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way of a connection to an owner's worker: what cannot be sent there is answered after it waits, and
 * a way that was not opened in time is not used any more.
 */
#include "tests/unit/view.h"

#include "lib/pass.h"
#include "tests/unit/test.h"

enum { PARAMS = 8, SERIAL = 9, FILLERS = 4, FILLER = 300 * 1024 };

static struct channel *
way(void)
{
	struct viewer *viewer = viewer_of(LIST_FIRST(&rig.host.server.clients));

	return &LIST_FIRST(&viewer->routes)->channel;
}

/* As large as a packet may be, without the name of what it is about. */
static void
encode_brim(struct rpc_domain dom, struct rpc_buffer *out)
{
	const struct rpc_procedure *row =
		rpc_procedure_find(RPC_PROGRAM_REMOTE, RPC_PROC_DOMAIN_SET_MEMORY_PARAMETERS);
	struct rpc_header header = {.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = RPC_PROC_DOMAIN_SET_MEMORY_PARAMETERS,
		.type = RPC_CALL,
		.serial = SERIAL};
	struct rpc_typed_param params[PARAMS];
	struct rpc_domain_set_memory_parameters_args args = {
		.dom = dom, .params = params, .n_params = PARAMS};
	char *text = malloc(RPC_STRING_MAX + 1);
	char field[128];
	size_t left;

	ASSERT(text);
	memset(text, 'a', RPC_STRING_MAX);
	text[RPC_STRING_MAX - sizeof(field)] = '\0';
	memset(field, 'f', sizeof(field));
	field[0] = '\0';
	args.dom.name = (char *)(uintptr_t) "";
	for (unsigned i = 0; i < PARAMS; i++)
		params[i] = (struct rpc_typed_param){.field = (char *)(uintptr_t) "f",
			.type = VIR_TYPED_PARAM_STRING,
			.value = {.s = text}};
	ASSERT(rpc_encode_frame(&header, 0, row->args, &args, out) == 0);
	left = RPC_FRAME_MAX - rpc_buffer_left(out);
	rpc_buffer_cut(out, 0);
	/* All of them alike, and the rest in the first one's name. */
	text[RPC_STRING_MAX - sizeof(field)] = 'a';
	text[RPC_STRING_MAX - sizeof(field) + left / PARAMS / 4 * 4] = '\0';
	left -= left / PARAMS / 4 * 4 * PARAMS;
	memset(field, 'f', left + 4);
	field[left + 4] = '\0';
	params[0].field = field;
	ASSERT(rpc_encode_frame(&header, 0, row->args, &args, out) == 0);
	ASSERT(rpc_buffer_left(out) == RPC_FRAME_MAX);
	free(text);
}

/* The client says that while the worker of the first way reads nothing, and lives. */
static void
send_alone(int sock, struct rpc_buffer *out)
{
	uint8_t pong[RPC_FRAME_MIN];

	rpc_keepalive_frame(RPC_KEEPALIVE_PONG, pong);
	for (unsigned i = 0; rpc_buffer_left(out) > 0 && i < 100 * TURNS; i++) {
		ssize_t n = send(sock, rpc_buffer_front(out), rpc_buffer_left(out), MSG_NOSIGNAL);

		if (n > 0)
			rpc_buffer_drop(out, (size_t)n);
		play_send(&rig.played[0], pong, sizeof(pong));
		(void)loop_once(&rig.loop, n > 0 ? 0 : 10);
	}
	CHECK(rpc_buffer_left(out) == 0);
	rpc_buffer_fini(out);
}

static int
open_way(struct rpc_domain_get_state_args *state)
{
	struct rpc_domain_get_state_ret ret;
	int sock;

	rig_start();
	sock = rig_open();
	CHECK(look_up(sock, "box", &state->dom) == 0);
	state->dom.name = (char *)(uintptr_t) "box";
	CHECK(call(sock, RPC_PROC_DOMAIN_GET_STATE, state, &ret) == 0);
	return sock;
}

static void
test_brim(void)
{
	struct rpc_domain_get_state_args state;
	struct rpc_domain_get_state_ret ret;
	struct rpc_buffer out;
	unsigned n_calls;
	int sock = open_way(&state);

	n_calls = rig.n_calls;
	rpc_buffer_init(&out, 2 * (size_t)RPC_FRAME_MAX);
	encode_brim(state.dom, &out);
	send_alone(sock, &out);
	CHECK(receive_packet(sock) && reply.header.serial == SERIAL);
	CHECK(read_reply(RPC_PROC_DOMAIN_SET_MEMORY_PARAMETERS, NULL) == VIR_ERR_RPC);
	CHECK_STR(reply.message, "Unable to encode message payload");
	/* And that alone has failed. */
	CHECK(rig.n_calls == n_calls);
	CHECK(call(sock, RPC_PROC_DOMAIN_GET_STATE, &state, &ret) == 0);
	fd_close(&sock);
	rig_stop();
}

static char filler[FILLER + 1];
static unsigned n_fillers;

/* What comes is what was sent. */
static bool
take_filler(struct played *worker, const struct rpc_frame *frame, const void *args)
{
	const struct rpc_domain_set_memory_parameters_args *set = args;

	if (frame->header.procedure != RPC_PROC_DOMAIN_SET_MEMORY_PARAMETERS)
		return false;
	if (set->n_params == 1 && strcmp(set->params[0].value.s, filler) == 0)
		n_fillers++;
	play_reply(worker, frame, NULL);
	return true;
}

/* Calls that wait to be sent, when another cannot be. */
static void
test_brim_behind(void)
{
	struct rpc_typed_param param = {.field = (char *)(uintptr_t) "f",
		.type = VIR_TYPED_PARAM_STRING,
		.value = {.s = filler}};
	struct rpc_domain_set_memory_parameters_args set = {.params = &param, .n_params = 1};
	struct rpc_header header = {.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = RPC_PROC_DOMAIN_SET_MEMORY_PARAMETERS,
		.type = RPC_CALL};
	struct rpc_domain_get_state_args state;
	struct rpc_buffer out;
	unsigned n_failed = 0;
	int sock = open_way(&state);

	n_fillers = 0;
	memset(filler, 'a', FILLER);
	rig.answer = take_filler;
	set.dom = state.dom;
	rpc_buffer_init(&out, 2 * (size_t)RPC_FRAME_MAX);
	for (header.serial = SERIAL + 1; header.serial <= SERIAL + FILLERS; header.serial++)
		ASSERT(rpc_encode_frame(&header, 0,
			       rpc_procedure_find(header.program, header.procedure)->args, &set,
			       &out) == 0);
	send_alone(sock, &out);
	ASSERT(rpc_buffer_left(&way()->wire.out) > FILLER);
	rpc_buffer_init(&out, 2 * (size_t)RPC_FRAME_MAX);
	encode_brim(state.dom, &out);
	send_alone(sock, &out);
	for (unsigned i = 0; i <= FILLERS; i++) {
		CHECK(receive_packet(sock));
		n_failed += read_reply(header.procedure, NULL) != 0;
		CHECK((reply.header.serial == SERIAL) == (reply.header.status != RPC_OK));
	}
	CHECK(n_failed == 1 && n_fillers == FILLERS);
	fd_close(&sock);
	rig_stop();
}

/* --- descriptors that the worker sends ------------------------------------------------------ */

static bool
give_socket(struct played *worker, const struct rpc_frame *frame, const void *args)
{
	struct rpc_header header = rpc_header_reply(&frame->header, RPC_OK);
	struct rpc_buffer out;
	int fds[2];

	(void)args;
	if (frame->header.procedure != RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD)
		return false;
	header.type = RPC_REPLY_WITH_FDS;
	rpc_buffer_init(&out, 4096);
	ASSERT(rpc_encode_frame(&header, 1, NULL, NULL, &out) == 0);
	play_send(worker, rpc_buffer_front(&out), rpc_buffer_left(&out));
	rpc_buffer_fini(&out);
	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	ASSERT(pass_fd(worker->fd, "", 1, fds[0]) == 1);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	return true;
}

/* A client that reads nothing, until what it is told waits in the view. */
static void
fill(int sock)
{
	const struct client *client = LIST_FIRST(&rig.host.server.clients);
	struct rpc_domain_lookup_by_name_args args = {.name = (char *)(uintptr_t) "box"};

	for (unsigned i = 0; i < 100 * TURNS && rpc_buffer_left(&client->wire.out) == 0; i++) {
		send_call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_NAME, &args, SERIAL);
		(void)loop_once(&rig.loop, 10);
	}
	ASSERT(rpc_buffer_left(&client->wire.out) > 0);
}

/* There is no room for all of them: who reads then is told of each, and which came. */
static void
test_descriptors(void)
{
	enum { FIRST = 100, ASKED = DEPARTING_MAX + 2 };
	struct rpc_domain_open_graphics_fd_args args = {.flags = 0};
	struct rpc_domain_get_state_args state;
	struct rpc_domain_get_state_ret ret;
	const struct client *client;
	unsigned n_calls, n_given = 0, n_refused = 0;
	uint8_t behind;
	int sock = open_way(&state);

	rig.answer = give_socket;
	args.dom = state.dom;
	fill(sock);
	client = LIST_FIRST(&rig.host.server.clients);
	n_calls = rig.n_calls;
	for (uint32_t i = 0; i < ASKED; i++)
		send_call(sock, RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD, &args, FIRST + i);
	for (unsigned i = 0; i < TURNS && (rig.n_calls < n_calls + ASKED || client->n_later > 0);
		i++)
		rig_turn(10);
	CHECK(client->wire.departing.n == DEPARTING_MAX);
	while (n_given + n_refused < ASKED && receive_packet(sock)) {
		if (reply.header.type == RPC_REPLY_WITH_FDS) {
			n_given++;
			CHECK(reply.header.status == RPC_OK && receive_all(sock, &behind, 1));
		} else if (reply.header.serial >= FIRST) {
			n_refused++;
			CHECK(read_reply(RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD, NULL) == VIR_ERR_RPC);
		}
	}
	CHECK(n_given == DEPARTING_MAX && n_refused == ASKED - DEPARTING_MAX);
	CHECK(call(sock, RPC_PROC_DOMAIN_GET_STATE, &state, &ret) == 0);
	fd_close(&sock);
	rig_stop();
}

/* A worker that is heard, and does not open the connection: at its time, nothing was heard for a while. */
static void
test_never_opens(void)
{
	struct rpc_domain_get_state_args state;
	struct channel *channel;
	uint64_t now;
	int sock;

	rig_start();
	rig.told[1].mode = WORKER_SLEEPS;
	sock = rig_open();
	CHECK(look_up(sock, "bob:box", &state.dom) == 0);
	state.dom.name = (char *)(uintptr_t) "bob:box";
	send_call(sock, RPC_PROC_DOMAIN_GET_STATE, &state, 1);
	for (unsigned i = 0; i < TURNS && rig.n_channels == 0; i++)
		rig_turn(10);
	channel = way();
	for (unsigned i = 0; i < TURNS && channel->state != CHANNEL_OPENING; i++)
		rig_turn(10);
	ASSERT(channel->state == CHANNEL_OPENING);
	now = loop_now(&rig.loop);
	channel->heard_ns = now - LOOP_S(CHANNEL_PING_S);
	channel->open.due_ns = now;
	send_call(sock, RPC_PROC_DOMAIN_GET_STATE, &state, 2);
	for (uint32_t i = 1; i <= 2; i++) {
		CHECK(receive_packet(sock) && reply.header.serial == i);
		CHECK(read_reply(RPC_PROC_DOMAIN_GET_STATE, NULL) == VIR_ERR_OPERATION_TIMEOUT);
		CHECK(strstr(reply.message, "bob"));
	}
	CHECK(channel->state == CHANNEL_FAILED && !channel->pinged);
	CHECK(rpc_buffer_left(&channel->wire.out) == 0);
	fd_close(&sock);
	rig_stop();
}

int
main(void)
{
	TEST("a call that becomes larger than a packet is answered, and costs no other", test_brim);
	TEST("what waits before it arrives as it was", test_brim_behind);
	TEST("of more descriptors than there is room for each is answered", test_descriptors);
	TEST("a way that was not opened in time is not used any more", test_never_opens);
	return TEST_END();
}
