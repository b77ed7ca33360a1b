/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_stats.c: the procedure that tells the statistics of many domains at once.
 *
 * Runs in the view. Every worker that runs is asked about its own user's, several side by side, and
 * what they say is one answer. A user whose worker does not answer has no rows, and is named in the
 * log; of one whose worker does not run, the inventory tells the states. Only an error of the
 * principal's own worker is the answer: what others' say is no reason to show nothing.
 */
#include <string.h>

#include "lib/log.h"
#include "lib/take.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/handlers.h"
#include "view/forward.h"
#include "view/handles.h"
#include "view/shown.h"
#include "view/viewer.h"
#include "view/worker_error.h"

enum { STATS_FILTERS = 0xff, STATS_STATE = 0x1, AT_ONCE = 24, STATS_S = 10 };

/* All in the arena of the call. */

struct part {
	struct channel_call sent;
	struct all *all;
	uint32_t uid;
	bool own;
	struct rpc_connect_get_all_domain_stats_args args;
	uint32_t n_records;
	struct rpc_domain_stats_record *records;
};

struct all {
	struct rpc_call *call;
	struct view_host *host;
	struct part *parts;
	uint32_t n_parts, next; /* to be asked */
	uint32_t n_open;
	bool failed;
	bool beginning; /* what fails at once is not answered yet */
};

/* --- the answer --------------------------------------------------------------------------- */

static uint32_t
n_of(const struct part *part, uint32_t most)
{
	return part->n_records < most ? part->n_records : most;
}

static uint64_t
count_with(const void *arg, uint32_t most)
{
	const struct all *all = arg;
	uint64_t n = 0;

	for (uint32_t i = 0; i < all->n_parts; i++)
		n += n_of(&all->parts[i], most);
	return n;
}

static int
merge(struct all *all)
{
	struct rpc_connect_get_all_domain_stats_ret *ret = all->call->ret;
	uint32_t most = shown_most(count_with, all);

	if (all->failed)
		return RPC_FAILED;
	ret->retStats =
		rpc_arena_array(&all->call->arena, count_with(all, most), sizeof(*ret->retStats));
	if (!ret->retStats)
		return call_out_of_memory(all->call);
	for (uint32_t i = 0; i < all->n_parts; i++) {
		const struct part *part = &all->parts[i];
		uint32_t n = n_of(part, most);

		if (n > 0)
			memcpy(&ret->retStats[ret->n_retStats], part->records,
				n * sizeof(*part->records));
		if (n < part->n_records)
			log_warning("statistics of %u more machines of uid %u have no room",
				part->n_records - n, part->uid);
		ret->n_retStats += n;
	}
	return RPC_DONE;
}

static void begin_next(struct all *all);

struct showing {
	const struct owner *owner;
	struct rpc_arena *arena;
};

static int
show_one(struct rpc_domain *dom, void *arg)
{
	const struct showing *showing = arg;

	return owner_show(showing->owner, dom, showing->arena) ? 0 : -1;
}

static void
take_records(struct part *part, const struct owner *owner, const struct rpc_frame *reply)
{
	struct rpc_connect_get_all_domain_stats_ret ret;
	struct showing showing = {.owner = owner, .arena = &part->all->call->arena};
	const struct rpc_shape *shape = part->sent.procedure->ret;

	if (rpc_decode(shape, reply->payload, reply->size, showing.arena, &ret) != 0 ||
		handles_each(shape, &ret, show_one, &showing) != 0) {
		log_warning("the worker of %s told statistics that are none", owner->label);
		return;
	}
	part->n_records = ret.n_retStats;
	part->records = ret.retStats;
}

static void
settle(struct all *all)
{
	if (all->beginning || all->n_open > 0 || all->next < all->n_parts)
		return;
	call_answer(all->call, merge(all) == RPC_DONE ? RPC_DONE : RPC_FAILED);
}

static void
answered(struct channel_call *sent, const struct rpc_frame *reply, int *fds,
	const struct rpc_error *error)
{
	struct part *part = container_of(sent, struct part, sent);
	struct all *all = part->all;
	const struct owner *owner = owners_find(&all->host->owners, part->uid);
	struct rpc_error why;

	(void)fds;
	if (reply && reply->header.status == RPC_OK && owner) {
		take_records(part, owner, reply);
	} else {
		if (reply)
			worker_error(reply, &why);
		else
			why = *error;
		log_warning("statistics of %s are not told: %s", owner ? owner->label : "?",
			why.message);
		if (reply && part->own) {
			all->call->error = why;
			all->failed = true;
		}
	}
	all->n_open--;
	begin_next(all);
	settle(all);
}

/* --- asking ------------------------------------------------------------------------------- */

