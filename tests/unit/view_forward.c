/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls about a machine reach the worker of its owner, with the handles that this worker has, and
 * come back with the view's; what a worker does wrong costs calls to that worker, and names it.
 */
#include "tests/unit/view.h"

#include "lib/derived_uuid.h"
#include "tests/unit/test.h"

static int
get_state(int sock, const struct rpc_domain *dom)
{
	struct rpc_domain_get_state_args args = {.dom = *dom};
	struct rpc_domain_get_state_ret ret;

	return call(sock, RPC_PROC_DOMAIN_GET_STATE, &args, &ret);
}

/* The domain of that name; its own copy of the name. */
static struct rpc_domain
find(int sock, const char *name)
{
	struct rpc_domain dom = {.id = 0};

	CHECK(look_up(sock, name, &dom) == 0);
	dom.name = (char *)(uintptr_t)name;
	return dom;
}

static int
create(int sock, const struct rpc_domain *dom, struct rpc_domain *ret)
{
	struct rpc_domain_create_with_flags_args args = {.dom = *dom};
	struct rpc_domain_create_with_flags_ret made;
	int r = call(sock, RPC_PROC_DOMAIN_CREATE_WITH_FLAGS, &args, &made);

	if (r == 0)
		*ret = made.dom;
	return r;
}

static void
test_handles(void)
{
	struct rpc_domain dom, made;
	uint8_t derived[UUID_SIZE];
	int sock;

	rig_start();
	sock = rig_open();
	dom = find(sock, "bob:box");
	CHECK(get_state(sock, &dom) == 0);
	CHECK(rig.called_uid == 1001 && rig.called->number == RPC_PROC_DOMAIN_GET_STATE);
	CHECK(memcmp(rig.called_dom.uuid, uuid_a, UUID_SIZE) == 0);
	CHECK_STR(rig.called_name, "box");
	CHECK(create(sock, &dom, &made) == 0);
	CHECK_STR(made.name, "bob:box");
	derived_uuid(1001, uuid_a, derived);
	CHECK(memcmp(made.uuid, derived, UUID_SIZE) == 0);
	dom = find(sock, "box");
	CHECK(create(sock, &dom, &made) == 0);
	CHECK(rig.called_uid == 1000 && memcmp(made.uuid, uuid_a, UUID_SIZE) == 0);
	CHECK_STR(made.name, "box");
	/* One way for each owner, and no more. */
	CHECK(rig.n_channels == 2);
	fd_close(&sock);
	for (unsigned i = 0; i < 20; i++)
		rig_turn(1);
	CHECK(rig.n_forgotten == 1);
	rig_stop();
}

static bool
give_nothing(unsigned n_asked_now)
{
	(void)n_asked_now;
	return false;
}

/* What the call names is in the view's own words then. */
static void
test_rows_change(void)
{
	struct rpc_domain_get_state_args args;
	int sock;

	rig_start();
	sock = rig_open();
	args.dom = find(sock, "bob:db");
	rig.give = give_nothing;
	send_call(sock, RPC_PROC_DOMAIN_GET_STATE, &args, 7);
	for (unsigned i = 0; i < 20; i++)
		rig_turn(1);
	tell(1, 1001, "bob", VERBS_ALL, "0\t5\t2\tp\t" UUID_C "\tanother-name\n+0\n");
	broker_send(IPC_INVENTORY_CHANGED, 0, 0, NULL, 0, -1);
	for (unsigned i = 0; i < 20; i++)
		rig_turn(1);
	CHECK(rig.n_calls == 0);
	rig.give = NULL;
	CHECK(receive_packet(sock) && reply.header.serial == 7 && reply.header.status == RPC_OK);
	CHECK_STR(rig.called_name, "db");
	fd_close(&sock);
	rig_stop();
}

