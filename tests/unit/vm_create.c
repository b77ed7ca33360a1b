/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A machine that is created from XML runs without being kept, nothing is left of one that fails,
 * and one that is to end with its connection does, whoever serves that.
 */
#include "tests/unit/test.h"

#include "tests/unit/next_worker.h"

enum { PAUSED = 1, AUTODESTROY = 2 };

static struct rpc_header
ask_create_as(int sock, const char *name, unsigned number, const char *more, uint32_t flags)
{
	struct rpc_domain_create_xml_args args = {
		.xml_desc = farm_xml(name, number, more), .flags = flags};

	return send_call(sock, RPC_PROC_DOMAIN_CREATE_XML, &args);
}

static struct rpc_header
ask_create(const char *more, uint32_t flags)
{
	return ask_create_as(stage.client, "vm", VM, more, flags);
}

/* The domain of the stage is not defined any more. */
static void
begin_transient(void)
{
	stage_open("");
	CHECK(ask_now(RPC_PROC_DOMAIN_UNDEFINE, 0) == 0);
	CHECK_STR(told(), "undefined 0");
}

static void
check_created(int sock, const struct rpc_header *header)
{
	struct rpc_domain_create_xml_ret ret = {.dom = {.id = -1}};

	CHECK(read_reply(sock, header, &ret) == 0);
	CHECK(ret.dom.id == ID && memcmp(ret.dom.uuid, stage.dom.uuid, 16) == 0);
	CHECK_STR(ret.dom.name, "vm");
}

/* As if it had never been. */
static void
check_gone(void)
{
	qemu_ends();
	for (int i = 0; i < 3; i++)
		rig_turn(0);
	CHECK(!farm_domain(VM) && rig.estate.domains.n == 0);
	CHECK(rig.estate.vms.n == 0 && rig.estate.jobs.n == 0 && n_files() == 0);
	CHECK(access("../.qemud/domains/vm.xml", F_OK) != 0);
}

static void
test_transient(void)
{
	struct rpc_header header;

	begin_transient();
	header = ask_create("<title>t</title>", 0);
	go_to(AT_RUN);
	check_created(stage.client, &header);
	CHECK_STR(told(), "resumed 0, started 0");
	CHECK(farm_domain(VM) && !farm_domain(VM)->config);
	CHECK(ask_now(RPC_PROC_DOMAIN_UNDEFINE, 0) == VIR_ERR_OPERATION_INVALID);
	CHECK_STR(call_error.message,
		"Requested operation is not valid: cannot undefine transient domain");
	broker_ends(ID);
	CHECK_STR(told(), "stopped 5");
	check_gone();
	stage_close();
}

static void
test_paused(void)
{
	struct rpc_header header;

	begin_transient();
	/* VALIDATE and RESET_NVRAM change nothing. */
	header = ask_create("", PAUSED | 0x10 | 0x20);
	go_to(AT_STATUS);
	qemu_answers("{\"status\":\"prelaunch\",\"running\":false}");
	qemu_hears("balloon");
	qemu_answers("{}");
	check_created(stage.client, &header);
	check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_USER);
	CHECK_STR(told(), "started 0, suspended 0");
	stage_close();
}

/* Over a definition that does not run: that stays as it was. */
static void
test_over_definition(void)
{
	struct rpc_header header;

	stage_open("<title>kept</title>");
	header = ask_create("<title>runs</title>", 0);
	go_to(AT_RUN);
	check_created(stage.client, &header);
	(void)told();
	CHECK_STR(farm_domain(VM)->live->title, "runs");
	CHECK_STR(farm_domain(VM)->config->title, "kept");
	broker_ends(ID);
	check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
	CHECK_STR(farm_domain(VM)->config->title, "kept");
	(void)told();
	header = ask_create("<title>runs</title>", 0);
	go_to(AT_LEASE);
	broker_refuses(-EIO);
	CHECK(read_reply(stage.client, &header, NULL) != 0);
	CHECK_STR(told(), "");
	check_nothing_left(DOMAIN_SHUTOFF_FAILED);
	CHECK_STR(farm_domain(VM)->config->title, "kept");
	stage_close();
}