/* What the inventory knows. */
static void
tell_states(struct part *part, const struct owner *owner)
{
	struct rpc_arena *arena = &part->all->call->arena;
	const struct rpc_connect_get_all_domain_stats_args *args = &part->args;

	part->records = rpc_arena_array(arena, owner->rows.n_vms, sizeof(*part->records));
	for (unsigned i = 0; part->records && i < owner->rows.n_vms; i++) {
		const struct owner_vm *vm = &owner->rows.vms[i];
		struct rpc_domain_stats_record *record = &part->records[part->n_records];
		bool named = args->n_doms == 0;

		for (uint32_t k = 0; args->doms && !named && k < args->n_doms; k++)
			named = memcmp(args->doms[k].uuid, vm->uuid, UUID_SIZE) == 0;
		if (!named || !shown_passes(vm, args->flags & STATS_FILTERS))
			continue;
		record->dom = forward_shown(vm);
		record->dom.name = rpc_arena_strdup(arena, vm->name);
		if (!record->dom.name)
			return;
		part->n_records++;
		if (args->stats != 0 && !(args->stats & STATS_STATE))
			continue;
		record->params = rpc_arena_array(arena, 2, sizeof(*record->params));
		if (!record->params)
			continue;
		record->params[0] =
			(struct rpc_typed_param){.field = (char *)(uintptr_t) "state.state",
				.type = VIR_TYPED_PARAM_INT,
				.value = {.i = (int32_t)vm->state}};
		record->params[1] =
			(struct rpc_typed_param){.field = (char *)(uintptr_t) "state.reason",
				.type = VIR_TYPED_PARAM_INT,
				.value = {.i = (int32_t)vm->reason}};
		record->n_params = 2;
	}
}

static bool
runs_any(const struct owner *owner)
{
	for (unsigned i = 0; i < owner->rows.n_vms; i++)
		if (owner->rows.vms[i].id > 0)
			return true;
	return false;
}

static void
begin(struct part *part)
{
	struct all *all = part->all;
	struct viewer *viewer = all->call->client ? viewer_of(all->call->client) : NULL;
	struct owner *owner = owners_find(&all->host->owners, part->uid);
	struct route *route;
	struct rpc_error error;

	if (!viewer || !owner)
		return;
	if (!owner->worker && !runs_any(owner)) {
		tell_states(part, owner);
		return;
	}
	route = viewer_route(viewer, owner, &error);
	part->sent = (struct channel_call){.procedure = all->call->procedure,
		.args = &part->args,
		.seconds = STATS_S,
		.only_looks = true,
		.answer = answered};
	if (route && channel_call(&route->channel, &part->sent, &error) == RPC_LATER)
		all->n_open++;
	else
		log_warning("statistics of %s are not told: %s", owner->label, error.message);
}

static void
begin_next(struct all *all)
{
	while (all->n_open < AT_ONCE && all->next < all->n_parts)
		begin(&all->parts[all->next++]);
}

/* --- whose -------------------------------------------------------------------------------- */

static struct part *
part_of(struct all *all, const struct owner *owner)
{
	struct part *part;

	for (uint32_t i = 0; i < all->n_parts; i++)
		if (all->parts[i].uid == owner->uid)
			return &all->parts[i];
	part = &all->parts[all->n_parts++];
	part->all = all;
	part->uid = owner->uid;
	part->own = owner->own;
	return part;
}

/* The domains that are named, each to its owner; those that are not there are passed over. */
static int
share_out(struct all *all, const struct rpc_connect_get_all_domain_stats_args *args)
{
	const struct viewer *viewer = viewer_of(all->call->client);

	for (uint32_t i = 0; i < args->n_doms; i++) {
		struct owner *owner;
		const struct owner_vm *vm =
			owners_find_uuid(&all->host->owners, args->doms[i].uuid, &owner);
		struct part *part;

		if (!vm || !viewer_shows(viewer, owner))
			continue;
		part = part_of(all, owner);
		if (!part->args.doms)
			part->args.doms = rpc_arena_array(
				&all->call->arena, args->n_doms - i, sizeof(*part->args.doms));
		if (!part->args.doms)
			return call_out_of_memory(all->call);
		part->args.doms[part->args.n_doms] = args->doms[i];
		memcpy(part->args.doms[part->args.n_doms].uuid, vm->uuid, UUID_SIZE);
		part->args.n_doms++;
	}
	return RPC_DONE;
}

/* Everybody of whom one passes. */
static void
ask_everybody(struct all *all, const struct rpc_connect_get_all_domain_stats_args *args)
{
	struct shown_vms shown =
		shown_begin(viewer_of(all->call->client), args->flags & STATS_FILTERS);

	while (shown_next(&shown))
		(void)part_of(all, shown.owner);
}

int
rpc_connect_get_all_domain_stats(struct rpc_call *call,
	const struct rpc_connect_get_all_domain_stats_args *args,
	struct rpc_connect_get_all_domain_stats_ret *ret)
{
	struct viewer *viewer = viewer_of(call->client);
	struct all *all = rpc_arena_new(&call->arena, struct all);
	const struct owner *owner;
	uint32_t n = 0;
	int r = RPC_DONE;

	(void)ret;
	TAILQ_FOREACH (owner, &viewer->host->owners.all, entry)
		n++;
	if (!all)
		return call_out_of_memory(call);
	*all = (struct all){.call = call, .host = viewer->host};
	all->parts = rpc_arena_array(&call->arena, n + 1, sizeof(*all->parts));
	if (!all->parts)
		return call_out_of_memory(call);
	if (args->n_doms > 0)
		r = share_out(all, args);
	else
		ask_everybody(all, args);
	if (r != RPC_DONE)
		return r;
	for (uint32_t i = 0; i < all->n_parts; i++) {
		all->parts[i].args.stats = args->stats;
		all->parts[i].args.flags = args->flags;
	}
	all->beginning = true;
	begin_next(all);
	all->beginning = false;
	return all->n_open > 0 ? RPC_LATER : merge(all);
}
