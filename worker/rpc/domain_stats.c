/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_stats.c: the procedure that tells the statistics of many domains at once.
 *
 * Runs in the worker. The QEMUs of all are asked side by side; the reply goes when the last has
 * answered, or has had its time. A domain whose QEMU does not answer has a row with what is known
 * without it. However often a call names a domain, its QEMU and the kernel are asked about it once.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/take.h"
#include "protocol/rpc/handlers.h"
#include "worker/rpc/domain_filter.h"
#include "worker/rpc/domain_find.h"
#include "worker/rpc/stats_groups.h"
#include "worker/vm/vm.h"

/*
 * virConnectGetAllDomainStatsFlags, those beside the filters of a list. BACKING, which asks for the
 * images below the top one too, changes nothing (tests/DEVIATIONS).
 */
enum stats_flag {
	STATS_FILTERS = 0xff,
	STATS_NOWAIT = 1 << 29,
	STATS_BACKING = 1 << 30,
};
#define STATS_ENFORCE (UINT32_C(1) << 31)

enum { RECORDS_MAX = 16384 /* REMOTE_DOMAIN_LIST_MAX */ };

/* All in the arena of the call. */

/* A domain that the call is about. */
struct row {
	struct inquiry inquiry;
	struct all *all;
	uint8_t uuid[16];
	bool known; /* else it has gone, or is still asked */
	struct rpc_domain_stats_record record;
};

struct all {
	struct rpc_call *call;
	struct domains *domains; /* the call has none when its client has gone */
	uint32_t groups;
	bool no_wait;
	bool failed;        /* there is no memory */
	uint32_t n_waiting; /* rows whose QEMU has not answered */
	struct row *rows;
	uint32_t *named; /* rows, in the order of the call, which may name one many times */
	uint32_t n_named;
};

static void
fill(struct row *row, const struct domain *domain, const struct inquiry_answers *answers)
{
	struct all *all = row->all;
	struct params params = {.arena = &all->call->arena, .failed = all->failed};

	stats_groups_add(&params, domain, all->groups, answers);
	/* Borrowed from the domain, which may go before the reply does. */
	row->record.dom = call_domain_ret(domain);
	row->record.dom.name =
		params.failed ? NULL : rpc_arena_strdup(params.arena, row->record.dom.name);
	all->failed = row->record.dom.name == NULL;
	row->record.params = params.list;
	row->record.n_params = params.n;
	row->known = true;
}

static int
finish(struct all *all)
{
	struct rpc_connect_get_all_domain_stats_ret *ret = all->call->ret;

	ret->retStats = rpc_arena_array(&all->call->arena, all->n_named, sizeof(*ret->retStats));
	if (!ret->retStats || all->failed)
		return call_out_of_memory(all->call);
	for (uint32_t i = 0; i < all->n_named; i++)
		if (all->rows[all->named[i]].known)
			ret->retStats[ret->n_retStats++] = all->rows[all->named[i]].record;
	return RPC_DONE;
}

static void
answered(struct inquiry *inquiry, int err, const struct inquiry_answers *answers)
{
	struct row *row = container_of(inquiry, struct row, inquiry);
	struct all *all = row->all;
	const struct domain *domain = domains_find_uuid(all->domains, row->uuid);

	/* A domain that has gone meanwhile has no row. */
	if (domain)
		fill(row, domain, err == 0 ? answers : NULL);
	if (--all->n_waiting == 0)
		call_answer(all->call, finish(all) == RPC_DONE ? RPC_DONE : RPC_FAILED);
}

static void
begin(struct all *all, struct row *row, const struct domain *domain)
{
	unsigned questions = stats_groups_questions(domain, all->groups);
	struct inquiry_answers known;

	row->all = all;
	memcpy(row->uuid, domain_def_now(domain)->uuid, sizeof(row->uuid));
	if (!questions || !domain->vm)
		fill(row, domain, NULL);
	else if (inquiry_known(domain->vm, questions, &known))
		fill(row, domain, &known);
	else if (inquiry_start(domain->vm, &row->inquiry, questions, all->no_wait, answered) == 0)
		all->n_waiting++;
	else
		fill(row, domain, NULL);
}

/* --- which domains ------------------------------------------------------------------------ */

/* The domain with that place in what the call names: those it lists, or all. */
struct chosen {
	const struct rpc_connect_get_all_domain_stats_args *args;
	const struct domains *domains;
	uint32_t i;
	const struct domain *last;
};