/* Nobody is asked about an owner who is shown no more. */
static void
test_shown_no_more(void)
{
	struct rpc_domain_get_state_args args;
	int sock;

	rig_start();
	sock = rig_open();
	args.dom = find(sock, "bob:db");
	rig.give = give_nothing;
	send_call(sock, RPC_PROC_DOMAIN_GET_STATE, &args, 7);
	for (unsigned i = 0; i < TURNS && TAILQ_EMPTY(&rig.host.asks.waiting); i++)
		rig_turn(10);
	tell(1, 1001, "bob", 0, "+0\n");
	broker_send(IPC_INVENTORY_CHANGED, 0, 0, NULL, 0, -1);
	CHECK(receive_packet(sock) && reply.header.serial == 7);
	CHECK(read_reply(RPC_PROC_DOMAIN_GET_STATE, NULL) == VIR_ERR_OPERATION_DENIED);
	CHECK(TAILQ_EMPTY(&rig.host.asks.waiting) && rig.host.asks.n_sent == 0);
	fd_close(&sock);
	rig_stop();
}

static void
test_verbs(void)
{
	struct rpc_domain_destroy_args destroy;
	struct rpc_domain dom;
	int sock;

	rig_start();
	sock = rig_open();
	destroy.dom = dom = find(sock, "system:box");
	CHECK(get_state(sock, &dom) == 0 && rig.called_uid == 990);
	CHECK(call(sock, RPC_PROC_DOMAIN_DESTROY, &destroy, NULL) == VIR_ERR_OPERATION_DENIED);
	CHECK(strstr(reply.message, "system") && strstr(reply.message, "virDomainDestroy"));
	CHECK(rig.n_calls == 1 && rig.opened_flags == 0);
	fd_close(&sock);

	/* Read-only, by the socket or by word: whoever it is. */
	for (unsigned i = 0; i < 2; i++) {
		sock = rig_connect(i == 0);
		CHECK(open_as(sock, "qemu:///system", i) == 0);
		destroy.dom = dom = find(sock, "box");
		CHECK(call(sock, RPC_PROC_DOMAIN_DESTROY, &destroy, NULL) ==
			VIR_ERR_OPERATION_DENIED);
		CHECK(get_state(sock, &dom) == 0 && rig.opened_flags == 1);
		fd_close(&sock);
	}
	rig_stop();
}

static void
test_of_none(void)
{
	struct rpc_domain_define_xml_args define = {.xml = (char *)(uintptr_t) "<domain/>"};
	struct rpc_domain_define_xml_ret defined;
	struct rpc_connect_get_hostname_ret host;
	struct rpc_domain made = {.name = (char *)(uintptr_t) "new", .uuid = {5}};
	int sock;

	rig_start();
	sock = rig_open();
	CHECK(call(sock, RPC_PROC_CONNECT_GET_HOSTNAME, NULL, &host) == 0);
	CHECK_STR(host.hostname, "a string");
	CHECK(rig.called_uid == 1000);
	rig.called_dom = made;
	CHECK(call(sock, RPC_PROC_DOMAIN_DEFINE_XML, &define, &defined) == 0);
	CHECK(rig.called_uid == 1000);
	CHECK_STR(defined.dom.name, "new");
	/* Who manages the system account's makes them there, but not on qemu:///session. */
	tell(2, 990, "qemud-vm", VERBS_ALL, "0\t5\t0\tp\t" UUID_A "\tbox\n+0\n");
	broker_send(IPC_INVENTORY_CHANGED, 0, 0, NULL, 0, -1);
	for (unsigned i = 0; i < 20; i++)
		rig_turn(1);
	CHECK(call(sock, RPC_PROC_DOMAIN_DEFINE_XML, &define, &defined) == 0);
	CHECK(rig.called_uid == 990);
	CHECK_STR(defined.dom.name, "system:new");
	fd_close(&sock);
	sock = rig_connect(false);
	CHECK(open_as(sock, "qemu:///session", 0) == 0);
	CHECK(call(sock, RPC_PROC_DOMAIN_DEFINE_XML, &define, &defined) == 0);
	CHECK(rig.called_uid == 1000);
	fd_close(&sock);
	rig_stop();
}

