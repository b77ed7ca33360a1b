/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_tools.c: a tool goes to the worker that asked for it and to nobody else, ends with it, and
 * none is had beyond the bounds; whatever becomes of it, nothing is left.
 */
#include "broker/tools.h"

#include "protocol/ipc/account.h"
#include "tests/unit/broker_stage.h"
#include "tests/unit/descriptors.h"

static uint32_t next_serial;

static uint32_t
ask_tool(const struct kid *kid)
{
	struct ipc_tool body = {.kind = IPC_TOOL_PROBE};

	say(kid->link, (struct ipc_header){.type = IPC_TOOL, .serial = ++next_serial}, &body,
		sizeof body, NULL, 0);
	turn();
	return next_serial;
}

/* The worker is answered that. Returns the seed's socket, or -1. */
static int
expect_ready(const struct kid *kid, uint32_t serial, int err)
{
	AUTO(packet_fini) struct packet packet;

	expect(kid->link, IPC_TOOL_READY, &packet);
	CHECK(header_of(&packet).serial == serial && header_of(&packet).err == err);
	return take_fd(&packet.fds[0]);
}

static void
refused(const struct kid *kid, int err)
{
	fd_auto int sock = expect_ready(kid, ask_tool(kid), err);

	CHECK(sock < 0);
}

static struct kid
tool_for(const struct kid *kid, uint32_t uid, int *ret_sock)
{
	uint32_t serial = ask_tool(kid);
	struct kid tool = start_kid(IPC_BOX, uid);

	*ret_sock = expect_ready(kid, serial, 0);
	CHECK(*ret_sock >= 0 && is_alive(&tool));
	return tool;
}

static struct tool *
only_tool(void)
{
	CHECK(broker.tools.n == 1 && broker.tools.table[0].user);
	return &broker.tools.table[0];
}

static void
none_left(uint32_t uid)
{
	turn();
	CHECK(broker.tools.n == 0 && users_find(&broker.users, uid)->tools.n == 0);
}

static void
test_granted(void)
{
	AUTO(packet_fini) struct packet ask, through = {.n_fds = 0};
	struct ipc_started started = {.pid = 77};
	struct account account;
	struct ipc_box want = {.uid = ALICE, .kind = IPC_BOX_TOOL, .n_files = TOOLS_FILES};
	struct kid alice, tool = {.pid = fork_idle(), .link = -1};
	int pair[2], fds[2], sock;
	uint32_t serial;

	stage_ready();
	alice = idle_worker(ALICE);
	serial = ask_tool(&alice);
	expect(starter_fd, IPC_BOX, &ask);
	CHECK(memcmp(body_of(&ask), &want, sizeof want) == 0);
	CHECK(broker_read_account(ask.fds[0], &account) == 0 && account.uid == ALICE);
	expect_nothing(alice.link);

	CHECK(packet_pair(pair) == 0);
	fds[0] = pair[0];
	fds[1] = pidfd_open(tool.pid, 0);
	answer(starter_fd, &ask, &started, sizeof started, fds, 2);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	tool.link = pair[1];
	sock = expect_ready(&alice, serial, 0);
	CHECK(packet_send(sock, "P", 1, NULL, 0) == 0 && packet_recv(tool.link, &through) == 0);
	CHECK(through.size == 1 && through.data[0] == 'P');
	/* The broker has no copy of it. */
	fd_close(&sock);
	expect_end(tool.link);
	/* It ends by itself. */
	CHECK(timer_is_set(&only_tool()->deadline));
	end_kid(&tool);
	none_left(ALICE);
	CHECK(!timer_is_set(&broker.tools.table[0].deadline) && is_alive(&alice));
	end_kid(&alice);
	stage_close();
}

