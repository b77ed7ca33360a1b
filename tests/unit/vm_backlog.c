/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls that wait for a QEMU which does not answer are bounded in number and memory over all
 * connections, those of clients that have gone included; others are served, and it can be destroyed.
 * test: timeout=360
 */
#include "tests/unit/test.h"

#include "tests/unit/vm_stage.h"

enum { CONNECTIONS = SERVER_LATER_MAX / CLIENT_LATER_MAX, MORE = 20 };

/* Ask on this connection as often as it is served; nobody answers. */
static void
ask_much(int sock)
{
	for (unsigned i = 0; i < CLIENT_LATER_MAX; i++)
		(void)ask(sock, RPC_PROC_DOMAIN_SUSPEND, 0);
}

/* A connection that has been refused for the reason that so many wait. */
static void
check_full(int sock)
{
	struct rpc_header header = ask(sock, RPC_PROC_DOMAIN_SUSPEND, 0);

	check_failed(&header, sock, VIR_ERR_OPERATION_FAILED, "wait for their answers");
	CHECK_STR(call_error_kind(), "9/7");
}

static void
check_destroyed(void)
{
	struct rpc_header destroy = ask(stage.client, RPC_PROC_DOMAIN_DESTROY, 0);

	for (int i = 0; i < 4; i++)
		rig_turn(0);
	CHECK(stage.n_stops == 1);
	broker_ends(ID);
	CHECK(read_reply(stage.client, &destroy, NULL) == 0);
	for (int i = 0; i < 4; i++)
		rig_turn(0);
	CHECK(rig.server.n_later == 0 && rig.server.later_bytes == 0);
}

static void
test_number(void)
{
	struct rpc_connect_get_type_ret type = {0};
	int socks[CONNECTIONS], late;

	stage_run("");
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		socks[i] = rig_open(VERBS_ALL);
		ask_much(socks[i]);
	}
	for (int i = 0; i < 4; i++)
		rig_turn(0);
	CHECK(rig.server.n_later == SERVER_LATER_MAX);
	/* Whoever has no call that waits has one. */
	late = rig_open(VERBS_ALL);
	(void)ask(late, RPC_PROC_DOMAIN_SUSPEND, 0);
	check_full(late);
	CHECK(call(stage.client, RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		fd_close(&socks[i]);
	fd_close(&late);
	rig_wait(2);
	/* Who has gone is counted until it is over. */
	CHECK(rig.server.n_later == SERVER_LATER_MAX + 1);
	check_destroyed();
	stage_close();
}

/* Clients that ask and go, again and again. */
static void
test_gone(void)
{
	struct rpc_connect_get_type_ret type = {0};
	int sock;

	stage_run("");
	for (unsigned i = 0; i < 2 * CONNECTIONS + MORE; i++) {
		sock = rig_open(VERBS_ALL);
		ask_much(sock);
		for (int k = 0; k < 4; k++)
			rig_turn(0);
		fd_close(&sock);
		rig_wait(2);
	}
	CHECK(rig.server.n_later >= SERVER_LATER_MAX && rig.server.n_later <= 2 * SERVER_LATER_MAX);
	/* One that has nothing waiting is still served, also by the VM that is so busy. */
	CHECK(call(stage.client, RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
	check_destroyed();
	stage_close();
}

/* Large arguments that are kept for a call that waits. */
static void
test_memory(void)
{
	enum { LARGE = 900 * 1024, ENOUGH = SERVER_LATER_BYTES_MAX / LARGE };
	struct rpc_domain_create_xml_args args = {.xml_desc = NULL};
	struct rpc_header header;
	unsigned refused = 0;
	char *xml = malloc(LARGE + 1);
	int socks[ENOUGH + MORE];

	ASSERT(xml);
	stage_run("");
	xml[LARGE] = '\0';
	for (unsigned i = 0; i < ENOUGH + MORE; i++) {
		/* Each of another name, or it would be refused: they wait for the broker. */
		char name[16];

		(void)snprintf(name, sizeof(name), "vm%u", i);
		args.xml_desc = farm_xml(name, i + 2, "");
		memset(xml, ' ', LARGE);
		memcpy(xml, args.xml_desc, strlen(args.xml_desc));
		args.xml_desc = xml;
		socks[i] = rig_open(VERBS_ALL);
		header = send_call(socks[i], RPC_PROC_DOMAIN_CREATE_XML, &args);
		for (int k = 0; k < 4; k++)
			rig_turn(0);
		if (is_silent(socks[i]))
			continue;
		check_failed(&header, socks[i], VIR_ERR_OPERATION_FAILED, "hold");
		refused++;
	}
	CHECK(refused > 0 && refused <= MORE);
	CHECK(rig.server.later_bytes <= SERVER_LATER_BYTES_MAX + (size_t)5 * RPC_FRAME_MAX);
	/* Small ones are taken. */
	(void)ask(stage.client, RPC_PROC_DOMAIN_SUSPEND, 0);
	rig_turn(0);
	CHECK(is_silent(stage.client));
	for (unsigned i = 0; i < ENOUGH + MORE; i++)
		fd_close(&socks[i]);
	free(xml);
	stage_close();
	CHECK(rig.server.later_bytes == 0);
}

int
main(void)
{
	TEST("with so many calls waiting a client has one at a time, and is told so", test_number);
	TEST("calls of clients that have gone are counted until they are over", test_gone);
	TEST("large calls that wait are bounded in bytes", test_memory);
	return TEST_END();
}
