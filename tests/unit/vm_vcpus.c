/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM that runs gets as many virtual CPUs as it is to have, one by one, and no more than the broker counts;
 * whatever the broker, QEMU and the guest say, the call is answered, and the lease is made equal to what
 * there is.
 * test: timeout=360
 */
#include "tests/unit/test.h"

#include "tests/unit/next_worker.h"
#include "worker/vm/vcpus.h"

/* --- what is asked ------------------------------------------------------------------------ */

#define CPU_0 QEMU_CPU(0)
#define ONE   "[" QEMU_NO_CPU(3) "," QEMU_NO_CPU(2) "," QEMU_NO_CPU(1) "," CPU_0 "]"
#define TWO   "[" QEMU_NO_CPU(3) "," QEMU_NO_CPU(2) "," QEMU_PLUGGED_CPU(1) "," CPU_0 "]"
#define THREE "[" QEMU_NO_CPU(3) "," QEMU_PLUGGED_CPU(2) "," QEMU_PLUGGED_CPU(1) "," CPU_0 "]"

static struct {
	bool over;
	enum rpc_handled handled;
	struct rpc_error error;
	uint32_t serial; /* of the ask that waits for the broker's answer; 0: none */
	struct ipc_lease_change change;
	unsigned n_changes;
} ask_state;

static void
told_of_change(const struct ipc_header *header, const void *body)
{
	if (header->type != IPC_LEASE_CHANGE) {
		broker_told(header, body);
		return;
	}
	ask_state.serial = header->serial;
	ask_state.n_changes++;
	memcpy(&ask_state.change, body, sizeof(ask_state.change));
}

static void
is_over(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	(void)arg;
	CHECK(!ask_state.over);
	ask_state.over = true;
	ask_state.handled = handled;
	if (handled == RPC_FAILED)
		ask_state.error = *error;
}

static void
set(uint32_t n)
{
	struct rpc_error error = {0};

	ask_state.over = false;
	CHECK(vms_set_vcpus(farm_domain(VM), n, &error, is_over, NULL) == RPC_LATER);
	rig_turn(0);
}

static bool
is_asked(void)
{
	for (int i = 0; i < 100 && ask_state.serial == 0; i++)
		rig_turn(10);
	return ask_state.serial != 0;
}

/* The broker was asked for so many, and says that. */
static void
broker_changes(uint32_t vcpus, int err)
{
	if (!is_asked()) {
		CHECK(false);
		return;
	}
	CHECK(ask_state.change.id == ID && ask_state.change.vcpus == vcpus);
	CHECK(ask_state.change.memory_kib == 65536);
	broker_sends(IPC_LEASE_CHANGED, ask_state.serial, err, NULL, 0, -1);
	ask_state.serial = 0;
	rig_turn(0);
}

static void
broker_refuses_change(uint32_t vcpus, const char *why)
{
	struct ipc_lease_refused body = {.why = ""};

	CHECK(is_asked());
	(void)snprintf(body.why, sizeof(body.why), "%s", why);
	broker_sends(IPC_LEASE_REFUSED, 0, 0, &body, sizeof(body), -1);
	broker_changes(vcpus, -EDQUOT);
}

static void
turns(void)
{
	for (int i = 0; i < 20; i++)
		rig_turn(0);
}

/* It is over, with so many; what the next worker is told is the same. */
static void
check_over(uint32_t n)
{
	domain_def_auto struct domain_def *def = NULL;
	struct domain *domain = farm_domain(VM);

	turns();
	CHECK(ask_state.over && ask_state.serial == 0);
	CHECK(domain->live->current_vcpus == n && domain->live->vcpus == 4);
	CHECK(domain->config->current_vcpus == 1);
	CHECK(vm_status_read_def(stage.dom.uuid, rig.estate.vms.env, &def) == 0 &&
		def->current_vcpus == n && def->vcpus == 4);
	CHECK(TAILQ_EMPTY(&the_vm()->ops) && rig.estate.jobs.n == 0);
}

static void
check_done(uint32_t n)
{
	check_over(n);
	CHECK(ask_state.handled == RPC_DONE && the_vm()->grant.vcpus == n);
	CHECK(!timer_is_set(&the_vm()->settling));
}

