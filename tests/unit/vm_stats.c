/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statistics are what QEMU and the kernel say; whoever wants them waits for no op, many clients cost
 * QEMU no more than two, and a QEMU that lies, is silent or ends costs one call its numbers.
 */
#include "tests/unit/test.h"

#include <fcntl.h>

#include "tests/unit/vm_stage.h"

__attribute__((used)) static void (*const served_stats[])(void) = {
	(void (*)(void))rpc_connect_get_all_domain_stats,
	(void (*)(void))rpc_domain_block_stats,
	(void (*)(void))rpc_domain_block_stats_flags,
	(void (*)(void))rpc_domain_get_block_info,
	(void (*)(void))rpc_domain_interface_stats,
	(void (*)(void))rpc_domain_memory_stats,
};

#define STATS                                                                               \
	"[{\"device\":\"\",\"qdev\":\"/machine/peripheral/virtio-disk0/virtio-backend\","   \
	"\"node-name\":\"libvirt-1-format\",\"stats\":{\"rd_bytes\":1,\"rd_operations\":2," \
	"\"rd_total_time_ns\":3,\"wr_bytes\":4,\"wr_operations\":5,\"wr_total_time_ns\":6," \
	"\"flush_operations\":7,\"flush_total_time_ns\":8},\"parent\":{\"stats\":{"         \
	"\"wr_highest_offset\":9}}}]"
#define NODES                                                                                      \
	"[{\"node-name\":\"libvirt-1-storage\",\"image\":{\"virtual-size\":1,\"actual-size\":1}}," \
	"{\"node-name\":\"libvirt-1-format\",\"image\":{\"virtual-size\":10,\"actual-size\":11}}]"

enum { BLOCK = 0x20, NOWAIT = 1 << 29 };

static char disk[] = "/tmp/qemud-stats-XXXXXX";

/* What is opened is counted: the Makefile wraps open(). */
static unsigned n_opened;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
int
__wrap_open(const char *path, int flags)
{
	n_opened++;
	return openat(AT_FDCWD, path, flags);
}
#pragma GCC diagnostic pop

/* A VM with a disk and these elements is about to run. */
static struct rpc_header
begin_start(const char *more)
{
	char elements[512];
	int fd;

	memcpy(strrchr(disk, '-') + 1, "XXXXXX", 6);
	fd = mkstemp(disk);
	ASSERT(fd >= 0 && ftruncate(fd, 4096) == 0);
	fd_close(&fd);
	(void)snprintf(elements, sizeof(elements),
		"<devices><disk type='file'><driver name='qemu' type='raw'/><source file='%s'/>"
		"<target dev='vda'/></disk>%s</devices>",
		disk, more);
	stage_open(elements);
	return ask_start(0);
}

static void
begin(void)
{
	struct rpc_header start = begin_start("");

	go_to(AT_RUN);
	check_started(&start);
}

static void
end(void)
{
	stage_close();
	CHECK(unlink(disk) == 0);
}

static struct rpc_header
ask_stats(int sock, uint32_t stats, uint32_t flags)
{
	struct rpc_connect_get_all_domain_stats_args args = {.stats = stats, .flags = flags};

	return send_call(sock, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args);
}

static struct rpc_header
ask_block(int sock, char *path)
{
	struct rpc_domain_block_stats_args args = {.dom = stage.dom, .path = path};

	return send_call(sock, RPC_PROC_DOMAIN_BLOCK_STATS, &args);
}

/* The one row that has come, as "name=value" and so on. */
static const char *
row(int sock, const struct rpc_header *header)
{
	static char text[4096];
	struct rpc_connect_get_all_domain_stats_ret ret = {.n_retStats = 0};
	size_t n = 0;

	text[0] = '\0';
	CHECK(read_reply(sock, header, &ret) == 0);
	ASSERT(ret.n_retStats == 1);
	CHECK_STR(ret.retStats[0].dom.name, "vm");
	for (uint32_t i = 0; i < ret.retStats[0].n_params; i++) {
		const struct rpc_typed_param *param = &ret.retStats[0].params[i];
		const char *between = n > 0 ? " " : "";

		if (param->type == VIR_TYPED_PARAM_STRING)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s=%s", between,
				param->field,
				strcmp(param->value.s, disk) ? param->value.s : "DISK");
		else if (param->type == VIR_TYPED_PARAM_ULLONG)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s=%llu", between,
				param->field, (unsigned long long)param->value.ul);
		else
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s=%d", between,
				param->field, (int)param->value.i);
	}
	return text;
}