static void
test_unknown(void)
{
	struct rpc_domain dom = {.name = (char *)(uintptr_t) "none", .uuid = {1, 2, 3}};
	int sock;

	rig_start();
	sock = rig_open();
	CHECK(get_state(sock, &dom) == VIR_ERR_NO_DOMAIN && rig.n_calls == 0);
	/* Where the inventory has no room for all, her worker knows. */
	tell(0, 1000, "alice", VERBS_ALL, "0\t5\t1\tp\t" UUID_A "\tbox\n+3\n");
	broker_send(IPC_INVENTORY_CHANGED, 0, 0, NULL, 0, -1);
	for (unsigned i = 0; i < 20; i++)
		rig_turn(1);
	CHECK(get_state(sock, &dom) == 0 && rig.called_uid == 1000);
	CHECK(memcmp(rig.called_dom.uuid, dom.uuid, UUID_SIZE) == 0);
	fd_close(&sock);
	rig_stop();
}

/* What is found right after it was made. */
static bool
makes(struct played *worker, const struct rpc_frame *call_, const void *args)
{
	(void)worker;
	(void)args;
	if (call_->header.procedure == RPC_PROC_DOMAIN_CREATE_WITH_FLAGS)
		tell(1, 1001, "bob", VERBS_ALL,
			"99\t1\t1\t-\t" UUID_A "\tbox\n0\t5\t1\tp\t" UUID_C "\tnew\n+0\n");
	return false;
}

static void
test_made(void)
{
	struct rpc_domain dom, made;
	int sock;

	rig_start();
	sock = rig_open();
	dom = find(sock, "bob:box");
	CHECK(dom.id == 8);
	rig.answer = makes;
	CHECK(create(sock, &dom, &made) == 0);
	dom = find(sock, "bob:box");
	CHECK(dom.id == 99);
	/* An inventory from before, which is still on its way, does not make it undone. */
	tell(1, 1001, "bob", VERBS_ALL, "99\t1\t1\t-\t" UUID_A "\tbox\n+0\n");
	broker_send(IPC_INVENTORY_CHANGED, 0, 0, NULL, 0, -1);
	for (unsigned i = 0; i < 20; i++)
		rig_turn(1);
	CHECK(look_up(sock, "bob:new", &dom) == 0);
	for (unsigned i = 0; i < TURNS && look_up(sock, "bob:new", &dom) == 0; i++)
		rig_turn(10);
	CHECK(look_up(sock, "bob:new", &dom) == VIR_ERR_NO_DOMAIN);
	dom = find(sock, "bob:box");
	CHECK(dom.id == 99);
	fd_close(&sock);
	rig_stop();
}

static void
test_hung(void)
{
	struct rpc_domain_get_state_args args;
	struct rpc_domain bobs, alices;
	uint64_t before, now;
	int sock;

	rig_start();
	rig.told[1].mode = WORKER_SLEEPS;
	sock = rig_open();
	bobs = find(sock, "bob:box");
	alices = find(sock, "box");
	args.dom = bobs;
	before = loop_clock();
	send_call(sock, RPC_PROC_DOMAIN_GET_STATE, &args, 1);
	/* Others are answered meanwhile. */
	CHECK(get_state(sock, &alices) == 0);
	CHECK(receive_packet(sock) && reply.header.serial == 1);
	CHECK(read_reply(RPC_PROC_DOMAIN_GET_STATE, NULL) == VIR_ERR_OPERATION_TIMEOUT);
	CHECK(strstr(reply.message, "bob"));
	now = loop_clock();
	CHECK(now - before >= LOOP_S(CHANNEL_SILENCE_S));
	/* And for a while nobody waits for that worker again. */
	CHECK(get_state(sock, &bobs) == VIR_ERR_OPERATION_TIMEOUT);
	CHECK(rig.n_channels == 2);
	/* Then it is tried. */
	rig.told[1].mode = WORKER_ANSWERS;
	while (loop_clock() - now < LOOP_S(CHANNEL_REST_S) + LOOP_MS(100))
		rig_turn(10);
	CHECK(get_state(sock, &bobs) == 0);
	fd_close(&sock);
	rig_stop();
}

