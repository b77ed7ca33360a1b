/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_power.c: procedures that start a domain, pause it, reset it, and end it.
 *
 * Runs in the worker. Each is answered when it has happened; a client that goes in between changes
 * nothing of it.
 */
#include <string.h>

#include "protocol/rpc/handlers.h"
#include "serve/client.h"
#include "serve/server.h"
#include "worker/estate.h"
#include "worker/rpc/ask.h"
#include "worker/rpc/domain_find.h"
#include "worker/rpc/serving.h"
#include "worker/vm/log.h"
#include "worker/vm/vms.h"

/*
 * virDomainCreateFlags. BYPASS_CACHE, FORCE_BOOT and RESET_NVRAM change nothing where there is no
 * managed save and no NVRAM; every definition is validated.
 */
enum {
	CREATE_PAUSED = 0x1,
	CREATE_AUTODESTROY = 0x2,
	CREATE_SUPPORTED = 0x1 | 0x2 | 0x4 | 0x8 | 0x20, /* of what is defined */
	CREATE_XML_SUPPORTED = 0x1 | 0x2 | 0x10 | 0x20
};

/* virDomainDestroyFlagsValues */
enum { DESTROY_GRACEFUL = 1, DESTROY_REMOVE_LOGS = 2 };

static void
answer(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	struct rpc_call *call = arg;

	if (handled == RPC_FAILED)
		call->error = *error;
	call_answer(call, handled);
}

static struct vm_start
how_to_start(struct rpc_call *call, uint32_t flags)
{
	return (struct vm_start){.paused = flags & CREATE_PAUSED,
		.owner = flags & CREATE_AUTODESTROY ? &serving_of(call->client)->owned : NULL};
}

static int
start(struct rpc_call *call, const struct rpc_domain *dom, uint32_t flags, vm_done_fn *done,
	void *arg)
{
	const struct vm_start how = how_to_start(call, flags);
	struct domain *domain = call_find_domain(call, dom);

	if (!domain)
		return RPC_FAILED;
	return vms_start(&call_estate(call)->vms, domain, &how, &call->error, done, arg);
}

int
rpc_domain_create(struct rpc_call *call, const struct rpc_domain_create_args *args)
{
	return start(call, &args->dom, 0, answer, call);
}

/* A start whose answer has the domain with its new id. */
struct created {
	struct rpc_call *call;
	struct domains *domains;
	uint8_t uuid[16];
	struct rpc_domain *ret;
};

static void
answer_created(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	const struct created *created = arg;
	const struct domain *domain = domains_find_uuid(created->domains, created->uuid);

	if (handled == RPC_DONE && domain)
		*created->ret = call_domain_ret(domain);
	answer(created->call, handled, error);
}

static struct created *
new_created(struct rpc_call *call, struct rpc_domain *ret)
{
	struct created *created = rpc_arena_array(&call->arena, 1, sizeof(*created));

	if (created)
		*created =
			(struct created){.call = call, .domains = call_domains(call), .ret = ret};
	else
		(void)call_out_of_memory(call);
	return created;
}

int
rpc_domain_create_with_flags(struct rpc_call *call,
	const struct rpc_domain_create_with_flags_args *args,
	struct rpc_domain_create_with_flags_ret *ret)
{
	struct created *created;

	if (call_check_flags(call, args->flags, CREATE_SUPPORTED) != RPC_DONE)
		return RPC_FAILED;
	created = new_created(call, &ret->dom);
	if (!created)
		return RPC_FAILED;
	memcpy(created->uuid, args->dom.uuid, sizeof(created->uuid));
	return start(call, &args->dom, args->flags, answer_created, created);
}

int
rpc_domain_create_xml(struct rpc_call *call, const struct rpc_domain_create_xml_args *args,
	struct rpc_domain_create_xml_ret *ret)
{
	const struct vm_start how = how_to_start(call, args->flags);
	struct created *created;
	struct domain *domain;
	int r;

	if (call_check_flags(call, args->flags, CREATE_XML_SUPPORTED) != RPC_DONE)
		return RPC_FAILED;
	created = new_created(call, &ret->dom);
	if (!created)
		return RPC_FAILED;
	r = vms_create(&call_estate(call)->vms, args->xml_desc, call_guise(call), &how,
		&call->error, answer_created, created, &domain);
	if (r == RPC_LATER)
		memcpy(created->uuid, domain_def_now(domain)->uuid, sizeof(created->uuid));
	return r;
}

int
rpc_domain_suspend(struct rpc_call *call, const struct rpc_domain_suspend_args *args)
{
	struct domain *domain = call_find_domain(call, &args->dom);

	return domain ? vms_suspend(domain, &call->error, answer, call) : RPC_FAILED;
}