#define KNOWN "block.count=1 block.0.name=vda block.0.path=DISK block.0.backingIndex=1"
#define COUNTED                                                                      \
	" block.0.rd.reqs=2 block.0.rd.bytes=1 block.0.rd.times=3 block.0.wr.reqs=5" \
	" block.0.wr.bytes=4 block.0.wr.times=6 block.0.fl.reqs=7 block.0.fl.times=8"
#define SIZED " block.0.allocation=9 block.0.capacity=10 block.0.physical=11"

static void
answer_block(const char *stats, const char *nodes)
{
	qemu_hears("query-blockstats");
	qemu_answers(stats);
	qemu_hears("query-named-block-nodes");
	qemu_answers(nodes);
}

/* Sizes that are known are too old to be told again. */
static void
sizes_are_old(void)
{
	the_vm()->inquiries.nodes_since -= LOOP_S(INQUIRY_NODES_KEPT_S);
}

/* --- what is told ------------------------------------------------------------------------- */

static void
test_block(void)
{
	struct rpc_domain_block_stats_ret ret;
	struct rpc_domain_get_block_info_args info = {.path = disk};
	struct rpc_domain_get_block_info_ret size;
	struct rpc_header header;

	begin();
	header = ask_stats(stage.client, BLOCK, 0);
	answer_block(STATS, NODES);
	CHECK_STR(row(stage.client, &header), KNOWN COUNTED SIZED);
	header = ask_block(stage.client, disk);
	qemu_hears("query-blockstats");
	qemu_answers(STATS);
	CHECK(read_reply(stage.client, &header, &ret) == 0);
	CHECK(ret.rd_req == 2 && ret.rd_bytes == 1 && ret.wr_req == 5 && ret.wr_bytes == 4 &&
		ret.errs == -1);
	info.dom = stage.dom;
	sizes_are_old();
	header = send_call(stage.client, RPC_PROC_DOMAIN_GET_BLOCK_INFO, &info);
	answer_block(STATS, NODES);
	CHECK(read_reply(stage.client, &header, &size) == 0);
	CHECK(size.capacity == 10 && size.allocation == 9 && size.physical == 11);
	/* Nothing was written: how long the file is, the file knows. */
	header = send_call(stage.client, RPC_PROC_DOMAIN_GET_BLOCK_INFO, &info);
	answer_block(
		"[{\"qdev\":\"virtio-disk0\",\"node-name\":\"libvirt-1-format\",\"stats\":{}}]",
		NODES);
	CHECK(read_reply(stage.client, &header, &size) == 0);
	CHECK(size.capacity == 10 && size.allocation == 11 && size.physical == 4096);
	end();
}

/* Sizes are asked for when something was written, or after a while. */
static void
test_sizes_kept(void)
{
	struct rpc_header header;

	begin();
	header = ask_stats(stage.client, BLOCK, 0);
	answer_block(STATS, NODES);
	CHECK_STR(row(stage.client, &header), KNOWN COUNTED SIZED);
	header = ask_stats(stage.client, BLOCK, 0);
	qemu_hears("query-blockstats");
	qemu_answers(STATS);
	CHECK_STR(row(stage.client, &header), KNOWN COUNTED SIZED);
	header = ask_stats(stage.client, BLOCK, 0);
	answer_block("[{\"qdev\":\"virtio-disk0\",\"node-name\":\"libvirt-1-format\","
		     "\"stats\":{\"wr_bytes\":5}}]",
		"[{\"node-name\":\"libvirt-1-format\",\"image\":{\"virtual-size\":7}}]");
	CHECK(strstr(row(stage.client, &header), " block.0.capacity=7") != NULL);
	header = ask_stats(stage.client, BLOCK, 0);
	answer_block(STATS, NODES);
	CHECK_STR(row(stage.client, &header), KNOWN COUNTED SIZED);
	sizes_are_old();
	header = ask_stats(stage.client, BLOCK, 0);
	answer_block(STATS, NODES);
	CHECK_STR(row(stage.client, &header), KNOWN COUNTED SIZED);
	/* What QEMU refuses to say now is not known from before. */
	sizes_are_old();
	header = ask_stats(stage.client, BLOCK, 0);
	qemu_hears("query-blockstats");
	qemu_refuses("no");
	qemu_hears("query-named-block-nodes");
	qemu_answers(NODES);
	CHECK_STR(row(stage.client, &header), KNOWN);
	CHECK(qemu_is_left_alone());
	end();
}

