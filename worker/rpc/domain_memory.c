/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_memory.c: procedures that tell what memory a domain has.
 *
 * Runs in the worker.
 */
#include "protocol/rpc/handlers.h"
#include "worker/qemu/guest_memory.h"
#include "worker/rpc/ask.h"
#include "worker/rpc/domain_find.h"
#include "worker/vm/usage.h"
#include "worker/vm/vm.h"

enum { STATS_MAX = 1024 /* REMOTE_DOMAIN_MEMORY_STATS_MAX */ };

/* virDomainMemoryStatTags, those beside the guest's own (guest_memory.h). */
enum stat_tag { STAT_ACTUAL_BALLOON = 6, STAT_RSS = 7 };

int
rpc_domain_get_max_memory(struct rpc_call *call, const struct rpc_domain_get_max_memory_args *args,
	struct rpc_domain_get_max_memory_ret *ret)
{
	const struct domain *domain = call_find_domain(call, &args->dom);

	if (!domain)
		return RPC_FAILED;
	ret->memory = domain_def_now(domain)->memory_kib;
	return RPC_DONE;
}

static void
add(struct rpc_domain_memory_stats_ret *ret, uint32_t max, int32_t tag, uint64_t value)
{
	if (ret->n_stats < max)
		ret->stats[ret->n_stats++] = (struct rpc_domain_memory_stat){tag, value};
}

static void
add_guest_stats(struct rpc_domain_memory_stats_ret *ret, uint32_t max,
	const struct inquiry_answers *answers)
{
	uint64_t value;

	for (size_t i = 0; i < GUEST_MEMORY_STATS; i++)
		if (guest_memory_read(answers->values[INQUIRY_GUEST_STATS], i, &value))
			add(ret, max, guest_memory_stats[i].tag, value);
}

static int
memory_stats(struct rpc_call *call, const void *args_, const struct domain *domain,
	const struct inquiry_answers *answers)
{
	const struct rpc_domain_memory_stats_args *args = args_;
	struct rpc_domain_memory_stats_ret *ret = call->ret;
	struct usage usage;

	ret->stats = rpc_arena_array(&call->arena, args->maxStats, sizeof(*ret->stats));
	if (!ret->stats)
		return call_out_of_memory(call);
	if (answers) {
		json_int_t actual = json_integer_value(
			json_object_get(answers->values[INQUIRY_BALLOON], "actual"));

		if (actual <= 0)
			return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
				"internal error: QEMU does not say what memory the guest has");
		add(ret, args->maxStats, STAT_ACTUAL_BALLOON, (uint64_t)actual / 1024);
		add_guest_stats(ret, args->maxStats, answers);
	}
	if (usage_read(domain->vm ? domain->vm->pid : 0, &usage) == 0)
		add(ret, args->maxStats, STAT_RSS, usage.rss_kib);
	return RPC_DONE;
}

int
rpc_domain_memory_stats(struct rpc_call *call, const struct rpc_domain_memory_stats_args *args,
	struct rpc_domain_memory_stats_ret *ret)
{
	const struct domain_memballoon *balloon;
	unsigned questions = 1U << INQUIRY_BALLOON;
	struct domain *domain;

	(void)ret;
	if (args->maxStats > STATS_MAX)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
			"internal error: maxStats > REMOTE_DOMAIN_MEMORY_STATS_MAX");
	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_running(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	balloon = &domain_def_now(domain)->memballoon;
	/* Without a balloon QEMU has nothing to say. */
	if (!balloon->virtio)
		return memory_stats(call, args, domain, NULL);
	if (balloon->stats_period_s > 0)
		questions |= 1U << INQUIRY_GUEST_STATS;
	return call_ask(call, args, domain, questions, memory_stats);
}
