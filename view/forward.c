/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forward.c: calls that an owner's worker answers; see forward.h.
 *
 * After a call that may have changed something the worker is asked what there is now, and the broker
 * what runs, before the call is answered: so whoever then asks this view for what she has just made
 * finds it, however long the inventory takes.
 */
#include "view/forward.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/take.h"
#include "lib/uuid.h"
#include "protocol/rpc/frame.h"
#include "protocol/verb.h"
#include "view/force.h"
#include "view/handles.h"
#include "view/hint.h"
#include "view/viewer.h"
#include "view/worker_error.h"

enum { LIST_S = 5 };

/* A call that is on its way. In the call's arena. */
struct forward {
	struct channel_call sent;
	struct rpc_call *call;
	struct owners *owners;
	struct route *route;      /* until it is answered */
	struct channel_call list; /* what there is after it, as the worker says */
	struct rpc_connect_list_all_domains_ret listed;
	bool has_listed;
	struct owners_wait wait; /* and what runs then, as the broker does */
	struct force force;
	struct ending ending; /* of what the broker ends */
	enum force_act act;   /* 0: there is none */
	uint32_t uid;         /* of the owner */
	uint32_t vm_id;       /* of the VM that runs and is named; 0: there is none */
	enum rpc_handled handled;
};

/* --- handles ------------------------------------------------------------------------------ */

struct rpc_domain
forward_shown(const struct owner_vm *vm)
{
	struct rpc_domain ret = {.name = vm->name, .id = vm->id};

	memcpy(ret.uuid, vm->shown, sizeof(ret.uuid));
	return ret;
}

static int
no_domain(struct rpc_call *call, const struct rpc_domain *dom)
{
	char uuid[UUID_TEXT_SIZE];

	return rpc_error_set(&call->error, VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU,
		"Domain not found: no domain with matching uuid '%s' (%s)",
		uuid_format(dom->uuid, uuid), dom->name);
}

/* Whose are the domains that a call names? */
struct named {
	struct rpc_call *call;
	struct viewer *viewer;
	struct owner *owner; /* NULL: none yet */
	uint32_t vm_id;      /* of the last one, 0 when it does not run */
	bool frozen;         /* it stands still by the broker's hand */
};

/* From a handle of this view to that of the owner's worker. */
static int
name_one(struct rpc_domain *dom, void *arg)
{
	struct named *named = arg;
	struct owners *owners = &named->viewer->host->owners;
	struct owner *owner, *own = owners_own(owners);
	const struct owner_vm *vm = owners_find_uuid(owners, dom->uuid, &owner);

	if (vm && viewer_shows(named->viewer, owner)) {
		memcpy(dom->uuid, vm->uuid, sizeof(dom->uuid));
		/* The rows may be others before the call is sent. */
		dom->name = rpc_arena_strdup(
			&named->call->arena, vm->name + strlen(owner->rows.prefix));
		if (!dom->name)
			return call_out_of_memory(named->call);
		named->vm_id = vm->id > 0 ? (uint32_t)vm->id : 0;
		named->frozen = vm->frozen;
	} else if (own && own->rows.n_left_out > 0) {
		/* One of those that her inventory has no room for, or nobody's: her worker knows. */
		owner = own;
	} else {
		return no_domain(named->call, dom);
	}
	if (named->owner && named->owner != owner)
		return rpc_error_set(&named->call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
			"invalid argument: one call names virtual machines of %s and of %s",
			named->owner->label, owner->label);
	named->owner = owner;
	return 0;
}

struct shown {
	struct rpc_call *call;
	const struct owner *owner;
};

/* And back. */
static int
show_one(struct rpc_domain *dom, void *arg)
{
	const struct shown *shown = arg;

	if (owner_show(shown->owner, dom, &shown->call->arena))
		return 0;
	return rpc_error_set(&shown->call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
		"internal error: the worker of %s named a virtual machine as none is named",
		shown->owner->label);
}

