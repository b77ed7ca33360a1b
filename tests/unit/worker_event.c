/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who subscribed is told what happens to a domain, before the reply of the call that made it
 * happen, and who does not read loses her connection, not others their service.
 */
#include "tests/unit/test.h"

#include "tests/unit/worker_domains.h"
#include "tests/unit/worker_events.h"

/* The next packet must be this event. */
static void
check_event(int sock, int32_t callback, const char *name, int32_t event, int32_t detail)
{
	struct rpc_domain_event_callback_lifecycle_msg msg = receive_event(sock);

	CHECK(msg.callbackID == callback && msg.event == event && msg.detail == detail);
	CHECK_STR(msg.dom.name, name);
	CHECK(msg.dom.id == -1);
}

static struct rpc_header
send_define(int sock, const char *name, unsigned number)
{
	struct rpc_domain_define_xml_args args = {.xml = farm_xml(name, number, "")};

	return send_call(sock, RPC_PROC_DOMAIN_DEFINE_XML, &args);
}

static void
test_before_the_reply(void)
{
	struct rpc_domain_define_xml_ret ret;
	struct rpc_domain_undefine_args args;
	struct rpc_header header;
	int sock;
	int32_t id;

	farm_start();
	sock = rig_open(VERBS_ALL);
	id = subscribe(sock, LIFECYCLE, NULL);
	header = send_define(sock, "vm", 1);
	check_event(sock, id, "vm", EVENT_DEFINED, EVENT_DEFINED_ADDED);
	CHECK(read_reply(sock, &header, &ret) == 0);
	header = send_define(sock, "vm", 1);
	check_event(sock, id, "vm", EVENT_DEFINED, EVENT_DEFINED_UPDATED);
	CHECK(read_reply(sock, &header, &ret) == 0);
	/* What fails has not happened. */
	header = send_define(sock, "other", 1);
	CHECK(read_reply(sock, &header, &ret) == 9);
	args.dom = (struct rpc_domain){.name = rpc_arena_strdup(&rig.arena, "vm"), .id = -1};
	farm_uuid(1, args.dom.uuid);
	header = send_call(sock, RPC_PROC_DOMAIN_UNDEFINE, &args);
	check_event(sock, id, "vm", EVENT_UNDEFINED, EVENT_UNDEFINED_REMOVED);
	CHECK(read_reply(sock, &header, NULL) == 0);
	fd_close(&sock);
	farm_stop();
}

static void
test_several_clients(void)
{
	struct rpc_domain vm, filter = {.name = NULL, .id = -1};
	int maker, all, one, none, other;
	int32_t id_all, id_one, id_twice;

	farm_start();
	filter.name = rpc_arena_strdup(&rig.arena, "it goes by the UUID");
	farm_uuid(2, filter.uuid);
	maker = rig_open(VERBS_ALL);
	all = rig_open(VERBS_VIEW);
	one = rig_open(VERBS_ALL);
	none = rig_open(VERBS_ALL);
	other = rig_open(VERBS_ALL);
	id_all = subscribe(all, LIFECYCLE, NULL);
	id_one = subscribe(one, LIFECYCLE, &filter);
	(void)subscribe(other, 1 /* reboot */, NULL);
	CHECK(farm_define(maker, "one", 1, "", &vm) == 0);
	check_event(all, id_all, "one", EVENT_DEFINED, EVENT_DEFINED_ADDED);
	CHECK(is_silent(one));
	CHECK(farm_define(maker, "two", 2, "", &vm) == 0);
	check_event(all, id_all, "two", EVENT_DEFINED, EVENT_DEFINED_ADDED);
	check_event(one, id_one, "two", EVENT_DEFINED, EVENT_DEFINED_ADDED);
	/* Each subscription of a connection is told by its own id. */
	id_twice = subscribe(one, LIFECYCLE, NULL);
	CHECK(id_twice != id_one);
	CHECK(farm_define(maker, "two", 2, "", &vm) == 0);
	check_event(one, id_one, "two", EVENT_DEFINED, EVENT_DEFINED_UPDATED);
	check_event(one, id_twice, "two", EVENT_DEFINED, EVENT_DEFINED_UPDATED);
	CHECK(is_silent(none));
	CHECK(is_silent(other));
	fd_close(&maker);
	fd_close(&all);
	fd_close(&one);
	fd_close(&none);
	fd_close(&other);
	farm_stop();
}