static void
check_refused(int code, const char *words)
{
	CHECK(ask_state.handled == RPC_FAILED && ask_state.error.code == code);
	CHECK_STR(ask_state.error.message, words);
}

/* One of four runs. */
static void
stage_one(void)
{
	struct rpc_domain_define_xml_args args = {
		.xml = "<domain type='qemu'><name>vm</name>"
		       "<uuid>00000000-0000-4000-8000-000000000001</uuid>"
		       "<memory unit='MiB'>64</memory><currentMemory unit='MiB'>32</currentMemory>"
		       "<vcpu current='1'>4</vcpu><os><type>hvm</type></os></domain>"};
	struct rpc_domain_define_xml_ret ret = {0};
	struct rpc_header start;

	memset(&ask_state, 0, sizeof(ask_state));
	stage_open("");
	rig.told = told_of_change;
	CHECK(call(stage.client, RPC_PROC_DOMAIN_DEFINE_XML, &args, &ret) == 0);
	(void)told();
	start = ask_start(0);
	go_to(AT_RUN);
	check_started(&start);
	(void)told();
	CHECK(stage.lease.vcpus == 1 && the_vm()->grant.vcpus == 1);
}

static void
stage_end(void)
{
	CHECK_STR(told(), "");
	broker_ends(ID);
	check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
	stage_close();
}

static void
qemu_lists(const char *cpus)
{
	qemu_hears("query-hotpluggable-cpus");
	qemu_answers(cpus);
}

/* --- more --------------------------------------------------------------------------------- */

/* Three run, two of which were plugged. */
static void
stage_three(void)
{
	stage_one();
	set(3);
	qemu_lists(ONE);
	CHECK(qemu_is_left_alone());
	broker_changes(3, 0);
	qemu_hears("device_add");
	CHECK_STR(qemu_heard("driver"), "qemu64-x86_64-cpu");
	CHECK_STR(qemu_heard("id"), "vcpu1");
	qemu_answers("{}");
	CHECK(farm_domain(VM)->live->current_vcpus == 2 && !ask_state.over);
	qemu_hears("device_add");
	CHECK_STR(qemu_heard("id"), "vcpu2");
	qemu_answers("{}");
	check_done(3);
	CHECK(ask_state.n_changes == 1);
}

static void
test_more(void)
{
	stage_three();
	/* As many as there are: the broker is not asked. */
	set(3);
	qemu_lists(THREE);
	check_done(3);
	CHECK(qemu_is_left_alone() && ask_state.n_changes == 1);
	stage_end();
}

static void
test_limit(void)
{
	stage_one();
	set(2);
	qemu_lists(ONE);
	broker_refuses_change(2, "limit vcpus 1 (policy.conf:3)");
	check_over(1);
	check_refused(VIR_ERR_OPERATION_FAILED,
		"operation failed: domain 'vm' may not have 2 vCPUs now: limit vcpus 1 "
		"(policy.conf:3)");
	CHECK(qemu_is_left_alone() && !timer_is_set(&the_vm()->settling));
	stage_end();
}

/* Not now: it is asked again. */
static void
test_not_now(void)
{
	stage_one();
	set(2);
	qemu_lists(ONE);
	broker_changes(2, -EAGAIN);
	CHECK(!ask_state.over && ask_state.serial == 0 && qemu_is_left_alone());
	broker_changes(2, -EBUSY);
	CHECK(!ask_state.over && ask_state.serial == 0 && qemu_is_left_alone());
	broker_changes(2, 0);
	qemu_hears("device_add");
	qemu_answers("{}");
	check_done(2);
	stage_end();
}