/* --- the answer --------------------------------------------------------------------------- */

static int
take_result(struct forward *forward, const struct rpc_frame *reply, int *fds)
{
	struct rpc_call *call = forward->call;
	const struct rpc_procedure *procedure = call->procedure;
	struct shown shown = {
		.call = call, .owner = owners_find(forward->owners, forward->route->channel.uid)};

	if (reply->header.status != RPC_OK) {
		worker_error(reply, &call->error);
		return RPC_FAILED;
	}
	if (!shown.owner)
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_DENIED, VIR_FROM_DOMAIN,
			"operation forbidden: what was asked for is shown no more");
	if (rpc_decode(procedure->ret, reply->payload, reply->size, &call->arena, call->ret) != 0)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: what the worker of %s answered is no answer to %s",
			shown.owner->label, procedure->api ? procedure->api : procedure->name);
	if (handles_each(procedure->ret, call->ret, show_one, &shown) != 0)
		return RPC_FAILED;
	if (procedure->reply_fds != RPC_FDS_NONE && reply->n_fds > 0)
		call->reply_fd = take_fd(&fds[0]);
	if (screen_is_opened_by(procedure))
		return screen_open(call, shown.owner->uid);
	if (procedure->direction != RPC_DIRECTION_NONE)
		return relay_open(call, &forward->route->channel, &forward->route->relays,
			reply->header.serial);
	return RPC_DONE;
}

/* --- without the worker ------------------------------------------------------------------- */

static void
has_ended(struct ending *ending, enum ending_result result)
{
	struct rpc_call *call = container_of(ending, struct forward, ending)->call;

	if (result == ENDING_LATE)
		(void)rpc_error_set_errno(&call->error, EBUSY, VIR_FROM_NONE,
			"Failed to terminate the virtual machine with SIGKILL");
	else if (result == ENDING_UNKNOWN)
		(void)rpc_error_set(&call->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: the virtual machine is being ended, and nobody says any "
			"more when it is over");
	call_answer(call, result == ENDING_OVER ? RPC_DONE : RPC_FAILED);
}

static void
was_forced(struct force *force, int err)
{
	struct forward *forward = container_of(force, struct forward, force);
	struct owners *owners = forward->owners;
	const struct owner *owner = owners_find(owners, forward->uid);

	/* If it could not be, what the worker's answer, or its silence, has made of the call stands. */
	if (err == 0) {
		owners_forced(owners, forward->uid, forward->vm_id, forward->act);
		forward->handled = RPC_DONE;
	}
	if (err == 0 && forward->act == FORCE_STOP && owner &&
		rows_runs(&owner->rows, forward->vm_id))
		ending_wait(&owners->endings, owners->loop, &forward->ending, forward->uid,
			forward->vm_id, has_ended);
	else
		call_answer(forward->call, forward->handled);
}

/* Does it stand still by the broker's hand? What its worker paused only its worker lets go on. */
static bool
is_frozen(const struct forward *forward)
{
	const struct owner *owner = owners_find(forward->owners, forward->uid);

	for (unsigned i = 0; owner && i < owner->rows.n_vms; i++)
		if (owner->rows.vms[i].id == (int32_t)forward->vm_id)
			return owner->rows.vms[i].frozen;
	return false;
}

/* What can be done without it is done. False: nothing can. */
static bool
force_it(struct forward *forward)
{
	struct rpc_call *call = forward->call;
	struct view_host *host = container_of(forward->owners, struct view_host, owners);
	struct ipc_vm_stop vm = {.uid = forward->uid, .id = forward->vm_id};

	if (!call->client || vm.id == 0 || forward->act == 0 ||
		(forward->act == FORCE_THAW && !is_frozen(forward)))
		return false;
	vm.conn_id = call->client->conn.id;
	return force_start(&host->forces, &forward->force, host->uplink, forward->act, &vm,
		       ++host->last_cookie, was_forced) == 0;
}

