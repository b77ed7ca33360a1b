/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every packet has the answer that the fixed order of checks gives it, and odd ones cost nothing.
 *
 * The whole table is walked, on connections with few and with all verbs; what each row should
 * answer is worked out here from the row alone.
 */
#include "tests/unit/test.h"

#include "tests/unit/worker.h"

/* A procedure that nothing else has a handler for, and that needs more when it is asked for more.
 */
int
rpc_domain_checkpoint_get_xml_desc(struct rpc_call *call,
	const struct rpc_domain_checkpoint_get_xml_desc_args *args,
	struct rpc_domain_checkpoint_get_xml_desc_ret *ret)
{
	(void)args;
	return call_return_string(call, "<domaincheckpoint/>", &ret->xml);
}

/* Call a number with an empty payload; the serial shows that the right one was answered. */
static int
bare_call(int sock, uint32_t program, int32_t procedure, struct rpc_header *ret_header)
{
	*ret_header = call_header(procedure, call_serial++);
	ret_header->program = program;
	ASSERT(send_raw(sock, ret_header, NULL, 0));
	return read_reply(sock, ret_header, rpc_arena_array(&rig.arena, 1, 4096));
}

static void
check_unknown(int32_t procedure)
{
	char text[64];

	(void)snprintf(text, sizeof text, "unknown procedure: %d", procedure);
	CHECK_STR(call_error_kind(), "39/7");
	CHECK_STR(call_error.message, text);
}

static void
check_refused(const struct rpc_procedure *row)
{
	char text[128];

	(void)snprintf(
		text, sizeof text, "operation forbidden: read only access prevents %s", row->api);
	CHECK_STR(call_error_kind(), "29/20");
	CHECK_STR(call_error.message, text);
}

/* What every number from below the first to beyond the last is told on a connection. */
static void
sweep(uint32_t program, int32_t from, int32_t to, uint32_t verbs)
{
	int sock = rig_open(verbs);
	struct rpc_header header;

	for (int32_t i = from; i <= to; i++) {
		const struct rpc_procedure *row = rpc_procedure_find(program, i);
		int r;

		if (row && (row->number == RPC_PROC_CONNECT_CLOSE && program == RPC_PROGRAM_REMOTE))
			continue;
		r = bare_call(sock, program, i, &header);
		if (!row || row->is_event)
			check_unknown(i);
		else if (row->verb & ~verbs)
			check_refused(row);
		else if (!rpc_procedure_is_implemented(row))
			check_unknown(i);
		else if (row->args && row->args->min > 0)
			CHECK(r == VIR_ERR_RPC && strcmp(call_error.message,
							  "Unable to decode message payload") == 0);
		else
			CHECK(r != VIR_ERR_RPC && r != VIR_ERR_OPERATION_DENIED);
	}
	fd_close(&sock);
}

static void
test_read_only_sweep(void)
{
	rig_start();
	sweep(RPC_PROGRAM_REMOTE, -2, 500, VERBS_VIEW);
	sweep(RPC_PROGRAM_QEMU, -2, 12, VERBS_VIEW);
	rig_stop();
}

static void
test_full_sweep(void)
{
	rig_start();
	sweep(RPC_PROGRAM_REMOTE, -2, 500, VERBS_ALL);
	sweep(RPC_PROGRAM_QEMU, -2, 12, VERBS_ALL);
	rig_stop();
}

/* Before CONNECT_OPEN whatever needs a verb says so; the order of checks stays what it is. */
static void
test_not_open(void)
{
	struct rpc_domain_lookup_by_id_args args = {.id = 1};
	struct rpc_domain_lookup_by_id_ret ret = {0};
	struct rpc_header header;
	int sock;

	rig_start();
	sock = rig_connect(VERBS_VIEW);
	CHECK(call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_ID, &args, &ret) == VIR_ERR_INTERNAL_ERROR);
	CHECK_STR(call_error_kind(), "1/7");
	CHECK_STR(call_error.message, "internal error: hypervisor connection not open");
	CHECK(bare_call(sock, RPC_PROGRAM_REMOTE, RPC_PROC_DOMAIN_LOOKUP_BY_ID, &header) ==
		VIR_ERR_RPC);
	CHECK(bare_call(sock, RPC_PROGRAM_REMOTE, RPC_PROC_DOMAIN_DESTROY, &header) ==
		VIR_ERR_OPERATION_DENIED);
	CHECK(bare_call(sock, RPC_PROGRAM_REMOTE, 999, &header) == VIR_ERR_RPC);
	fd_close(&sock);
	rig_stop();
}

