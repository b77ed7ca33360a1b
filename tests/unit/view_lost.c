/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker that ends is no reason to fail or to wait: the next one is asked at once, again for what only
 * looks, and never for what the one before may have done; one that ends over and over has failed.
 */
#include "tests/unit/view.h"

#include "tests/unit/test.h"

static unsigned n_ends; /* so many workers end when they are asked something */
static int32_t last_called;

static bool
ends(struct played *worker, const struct rpc_frame *frame, const void *args)
{
	(void)args;
	last_called = frame->header.procedure;
	if (n_ends == 0)
		return false;
	n_ends--;
	fd_close(&worker->fd);
	return true;
}

static int
begin(struct rpc_domain *ret)
{
	int sock;

	rig_start();
	n_ends = 0;
	rig.answer = ends;
	sock = rig_open();
	CHECK(look_up(sock, "bob:box", ret) == 0);
	ret->name = (char *)(uintptr_t) "bob:box";
	return sock;
}

static int
get_state(int sock, const struct rpc_domain *dom)
{
	struct rpc_domain_get_state_args args = {.dom = *dom};
	struct rpc_domain_get_state_ret ret;

	return call(sock, RPC_PROC_DOMAIN_GET_STATE, &args, &ret);
}

static int
reboot(int sock, const struct rpc_domain *dom)
{
	struct rpc_domain_reboot_args args = {.dom = *dom};

	return call(sock, RPC_PROC_DOMAIN_REBOOT, &args, NULL);
}

/* The worker that is there ends, while nobody asks it anything. */
static void
end_worker(void)
{
	for (unsigned i = 0; i < WORKERS; i++)
		fd_close(&rig.played[i].fd);
}

static void
test_looks(void)
{
	struct rpc_domain dom;
	int sock = begin(&dom);

	n_ends = 1;
	CHECK(get_state(sock, &dom) == 0);
	CHECK(rig.n_calls == 2 && rig.n_channels == 2);
	fd_close(&sock);
	rig_stop();
}

/* It may have been done: that is told, and what follows is done. */
static void
test_changes(void)
{
	struct rpc_domain dom;
	int sock = begin(&dom);

	n_ends = 1;
	CHECK(reboot(sock, &dom) == VIR_ERR_OPERATION_FAILED);
	CHECK(strstr(reply.message, "the worker of bob has closed the connection"));
	CHECK(rig.n_calls == 1 && rig.n_channels == 1);
	CHECK(reboot(sock, &dom) == 0);
	CHECK(rig.n_calls == 2 && rig.n_channels == 2);
	fd_close(&sock);
	rig_stop();
}

/* Nobody else makes go on what a worker paused. */
static void
test_resumes(void)
{
	struct rpc_domain_resume_args args;
	int sock = begin(&args.dom);

	n_ends = 1;
	CHECK(call(sock, RPC_PROC_DOMAIN_RESUME, &args, NULL) == VIR_ERR_OPERATION_FAILED);
	CHECK(strstr(reply.message, "the worker of bob has closed the connection"));
	CHECK(call(sock, RPC_PROC_DOMAIN_RESUME, &args, NULL) == 0);
	CHECK(rig.n_calls == 2 && rig.n_channels == 2);
	fd_close(&sock);
	rig_stop();
}

static void
test_between_calls(void)
{
	struct rpc_domain dom;
	int sock = begin(&dom);

	CHECK(get_state(sock, &dom) == 0 && rig.n_channels == 1);
	end_worker();
	for (unsigned i = 0; i < 4; i++)
		rig_turn(0);
	CHECK(reboot(sock, &dom) == 0);
	CHECK(rig.n_calls == 2 && rig.n_channels == 2);
	fd_close(&sock);
	rig_stop();
}