static void
test_no_broker(void)
{
	static const struct {
		int err, code;
		const char *words;
	} cases[] = {
		{-ENOENT, VIR_ERR_OPERATION_FAILED,
			"operation failed: domain is not running any more"},
		{-EPIPE, VIR_ERR_OPERATION_FAILED,
			"operation failed: qemud is being restarted; the domain is left as it is"},
		{-EIO, VIR_ERR_SYSTEM_ERROR,
			"no more vCPUs can be had for the machine: Input/output error"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		stage_one();
		set(4);
		qemu_lists(ONE);
		CHECK(is_asked());
		if (cases[i].err == -EPIPE) {
			fd_close(&rig.broker_fd);
			ASSERT(loop_once(&rig.loop, 100) == 0);
		} else {
			broker_changes(4, cases[i].err);
		}
		CHECK(ask_state.over);
		check_refused(cases[i].code, cases[i].words);
		stage_close();
	}
}

static void
test_broker_says_nothing(void)
{
	stage_one();
	set(2);
	qemu_lists(ONE);
	CHECK(is_asked());
	no_more_time();
	check_refused(VIR_ERR_OPERATION_TIMEOUT,
		"Timed out during operation: the host did not say within 30 seconds whether the "
		"machine may have other vCPUs");
	/* What it says later is what the lease is, and too much: it is given back. */
	broker_changes(2, 0);
	qemu_lists(ONE);
	broker_changes(1, 0);
	turns();
	CHECK(the_vm()->grant.vcpus == 1 && rig.estate.jobs.n == 0);
	stage_end();
}

/* In the middle: as many as were added stay, and the rest of the lease is given back. */
static void
test_refused_by_qemu(void)
{
	stage_one();
	set(4);
	qemu_lists(ONE);
	broker_changes(4, 0);
	qemu_hears("device_add");
	qemu_answers("{}");
	qemu_hears("device_add");
	qemu_refuses("no room");
	CHECK(!ask_state.over);
	broker_changes(2, 0);
	check_over(2);
	check_refused(VIR_ERR_INTERNAL_ERROR,
		"internal error: unable to execute QEMU command 'device_add': \"no room\"");
	CHECK(the_vm()->grant.vcpus == 2);
	stage_end();
}

/* What cannot be given back now is tried later. */
static void
test_settled_later(void)
{
	stage_one();
	set(4);
	qemu_lists(ONE);
	broker_changes(4, 0);
	qemu_hears("device_add");
	qemu_refuses("no room");
	broker_changes(1, -EIO);
	check_over(1);
	CHECK(the_vm()->grant.vcpus == 4);
	pass_time(&the_vm()->settling);
	ask_state.over = false;
	qemu_lists(ONE);
	broker_changes(1, 0);
	turns();
	CHECK(!ask_state.over && the_vm()->grant.vcpus == 1 && rig.estate.jobs.n == 0);
	CHECK(!timer_is_set(&the_vm()->settling));
	stage_end();
}

/* --- lies --------------------------------------------------------------------------------- */

static void
test_lies(void)
{
	static const char *const lies[] = {"{}", "[]", "17", "\"\"", "[" CPU_0 "]",
		"[" CPU_0 "," CPU_0 "," CPU_0 "," CPU_0 "]",
		"[" QEMU_NO_CPU(3) "," QEMU_NO_CPU(2) "," QEMU_NO_CPU(1) "," QEMU_NO_CPU(0) "]"};

	stage_one();
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		set(2);
		qemu_lists(lies[i]);
		check_over(1);
		check_refused(VIR_ERR_INTERNAL_ERROR,
			"internal error: what QEMU answers to 'query-hotpluggable-cpus' cannot be "
			"understood");
	}
	set(2);
	qemu_hears("query-hotpluggable-cpus");
	qemu_refuses("machine does not support hot-plugging CPUs");
	check_over(1);
	check_refused(VIR_ERR_INTERNAL_ERROR,
		"internal error: unable to execute QEMU command 'query-hotpluggable-cpus': "
		"\"machine does not support hot-plugging CPUs\"");
	CHECK(ask_state.n_changes == 0);
	/* It has more than it was given: they are counted, and no more is done. */
	set(2);
	qemu_lists(THREE);
	qemu_hears("device_del");
	CHECK_STR(qemu_heard("id"), "vcpu2");
	qemu_answers("{}");
	qemu_tells(
		"DEVICE_DELETED", "{\"device\":\"vcpu2\",\"path\":\"/machine/peripheral/vcpu2\"}");
	broker_changes(2, 0);
	check_done(2);
	stage_end();
}

/* --- fewer -------------------------------------------------------------------------------- */