/* A worker that answers pings is waited for as long as a call may take. */
static void
test_silent(void)
{
	struct rpc_domain_get_state_args args;
	uint64_t before;
	int sock;

	rig_start();
	rig.told[1].mode = WORKER_KEEPS_SILENT;
	sock = rig_open();
	args.dom = find(sock, "bob:box");
	before = loop_clock();
	send_call(sock, RPC_PROC_DOMAIN_GET_STATE, &args, 1);
	while (loop_clock() - before < LOOP_S(CHANNEL_SILENCE_S + 2))
		rig_turn(10);
	CHECK(recv(sock, &args, 1, MSG_PEEK) < 0 && errno == EAGAIN);
	/* Who leaves is not held up. */
	fd_close(&sock);
	for (unsigned i = 0; i < 20; i++)
		rig_turn(1);
	CHECK(rig.n_forgotten == 1);
	rig_stop();
}

static void
test_errors(void)
{
	struct rpc_domain dom;
	int sock;

	rig_start();
	rig.told[1].mode = WORKER_REFUSES;
	sock = rig_open();
	dom = find(sock, "bob:box");
	CHECK(get_state(sock, &dom) == VIR_ERR_OPERATION_INVALID);
	CHECK_STR(reply.message, "not now");
	rig.told[1].mode = WORKER_CLOSES;
	CHECK(get_state(sock, &dom) == VIR_ERR_OPERATION_FAILED && strstr(reply.message, "bob"));
	rig.told[1].mode = WORKER_ANSWERS;
	fd_close(&sock);
	rig.channel_err = -EACCES;
	sock = rig_open();
	CHECK(get_state(sock, &dom) == VIR_ERR_OPERATION_DENIED && strstr(reply.message, "bob"));
	fd_close(&sock);
	rig_stop();
}

/* --- workers that lie --------------------------------------------------------------------- */

static int
destroy(int sock, const struct rpc_domain *dom)
{
	struct rpc_domain_destroy_args args = {.dom = *dom};

	return call(sock, RPC_PROC_DOMAIN_DESTROY, &args, NULL);
}

static int
destroy_flags(int sock, const struct rpc_domain *dom, uint32_t flags)
{
	struct rpc_domain_destroy_flags_args args = {.dom = *dom, .flags = flags};

	return call(sock, RPC_PROC_DOMAIN_DESTROY_FLAGS, &args, NULL);
}

/* bob's worker says that it has ended one, or that it cannot, and it runs on. */
static void
test_ends(void)
{
	static const enum worker_mode modes[] = {WORKER_ANSWERS, WORKER_REFUSES};
	struct rpc_domain dom;
	int sock;

	for (unsigned i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		rig_start();
		rig.told[1].mode = modes[i];
		sock = rig_open();
		dom = find(sock, "bob:box");
		CHECK(destroy(sock, &dom) == 0 && rig.stopped_id == 8);
		CHECK(look_up(sock, "bob:box", &dom) == VIR_ERR_NO_DOMAIN);
		fd_close(&sock);
		rig_stop();
	}
	/* How it is ended is the worker's to say yes or no to. */
	rig_start();
	rig.told[1].mode = WORKER_REFUSES;
	sock = rig_open();
	dom = find(sock, "bob:box");
	CHECK(destroy_flags(sock, &dom, 1) == VIR_ERR_OPERATION_INVALID && rig.stopped_id == 0);
	CHECK(destroy_flags(sock, &dom, 0) == 0 && rig.stopped_id == 8);
	/* Of what does not run, and of one's own, her worker's word is taken. */
	rig.stopped_id = 0;
	rig.told[0].mode = WORKER_REFUSES;
	dom = find(sock, "bob:db");
	CHECK(destroy(sock, &dom) == VIR_ERR_OPERATION_INVALID);
	dom = find(sock, "web");
	CHECK(destroy(sock, &dom) == VIR_ERR_OPERATION_INVALID);
	CHECK(rig.stopped_id == 0);
	fd_close(&sock);
	rig_stop();
}