static void
test_deregistered(void)
{
	struct rpc_connect_domain_event_callback_deregister_any_args args;
	struct rpc_domain vm;
	int sock;

	farm_start();
	sock = rig_open(VERBS_ALL);
	args.callbackID = subscribe(sock, LIFECYCLE, NULL);
	CHECK(call(sock, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, &args, NULL) == 0);
	CHECK(farm_define(sock, "vm", 1, "", &vm) == 0);
	CHECK(is_silent(sock));
	fd_close(&sock);
	farm_stop();
}

/* --- who does not read -------------------------------------------------------------------- */

/* Happenings until the worker has ended a connection; the most that was queued for it meanwhile. */
static size_t
flood(struct client *slow, int reader, int32_t reader_id)
{
	const unsigned before = rig.server.n_clients;
	char name[201];
	struct rpc_domain dom = {.name = name, .id = -1};
	size_t most = 0;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (unsigned i = 0; i < 100000 && rig.server.n_clients == before; i++) {
		event_lifecycle(&rig.server, &dom, EVENT_DEFINED, EVENT_DEFINED_ADDED);
		if (rpc_buffer_left(&slow->wire.out) > most)
			most = rpc_buffer_left(&slow->wire.out);
		rig_turn(0);
		check_event(reader, reader_id, name, EVENT_DEFINED, EVENT_DEFINED_ADDED);
		if (i % 256 == 0)
			rpc_arena_reset(&rig.arena);
	}
	CHECK(rig.server.n_clients == before - 1);
	return most;
}

static void
test_slow_reader(void)
{
	struct rpc_connect_get_type_ret type;
	int slow, reader;
	int32_t reader_id;
	struct client *client;
	size_t most;

	farm_start();
	slow = rig_open(VERBS_VIEW);
	client = rig_client();
	(void)subscribe(slow, LIFECYCLE, NULL);
	reader = rig_open(VERBS_VIEW);
	reader_id = subscribe(reader, LIFECYCLE, NULL);
	most = flood(client, reader, reader_id);
	CHECK(most > 1024 * 1024 && most < 5 * 1024 * 1024);
	CHECK(is_closed(slow));
	CHECK(call(reader, RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
	fd_close(&slow);
	fd_close(&reader);
	farm_stop();
}

/* However full it is, it is ended from the loop, not from under whoever makes the events. */
static void
test_end_comes_from_the_loop(void)
{
	struct rpc_domain dom = {.id = -1};
	struct client *client;
	int slow;

	farm_start();
	slow = rig_open(VERBS_ALL);
	client = rig_client();
	(void)subscribe(slow, LIFECYCLE, NULL);
	dom.name = farm_xml("long", 1, "");
	for (unsigned i = 0; i < 100000 && !client->lost; i++)
		event_lifecycle(&rig.server, &dom, EVENT_DEFINED, EVENT_DEFINED_ADDED);
	CHECK(client->lost && rig.server.n_clients == 1);
	rig_wait(0);
	CHECK(is_closed(slow));
	fd_close(&slow);
	farm_stop();
}

int
main(void)
{
	TEST("an event comes before the reply of the call that caused it", test_before_the_reply);
	TEST("every subscriber is told what she asked for, also who may only look",
		test_several_clients);
	TEST("who deregistered is told nothing", test_deregistered);
	TEST("who does not read is dropped, with bounded memory; who reads is served",
		test_slow_reader);
	TEST("its end comes from the loop", test_end_comes_from_the_loop);
	return TEST_END();
}