static void
test_fewer(void)
{
	stage_three();
	set(1);
	qemu_lists(THREE);
	qemu_hears("device_del");
	CHECK_STR(qemu_heard("id"), "vcpu2");
	/* Of another, and of no device. */
	qemu_tells("DEVICE_DELETED", "{\"device\":\"vcpu22\",\"path\":\"x\"}");
	qemu_answers("{}");
	qemu_tells("DEVICE_DELETED", "{\"path\":\"/machine/peripheral/vcpu2\"}");
	qemu_tells("ACPI_DEVICE_OST",
		"{\"info\":{\"device\":\"vcpu2\",\"slot\":\"2\",\"slot-type\":\"CPU\",\"source\":3,"
		"\"status\":132}}");
	turns();
	CHECK(!ask_state.over && qemu_is_left_alone());
	qemu_tells(
		"DEVICE_DELETED", "{\"device\":\"vcpu2\",\"path\":\"/machine/peripheral/vcpu2\"}");
	CHECK(farm_domain(VM)->live->current_vcpus == 2);
	qemu_hears("device_del");
	CHECK_STR(qemu_heard("id"), "vcpu1");
	CHECK(ask_state.n_changes == 1);
	/* Before QEMU's answer. */
	qemu_tells(
		"DEVICE_DELETED", "{\"device\":\"vcpu1\",\"path\":\"/machine/peripheral/vcpu1\"}");
	qemu_answers("{}");
	broker_changes(1, 0);
	/* What was told of "vcpu22" has somebody look. */
	qemu_lists(ONE);
	check_done(1);
	CHECK(ask_state.n_changes == 2);
	stage_end();
}

static void
test_cannot_go(void)
{
	stage_three();
	set(1);
	qemu_lists("[" QEMU_NO_CPU(3) "," QEMU_PLUGGED_CPU(2) "," QEMU_CPU(1) "," CPU_0 "]");
	check_over(3);
	check_refused(VIR_ERR_CONFIG_UNSUPPORTED,
		"unsupported configuration: failed to find appropriate hotpluggable vcpus to reach "
		"the desired target vcpu count");
	CHECK(qemu_is_left_alone() && ask_state.n_changes == 1);
	stage_end();
}