static void
test_bounds(void)
{
	struct kid alice, bob, tools[TOOLS_USER_MAX], bobs;
	int socks[TOOLS_USER_MAX], bobs_sock;

	stage_ready();
	alice = idle_worker(ALICE);
	bob = idle_worker(BOB);
	for (int i = 0; i < TOOLS_USER_MAX; i++)
		tools[i] = tool_for(&alice, ALICE, &socks[i]);
	refused(&alice, -EDQUOT);
	expect_nothing(starter_fd);
	bobs = tool_for(&bob, BOB, &bobs_sock);
	/* One that was asked for counts, too; one that has ended does not. */
	end_kid(&tools[0]);
	fd_close(&socks[0]);
	(void)ask_tool(&alice);
	refused(&alice, -EDQUOT);
	tools[0] = start_kid(IPC_BOX, ALICE);
	socks[0] = expect_ready(&alice, next_serial - 1, 0);
	for (int i = 0; i < TOOLS_USER_MAX; i++) {
		end_kid(&tools[i]);
		fd_close(&socks[i]);
	}
	end_kid(&bobs);
	fd_close(&bobs_sock);
	none_left(ALICE);
	none_left(BOB);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

static void
test_pace(void)
{
	struct user *user;
	struct kid alice;

	stage_ready();
	alice = idle_worker(ALICE);
	user = users_find(&broker.users, ALICE);
	/* Sixteen at once, even such as come to nothing. */
	for (int i = 0; i < 16; i++) {
		AUTO(packet_fini) struct packet ask;
		uint32_t serial = ask_tool(&alice);

		expect(starter_fd, IPC_BOX, &ask);
		answer_error(starter_fd, &ask, -EMFILE, sizeof(struct ipc_started));
		CHECK(expect_ready(&alice, serial, -EMFILE) < 0);
		none_left(ALICE);
	}
	CHECK(user->tools.pace.full_ns > loop_now(&broker.loop));
	user->tools.pace.full_ns = loop_now(&broker.loop) + LOOP_S(3600);
	refused(&alice, -EAGAIN);
	/* The host has no place for one more: for nobody. */
	user->tools.pace.full_ns = 0;
	broker.tools.n = TOOLS_MAX;
	refused(&alice, -EAGAIN);
	broker.tools.n = 0;
	expect_nothing(starter_fd);
	end_kid(&alice);
	stage_close();
}

static void
test_worker_ends(void)
{
	struct kid alice, running, asked;
	int sock, client;

	stage_ready();
	alice = idle_worker(ALICE);
	/* One runs; the starter is asked for another; a third waits for its turn to be asked for.
	 */
	running = tool_for(&alice, ALICE, &sock);
	(void)ask_tool(&alice);
	broker.starter.lanes[LANE_KNOWN].n_sent += LINK_ASKS_MAX;
	(void)ask_tool(&alice);
	CHECK(broker.tools.n == 3);
	end_kid(&alice);
	reap(&running, SIGKILL);
	fd_close(&sock);
	broker.starter.lanes[LANE_KNOWN].n_sent -= LINK_ASKS_MAX;

	/* The next worker has nothing to do with them. */
	client = connect_as(ALICE);
	asked = start_kid(IPC_BOX, ALICE);
	alice = worker(ALICE);
	expect_end(asked.link);
	reap(&asked, SIGKILL);
	none_left(ALICE);
	(void)serve(&alice);
	expect_nothing(alice.link);
	expect_nothing(starter_fd);
	fd_close(&client);
	end_kid(&alice);
	stage_close();
}

static void
test_deadline(void)
{
	struct kid alice, unused;
	int sock;

	stage_ready();
	alice = idle_worker(ALICE);
	unused = tool_for(&alice, ALICE, &sock);
	be_due(&only_tool()->deadline);
	reap(&unused, SIGKILL);
	none_left(ALICE);
	CHECK(is_alive(&alice));
	fd_close(&sock);
	end_kid(&alice);
	stage_close();
}

static void
test_leaving(void)
{
	struct packet stop;
	struct kid alice, tool;
	int sock;

	stage_ready();
	alice = idle_worker(ALICE);
	tool = tool_for(&alice, ALICE, &sock);
	broker_stop(&broker);
	expect(alice.link, IPC_STOP, &stop);
	refused(&alice, -ESHUTDOWN);
	end_kid(&alice);
	reap(&tool, SIGKILL);
	fd_close(&sock);
	end_kid(&refuser);
	CHECK(broker.loop.quit && broker.loop.status == EXIT_SUCCESS);
	stage_close();
}

static void
test_broker_ends(void)
{
	struct kid alice, tool;
	int sock;

	stage_ready();
	alice = idle_worker(ALICE);
	tool = tool_for(&alice, ALICE, &sock);
	end_kid(&refuser);
	stage_close();
	/* The broker ends without waiting for anybody: no tool goes on without it. */
	CHECK(waitpid(tool.pid, NULL, 0) == tool.pid);
	fd_close(&tool.link);
	fd_close(&sock);
	CHECK(kill(alice.pid, SIGTERM) == 0 && waitpid(alice.pid, NULL, 0) == alice.pid);
	fd_close(&alice.link);
	fd_close(&alice.place_fd);
}

static void
test_does_not_read(void)
{
	enum { MANY = 5000 };
	struct kid alice;
	int sock, n = 0;
	struct kid tool;

	stage_ready();
	alice = idle_worker(ALICE);
	tool = tool_for(&alice, ALICE, &sock);
	users_find(&broker.users, ALICE)->tools.pace.full_ns =
		loop_now(&broker.loop) + LOOP_S(3600);
	while (n < MANY && users_find(&broker.users, ALICE)->child.state == CHILD_SERVING) {
		(void)ask_tool(&alice);
		n++;
	}
	CHECK(n < MANY);
	reap(&alice, SIGKILL);
	reap(&tool, SIGKILL);
	fd_close(&sock);
	none_left(ALICE);
	stage_close();
}

static void
test_refuser(void)
{
	stage_ready();
	(void)ask_tool(&refuser);
	reap(&refuser, SIGKILL);
	CHECK(broker.tools.n == 0);
	stage_close();
}

static unsigned n_at_start;

static void
test_nothing_left(void)
{
	CHECK(n_descriptors() == n_at_start);
}

int
main(void)
{
	log_open("broker_tools", 0);
	n_at_start = n_descriptors();
	TEST("a tool's socket goes to the worker that asked, once", test_granted);
	TEST("a user has four at a time, whatever others have", test_bounds);
	TEST("who asks too often, or beyond what the host has, is told so", test_pace);
	TEST("a worker's tools end with it, also those that are on their way", test_worker_ends);
	TEST("a tool that nobody uses ends", test_deadline);
	TEST("a worker that was told to end gets none", test_leaving);
	TEST("a broker that ends leaves none", test_broker_ends);
	TEST("a worker that does not read its answers is killed", test_does_not_read);
	TEST("the refuser may not ask for one", test_refuser);
	TEST("no descriptor is left", test_nothing_left);
	return TEST_END();
}