static void
expect_asked(void)
{
	struct rpc_header header = ask_stats(stage.client, BLOCK, 0);

	qemu_hears("query-blockstats");
	qemu_answers(STATS);
	CHECK_STR(row(stage.client, &header), KNOWN COUNTED SIZED);
}

static void
expect_known(void)
{
	struct rpc_header header = ask_stats(stage.client, BLOCK, 0);

	CHECK_STR(row(stage.client, &header), KNOWN COUNTED SIZED);
	CHECK(qemu_is_left_alone());
}

static void
pause_or_resume(int32_t procedure, const char *command, const char *event)
{
	struct rpc_header header = ask(stage.client, procedure, 0);

	qemu_hears(command);
	qemu_tells(event, NULL);
	qemu_answers("{}");
	CHECK(read_reply(stage.client, &header, NULL) == 0);
}

/* The disks of a paused guest stand still, until anything happens to it. */
static void
test_paused(void)
{
	struct rpc_header header;

	begin();
	header = ask_stats(stage.client, BLOCK, 0);
	answer_block(STATS, NODES);
	CHECK_STR(row(stage.client, &header), KNOWN COUNTED SIZED);
	expect_asked();
	pause_or_resume(RPC_PROC_DOMAIN_SUSPEND, "stop", "STOP");
	expect_asked();
	expect_known();
	expect_known();
	/* The host's file system may have done something. */
	sizes_are_old();
	header = ask_stats(stage.client, BLOCK, 0);
	answer_block(STATS, NODES);
	CHECK_STR(row(stage.client, &header), KNOWN COUNTED SIZED);
	expect_known();
	qemu_tells("NEVER_HEARD_OF", NULL);
	expect_asked();
	expect_known();
	pause_or_resume(RPC_PROC_DOMAIN_RESUME, "cont", "RESUME");
	expect_asked();
	expect_asked();
	/* What was asked before the pause, and is answered after it, is of before. */
	header = ask_stats(stage.client, BLOCK, 0);
	qemu_hears("query-blockstats");
	qemu_tells("STOP", NULL);
	qemu_answers(STATS);
	CHECK_STR(row(stage.client, &header), KNOWN COUNTED SIZED);
	expect_asked();
	expect_known();
	end();
}

static void
test_parameters(void)
{
	static const int32_t wanted[] = {1, 3, 8, 16};
	struct rpc_domain_block_stats_flags_args args = {.path = disk};
	struct rpc_domain_block_stats_flags_ret ret;

	begin();
	args.dom = stage.dom;
	CHECK(call(stage.client, RPC_PROC_DOMAIN_BLOCK_STATS_FLAGS, &args, &ret) == 0);
	CHECK(ret.nparams == 8 && ret.n_params == 0 && qemu_is_left_alone());
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct rpc_header header;

		args.nparams = wanted[i];
		header = send_call(stage.client, RPC_PROC_DOMAIN_BLOCK_STATS_FLAGS, &args);
		qemu_hears("query-blockstats");
		qemu_answers(STATS);
		CHECK(read_reply(stage.client, &header, &ret) == 0);
		CHECK(ret.n_params == (wanted[i] < 8 ? (uint32_t)wanted[i] : 8));
		CHECK_STR(ret.params[0].field, "wr_bytes");
		CHECK(ret.params[0].type == VIR_TYPED_PARAM_LLONG && ret.params[0].value.l == 4);
	}
	args.nparams = 17;
	CHECK(call(stage.client, RPC_PROC_DOMAIN_BLOCK_STATS_FLAGS, &args, &ret) ==
		VIR_ERR_INTERNAL_ERROR);
	CHECK_STR(call_error.message, "internal error: nparams too large");
	args.nparams = -1;
	CHECK(call(stage.client, RPC_PROC_DOMAIN_BLOCK_STATS_FLAGS, &args, &ret) ==
		VIR_ERR_INTERNAL_ERROR);
	args.nparams = 0;
	args.path = (char[]){"vdb"};
	CHECK(call(stage.client, RPC_PROC_DOMAIN_BLOCK_STATS_FLAGS, &args, &ret) ==
		VIR_ERR_INVALID_ARG);
	CHECK_STR(call_error.message, "invalid argument: invalid path: vdb");
	CHECK(qemu_is_left_alone());
	end();
}