/* The next one that passes the filters; those that are not there are passed over. NULL: no more. */
static const struct domain *
next_domain(struct chosen *chosen)
{
	const struct rpc_connect_get_all_domain_stats_args *args = chosen->args;

	for (;;) {
		const struct domain *domain;

		if (args->n_doms > 0 && chosen->i == args->n_doms)
			return NULL;
		if (args->n_doms > 0)
			domain = domains_find_uuid(chosen->domains, args->doms[chosen->i++].uuid);
		else
			domain = chosen->last = chosen->last ? TAILQ_NEXT(chosen->last, entry)
							     : TAILQ_FIRST(&chosen->domains->all);
		if (!domain && args->n_doms == 0)
			return NULL;
		if (domain && domain_filter_passes(domain, args->flags & STATS_FILTERS))
			return domain;
	}
}

static uint32_t
count(const struct rpc_connect_get_all_domain_stats_args *args, const struct domains *domains)
{
	struct chosen chosen = {.args = args, .domains = domains};
	uint32_t n = 0;

	while (next_domain(&chosen))
		n++;
	return n;
}

/* A place in what the call names. */
struct place {
	const struct domain *domain;
	uint32_t i;
};

static int
compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->domain > y->domain) - (x->domain < y->domain);
}

/* A row for each domain, and what the call names in its order. Returns false without memory. */
static bool
begin_all(struct all *all, struct chosen chosen)
{
	struct rpc_arena *arena = &all->call->arena;
	struct place *places = rpc_arena_array(arena, all->n_named, sizeof(*places));
	uint32_t n_rows = 0;

	all->named = rpc_arena_array(arena, all->n_named, sizeof(*all->named));
	if (!places || !all->named)
		return false;
	for (uint32_t i = 0; i < all->n_named; i++)
		places[i] = (struct place){.domain = next_domain(&chosen), .i = i};
	qsort(places, all->n_named, sizeof(*places), compare_places);
	for (uint32_t i = 0; i < all->n_named; i++) {
		n_rows += i == 0 || places[i].domain != places[i - 1].domain;
		all->named[places[i].i] = n_rows - 1;
	}
	all->rows = rpc_arena_array(arena, n_rows, sizeof(*all->rows));
	if (!all->rows)
		return false;
	for (uint32_t i = 0; i < all->n_named; i++) {
		struct row *row = &all->rows[all->named[places[i].i]];

		if (!row->all)
			begin(all, row, places[i].domain);
	}
	return true;
}

/* What QEMU alone tells is not there for a domain that does not run. */
static int
check_enforced(struct rpc_call *call, const struct rpc_connect_get_all_domain_stats_args *args,
	const struct domains *domains)
{
	struct chosen chosen = {.args = args, .domains = domains};
	const struct domain *domain;

	while ((domain = next_domain(&chosen))) {
		uint32_t missing = args->stats & ~stats_groups_supported(domain);

		if (missing)
			return rpc_error_set(&call->error, VIR_ERR_ARGUMENT_UNSUPPORTED,
				VIR_FROM_QEMU,
				"argument unsupported: Stats types bits 0x%" PRIx32
				" are not supported by this daemon or QEMU",
				missing);
	}
	return RPC_DONE;
}

int
rpc_connect_get_all_domain_stats(struct rpc_call *call,
	const struct rpc_connect_get_all_domain_stats_args *args,
	struct rpc_connect_get_all_domain_stats_ret *ret)
{
	struct chosen chosen = {.args = args, .domains = call_domains(call)};
	struct all *all = rpc_arena_new(&call->arena, struct all);
	uint32_t n;

	(void)ret;
	if (call_check_flags(call, args->flags,
		    STATS_FILTERS | STATS_NOWAIT | STATS_BACKING | STATS_ENFORCE) != RPC_DONE)
		return RPC_FAILED;
	n = count(args, chosen.domains);
	if (n > RECORDS_MAX)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
			"internal error: Number of domain stats records is %" PRIu32
			", which exceeds max limit: %d",
			n, RECORDS_MAX);
	if (!all)
		return call_out_of_memory(call);
	*all = (struct all){.call = call,
		.domains = call_domains(call),
		.no_wait = args->flags & STATS_NOWAIT,
		.n_named = n};
	/* Without any, all. */
	all->groups = args->stats ? args->stats : UINT32_MAX;
	if (args->flags & STATS_ENFORCE && check_enforced(call, args, chosen.domains) != RPC_DONE)
		return RPC_FAILED;
	if (!begin_all(all, chosen))
		return call_out_of_memory(call);
	return all->n_waiting > 0 ? RPC_LATER : finish(all);
}