static void
test_guest(void)
{
	static const struct {
		const char *event, *data;
		int code;
		const char *words;
	} cases[] = {
		{"ACPI_DEVICE_OST",
			"{\"info\":{\"device\":\"vcpu2\",\"slot\":\"2\",\"slot-type\":\"CPU\","
			"\"source\":3,\"status\":129}}",
			VIR_ERR_OPERATION_FAILED,
			"operation failed: unplug of device was rejected by the guest"},
		{"DEVICE_UNPLUG_GUEST_ERROR",
			"{\"device\":\"vcpu2\",\"path\":\"/machine/peripheral/vcpu2\"}",
			VIR_ERR_OPERATION_FAILED,
			"operation failed: unplug of device was rejected by the guest"},
		{NULL, NULL, VIR_ERR_OPERATION_TIMEOUT,
			"Timed out during operation: vcpu unplug request timed out. Unplug result "
			"must be manually inspected in the domain"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		stage_three();
		set(2);
		qemu_lists(THREE);
		qemu_hears("device_del");
		qemu_answers("{}");
		CHECK(!ask_state.over);
		if (cases[i].event)
			qemu_tells(cases[i].event, cases[i].data);
		/* It has five seconds. */
		for (int turn = 0; turn < 1000 && !ask_state.over; turn++)
			rig_turn(10);
		check_over(3);
		check_refused(cases[i].code, cases[i].words);
		CHECK(ask_state.n_changes == 1 && the_vm()->grant.vcpus == 3);
		/* Now it lets go: nobody waits, and the lease follows. */
		ask_state.over = false;
		qemu_tells("DEVICE_DELETED", "{\"device\":\"vcpu2\",\"path\":\"x\"}");
		qemu_lists(TWO);
		broker_changes(2, 0);
		turns();
		CHECK(!ask_state.over && farm_domain(VM)->live->current_vcpus == 2);
		CHECK(the_vm()->grant.vcpus == 2 && rig.estate.jobs.n == 0);
		stage_end();
	}
}

/* --- while something else happens --------------------------------------------------------- */

static void
test_not_running(void)
{
	struct rpc_error error = {0};

	stage_open("");
	CHECK(vms_set_vcpus(farm_domain(VM), 2, &error, is_over, NULL) == RPC_FAILED);
	CHECK(error.code == VIR_ERR_OPERATION_INVALID);
	CHECK_STR(error.message, "Requested operation is not valid: domain is not running");
	stage_close();
}

/* One after the other. */
static void
test_two(void)
{
	struct rpc_error error = {0};

	stage_one();
	set(2);
	CHECK(vms_set_vcpus(farm_domain(VM), 3, &error, is_over, NULL) == RPC_LATER);
	qemu_lists(ONE);
	broker_changes(2, 0);
	qemu_hears("device_add");
	qemu_answers("{}");
	CHECK(ask_state.over && ask_state.handled == RPC_DONE);
	ask_state.over = false;
	qemu_lists(TWO);
	broker_changes(3, 0);
	qemu_hears("device_add");
	qemu_answers("{}");
	check_done(3);
	stage_end();
}

/* At any moment QEMU ends. */
static void
test_ends(void)
{
	for (int at = 0; at < 4; at++) {
		stage_three();
		set(at < 3 ? 4 : 2);
		qemu_hears("query-hotpluggable-cpus");
		if (at > 0)
			qemu_answers(THREE);
		if (at == 1)
			CHECK(is_asked());
		if (at == 2)
			broker_changes(4, 0);
		broker_ends(ID);
		CHECK(ask_state.over);
		check_refused(VIR_ERR_OPERATION_FAILED,
			"operation failed: domain is not running any more");
		(void)told();
		check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
		stage_close();
	}
}

/* The worker goes in the middle; the next one finds more, or fewer, than the lease is for. */
static void
adopts(uint32_t leased, const char *cpus, uint32_t n)
{
	struct ipc_lease_found found = {.id = ID,
		.pid = (uint32_t)getpid(),
		.vcpus = leased,
		.memory_kib = leased ? 65536 : 0};

	fd_close(&qemu.monitor);
	begin_again();
	rig.told = told_of_change;
	ask_state.serial = 0;
	ask_state.n_changes = 0;
	memcpy(found.uuid, stage.dom.uuid, sizeof(found.uuid));
	broker_sends(IPC_LEASE_FOUND, stage.next_serial, 0, &found, sizeof(found), -1);
	rig_turn(0);
	lists_no_more(-ENOENT);
	qemu_opens(VM, "running");
	qemu_hears("query-balloon");
	qemu_answers("{\"actual\":41943040}");
	qemu_lists(cpus);
	check_adopted();
	CHECK(farm_domain(VM)->live->current_vcpus == n);
	if (leased != 0 && leased != n) {
		qemu_lists(cpus);
		broker_changes(n, -EBUSY);
		broker_changes(n, 0);
		CHECK(the_vm()->grant.vcpus == n);
	}
	turns();
	CHECK(ask_state.serial == 0 && rig.estate.jobs.n == 0 && qemu_is_left_alone());
}

static void
test_next_worker(void)
{
	stage_one();
	set(3);
	qemu_lists(ONE);
	broker_changes(3, 0);
	qemu_hears("device_add");
	/* Nobody has heard whether it was. */
	adopts(3, TWO, 2);
	adopts(2, ONE, 1); /* it has gone, and nobody was told */
	adopts(1, ONE, 1);
	adopts(1, THREE, 3); /* more than it may have, but QEMU says so */
	adopts(0, TWO, 2);   /* nobody knows what it may have */
	broker_ends(ID);
	(void)told();
	check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
	stage_close();
}

int
main(void)
{
	TEST("the lease first, then one by one, the lowest first", test_more);
	TEST("what a limit is against is refused by its line", test_limit);
	TEST("what is not to be had now is asked for again", test_not_now);
	TEST("a machine that has gone, a broker that has, and any other error are told",
		test_no_broker);
	TEST("a broker that says nothing costs this call", test_broker_says_nothing);
	TEST("what QEMU refuses in the middle leaves what there is, with a lease for that",
		test_refused_by_qemu);
	TEST("what cannot be given back now is given back later", test_settled_later);
	TEST("a QEMU that lies costs this call", test_lies);
	TEST("the highest goes first, and the lease last", test_fewer);
	TEST("none is asked to go if not all can", test_cannot_go);
	TEST("a guest that does not let go is told of, and may do it later", test_guest);
	TEST("one that does not run is told", test_not_running);
	TEST("one change after the other", test_two);
	TEST("a QEMU that ends in the middle ends it", test_ends);
	TEST("the next worker makes the lease equal to what there is", test_next_worker);
	return TEST_END();
}