static struct rpc_header
ask_memory(uint32_t most)
{
	struct rpc_domain_memory_stats_args args = {.dom = stage.dom, .maxStats = most};

	return send_call(stage.client, RPC_PROC_DOMAIN_MEMORY_STATS, &args);
}

static void
test_memory(void)
{
	struct rpc_domain_memory_stats_ret ret;
	struct rpc_header header;

	begin();
	header = ask_memory(10);
	qemu_hears("query-balloon");
	qemu_answers("{\"actual\":33554432}");
	CHECK(read_reply(stage.client, &header, &ret) == 0 && ret.n_stats == 3);
	CHECK(ret.stats[0].tag == 6 && ret.stats[0].val == 32768);
	CHECK(ret.stats[1].tag == 9 && ret.stats[1].val == 0);
	CHECK(ret.stats[2].tag == 7 && ret.stats[2].val > 100);
	header = ask_memory(1);
	qemu_hears("query-balloon");
	qemu_answers("{\"actual\":33554432}");
	CHECK(read_reply(stage.client, &header, &ret) == 0 && ret.n_stats == 1);
	header = ask_memory(9);
	qemu_hears("query-balloon");
	qemu_answers("{\"actual\":\"much\"}");
	CHECK(read_reply(stage.client, &header, &ret) == VIR_ERR_INTERNAL_ERROR);
	header = ask_memory(1025);
	CHECK(read_reply(stage.client, &header, &ret) == VIR_ERR_INTERNAL_ERROR);
	end();
}

/* A guest that is asked by its balloon: what it has not said is left out. */
static void
test_guest_memory(void)
{
	struct rpc_domain_memory_stats_ret ret;
	struct rpc_header start, header;

	start = begin_start("<memballoon model='virtio'><stats period='5'/></memballoon>");
	go_to(AT_STATUS);
	qemu_answers("{\"status\":\"prelaunch\",\"running\":false}");
	qemu_hears("balloon");
	qemu_answers("{}");
	qemu_hears("qom-set");
	qemu_answers("{}");
	qemu_hears("cont");
	qemu_tells("RESUME", NULL);
	qemu_answers("{}");
	check_started(&start);
	header = ask_memory(20);
	qemu_hears("query-balloon");
	qemu_answers("{\"actual\":33554432}");
	qemu_hears("qom-get");
	qemu_answers("{\"stats\":{\"stat-swap-in\":2048,\"stat-swap-out\":18446744073709551615,"
		     "\"stat-free-memory\":-1,\"stat-major-faults\":7},\"last-update\":12}");
	CHECK(read_reply(stage.client, &header, &ret) == 0 && ret.n_stats == 5);
	CHECK(ret.stats[1].tag == 0 && ret.stats[1].val == 2);
	CHECK(ret.stats[2].tag == 2 && ret.stats[2].val == 7);
	CHECK(ret.stats[3].tag == 9 && ret.stats[3].val == 12);
	end();
}

/* --- what a QEMU can do ------------------------------------------------------------------- */