/* bob's is being ended: not before nothing of it is left is who asked for that answered. */
static int
destroy_lingering(int *ret_sock, uint32_t serial)
{
	struct rpc_domain_destroy_args args;
	struct rpc_domain dom;

	rig_start();
	rig.lingers = true;
	*ret_sock = rig_open();
	args.dom = dom = find(*ret_sock, "bob:box");
	send_call(*ret_sock, RPC_PROC_DOMAIN_DESTROY, &args, serial);
	for (unsigned i = 0; i < TURNS && LIST_EMPTY(&rig.host.owners.endings); i++)
		rig_turn(10);
	CHECK(rig.stopped_id == 8);
	for (unsigned i = 0; i < 20; i++)
		rig_turn(1);
	CHECK(recv(*ret_sock, &args, 1, MSG_PEEK) < 0 && errno == EAGAIN);
	CHECK(look_up(*ret_sock, "bob:box", &dom) == 0);
	return dom.id;
}

static int
destroyed(int sock, uint32_t serial)
{
	CHECK(receive_packet(sock) && reply.header.serial == serial);
	return read_reply(RPC_PROC_DOMAIN_DESTROY, NULL);
}

static void
test_lingers(void)
{
	struct ending *ending;
	struct rpc_domain dom;
	int sock;

	/* It is there all the while. */
	CHECK(destroy_lingering(&sock, 3) == 8);
	vm_gone(1001, 8);
	CHECK(destroyed(sock, 3) == 0 && LIST_EMPTY(&rig.host.owners.endings));
	CHECK(look_up(sock, "bob:box", &dom) == VIR_ERR_NO_DOMAIN);
	fd_close(&sock);
	rig_stop();
	/* One that does not die is waited for that long. */
	CHECK(destroy_lingering(&sock, 3) == 8);
	ending = LIST_FIRST(&rig.host.owners.endings);
	CHECK(ending->late.node.key > loop_now(&rig.loop) + LOOP_S(ENDING_S - 10));
	timer_set(&rig.loop, &ending->late, loop_now(&rig.loop), ending->late.fn);
	CHECK(destroyed(sock, 3) == VIR_ERR_SYSTEM_ERROR);
	CHECK_STR(reply.message,
		"Failed to terminate the virtual machine with SIGKILL: Device or resource busy");
	fd_close(&sock);
	rig_stop();
	/* Nor longer than its owner is shown. */
	CHECK(destroy_lingering(&sock, 3) == 8);
	tell(1, 1001, "bob", 0, "+0\n");
	broker_send(IPC_INVENTORY_CHANGED, 0, 0, NULL, 0, -1);
	CHECK(destroyed(sock, 3) == VIR_ERR_OPERATION_FAILED && strstr(reply.message, "nobody"));
	fd_close(&sock);
	rig_stop();
	/* Who has left, and the end of the view, are told nothing. */
	CHECK(destroy_lingering(&sock, 3) == 8);
	fd_close(&sock);
	for (unsigned i = 0; i < 20; i++)
		rig_turn(1);
	CHECK(rig.n_forgotten == 1);
	rig_stop();
}

static unsigned lie;

enum { LIES = 9 };

static bool
lies(struct played *worker, const struct rpc_frame *call_, const void *args)
{
	struct rpc_domain_create_with_flags_ret ret = {
		.dom = {.name = (char *)(uintptr_t) "alice:box", .id = 5}};
	struct rpc_header header = rpc_header_reply(&call_->header, RPC_OK);
	uint8_t bytes[64];

	(void)args;
	if (worker->uid != 1001)
		return false;
	switch (lie) {
	case 0: /* another's name */
		play_reply(worker, call_, &ret);
		break;
	case 1: /* half of it */
		play_frame(worker, header, NULL, NULL);
		break;
	case 2: /* another procedure's */
		header.procedure++;
		play_frame(worker, header, NULL, NULL);
		break;
	case 3: /* to a call that nobody made, and nothing more */
		header.serial += 7;
		play_frame(worker, header, NULL, NULL);
		fd_close(&worker->fd);
		break;
	case 4: /* a call of its own */
		header.type = RPC_CALL;
		play_frame(worker, header, NULL, NULL);
		break;
	case 5: /* no packets */
		memset(bytes, 0xff, sizeof(bytes));
		play_send(worker, bytes, sizeof(bytes));
		break;
	case 6: /* the end of a connection that is none */
		play_error(worker, call_, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC, "\x1b[2J lost");
		break;
	case 7: /* descriptors that do not come */
		header.type = RPC_REPLY_WITH_FDS;
		play_frame(worker, header, NULL, NULL);
		fd_close(&worker->fd);
		break;
	case 8: /* the beginning of a packet of more than there may be */
		memset(bytes, 0, sizeof(bytes));
		bytes[0] = 1;
		play_send(worker, bytes, sizeof(bytes));
		fd_close(&worker->fd);
		break;
	}
	return true;
}

