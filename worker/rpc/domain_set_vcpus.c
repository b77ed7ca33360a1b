/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_set_vcpus.c: procedures that give a domain another number of virtual CPUs.
 *
 * Runs in the worker. What is checked, in which order, and the errors are libvirt 9.0.0's (measured): a
 * machine that runs comes first, and its definition is changed when it has got them. Nobody is told by an event.
 */
#include <string.h>

#include "protocol/rpc/handlers.h"
#include "serve/client.h"
#include "serve/server.h"
#include "worker/rpc/ask.h"
#include "worker/rpc/domain_find.h"
#include "worker/vm/vcpus.h"

/* virDomainVcpuFlags, beside enum affect_flag */
enum vcpu_flag { VCPU_MAXIMUM = 0x4, VCPU_GUEST = 0x8, VCPU_HOTPLUGGABLE = 0x10, VCPU_ALL = 0x1f };

/* In the call's arena. */
struct setting {
	struct rpc_call *call;
	struct domains *domains;
	uint8_t uuid[16];
	struct domain_vcpu_change change;
	bool live, config; /* which is changed, or both */
};

static int
invalid(struct rpc_call *call, const char *why)
{
	return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN, "%s", why);
}

static int
not_valid(struct rpc_call *call, const char *why)
{
	return rpc_error_set(&call->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_DOMAIN,
		"Requested operation is not valid: %s", why);
}

/* --- what is kept ------------------------------------------------------------------------- */

static int
check_maximum(struct rpc_call *call, uint32_t n, const struct domain_def *def, const char *which)
{
	if (n <= def->vcpus)
		return RPC_DONE;
	return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
		"invalid argument: requested vcpus is greater than max allowable vcpus for the %s "
		"domain: %u > %u",
		which, n, def->vcpus);
}

static int
change_config(const struct setting *setting, struct domain *domain)
{
	const struct domain_vcpu_change *change = &setting->change;
	domain_def_auto struct domain_def *def = NULL;
	struct rpc_call *call = setting->call;
	int r;

	if (!change->maximum &&
		check_maximum(call, change->n, domain->config, "persistent") != RPC_DONE)
		return RPC_FAILED;
	r = domain_vcpu_change(domain->config, change, setting->domains->env, &call->error, &def);
	if (r)
		return r < 0 ? call_out_of_memory(call) : RPC_FAILED;
	r = domains_update(setting->domains, domain, def, &call->error);
	if (r == RPC_DONE)
		(void)take_ptr(def);
	return r;
}

/* --- what runs ---------------------------------------------------------------------------- */

/* It has as many as were asked for, or why not. Its definition may be another one by now. */
static void
changed_live(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	const struct setting *setting = arg;
	struct domain *domain = domains_find_uuid(setting->domains, setting->uuid);
	struct rpc_call *call = setting->call;
	int r = (int)handled;

	if (handled == RPC_FAILED)
		call->error = *error;
	else if (setting->config)
		r = domain && domain->config
			    ? change_config(setting, domain)
			    : not_valid(
				      call, "transient domains do not have any persistent config");
	call_answer(call, r == RPC_DONE ? RPC_DONE : RPC_FAILED);
}

static int
set_maximum(const struct setting *setting, struct domain *domain)
{
	if (setting->live)
		return rpc_error_set(&setting->call->error, VIR_ERR_OPERATION_UNSUPPORTED,
			VIR_FROM_QEMU,
			"Operation not supported: maximum vcpu count of a live domain can't be "
			"modified");
	return change_config(setting, domain);
}

static int
set_current(struct setting *setting, struct domain *domain)
{
	struct rpc_call *call = setting->call;
	uint32_t n = setting->change.n;

	if (setting->live && check_maximum(call, n, domain->live, "live") != RPC_DONE)
		return RPC_FAILED;
	if (!setting->live)
		return change_config(setting, domain);
	if (setting->config && check_maximum(call, n, domain->config, "persistent") != RPC_DONE)
		return RPC_FAILED;
	return vms_set_vcpus(domain, n, &call->error, changed_live, setting);
}

/* --- the calls ---------------------------------------------------------------------------- */

static int
set_vcpus(struct rpc_call *call, const struct rpc_domain *dom, uint32_t n, uint32_t flags)
{
	struct domain *domain = call_find_domain(call, dom);
	struct setting *setting;

	if (!domain)
		return RPC_FAILED;
	if (flags & AFFECT_LIVE && !domain_is_active(domain))
		return not_valid(call, "domain is not running");
	if (flags & AFFECT_CONFIG && !domain->config)
		return not_valid(call, "transient domains do not have any persistent config");
	if (flags & VCPU_GUEST)
		return call_without_agent(call, domain);
	setting = rpc_arena_new(&call->arena, struct setting);
	if (!setting)
		return call_out_of_memory(call);
	*setting = (struct setting){.call = call,
		.domains = call_domains(call),
		.change = {.n = n,
			.maximum = flags & VCPU_MAXIMUM,
			.hotpluggable = flags & VCPU_HOTPLUGGABLE},
		.live = flags & AFFECT_LIVE ||
			(!(flags & AFFECT_CONFIG) && domain_is_active(domain))};
	setting->config = flags & AFFECT_CONFIG || !setting->live;
	memcpy(setting->uuid, domain_def_now(domain)->uuid, sizeof(setting->uuid));
	return setting->change.maximum ? set_maximum(setting, domain)
				       : set_current(setting, domain);
}

int
rpc_domain_set_vcpus(struct rpc_call *call, const struct rpc_domain_set_vcpus_args *args)
{
	if (args->nvcpus == 0)
		return invalid(call, "nvcpus in virDomainSetVcpus must not be zero");
	return set_vcpus(call, &args->dom, args->nvcpus, AFFECT_LIVE);
}

int
rpc_domain_set_vcpus_flags(
	struct rpc_call *call, const struct rpc_domain_set_vcpus_flags_args *args)
{
	if (args->flags & VCPU_MAXIMUM && !(args->flags & AFFECT_CONFIG))
		return invalid(call, "Flag 'VIR_DOMAIN_AFFECT_CONFIG' is required by flag "
				     "'VIR_DOMAIN_VCPU_MAXIMUM'");
	if (args->flags & VCPU_GUEST && args->flags & AFFECT_CONFIG)
		return invalid(call, "Flags 'VIR_DOMAIN_VCPU_GUEST' and "
				     "'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive");
	if (args->nvcpus == 0)
		return invalid(call, "nvcpus in virDomainSetVcpusFlags must not be zero");
	if (call_check_flags(call, args->flags, VCPU_ALL) != RPC_DONE)
		return RPC_FAILED;
	return set_vcpus(call, &args->dom, args->nvcpus, args->flags);
}