/* Nothing of it is believed that is not a number of the right device. */
static void
test_lies(void)
{
	static const struct {
		const char *stats, *nodes, *want;
	} lies[] = {
		{"{}", "[]", KNOWN},
		{"[1,null,[],{}]", "7", KNOWN},
		{"[{\"qdev\":\"virtio-disk00\",\"stats\":{}}]", "[]", KNOWN},
		{"[{\"qdev\":\"/machine/peripheral/virtio-disk\",\"stats\":{}}]", "[]", KNOWN},
		{"[{\"qdev\":\"virtio-disk0\",\"stats\":[]}]", "[]", KNOWN},
		{"[{\"qdev\":\"virtio-disk0\",\"stats\":{\"rd_bytes\":-1,\"wr_bytes\":\"2\","
		 "\"rd_operations\":9223372036854775807,\"flush_operations\":1.5}}]",
			"[{}]",
			KNOWN " block.0.rd.reqs=9223372036854775807 block.0.rd.bytes=0"
			      " block.0.rd.times=0 block.0.wr.reqs=0 block.0.wr.bytes=0"
			      " block.0.wr.times=0 block.0.fl.reqs=0 block.0.fl.times=0"},
		{STATS, "[{\"node-name\":7},{\"node-name\":\"libvirt-1-format\"}]",
			KNOWN COUNTED " block.0.allocation=9 block.0.physical=4096"},
		{STATS,
			"[{\"node-name\":\"libvirt-1-format\",\"image\":{\"virtual-size\":-5,"
			"\"actual-size\":[]}}]",
			KNOWN COUNTED " block.0.allocation=9 block.0.physical=4096"},
	};

	begin();
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct rpc_header header;

		sizes_are_old();
		header = ask_stats(stage.client, BLOCK, 0);
		answer_block(lies[i].stats, lies[i].nodes);
		CHECK_STR(row(stage.client, &header), lies[i].want);
	}
	end();
}

static void
test_refused(void)
{
	struct rpc_header header;

	begin();
	header = ask_stats(stage.client, BLOCK, 0);
	qemu_hears("query-blockstats");
	qemu_answers(STATS);
	qemu_hears("query-named-block-nodes");
	qemu_refuses("no");
	CHECK_STR(row(stage.client, &header), KNOWN COUNTED);
	header = ask_block(stage.client, disk);
	qemu_hears("query-blockstats");
	qemu_refuses("no");
	check_failed(&header, stage.client, VIR_ERR_INTERNAL_ERROR,
		"internal error: cannot find statistics for device 'vda'");
	end();
}

/* Every inquiry that waits has no more time. */
static void
no_more_patience(void)
{
	struct inquiries *inquiries = &the_vm()->inquiries;
	struct inquiry *inquiry;

	while ((inquiry = LIST_FIRST(&inquiries->asked)) ||
		(inquiry = LIST_FIRST(&inquiries->next)))
		pass_time(&inquiry->late);
}

/* It is told with what is known; and when it has had its time, nobody waits for it again. */
static void
test_silent(void)
{
	struct rpc_header all, one;
	int other;

	begin();
	other = rig_open(VERBS_VIEW);
	all = ask_stats(stage.client, BLOCK, 0);
	qemu_hears("query-blockstats");
	qemu_hears("query-named-block-nodes");
	one = ask_block(other, disk);
	CHECK(qemu_is_left_alone() && is_silent(other) && is_silent(stage.client));
	no_more_patience();
	CHECK_STR(row(stage.client, &all), KNOWN);
	check_failed(&one, other, VIR_ERR_OPERATION_TIMEOUT,
		"Timed out during operation: QEMU has not answered within 5 seconds");
	the_vm()->inquiries.since -= LOOP_S(INQUIRY_PATIENCE_S);
	all = ask_stats(stage.client, BLOCK, 0);
	CHECK_STR(row(stage.client, &all), KNOWN);
	one = ask_block(other, disk);
	check_failed(&one, other, VIR_ERR_OPERATION_TIMEOUT, "QEMU has not answered");
	CHECK(qemu_is_left_alone());
	/* It comes to itself: what it owes is of no use, and it is asked again. */
	qemu_answers(STATS);
	qemu_answers(NODES);
	sizes_are_old();
	all = ask_stats(stage.client, BLOCK, 0);
	answer_block(STATS, NODES);
	CHECK_STR(row(stage.client, &all), KNOWN COUNTED SIZED);
	fd_close(&other);
	end();
}

/* --- who waits for whom ------------------------------------------------------------------- */