/* A flag that asks for more than the row's verb. */
static void
test_verb_by_flags(void)
{
	static const struct {
		uint32_t verbs, flags;
		int result;
	} cases[] = {
		{VERBS_VIEW, 0, 0},
		{VERBS_VIEW, 2, 0},
		{VERBS_VIEW, 1, VIR_ERR_OPERATION_DENIED},
		{VERBS_VIEW, 3, VIR_ERR_OPERATION_DENIED},
		{VERB_VIEW | VERB_POWER, 1, VIR_ERR_OPERATION_DENIED},
		{VERBS_ALL, 1, 0},
	};

	rig_start();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char name[] = "x";
		struct rpc_domain_checkpoint_get_xml_desc_args args = {
			.checkpoint = {.name = name, .dom = {.name = name}},
			.flags = cases[i].flags};
		struct rpc_domain_checkpoint_get_xml_desc_ret ret = {0};
		int sock = rig_open(cases[i].verbs);

		CHECK(call(sock, RPC_PROC_DOMAIN_CHECKPOINT_GET_XML_DESC, &args, &ret) ==
			cases[i].result);
		if (cases[i].result != 0)
			CHECK_STR(call_error.message,
				"operation forbidden: read only access prevents "
				"virDomainCheckpointGetXMLDesc with these arguments");
		fd_close(&sock);
	}
	rig_stop();
}

static void
test_unknown_programs(void)
{
	static const struct {
		uint32_t program, version;
		const char *text;
	} cases[] = {
		{0x20008088, 1, "Cannot find program 536903816 version 1"},
		{RPC_PROGRAM_REMOTE, 2, "Cannot find program 536903814 version 2"},
		{RPC_PROGRAM_REMOTE, 0, "Cannot find program 536903814 version 0"},
		{RPC_PROGRAM_QEMU, 7, "Cannot find program 536903815 version 7"},
		{RPC_PROGRAM_KEEPALIVE, 1, "Cannot find program 1801807216 version 1"},
		{0x06900690, 1, "Cannot find program 110102160 version 1"},
		{0, 0, "Cannot find program 0 version 0"},
	};
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rpc_header header = call_header(1, call_serial++);

		header.program = cases[i].program;
		header.version = cases[i].version;
		CHECK(send_raw(sock, &header, NULL, 0));
		CHECK(read_reply(sock, &header, NULL) == VIR_ERR_RPC);
		CHECK_STR(call_error_kind(), "39/7");
		CHECK_STR(call_error.message, cases[i].text);
	}
	fd_close(&sock);
	rig_stop();
}

static void
test_status_of_a_call(void)
{
	static const uint32_t statuses[] = {RPC_ERROR, RPC_CONTINUE, 7, UINT32_MAX};
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct rpc_header header = call_header(RPC_PROC_CONNECT_GET_TYPE, call_serial++);

		header.status = statuses[i];
		CHECK(send_raw(sock, &header, NULL, 0));
		CHECK(read_reply(sock, &header, NULL) == VIR_ERR_RPC);
		CHECK_STR(call_error_kind(), "39/7");
	}
	fd_close(&sock);
	rig_stop();
}

/* A packet of this type is dropped: the next reply is the next call's. */
static void
test_not_calls(void)
{
	static const uint32_t types[] = {RPC_REPLY, RPC_MESSAGE, RPC_STREAM, RPC_REPLY_WITH_FDS,
		RPC_STREAM_HOLE, 7, 99, UINT32_MAX};
	struct rpc_connect_get_type_ret ret = {0};
	int sock;

	rig_start();
	sock = rig_open(VERBS_ALL);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct rpc_header header = call_header(RPC_PROC_CONNECT_GET_TYPE, 0xdead);

		header.type = types[i];
		CHECK(send_raw(sock, &header, "\0\0\0\1rest", 8));
		CHECK(send_raw(sock, &header, NULL, 0));
		CHECK(call(sock, RPC_PROC_CONNECT_GET_TYPE, NULL, &ret) == 0);
		CHECK_STR(ret.type, "QEMU");
	}
	fd_close(&sock);
	rig_stop();
}