/* What was created is defined while it runs: it stays. */
static void
test_defined_later(void)
{
	struct rpc_header header;

	begin_transient();
	header = ask_create("", 0);
	go_to(AT_RUN);
	check_created(stage.client, &header);
	(void)told();
	CHECK(farm_define(stage.client, "vm", VM, "", &stage.dom) == 0);
	CHECK_STR(told(), "defined 0");
	CHECK(farm_define(stage.client, "vm", VM, "", &stage.dom) == 0);
	CHECK_STR(told(), "defined 1");
	broker_ends(ID);
	check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
	stage_close();
}

static void
refused(const struct rpc_header *header, int code, const char *kind, const char *message)
{
	CHECK(read_reply(stage.client, header, NULL) == code);
	CHECK_STR(call_error_kind(), kind);
	CHECK_STR(call_error.message, message);
}

static void
test_refused(void)
{
	struct rpc_header header;
	struct rpc_domain other;

	stage_run("");
	CHECK(farm_define(stage.client, "other", 2, "", &other) == 0);
	header = ask_create("", 0);
	refused(&header, 55, "55/20",
		"Requested operation is not valid: domain 'vm' is already active");
	header = ask_create_as(stage.client, "else", VM, "", 0);
	refused(&header, 9, "9/20",
		"operation failed: domain 'vm' is already defined with uuid "
		"00000000-0000-4000-8000-000000000001");
	header = ask_create_as(stage.client, "other", 3, "", 0);
	refused(&header, 9, "9/20",
		"operation failed: domain 'other' already exists with uuid "
		"00000000-0000-4000-8000-000000000002");
	header = ask_create("", 0xffffffff);
	refused(&header, 8, "8/10",
		"unsupported flags (0xffffffcc) in function virDomainCreateXML");
	header = ask_create_as(stage.client, "bad", 4, "<cputune/>", 0);
	CHECK(read_reply(stage.client, &header, NULL) == VIR_ERR_CONFIG_UNSUPPORTED);
	header = send_call(stage.client, RPC_PROC_DOMAIN_CREATE_XML,
		&(struct rpc_domain_create_xml_args){
			.xml_desc = rpc_arena_strdup(&rig.arena, "<domain")});
	CHECK(read_reply(stage.client, &header, NULL) == VIR_ERR_XML_DETAIL);
	CHECK(rig.estate.domains.n == 2 && rig.estate.vms.n == 1);
	stage_close();
}

/* Ended at each step of its start. */
static void
test_fails(void)
{
	for (enum at at = AT_BEGIN; at < AT_RUN; at++) {
		struct rpc_header header, destroy;
		int other;

		begin_transient();
		other = rig_open(VERBS_ALL);
		header = ask_create("", 0);
		go_to(at);
		rig_turn(0);
		destroy = ask(other, RPC_PROC_DOMAIN_DESTROY, 0);
		if (at > AT_LEASE)
			broker_ends(ID);
		else if (stage.lease_serial != 0)
			broker_refuses(-EIO);
		CHECK(read_reply(stage.client, &header, NULL) != 0);
		CHECK(read_reply(other, &destroy, NULL) == 0);
		CHECK_STR(told(), "");
		check_gone();
		fd_close(&other);
		stage_close();
	}
}

/* --- what ends with its connection -------------------------------------------------------- */

static void
close_now(int *sock)
{
	fd_close(sock);
	for (int i = 0; i < 3; i++)
		rig_turn(0);
}

/* Created, or started, by a connection of its own, which is returned. */
static int
owned(bool transient)
{
	struct rpc_header header;
	int owner;

	if (transient)
		begin_transient();
	else
		stage_open("");
	owner = rig_open(VERBS_ALL);
	header = transient ? ask_create_as(owner, "vm", VM, "", AUTODESTROY)
			   : ask(owner, RPC_PROC_DOMAIN_CREATE_WITH_FLAGS, AUTODESTROY);
	go_to(AT_RUN);
	check_created(owner, &header);
	CHECK_STR(told(), "resumed 0, started 0");
	return owner;
}