int
rpc_domain_resume(struct rpc_call *call, const struct rpc_domain_resume_args *args)
{
	struct domain *domain = call_find_domain(call, &args->dom);

	return domain ? vms_resume(domain, &call->error, answer, call) : RPC_FAILED;
}

int
rpc_domain_reset(struct rpc_call *call, const struct rpc_domain_reset_args *args)
{
	struct domain *domain;

	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_domain(call, &args->dom);
	return domain ? vms_reset(domain, &call->error, answer, call) : RPC_FAILED;
}

int
rpc_domain_pm_wakeup(struct rpc_call *call, const struct rpc_domain_pm_wakeup_args *args)
{
	struct domain *domain;

	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_domain(call, &args->dom);
	return domain ? vms_wakeup(domain, &call->error, answer, call) : RPC_FAILED;
}

/* virDomainShutdownFlagValues, which virDomainRebootFlagValues are too: ACPI, the agent. */
enum { SHUTDOWN_ACPI = 0x1, SHUTDOWN_AGENT = 0x2, SHUTDOWN_SUPPORTED = 0x3 };

/* The domain of a call for a shutdown or a reboot; NULL where only an agent could do it. */
static struct domain *
find_to_power_down(struct rpc_call *call, const struct rpc_domain *dom, uint32_t flags)
{
	struct domain *domain;

	if (call_check_flags(call, flags, SHUTDOWN_SUPPORTED) != RPC_DONE)
		return NULL;
	domain = call_find_domain(call, dom);
	if (!domain || !(flags & SHUTDOWN_AGENT) || flags & SHUTDOWN_ACPI ||
		!domain_is_active(domain))
		return domain;
	(void)call_without_agent(call, domain);
	return NULL;
}

int
rpc_domain_shutdown(struct rpc_call *call, const struct rpc_domain_shutdown_args *args)
{
	struct domain *domain = find_to_power_down(call, &args->dom, 0);

	return domain ? vms_shutdown(domain, &call->error, answer, call) : RPC_FAILED;
}

int
rpc_domain_shutdown_flags(struct rpc_call *call, const struct rpc_domain_shutdown_flags_args *args)
{
	struct domain *domain = find_to_power_down(call, &args->dom, args->flags);

	return domain ? vms_shutdown(domain, &call->error, answer, call) : RPC_FAILED;
}

int
rpc_domain_reboot(struct rpc_call *call, const struct rpc_domain_reboot_args *args)
{
	struct domain *domain = find_to_power_down(call, &args->dom, args->flags);

	return domain ? vms_reboot(domain, &call->error, answer, call) : RPC_FAILED;
}

int
rpc_domain_destroy(struct rpc_call *call, const struct rpc_domain_destroy_args *args)
{
	struct domain *domain = call_find_domain(call, &args->dom);

	return domain ? vms_destroy(domain, false, &call->error, answer, call) : RPC_FAILED;
}

/* An end after which what the machine said is removed. */
struct unlogged {
	struct rpc_call *call;
	const char *name;
};

static void
answer_unlogged(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	const struct unlogged *unlogged = arg;
	struct rpc_call *call = unlogged->call;
	int r = 0;

	if (handled == RPC_DONE)
		r = vm_log_remove(call_estate(call)->home.folder_fd[HOME_LOG], unlogged->name);
	if (r < 0) {
		(void)rpc_error_set_errno(&call->error, -r, VIR_FROM_QEMU,
			"cannot remove the logs of domain '%s' in ~/.qemud/log", unlogged->name);
		handled = RPC_FAILED;
		error = &call->error;
	}
	answer(call, handled, error);
}

int
rpc_domain_destroy_flags(struct rpc_call *call, const struct rpc_domain_destroy_flags_args *args)
{
	bool graceful = args->flags & DESTROY_GRACEFUL;
	struct unlogged *unlogged;
	struct domain *domain;

	if (call_check_flags(call, args->flags, DESTROY_GRACEFUL | DESTROY_REMOVE_LOGS) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_domain(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	if (!(args->flags & DESTROY_REMOVE_LOGS))
		return vms_destroy(domain, graceful, &call->error, answer, call);
	unlogged = rpc_arena_array(&call->arena, 1, sizeof(*unlogged));
	if (!unlogged)
		return call_out_of_memory(call);
	*unlogged = (struct unlogged){
		.call = call, .name = rpc_arena_strdup(&call->arena, domain_def_now(domain)->name)};
	if (!unlogged->name)
		return call_out_of_memory(call);
	return vms_destroy(domain, graceful, &call->error, answer_unlogged, unlogged);
}