static void
test_keepalive_messages(void)
{
	struct rpc_header ping = {.program = RPC_PROGRAM_KEEPALIVE,
		.version = RPC_VERSION,
		.procedure = RPC_KEEPALIVE_PING,
		.type = RPC_MESSAGE,
		.serial = 77};
	struct rpc_connect_get_type_ret ret = {0};
	struct rpc_frame frame = {.size = 0};
	int sock;

	rig_start();
	sock = rig_connect(VERBS_VIEW);
	/* As the very first packet, whatever its serial. */
	CHECK(send_raw(sock, &ping, NULL, 0) && receive_frame(sock, &frame));
	CHECK(rpc_keepalive_is(&frame.header) && frame.size == 0);
	CHECK(frame.header.procedure == RPC_KEEPALIVE_PONG && frame.header.serial == 0);
	/* What is no ping is dropped. */
	for (int32_t procedure = 2; procedure < 5; procedure++) {
		ping.procedure = procedure;
		CHECK(send_raw(sock, &ping, NULL, 0));
	}
	ping.procedure = RPC_KEEPALIVE_PING;
	ping.version = 3;
	CHECK(send_raw(sock, &ping, NULL, 0));
	CHECK(call(sock, RPC_PROC_CONNECT_GET_TYPE, NULL, &ret) == VIR_ERR_INTERNAL_ERROR);
	fd_close(&sock);
	rig_stop();
}

/* Bytes after the arguments are ignored; missing ones, and bad counts, are told. */
static void
test_arguments(void)
{
	static const struct {
		const char *payload;
		size_t size;
		int code;
	} cases[] = {
		{"\0\0\0\1x\0\0\0", 8, VIR_ERR_NO_DOMAIN},
		{"\0\0\0\1x\0\0\0more", 12, VIR_ERR_NO_DOMAIN},
		{"\0\0\0\1xyz!", 8, VIR_ERR_NO_DOMAIN},
		{"\0\0\0\3x\0y\0", 8, VIR_ERR_NO_DOMAIN},
		{"\0\0\0\0", 4, VIR_ERR_NO_DOMAIN},
		{"\0\0\0\5x\0\0\0", 8, VIR_ERR_RPC},
		{"\0\0\0\1", 4, VIR_ERR_RPC},
		{"\0\100\0\1x\0\0\0", 8, VIR_ERR_RPC},
		{"\377\377\377\377x\0\0\0", 8, VIR_ERR_RPC},
		{"", 0, VIR_ERR_RPC},
	};
	int sock;

	rig_start();
	sock = rig_open(VERBS_VIEW);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rpc_header header =
			call_header(RPC_PROC_DOMAIN_LOOKUP_BY_NAME, call_serial++);

		CHECK(send_raw(sock, &header, cases[i].payload, cases[i].size));
		CHECK(read_reply(sock, &header, NULL) == cases[i].code);
	}
	fd_close(&sock);
	rig_stop();
}

/* A serial may come again; it is echoed each time. */
static void
test_same_serial(void)
{
	struct rpc_header header = call_header(RPC_PROC_AUTH_LIST, UINT32_MAX);
	struct rpc_auth_list_ret ret = {0};
	int sock;

	rig_start();
	sock = rig_connect(VERBS_VIEW);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(send_raw(sock, &header, NULL, 0));
		CHECK(read_reply(sock, &header, &ret) == 0 && ret.n_types == 1 &&
			ret.types[0] == 0);
	}
	fd_close(&sock);
	rig_stop();
}

int
main(void)
{
	TEST("each number 0 to 500 on a read-only connection", test_read_only_sweep);
	TEST("each number 0 to 500 on a connection with all verbs", test_full_sweep);
	TEST("what needs an open connection says so, after the checks before", test_not_open);
	TEST("a verb that the arguments ask for is checked", test_verb_by_flags);
	TEST("unknown programs and versions are told, echoed", test_unknown_programs);
	TEST("a call has status 0", test_status_of_a_call);
	TEST("what is no call is dropped", test_not_calls);
	TEST("a ping is answered, other keepalive messages are dropped", test_keepalive_messages);
	TEST("arguments are decoded as libvirtd does", test_arguments);
	TEST("serials are echoed, also twice", test_same_serial);
	return TEST_END();
}