/* It has ended, and the view does not know yet: nobody can have read the call. */
static void
test_not_known_yet(void)
{
	struct rpc_domain dom;
	int sock = begin(&dom);

	CHECK(get_state(sock, &dom) == 0 && rig.n_channels == 1);
	end_worker();
	CHECK(reboot(sock, &dom) == 0);
	CHECK(rig.n_calls == 2 && rig.n_channels == 2);
	fd_close(&sock);
	rig_stop();
}

/* Before it took the connection. */
static void
test_not_open_yet(void)
{
	struct rpc_domain_reboot_args args;
	int sock = begin(&args.dom);

	rig.told[1].mode = WORKER_SLEEPS;
	send_call(sock, RPC_PROC_DOMAIN_REBOOT, &args, 7);
	for (unsigned i = 0; i < TURNS && rig.n_channels == 0; i++)
		rig_turn(10);
	rig_turn(0);
	end_worker();
	rig.told[1].mode = WORKER_ANSWERS;
	CHECK(receive_packet(sock) && reply.header.serial == 7 && reply.header.status == RPC_OK);
	CHECK(rig.n_calls == 1 && rig.n_channels == 2);
	fd_close(&sock);
	rig_stop();
}

/* Each call is sent to two at most; then what follows fails at once, for a while. */
static void
test_over_and_over(void)
{
	struct rpc_domain dom, alices;
	uint64_t lost;
	int sock = begin(&dom);

	n_ends = 2;
	CHECK(get_state(sock, &dom) == VIR_ERR_OPERATION_FAILED);
	CHECK(strstr(reply.message, "the worker of bob has closed the connection"));
	lost = loop_clock();
	CHECK(rig.n_calls == 2 && rig.n_channels == 2);
	CHECK(get_state(sock, &dom) == VIR_ERR_OPERATION_FAILED);
	CHECK(rig.n_calls == 2 && rig.n_channels == 2);
	/* It is of that worker alone. */
	CHECK(look_up(sock, "box", &alices) == 0);
	alices.name = (char *)(uintptr_t) "box";
	CHECK(get_state(sock, &alices) == 0 && rig.n_channels == 3);
	while (loop_clock() - lost < LOOP_S(CHANNEL_REST_S) + LOOP_MS(100))
		rig_turn(10);
	CHECK(get_state(sock, &dom) == 0 && rig.n_channels == 4);
	fd_close(&sock);
	rig_stop();
}

/* Whoever wants events hears of them from the next one. */
static void
test_events(void)
{
	struct rpc_connect_domain_event_callback_register_any_args args = {.eventID = 0};
	struct rpc_connect_domain_event_callback_register_any_ret ret;
	struct rpc_domain dom;
	int sock = begin(&dom);

	rig.told[1].found.worker = 1;
	rig.told[1].generation = ++rig.generation;
	broker_send(IPC_INVENTORY_CHANGED, 0, 0, NULL, 0, -1);
	CHECK(call(sock, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, &args, &ret) == 0);
	for (unsigned i = 0; i < TURNS && rig.n_calls == 0; i++)
		rig_turn(10);
	CHECK(last_called == RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY);
	for (unsigned i = 0; i < 4; i++)
		rig_turn(0);
	end_worker();
	last_called = 0;
	for (unsigned i = 0; i < TURNS && rig.n_calls == 1; i++)
		rig_turn(10);
	CHECK(last_called == RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY);
	CHECK(rig.n_channels == 2 && rig.n_calls == 2);
	fd_close(&sock);
	rig_stop();
}

int
main(void)
{
	TEST("what only looks is asked of the next one", test_looks);
	TEST("what may have been done is told, and not done again", test_changes);
	TEST("a machine that its worker paused is not said to go on", test_resumes);
	TEST("between calls nothing is lost", test_between_calls);
	TEST("what cannot have been read is sent again", test_not_known_yet);
	TEST("nor what waited until it was open", test_not_open_yet);
	TEST("one that ends over and over has failed for a while", test_over_and_over);
	TEST("events are wanted of the next one", test_events);
	return TEST_END();
}