static void
test_rounds(void)
{
	enum { N = 5 };
	struct rpc_header first, later[N];
	int socks[N];

	begin();
	first = ask_stats(stage.client, BLOCK, 0);
	qemu_hears("query-blockstats");
	for (int i = 0; i < N; i++) {
		socks[i] = rig_open(VERBS_VIEW);
		later[i] = ask_stats(socks[i], BLOCK, 0);
	}
	qemu_answers("[]");
	qemu_hears("query-named-block-nodes");
	CHECK(qemu_is_left_alone());
	qemu_answers("[]");
	CHECK_STR(row(stage.client, &first), KNOWN);
	/* All others share one round, which began when they had all asked. */
	answer_block(STATS, NODES);
	for (int i = 0; i < N; i++) {
		CHECK_STR(row(socks[i], &later[i]), KNOWN COUNTED SIZED);
		fd_close(&socks[i]);
	}
	CHECK(qemu_is_left_alone());
	end();
}

/* An op that waits for QEMU holds up nobody; but who said that she does not wait is not made to. */
static void
test_beside_an_op(void)
{
	struct rpc_header suspend, stats;
	int other;

	begin();
	other = rig_open(VERBS_VIEW);
	suspend = ask(stage.client, RPC_PROC_DOMAIN_SUSPEND, 0);
	qemu_hears("stop");
	stats = ask_stats(other, BLOCK, NOWAIT);
	CHECK_STR(row(other, &stats), KNOWN);
	CHECK(qemu_is_left_alone());
	stats = ask_stats(other, BLOCK, 0);
	qemu_answers("{}");
	CHECK(read_reply(stage.client, &suspend, NULL) == 0);
	answer_block(STATS, NODES);
	CHECK_STR(row(other, &stats), KNOWN COUNTED SIZED);
	sizes_are_old();
	stats = ask_stats(other, BLOCK, NOWAIT);
	answer_block(STATS, NODES);
	CHECK_STR(row(other, &stats), KNOWN COUNTED SIZED);
	fd_close(&other);
	end();
}

/* --- what goes away ----------------------------------------------------------------------- */

static void
test_lost(void)
{
	struct rpc_header all, one;
	int other;

	begin();
	other = rig_open(VERBS_VIEW);
	all = ask_stats(stage.client, BLOCK, 0);
	one = ask_block(other, disk);
	qemu_hears("query-blockstats");
	fd_close(&qemu.monitor);
	rig_turn(0);
	CHECK_STR(row(stage.client, &all), KNOWN);
	check_failed(&one, other, VIR_ERR_OPERATION_FAILED, "the monitor of the domain");
	one = ask_block(other, disk);
	check_failed(&one, other, VIR_ERR_OPERATION_FAILED, "the monitor of the domain");
	fd_close(&other);
	end();
}

static void
test_ended(void)
{
	struct rpc_header all, one;
	int other;

	begin();
	other = rig_open(VERBS_VIEW);
	all = ask_stats(stage.client, BLOCK, 0);
	one = ask_block(other, disk);
	qemu_hears("query-blockstats");
	broker_ends(ID);
	/* It has a row: that of a domain that does not run. */
	CHECK_STR(row(stage.client, &all),
		"block.count=1 block.0.name=vda block.0.path=DISK block.0.capacity=4096 "
		"block.0.physical=4096");
	check_failed(&one, other, VIR_ERR_OPERATION_INVALID,
		"Requested operation is not valid: domain is not running");
	fd_close(&other);
	end();
}

static void
test_client_gone(void)
{
	struct rpc_header header;
	int other;

	begin();
	other = rig_open(VERBS_VIEW);
	header = ask_stats(other, BLOCK, 0);
	(void)ask_block(other, disk);
	qemu_hears("query-blockstats");
	fd_close(&other);
	rig_turn(0);
	qemu_answers(STATS);
	qemu_hears("query-named-block-nodes");
	qemu_answers(NODES);
	qemu_hears("query-blockstats");
	qemu_answers(STATS);
	sizes_are_old();
	header = ask_stats(stage.client, BLOCK, 0);
	answer_block(STATS, NODES);
	CHECK_STR(row(stage.client, &header), KNOWN COUNTED SIZED);
	end();
}

static void
test_leave(void)
{
	begin();
	(void)ask_stats(stage.client, BLOCK, 0);
	(void)ask_block(stage.client, disk);
	qemu_hears("query-blockstats");
	/* stage_close() checks that nothing is left. */
	end();
}

/* --- calls -------------------------------------------------------------------------------- */