/* --- what there is then ------------------------------------------------------------------- */

static const struct rpc_connect_list_all_domains_args list_args = {.need_results = 1};

/* Whoever ends another's VM does not depend on what her worker answers. */
static bool
is_to_be_ended(const struct forward *forward, const struct owner *owner)
{
	return forward->act == FORCE_STOP && !owner->own && rows_runs(&owner->rows, forward->vm_id);
}

static void
waited(struct owners_wait *wait)
{
	struct forward *forward = container_of(wait, struct forward, wait);
	struct owner *owner = owners_find(forward->owners, forward->uid);

	if (owner && forward->has_listed)
		owners_told(
			forward->owners, owner, forward->listed.domains, forward->listed.n_domains);
	if (!owner || !is_to_be_ended(forward, owner) || !force_it(forward))
		call_answer(forward->call, forward->handled);
}

static void
listed(struct channel_call *list, const struct rpc_frame *reply, int *fds,
	const struct rpc_error *error)
{
	struct forward *forward = container_of(list, struct forward, list);

	(void)fds;
	(void)error;
	forward->has_listed = reply && reply->header.status == RPC_OK &&
			      rpc_decode(list->procedure->ret, reply->payload, reply->size,
				      &forward->call->arena, &forward->listed) == 0;
	owners_wait(forward->owners, &forward->wait, waited);
}

/* Answer the call, after its worker has said what there is now, and the broker what runs. */
static void
finish_after_list(struct forward *forward)
{
	struct rpc_error error;

	forward->list = (struct channel_call){.procedure = rpc_procedure_find(RPC_PROGRAM_REMOTE,
						      RPC_PROC_CONNECT_LIST_ALL_DOMAINS),
		.args = &list_args,
		.seconds = LIST_S,
		.only_looks = true,
		.answer = listed};
	if (channel_call(&forward->route->channel, &forward->list, &error) != RPC_LATER)
		owners_wait(forward->owners, &forward->wait, waited);
}

static void
answered(struct channel_call *sent, const struct rpc_frame *reply, int *fds,
	const struct rpc_error *error)
{
	struct forward *forward = container_of(sent, struct forward, sent);
	struct rpc_call *call = forward->call;

	if (reply) {
		forward->handled = (enum rpc_handled)take_result(forward, reply, fds);
	} else {
		call->error = *error;
		forward->handled = RPC_FAILED;
		if (force_it(forward))
			return;
	}
	if (reply && (call->procedure->verb & (VERB_POWER | VERB_MANAGE)))
		finish_after_list(forward);
	else
		call_answer(call, forward->handled);
}

/* --- the call ----------------------------------------------------------------------------- */

static bool
makes_domain(const struct rpc_procedure *procedure)
{
	static const int32_t makers[] = {RPC_PROC_DOMAIN_CREATE_XML, RPC_PROC_DOMAIN_DEFINE_XML,
		RPC_PROC_DOMAIN_CREATE_XML_WITH_FILES, RPC_PROC_DOMAIN_DEFINE_XML_FLAGS,
		RPC_PROC_DOMAIN_RESTORE, RPC_PROC_DOMAIN_RESTORE_FLAGS,
		RPC_PROC_DOMAIN_RESTORE_PARAMS};

	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
		if (procedure->program == RPC_PROGRAM_REMOTE && procedure->number == makers[i])
			return true;
	return false;
}

/* Who answers a call that names no VM; NULL: nobody. */
static struct owner *
default_owner(const struct rpc_call *call)
{
	const struct viewer *viewer = viewer_of(call->client);
	const struct owners *owners = &viewer->host->owners;
	struct owner *owner, *other = NULL;

	if (makes_domain(call->procedure) && !viewer->session)
		TAILQ_FOREACH (owner, &owners->all, entry)
			if (owner->system && (viewer_verbs(viewer, owner) & VERB_MANAGE))
				return owner;
	owner = owners_own(owners);
	if (owner)
		return owner;
	/* Who has none of her own asks about the host all the same. */
	TAILQ_FOREACH (owner, &owners->all, entry)
		if (viewer_shows(viewer, owner) && (!other || owner->system))
			other = owner;
	return other;
}

