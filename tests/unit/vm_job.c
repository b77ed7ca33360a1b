/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whoever asks what is being done to a domain, what is wrong with its disks or how it is addressed, is
 * told so or told why not, and changes nothing.
 */
#include "tests/unit/test.h"

#include "tests/unit/vm_stage.h"

__attribute__((used)) static void (*const served_job[])(void) = {
	(void (*)(void))rpc_domain_get_control_info,
	(void (*)(void))rpc_domain_get_disk_errors,
	(void (*)(void))rpc_domain_interface_addresses,
};

static char disk[] = "/tmp/qemud-job-XXXXXX";

static void
begin(void)
{
	char elements[512];
	struct rpc_header start;
	int fd;

	memcpy(strrchr(disk, '-') + 1, "XXXXXX", 6);
	fd = mkstemp(disk);
	ASSERT(fd >= 0 && ftruncate(fd, 4096) == 0);
	fd_close(&fd);
	(void)snprintf(elements, sizeof(elements),
		"<devices><disk type='file'><driver name='qemu' type='raw'/><source file='%s'/>"
		"<target dev='vda'/></disk></devices>",
		disk);
	stage_open(elements);
	start = ask_start(0);
	go_to(AT_RUN);
	check_started(&start);
}

static void
end(void)
{
	stage_close();
	CHECK(unlink(disk) == 0);
}

/* --- control ------------------------------------------------------------------------------ */

/* state and details, as 10 * state + details; or the negative code of the error. */
static int
control(int sock)
{
	struct rpc_domain_get_control_info_args args = {.dom = stage.dom};
	struct rpc_domain_get_control_info_ret ret;
	int r = call(sock, RPC_PROC_DOMAIN_GET_CONTROL_INFO, &args, &ret);

	CHECK(r != 0 || ret.stateTime == 0);
	return r == 0 ? (int)(10 * ret.state + ret.details) : -r;
}

static void
test_control(void)
{
	struct rpc_header suspend;
	int other;

	begin();
	other = rig_open(VERBS_VIEW);
	CHECK(control(other) == 0);
	suspend = ask(stage.client, RPC_PROC_DOMAIN_SUSPEND, 0);
	qemu_hears("stop");
	CHECK(control(other) == 20);
	qemu_answers("{}");
	CHECK(read_reply(stage.client, &suspend, NULL) == 0);
	CHECK(control(other) == 0);
	the_vm()->control_lost = true;
	CHECK(control(other) == 32);
	CHECK(qemu_is_left_alone());
	fd_close(&other);
	end();
}

/* --- jobs --------------------------------------------------------------------------------- */

static void
test_jobs(void)
{
	struct rpc_domain_get_job_info_args info = {.dom = {.name = NULL}};
	struct rpc_domain_get_job_info_ret job;
	struct rpc_domain_get_job_stats_args args = {.flags = 0};
	struct rpc_domain_get_job_stats_ret stats;
	struct rpc_domain_abort_job_args abort_job;

	begin();
	info.dom = args.dom = abort_job.dom = stage.dom;
	CHECK(call(stage.client, RPC_PROC_DOMAIN_GET_JOB_INFO, &info, &job) == 0);
	CHECK(job.type == 0 && job.timeElapsed == 0);
	for (args.flags = 0; args.flags < 4; args.flags++) {
		CHECK(call(stage.client, RPC_PROC_DOMAIN_GET_JOB_STATS, &args, &stats) == 0);
		CHECK(stats.type == 0 && stats.n_params == 0);
	}
	CHECK(call(stage.client, RPC_PROC_DOMAIN_GET_JOB_STATS, &args, &stats) ==
		VIR_ERR_INVALID_ARG);
	CHECK(call(stage.client, RPC_PROC_DOMAIN_ABORT_JOB, &abort_job, NULL) ==
		VIR_ERR_OPERATION_INVALID);
	CHECK_STR(call_error.message,
		"Requested operation is not valid: no job is active on the domain");
	CHECK(qemu_is_left_alone());
	end();
}

/* --- disks -------------------------------------------------------------------------------- */

/* The error of the one disk; 0 when it has none. */
static int
disk_error(const char *state)
{
	struct rpc_domain_get_disk_errors_args args = {.dom = stage.dom, .maxerrors = 8};
	struct rpc_domain_get_disk_errors_ret ret;
	struct rpc_header header = send_call(stage.client, RPC_PROC_DOMAIN_GET_DISK_ERRORS, &args);

	qemu_hears("query-block");
	qemu_answers(state);
	CHECK(read_reply(stage.client, &header, &ret) == 0);
	CHECK(ret.nerrors == (int32_t)ret.n_errors && ret.n_errors <= 1);
	if (ret.n_errors == 0)
		return 0;
	CHECK_STR(ret.errors[0].disk, "vda");
	return ret.errors[0].error;
}