static void
test_lies(void)
{
	struct rpc_domain bobs, alices, made;

	for (lie = 0; lie < LIES; lie++) {
		int sock, r;

		rig_start();
		rig.answer = lies;
		sock = rig_open();
		bobs = find(sock, "bob:box");
		alices = find(sock, "box");
		r = create(sock, &bobs, &made);
		CHECK(r == VIR_ERR_INTERNAL_ERROR || r == VIR_ERR_OPERATION_FAILED);
		if (lie == 6)
			CHECK_STR(reply.message, "?[2J lost");
		else
			CHECK(strstr(reply.message, "bob"));
		CHECK(get_state(sock, &alices) == 0);
		fd_close(&sock);
		rig_stop();
	}
}

/* A reply comes in pieces, the worker ends at each byte of it. */
static bool
ends_at(struct played *worker, const struct rpc_frame *call_, const void *args)
{
	static const struct rpc_domain_get_state_ret ret = {.state = 1, .reason = 1};
	struct rpc_header header = rpc_header_reply(&call_->header, RPC_OK);
	struct rpc_buffer out;

	(void)args;
	rpc_buffer_init(&out, 4096);
	ASSERT(rpc_encode_frame(&header, 0,
		       rpc_procedure_find(RPC_PROGRAM_REMOTE, RPC_PROC_DOMAIN_GET_STATE)->ret, &ret,
		       &out) == 0);
	for (unsigned i = 0; i < lie && i < rpc_buffer_left(&out); i++)
		play_send(worker, rpc_buffer_front(&out) + i, 1);
	if (lie < rpc_buffer_left(&out))
		fd_close(&worker->fd);
	rpc_buffer_fini(&out);
	return true;
}

static void
test_pieces(void)
{
	struct rpc_domain dom;
	int r;

	for (lie = 0; lie <= RPC_FRAME_MIN + 8; lie++) {
		int sock;

		rig_start();
		rig.answer = ends_at;
		sock = rig_open();
		dom = find(sock, "bob:box");
		r = get_state(sock, &dom);
		CHECK(r == (lie < RPC_FRAME_MIN + 8 ? VIR_ERR_OPERATION_FAILED : 0));
		fd_close(&sock);
		rig_stop();
	}
}

int
main(void)
{
	TEST("handles are the owner's on the way there, and the view's on the way back",
		test_handles);
	TEST("a call that waits names what it named, whatever the owner has meanwhile",
		test_rows_change);
	TEST("a call that waits for its way is refused when its owner is shown no more",
		test_shown_no_more);
	TEST("what may be done is what may be done with that owner's, and nothing by read-only",
		test_verbs);
	TEST("calls about no machine are the principal's own worker's, or make the system's",
		test_of_none);
	TEST("what is not shown is not asked for", test_unknown);
	TEST("what a call made is found after its answer", test_made);
	TEST("a worker that hangs costs calls to it, and is named", test_hung);
	TEST("a worker that only lives is waited for, until the client leaves", test_silent);
	TEST("errors pass, and what is wrong with the way has words", test_errors);
	TEST("another's machine that is to be ended ends, whatever her worker answers", test_ends);
	TEST("it is answered when nothing of it is left, or that it does not die", test_lingers);
	TEST("no lie of a worker's is believed, and each costs that call alone", test_lies);
	TEST("a reply in pieces, ended at any byte, is no reply", test_pieces);
	return TEST_END();
}
