/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statistics of all machines are one answer: every worker that runs tells of its own user's, and one
 * that does not, or tells lies, is left out, in time.
 */
#include "tests/unit/view.h"

#include "tests/unit/test.h"

static bool lie;
static bool many; /* bob's worker has a row as often as fits in an answer */

enum { MOST = 16384 };

/* A worker that has a row for box, or for what is named. */
static bool
stats(struct played *worker, const struct rpc_frame *frame, const void *args)
{
	const struct rpc_connect_get_all_domain_stats_args *asked = args;
	struct rpc_typed_param param = {.field = (char *)(uintptr_t) "cpu.time",
		.type = VIR_TYPED_PARAM_ULLONG,
		.value = {.ul = worker->uid}};
	struct rpc_domain_stats_record record = {
		.dom = {.name = (char *)(uintptr_t) "box", .id = 8},
		.n_params = 1,
		.params = &param};
	struct rpc_connect_get_all_domain_stats_ret ret = {.n_retStats = 1, .retStats = &record};

	if (frame->header.procedure != RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS ||
		mode_of(worker->uid) != WORKER_ANSWERS)
		return false;
	memcpy(record.dom.uuid, uuid_a, UUID_SIZE);
	CHECK(asked->n_doms == 0 || memcmp(asked->doms[0].uuid, uuid_a, UUID_SIZE) == 0);
	if (lie && worker->uid == 1001)
		record.dom.name = (char *)(uintptr_t) "alice:box";
	if (many && worker->uid == 1001) {
		static struct rpc_domain_stats_record all[MOST];

		for (unsigned i = 0; i < MOST; i++)
			all[i] = (struct rpc_domain_stats_record){.dom = record.dom};
		ret = (struct rpc_connect_get_all_domain_stats_ret){
			.n_retStats = MOST, .retStats = all};
	}
	play_reply(worker, frame, &ret);
	return true;
}

/* The names in the answer, each behind a blank. */
static const char *
rows(int sock, struct rpc_domain *doms, uint32_t n,
	struct rpc_connect_get_all_domain_stats_ret *ret)
{
	static char text[1024];
	struct rpc_connect_get_all_domain_stats_args args = {.doms = doms, .n_doms = n};

	text[0] = '\0';
	if (call(sock, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args, ret) != 0)
		return reply.message;
	for (uint32_t i = 0; i < ret->n_retStats; i++) {
		strcat(text, " ");
		strcat(text, ret->retStats[i].dom.name);
	}
	return text;
}

static int
begin(void)
{
	lie = many = false;
	rig_start();
	rig.answer = stats;
	return rig_open();
}

static void
test_all(void)
{
	struct rpc_connect_get_all_domain_stats_ret ret;
	struct rpc_domain doms[3] = {{.name = (char *)(uintptr_t) ""}};
	int sock = begin();

	/* The system account's worker does not run: its states are in the inventory. */
	CHECK_STR(rows(sock, NULL, 0, &ret), " box bob:box system:box");
	CHECK(ret.n_retStats == 3 && ret.retStats[0].params[0].value.ul == 1000 &&
		ret.retStats[1].params[0].value.ul == 1001);
	CHECK_STR(ret.retStats[2].params[0].field, "state.state");
	CHECK(ret.retStats[2].params[0].value.i == 5);
	CHECK(rig.n_channels == 2);
	/* Those that are named, and are there. */
	CHECK(look_up(sock, "bob:box", &doms[1]) == 0);
	doms[1].name = doms[2].name = doms[0].name;
	CHECK_STR(rows(sock, doms, 3, &ret), " bob:box");
	fd_close(&sock);
	rig_stop();
}

static void
test_partial(void)
{
	struct rpc_connect_get_all_domain_stats_ret ret;
	int sock = begin();

	rig.told[1].mode = WORKER_REFUSES;
	CHECK_STR(rows(sock, NULL, 0, &ret), " box system:box");
	rig.told[1].mode = WORKER_CLOSES;
	CHECK_STR(rows(sock, NULL, 0, &ret), " box system:box");
	rig.told[1].mode = WORKER_ANSWERS;
	lie = true;
	fd_close(&sock);
	sock = rig_open();
	CHECK_STR(rows(sock, NULL, 0, &ret), " box system:box");
	lie = false;
	rig.told[1].mode = WORKER_SLEEPS;
	CHECK_STR(rows(sock, NULL, 0, &ret), " box system:box");
	/* One's own worker's error is the answer. */
	rig.told[0].mode = WORKER_REFUSES;
	CHECK_STR(rows(sock, NULL, 0, &ret), "not now");
	fd_close(&sock);
	rig_stop();
}

/* Whoever has more than there is room for is cut, and nobody else. */
static void
test_many(void)
{
	struct rpc_connect_get_all_domain_stats_args args = {.n_doms = 0};
	struct rpc_connect_get_all_domain_stats_ret ret;
	unsigned n_others = 0;
	int sock = begin();

	many = true;
	CHECK(call(sock, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args, &ret) == 0);
	CHECK(ret.n_retStats > MOST / 2 && ret.n_retStats <= MOST);
	for (uint32_t i = 0; i < ret.n_retStats; i++)
		n_others += strcmp(ret.retStats[i].dom.name, "bob:box") != 0;
	CHECK(n_others == 2);
	CHECK_STR(ret.retStats[0].dom.name, "box");
	CHECK_STR(ret.retStats[ret.n_retStats - 1].dom.name, "system:box");
	fd_close(&sock);
	rig_stop();
}

int
main(void)
{
	TEST("every worker that runs tells, and the inventory for those that do not", test_all);
	TEST("a worker that does not answer, or lies, is left out", test_partial);
	TEST("one that tells of more than an answer has room for is cut, alone", test_many);
	return TEST_END();
}