static void
test_disk_errors(void)
{
	struct rpc_domain_get_disk_errors_args args = {.maxerrors = 0};
	struct rpc_domain_get_disk_errors_ret ret;
	struct rpc_header header;

	begin();
	args.dom = stage.dom;
	CHECK(call(stage.client, RPC_PROC_DOMAIN_GET_DISK_ERRORS, &args, &ret) == 0);
	CHECK(ret.nerrors == 1 && ret.n_errors == 0 && qemu_is_left_alone());
	CHECK(disk_error("[{\"qdev\":\"virtio-disk0\",\"io-status\":\"ok\"}]") == 0);
	CHECK(disk_error("[{\"qdev\":\"/machine/peripheral/virtio-disk0/virtio-backend\","
			 "\"io-status\":\"failed\"}]") == 1);
	CHECK(disk_error("[{\"qdev\":\"virtio-disk0\",\"io-status\":\"nospace\"}]") == 2);
	/* Of another disk, or nothing that QEMU should say. */
	CHECK(disk_error("[{\"qdev\":\"virtio-disk1\",\"io-status\":\"failed\"}]") == 0);
	CHECK(disk_error("[1,{\"qdev\":\"virtio-disk0\",\"io-status\":7},null]") == 0);
	CHECK(disk_error("{}") == 0);
	args.maxerrors = 1;
	header = send_call(stage.client, RPC_PROC_DOMAIN_GET_DISK_ERRORS, &args);
	qemu_hears("query-block");
	qemu_refuses("no");
	CHECK(read_reply(stage.client, &header, &ret) == VIR_ERR_INTERNAL_ERROR);
	CHECK_STR(call_error.message, "internal error: QEMU has not told how its disks are");
	args.maxerrors = 257;
	CHECK(call(stage.client, RPC_PROC_DOMAIN_GET_DISK_ERRORS, &args, &ret) ==
		VIR_ERR_INTERNAL_ERROR);
	CHECK_STR(call_error.message, "internal error: maxerrors too large");
	end();
}

/* --- addresses ---------------------------------------------------------------------------- */

static void
test_addresses(void)
{
	static const int want[] = {
		0, VIR_ERR_ARGUMENT_UNSUPPORTED, 0, VIR_ERR_ARGUMENT_UNSUPPORTED};
	struct rpc_domain_interface_addresses_args args = {.flags = 0};
	struct rpc_domain_interface_addresses_ret ret;

	begin();
	args.dom = stage.dom;
	for (args.source = 0; args.source < 4; args.source++) {
		CHECK(call(stage.client, RPC_PROC_DOMAIN_INTERFACE_ADDRESSES, &args, &ret) ==
			want[args.source]);
		CHECK(want[args.source] != 0 || ret.n_ifaces == 0);
	}
	args.flags = 1;
	CHECK(call(stage.client, RPC_PROC_DOMAIN_INTERFACE_ADDRESSES, &args, &ret) ==
		VIR_ERR_INVALID_ARG);
	end();
}

/* --- what does not run -------------------------------------------------------------------- */

static void
test_not_running(void)
{
	struct rpc_domain_get_job_info_args info;
	struct rpc_domain_get_job_info_ret job;
	struct rpc_domain_get_job_stats_args stats = {.flags = 1};
	struct rpc_domain_get_job_stats_ret done;
	struct rpc_domain_interface_addresses_args addresses = {.flags = 0};
	struct rpc_domain_interface_addresses_ret addressed;
	struct rpc_domain_get_disk_errors_args errors = {.maxerrors = 1};
	struct rpc_domain_get_disk_errors_ret wrong;
	struct rpc_domain_abort_job_args abort_job;

	stage_open("");
	info.dom = stats.dom = addresses.dom = errors.dom = abort_job.dom = stage.dom;
	CHECK(control(stage.client) == -VIR_ERR_OPERATION_INVALID);
	CHECK(call(stage.client, RPC_PROC_DOMAIN_GET_JOB_INFO, &info, &job) ==
		VIR_ERR_OPERATION_INVALID);
	CHECK_STR(call_error.message, "Requested operation is not valid: domain is not running");
	CHECK(call(stage.client, RPC_PROC_DOMAIN_GET_JOB_STATS, &stats, &done) == 0);
	stats.flags = 0;
	CHECK(call(stage.client, RPC_PROC_DOMAIN_GET_JOB_STATS, &stats, &done) ==
		VIR_ERR_OPERATION_INVALID);
	CHECK(call(stage.client, RPC_PROC_DOMAIN_INTERFACE_ADDRESSES, &addresses, &addressed) ==
		VIR_ERR_OPERATION_INVALID);
	CHECK(call(stage.client, RPC_PROC_DOMAIN_GET_DISK_ERRORS, &errors, &wrong) ==
		VIR_ERR_OPERATION_INVALID);
	CHECK(call(stage.client, RPC_PROC_DOMAIN_ABORT_JOB, &abort_job, NULL) ==
		VIR_ERR_OPERATION_INVALID);
	CHECK_STR(call_error.message, "Requested operation is not valid: domain is not running");
	stage_close();
}

int
main(void)
{
	TEST("a domain can be spoken to, is occupied, or cannot be reached", test_control);
	TEST("there is no job, and none to end", test_jobs);
	TEST("a disk's error is what QEMU says of it, and nothing else", test_disk_errors);
	TEST("addresses come from where there is something that knows them", test_addresses);
	TEST("nothing of it is told of a domain that does not run", test_not_running);
	return TEST_END();
}