static void
test_autodestroy(void)
{
	for (int transient = 0; transient < 2; transient++) {
		int owner = owned(transient), other = rig_open(VERBS_ALL);
		struct vm_status status;

		CHECK(vm_status_read(stage.dom.uuid, &status) == 0 && status.autodestroy);
		close_now(&other);
		CHECK(stage.n_stops == 0);
		close_now(&owner);
		CHECK(stage.n_stops == 1 && stage.stopped == ID);
		broker_ends(ID);
		CHECK_STR(told(), "stopped 1");
		if (transient)
			check_gone();
		else
			check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
		stage_close();
	}
}

/* Who says that she closes is answered when it has ended. */
static void
test_autodestroy_close(void)
{
	int owner = owned(false);
	struct rpc_header header = send_call(owner, RPC_PROC_CONNECT_CLOSE, NULL);

	rig_turn(0);
	CHECK(stage.n_stops == 1 && is_silent(owner));
	CHECK(farm_domain(VM)->live != NULL);
	broker_ends(ID);
	CHECK(!farm_domain(VM)->live);
	CHECK(read_reply(owner, &header, NULL) == 0);
	CHECK_STR(told(), "stopped 1");
	fd_close(&owner);
	/* She does not wait for the answer. */
	qemu_ends();
	owner = rig_open(VERBS_ALL);
	(void)ask(owner, RPC_PROC_DOMAIN_CREATE_WITH_FLAGS, AUTODESTROY);
	go_to(AT_RUN);
	(void)told();
	(void)send_call(owner, RPC_PROC_CONNECT_CLOSE, NULL);
	close_now(&owner);
	broker_ends(ID);
	CHECK_STR(told(), "stopped 1");
	check_nothing_left(DOMAIN_SHUTOFF_DESTROYED);
	stage_close();
}

/* The connection ends while it starts, at any step. */
static void
test_autodestroy_early(void)
{
	for (enum at at = AT_BEGIN; at < AT_RUN; at++) {
		int owner;

		begin_transient();
		owner = rig_open(VERBS_ALL);
		(void)ask_create_as(owner, "vm", VM, "", AUTODESTROY);
		go_to(at);
		rig_turn(0);
		close_now(&owner);
		if (at > AT_LEASE)
			broker_ends(ID);
		else if (stage.lease_serial != 0)
			broker_refuses(-EIO);
		rig_turn(0);
		CHECK_STR(told(), "");
		check_gone();
		stage_close();
	}
}

/* It has ended before, and runs again for somebody else. */
static void
test_autodestroy_over(void)
{
	struct rpc_header start;
	int owner = owned(false);

	broker_ends(ID);
	(void)told();
	qemu_ends();
	start = ask_start(0);
	go_to(AT_RUN);
	check_started(&start);
	CHECK(!the_vm()->autodestroy);
	close_now(&owner);
	CHECK(stage.n_stops == 0);
	stage_close();
}

/* Not even in the short time in which a killed worker is replaced. */
static void
test_autodestroy_adopted(void)
{
	int owner = owned(true);

	fd_close(&qemu.monitor);
	begin_again();
	lists_it();
	CHECK(stage.n_stops == 1 && stage.stopped == ID && n_adopted == 0);
	broker_ends(ID);
	check_adopted();
	check_gone();
	fd_close(&owner);
	stage_close();
}

int
main(void)
{
	TEST("it runs, and is gone when it has ended", test_transient);
	TEST("paused", test_paused);
	TEST("over a definition", test_over_definition);
	TEST("what is defined while it runs stays", test_defined_later);
	TEST("clashes, flags and definitions are refused in libvirt's words", test_refused);
	TEST("nothing is left of one that fails", test_fails);
	TEST("one that ends with its connection", test_autodestroy);
	TEST("who closes it is answered when that has ended", test_autodestroy_close);
	TEST("also when that is while it starts", test_autodestroy_early);
	TEST("one that has ended before is another", test_autodestroy_over);
	TEST("the next worker ends it", test_autodestroy_adopted);
	return TEST_END();
}