/* Whose VM a call gives another definition, one that was shown here; NULL: none of those. */
static struct owner *
defined_owner(const struct rpc_call *call, const void *args)
{
	const struct viewer *viewer = viewer_of(call->client);
	const char *xml = hint_definition(call->procedure, args);
	uint8_t uuid[UUID_SIZE];
	struct owner *owner;

	if (!xml || !hint_uuid(xml, uuid) ||
		!owners_find_uuid(&viewer->host->owners, uuid, &owner) ||
		!viewer_shows(viewer, owner))
		return NULL;
	return owner;
}

static int
refuse(struct rpc_call *call, const struct owner *owner)
{
	bool policy = owner->reason[0] != '\0' && !call->client->rights.read_only;

	return rpc_error_set(&call->error, VIR_ERR_OPERATION_DENIED, VIR_FROM_DOMAIN,
		"operation forbidden: %s prevents %s on virtual machines of %s%s%s",
		policy ? "policy" : "read only access", call->procedure->api, owner->label,
		policy ? ": " : "", policy ? owner->reason : "");
}

static int
send_to(struct rpc_call *call, const void *args, const struct named *named)
{
	struct viewer *viewer = viewer_of(call->client);
	struct owner *owner = named->owner;
	struct forward *forward = rpc_arena_new(&call->arena, struct forward);
	struct route *route;
	unsigned n_fds;

	if (!forward)
		return call_out_of_memory(call);
	if (screen_prepare(call, &n_fds) != RPC_DONE)
		return RPC_FAILED;
	forward->call = call;
	forward->owners = &viewer->host->owners;
	forward->uid = owner->uid;
	forward->vm_id = named->vm_id;
	forward->handled = RPC_FAILED;
	(void)force_applies(call->procedure, args, &forward->act);
	forward->route = route = viewer_route(viewer, owner, &call->error);
	if (!route)
		return force_it(forward) ? RPC_LATER : RPC_FAILED;
	/* What the broker made stand still its worker takes for running. */
	if (forward->act == FORCE_THAW && named->frozen) {
		(void)rpc_error_set(&call->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: the virtual machine stands still, and cannot be made to "
			"go on");
		return force_it(forward) ? RPC_LATER : RPC_FAILED;
	}
	if (call->procedure->verb & (VERB_POWER | VERB_MANAGE))
		route->kept = true;
	forward->sent = (struct channel_call){.procedure = call->procedure,
		.args = args,
		.n_fds = n_fds,
		.fds = call->fds,
		.seconds = forward->act != 0 ? FORCE_S : 0,
		.only_looks = rpc_procedure_verbs(call->procedure, args) == VERB_VIEW &&
			      call->procedure->direction == RPC_DIRECTION_NONE,
		.answer = answered};
	if (channel_call(&route->channel, &forward->sent, &call->error) == RPC_LATER ||
		force_it(forward))
		return RPC_LATER;
	return RPC_FAILED;
}

int
forward_call(struct rpc_call *call, const void *args)
{
	struct named named = {.call = call, .viewer = viewer_of(call->client)};
	/* They are the call's own, in its arena. */
	void *own_args = (void *)(uintptr_t)args;

	if (handles_each(call->procedure->args, own_args, name_one, &named) != 0)
		return RPC_FAILED;
	if (!named.owner)
		named.owner = defined_owner(call, args);
	if (!named.owner)
		named.owner = default_owner(call);
	if (!named.owner)
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: there is nobody's worker that could answer this");
	if (rpc_procedure_verbs(call->procedure, args) & ~viewer_verbs(named.viewer, named.owner))
		return refuse(call, named.owner);
	return send_to(call, args, &named);
}