static void
test_calls(void)
{
	struct rpc_domain_interface_stats_args interface = {.device = disk};
	struct rpc_connect_get_all_domain_stats_ret ret;
	struct rpc_domain_interface_stats_ret traffic;
	struct rpc_domain doms[3];
	struct rpc_connect_get_all_domain_stats_args args = {.n_doms = 3, .doms = doms, .stats = 1};

	begin();
	doms[0] = doms[1] = doms[2] = stage.dom;
	doms[1].uuid[0] ^= 1;
	CHECK(call(stage.client, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args, &ret) == 0);
	CHECK(ret.n_retStats == 2 && ret.retStats[1].n_params == 2);
	args.flags = 2; /* inactive */
	CHECK(call(stage.client, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args, &ret) == 0);
	CHECK(ret.n_retStats == 0);
	args.flags = 1U << 31;
	args.stats = 0x801;
	CHECK(call(stage.client, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args, &ret) ==
		VIR_ERR_ARGUMENT_UNSUPPORTED);
	CHECK_STR(call_error.message,
		"argument unsupported: Stats types bits 0x800 are not supported by this daemon or "
		"QEMU");
	args.flags = 0x100;
	CHECK(call(stage.client, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args, &ret) ==
		VIR_ERR_INVALID_ARG);
	interface.dom = stage.dom;
	CHECK(call(stage.client, RPC_PROC_DOMAIN_INTERFACE_STATS, &interface, &traffic) ==
		VIR_ERR_INVALID_ARG);
	CHECK(strstr(call_error.message, "is not a known interface") != NULL);
	CHECK(qemu_is_left_alone());
	end();
}

/* A domain that is named many times has as many rows, and costs what one costs. */
static void
test_named_often(void)
{
	enum { MANY = 16384, GROUPS = 0x2a /* processor, virtual CPUs, block */ };
	struct rpc_connect_get_all_domain_stats_ret ret;
	struct rpc_connect_get_all_domain_stats_args args = {.n_doms = 1, .stats = GROUPS};
	struct rpc_header header;
	unsigned n_once;

	begin();
	args.doms = calloc(MANY, sizeof(*args.doms));
	ASSERT(args.doms);
	for (uint32_t i = 0; i < MANY; i++)
		args.doms[i] = stage.dom;
	header = send_call(stage.client, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args);
	n_opened = 0;
	answer_block(STATS, NODES);
	CHECK(read_reply(stage.client, &header, &ret) == 0 && ret.n_retStats == 1);
	n_once = n_opened;
	CHECK(n_once > 0);
	args.n_doms = MANY;
	header = send_call(stage.client, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args);
	qemu_hears("query-blockstats");
	n_opened = 0;
	qemu_answers(STATS);
	CHECK(read_reply(stage.client, &header, &ret) == 0 && ret.n_retStats == MANY);
	CHECK(n_opened == n_once && qemu_is_left_alone());
	for (uint32_t i = 0; i < ret.n_retStats; i++)
		if (ret.retStats[i].n_params != ret.retStats[0].n_params)
			test_this_failed = 1;
	free(args.doms);
	end();
}

int
main(void)
{
	TEST("a domain that is named many times is looked at once", test_named_often);
	TEST("block statistics are QEMU's, a file's length the file's", test_block);
	TEST("sizes are asked for when something was written, or after a while", test_sizes_kept);
	TEST("a paused guest's disks are asked about once", test_paused);
	TEST("parameters: how many there are, then as many as were asked for", test_parameters);
	TEST("memory is the balloon's and the kernel's", test_memory);
	TEST("what a guest has said of its memory, and nothing that it has not", test_guest_memory);
	TEST("what QEMU should not say counts as not said", test_lies);
	TEST("what QEMU refuses is left out, or an error", test_refused);
	TEST("a silent QEMU is told with what is known, and not asked again", test_silent);
	TEST("who comes while a round is open shares the next", test_rounds);
	TEST("statistics do not wait for an op, and who does not wait is told at once",
		test_beside_an_op);
	TEST("a monitor that is lost is told", test_lost);
	TEST("a VM that ends meanwhile has the row of one that does not run", test_ended);
	TEST("a client that goes takes nothing with it", test_client_gone);
	TEST("a worker that leaves lets go of inquiries", test_leave);
	TEST("what is asked for is checked", test_calls);
	return TEST_END();
}
