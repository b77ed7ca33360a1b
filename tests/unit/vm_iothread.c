/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Iothreads are told of as QEMU has them, and without it as they are defined; what QEMU says that it
 * should not is left out.
 */
#include "tests/unit/test.h"

#include "tests/unit/vm_stage.h"
#include "worker/qemu/iothread_info.h"
#include "worker/rpc/stats_groups.h"

__attribute__((used)) static void (*const served_iothread[])(void) = {
	(void (*)(void))rpc_connect_get_all_domain_stats,
	(void (*)(void))rpc_domain_get_iothread_info,
};

enum { LIVE = 1, CONFIG = 2, ENFORCE = INT32_MIN };

#define THREADS "<iothreads>2</iothreads>"
#define POLLS   "\"poll-max-ns\":32768,\"poll-grow\":1,\"poll-shrink\":2"
#define ANSWER                                               \
	"[{\"id\":\"iothread2\",\"thread-id\":7," POLLS "}," \
	"{\"id\":\"iothread1\",\"thread-id\":8}]"

static void
run_with(const char *more)
{
	struct rpc_header start;

	stage_open(more);
	start = ask_start(0);
	go_to(AT_RUN);
	check_started(&start);
}

static struct rpc_header
ask_info(uint32_t flags)
{
	struct rpc_domain_get_iothread_info_args args = {.dom = stage.dom, .flags = flags};

	return send_call(stage.client, RPC_PROC_DOMAIN_GET_IOTHREAD_INFO, &args);
}

/* The ids of an answer, which come with a map each. */
static const char *
ids(const struct rpc_header *header)
{
	static char text[100];
	struct rpc_domain_get_iothread_info_ret ret = {.n_info = 0};
	size_t n = 0;

	text[0] = '\0';
	CHECK(read_reply(stage.client, header, &ret) == 0);
	CHECK(ret.ret == ret.n_info);
	for (uint32_t i = 0; i < ret.n_info; i++) {
		const struct rpc_domain_iothread_info *info = &ret.info[i];

		CHECK(info->n_cpumap >= 1);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%u ", info->iothread_id);
	}
	return text;
}

static void
test_defined(void)
{
	struct rpc_header asked;

	stage_open(THREADS);
	asked = ask_info(0);
	CHECK_STR(ids(&asked), "1 2 ");
	asked = ask_info(CONFIG);
	CHECK_STR(ids(&asked), "1 2 ");
	asked = ask_info(LIVE);
	check_failed(&asked, stage.client, VIR_ERR_OPERATION_INVALID, "domain is not running");
	asked = ask_info(LIVE | CONFIG);
	check_failed(&asked, stage.client, VIR_ERR_INVALID_ARG, "are mutually exclusive");
	asked = ask_info(4);
	check_failed(&asked, stage.client, VIR_ERR_INVALID_ARG, "unsupported flags (0x4)");
	stage_close();
}

static void
test_running(void)
{
	struct rpc_header asked;

	run_with(THREADS);
	asked = ask_info(LIVE);
	qemu_hears("query-iothreads");
	CHECK(is_silent(stage.client));
	qemu_answers(ANSWER);
	CHECK_STR(ids(&asked), "2 1 ");
	asked = ask_info(0);
	qemu_hears("query-iothreads");
	qemu_refuses("no");
	check_failed(&asked, stage.client, VIR_ERR_INTERNAL_ERROR,
		"QEMU does not say which iothreads it has");
	asked = ask_info(CONFIG);
	CHECK_STR(ids(&asked), "1 2 ");
	CHECK(qemu_is_left_alone());
	stage_close();
}

/* Nothing is asked about a machine that has none. */
static void
test_none(void)
{
	struct rpc_header asked;

	run_with("");
	asked = ask_info(LIVE);
	CHECK_STR(ids(&asked), "");
	CHECK(qemu_is_left_alone());
	stage_close();
}

static void
test_stats(void)
{
	struct rpc_connect_get_all_domain_stats_args args = {.stats = STATS_IOTHREAD};
	struct rpc_connect_get_all_domain_stats_ret ret = {.n_retStats = 0};
	static const char *const names[] = {"iothread.count", "iothread.2.poll-max-ns",
		"iothread.2.poll-grow", "iothread.2.poll-shrink"};
	struct rpc_header asked;

	run_with(THREADS);
	asked = send_call(stage.client, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args);
	qemu_hears("query-iothreads");
	qemu_answers(ANSWER);
	CHECK(read_reply(stage.client, &asked, &ret) == 0);
	ASSERT(ret.n_retStats == 1 && ret.retStats[0].n_params == 4);
	for (int i = 0; i < 4; i++)
		CHECK_STR(ret.retStats[0].params[i].field, names[i]);
	CHECK(ret.retStats[0].params[0].value.ui == 2 &&
		ret.retStats[0].params[1].value.ul == 32768 &&
		ret.retStats[0].params[3].value.ui == 2);
	stage_close();
	/* Of one that does not run it is no group. */
	stage_open(THREADS);
	asked = send_call(stage.client, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args);
	CHECK(read_reply(stage.client, &asked, &ret) == 0);
	CHECK(ret.n_retStats == 1 && ret.retStats[0].n_params == 0);
	args.flags = (uint32_t)ENFORCE;
	asked = send_call(stage.client, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args);
	check_failed(&asked, stage.client, VIR_ERR_ARGUMENT_UNSUPPORTED, "Stats types bits 0x80");
	stage_close();
}

static void
test_lies(void)
{
	static const char *const lies[] = {"{}", "7", "[7]", "[{}]", "[{\"id\":7}]",
		"[{\"id\":\"iothread\"}]", "[{\"id\":\"iothread0\"}]", "[{\"id\":\"iothread-1\"}]",
		"[{\"id\":\"iothread1x\"}]", "[{\"id\":\"iothread4294967296\"}]",
		"[{\"id\":\"iothread99999999999999999999999\"}]", "[{\"id\":\"other1\"}]"};
	static const char *const polls[] = {"\"poll-max-ns\":-1,\"poll-grow\":1,\"poll-shrink\":2",
		"\"poll-max-ns\":1,\"poll-grow\":4294967296,\"poll-shrink\":2",
		"\"poll-max-ns\":1,\"poll-grow\":\"1\",\"poll-shrink\":2"};
	struct iothread_info info;
	char text[128];

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		json_t *answer = json_loads(lies[i], JSON_DECODE_ANY, NULL);

		ASSERT(answer);
		CHECK(iothread_info_count(answer) == 0);
		CHECK(!iothread_info_read(answer, 0, &info));
		json_decref(answer);
	}
	for (size_t i = 0; i < sizeof(polls) / sizeof(polls[0]); i++) {
		json_t *answer;

		(void)snprintf(
			text, sizeof(text), "[{\"id\":\"iothread4294967295\",%s}]", polls[i]);
		answer = json_loads(text, 0, NULL);
		CHECK(iothread_info_read(answer, 0, &info));
		CHECK(info.id == UINT32_MAX && !info.polls);
		json_decref(answer);
	}
	CHECK(iothread_info_count(NULL) == 0);
}

int
main(void)
{
	TEST("those of a machine that does not run", test_defined);
	TEST("those of one that runs, in QEMU's order", test_running);
	TEST("none", test_none);
	TEST("a group of the statistics", test_stats);
	TEST("what QEMU should not say counts as not said", test_lies);
	return TEST_END();
}
