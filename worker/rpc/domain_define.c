/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_define.c: procedures that change what is kept of a domain.
 *
 * Runs in the worker. An event is queued before the reply of the call that caused it.
 */
#include "protocol/rpc/handlers.h"
#include "serve/client.h"
#include "serve/server.h"
#include "worker/rpc/domain_find.h"
#include "worker/rpc/event.h"
#include "worker/rpc/serving.h"

enum { DOMAIN_DEFINE_VALIDATE = 1 };

/*
 * virDomainUndefineFlagsValues: what goes with a definition. None has anything of the kind, but
 * contradictions are refused as they will be then.
 */
enum {
	UNDEFINE_NVRAM = 0x4,
	UNDEFINE_KEEP_NVRAM = 0x8,
	UNDEFINE_TPM = 0x20,
	UNDEFINE_KEEP_TPM = 0x40,
	UNDEFINE_ALL = 0x7f
};

static int
define(struct rpc_call *call, const char *xml, struct rpc_domain *ret)
{
	struct domain *domain;
	bool is_new;
	int r = domains_define(
		call_domains(call), xml, call_guise(call), &call->error, &domain, &is_new);

	if (r != RPC_DONE)
		return r;
	*ret = call_domain_ret(domain);
	event_lifecycle(call->client->server, ret, EVENT_DEFINED,
		is_new ? EVENT_DEFINED_ADDED : EVENT_DEFINED_UPDATED);
	return RPC_DONE;
}

int
rpc_domain_define_xml(struct rpc_call *call, const struct rpc_domain_define_xml_args *args,
	struct rpc_domain_define_xml_ret *ret)
{
	return define(call, args->xml, &ret->dom);
}

/* Every definition is validated: the flag that asks for it changes nothing. */
int
rpc_domain_define_xml_flags(struct rpc_call *call,
	const struct rpc_domain_define_xml_flags_args *args,
	struct rpc_domain_define_xml_flags_ret *ret)
{
	if (call_check_flags(call, args->flags, DOMAIN_DEFINE_VALIDATE) != RPC_DONE)
		return RPC_FAILED;
	return define(call, args->xml, &ret->dom);
}

static int
undefine(struct rpc_call *call, const struct rpc_domain *dom)
{
	struct domain *domain = call_find_domain(call, dom);
	struct rpc_domain gone;

	if (!domain)
		return RPC_FAILED;
	gone = call_domain_ret(domain);
	gone.name = rpc_arena_strdup(&call->arena, gone.name);
	if (!gone.name)
		return call_out_of_memory(call);
	if (domains_undefine(call_domains(call), domain, &call->error) != RPC_DONE)
		return RPC_FAILED;
	event_lifecycle(call->client->server, &gone, EVENT_UNDEFINED, EVENT_UNDEFINED_REMOVED);
	return RPC_DONE;
}

int
rpc_domain_undefine(struct rpc_call *call, const struct rpc_domain_undefine_args *args)
{
	return undefine(call, &args->dom);
}

int
rpc_domain_undefine_flags(struct rpc_call *call, const struct rpc_domain_undefine_flags_args *args)
{
	const uint32_t nvram = UNDEFINE_NVRAM | UNDEFINE_KEEP_NVRAM;
	const uint32_t tpm = UNDEFINE_TPM | UNDEFINE_KEEP_TPM;
	const char *what = NULL;

	if (call_check_flags(call, args->flags, UNDEFINE_ALL) != RPC_DONE)
		return RPC_FAILED;
	if ((args->flags & nvram) == nvram)
		what = "nvram";
	else if ((args->flags & tpm) == tpm)
		what = "TPM";
	if (what)
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
			"Requested operation is not valid: cannot both keep and delete %s", what);
	return undefine(call, &args->dom);
}

int
rpc_domain_rename(struct rpc_call *call, const struct rpc_domain_rename_args *args,
	struct rpc_domain_rename_ret *ret)
{
	struct server *server = call->client->server;
	const struct guise *guise = call_guise(call);
	const char *name = args->new_name;
	struct domain *domain;
	struct rpc_domain dom;

	if (!args->new_name || !*args->new_name)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN, "%s",
			args->new_name ? "string new_name in virDomainRename must not be empty"
				       : "new_name in virDomainRename must not be NULL");
	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_domain(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	dom = call_domain_ret(domain);
	dom.name = rpc_arena_strdup(&call->arena, dom.name);
	if (!dom.name)
		return call_out_of_memory(call);
	if (guise)
		name = domain_guise_plain(guise, name);
	if (domains_rename(call_domains(call), domain, name, &call->error) != RPC_DONE)
		return RPC_FAILED;
	event_lifecycle(server, &dom, EVENT_UNDEFINED, EVENT_UNDEFINED_RENAMED);
	dom = call_domain_ret(domain);
	event_lifecycle(server, &dom, EVENT_DEFINED, EVENT_DEFINED_RENAMED);
	ret->retcode = 0;
	return RPC_DONE;
}

int
rpc_domain_set_autostart(struct rpc_call *call, const struct rpc_domain_set_autostart_args *args)
{
	struct domain *domain = call_find_domain(call, &args->dom);

	if (!domain)
		return RPC_FAILED;
	return domains_set_autostart(
		call_domains(call), domain, args->autostart != 0, &call->error);
}

int
rpc_domain_get_autostart(struct rpc_call *call, const struct rpc_domain_get_autostart_args *args,
	struct rpc_domain_get_autostart_ret *ret)
{
	const struct domain *domain = call_find_domain(call, &args->dom);

	if (!domain)
		return RPC_FAILED;
	ret->autostart = domain->autostart;
	return RPC_DONE;
}
