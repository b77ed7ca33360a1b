/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_metadata.c: procedures about what people and other programs keep in a definition: title,
 * description, elements of their own.
 *
 * Runs in the worker. A running domain has it twice: as it runs, and as it is defined.
 */
#include "worker/domain/metadata.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/take.h"
#include "protocol/rpc/handlers.h"
#include "serve/client.h"
#include "serve/server.h"
#include "worker/domain/guise.h"
#include "worker/estate.h"
#include "worker/rpc/domain_find.h"
#include "worker/rpc/event.h"
#include "worker/rpc/serving.h"
#include "worker/vm/status.h"

/* virDomainModificationImpact: CURRENT, LIVE, CONFIG */
enum { IMPACT_LIVE = 1, IMPACT_CONFIG = 2, IMPACT_ALL = 3 };

/* The definition that flags mean; NULL with an error when there is no such. */
static const struct domain_def *
def_of_impact(struct rpc_call *call, const struct domain *domain, uint32_t flags)
{
	const char *why = NULL;

	if (flags & IMPACT_LIVE && !domain_is_active(domain))
		why = "domain is not running";
	else if (flags & IMPACT_CONFIG && !domain->config)
		why = "transient domains do not have any persistent config";
	if (!why)
		return flags & IMPACT_CONFIG ? domain->config : domain_def_now(domain);
	(void)rpc_error_set(&call->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_DOMAIN,
		"Requested operation is not valid: %s", why);
	return NULL;
}

/* An element of the definition, as the caller's connection sees that. */
static int
find_element(struct rpc_call *call, const struct domain_def *def, unsigned flags, const char *uri,
	char **ret)
{
	domain_def_auto struct domain_def *disguised = NULL;
	const struct guise *guise = call_guise(call);
	int r = 0;

	if (guise)
		r = domain_guise_put_on(
			def, guise, flags, &call_estate(call)->env, &call->error, &disguised);
	if (r == 0)
		r = domain_metadata_find(disguised ? disguised : def, uri, ret);
	return r < 0 ? call_out_of_memory(call) : r > 0 ? RPC_FAILED : RPC_DONE;
}

int
rpc_domain_get_metadata(struct rpc_call *call, const struct rpc_domain_get_metadata_args *args,
	struct rpc_domain_get_metadata_ret *ret)
{
	const struct domain *domain;
	const struct domain_def *def;
	const char *text = NULL;
	free_auto char *element = NULL;

	if (call_check_flags(call, args->flags, IMPACT_ALL) != RPC_DONE) {
		/* libvirt looks at these a layer deeper. */
		call->error.domain = VIR_FROM_DOMAIN;
		return RPC_FAILED;
	}
	domain = call_find_domain(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	def = def_of_impact(call, domain, args->flags);
	if (!def)
		return RPC_FAILED;
	switch (args->type) {
	case DOMAIN_METADATA_DESCRIPTION:
		text = def->description;
		break;
	case DOMAIN_METADATA_TITLE:
		text = def->title;
		break;
	case DOMAIN_METADATA_ELEMENT:
		if (!args->uri)
			return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
				"invalid argument: a metadata element is asked for by its "
				"namespace URI");
		if (find_element(call, def, def == domain->live ? DOMAIN_DEF_LIVE : 0, args->uri,
			    &element) != RPC_DONE)
			return RPC_FAILED;
		text = element;
		break;
	default:
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"invalid argument: unknown metadata type '%d'", args->type);
	}
	if (!text)
		return rpc_error_set(&call->error, VIR_ERR_NO_DOMAIN_METADATA, VIR_FROM_DOMAIN,
			"metadata not found: Requested metadata element is not present");
	return call_return_string(call, text, &ret->metadata);
}

/* --- changes ------------------------------------------------------------------------------ */

/* A copy of a definition with the change in it; NULL with the error. */
static struct domain_def *
changed(struct rpc_call *call, const struct domain_def *def, const struct domain_metadata *change,
	unsigned flags)
{
	struct domain_def *ret = NULL;
	int r = domain_metadata_change(
		def, change, flags, &call_estate(call)->env, &call->error, &ret);

	if (r < 0)
		(void)call_out_of_memory(call);
	return ret;
}

/* What has changed, from one definition into the other: all else in them is the same. */
static void
take_over(struct domain_def *to, struct domain_def *from)
{
	char *const texts[] = {to->title, to->description, to->metadata};

	to->title = from->title;
	to->description = from->description;
	to->metadata = from->metadata;
	from->title = texts[0];
	from->description = texts[1];
	from->metadata = texts[2];
}

/* The next worker finds it as it is now. */
static int
note_live(struct rpc_call *call, const struct domain *domain, const struct domain_def *live)
{
	int r = vm_status_write_def(live, domain->id);

	if (r == -EFBIG)
		return rpc_error_set(&call->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
			"unsupported configuration: the definition of domain '%s' would be too "
			"large",
			live->name);
	if (r < 0)
		return rpc_error_set_errno(&call->error, -r, VIR_FROM_QEMU,
			"the definition of domain '%s' as it runs cannot be kept", live->name);
	return RPC_DONE;
}

/* Either of live and config is to be changed, or both: all of it, or nothing. */
static int
apply(struct rpc_call *call, struct domain *domain, const struct domain_metadata *change,
	bool is_live, bool is_config)
{
	domain_def_auto struct domain_def *live = NULL, *config = NULL;

	if (is_live) {
		live = changed(call, domain->live, change, DOMAIN_DEF_LIVE);
		if (!live)
			return RPC_FAILED;
	}
	if (is_config) {
		config = changed(call, domain->config, change, 0);
		if (!config)
			return RPC_FAILED;
	}
	if (live) {
		take_over(domain->live, live);
		if (note_live(call, domain, domain->live) != RPC_DONE) {
			take_over(domain->live, live);
			return RPC_FAILED;
		}
	}
	if (config &&
		domains_update(call_domains(call), domain, config, &call->error) != RPC_DONE) {
		if (live) {
			take_over(domain->live, live);
			(void)vm_status_write_def(domain->live, domain->id);
		}
		return RPC_FAILED;
	}
	(void)take_ptr(config);
	return RPC_DONE;
}

int
rpc_domain_set_metadata(struct rpc_call *call, const struct rpc_domain_set_metadata_args *args)
{
	const struct domain_metadata change = {
		.type = (enum domain_metadata_type)args->type,
		.text = args->metadata,
		.key = args->key,
		.uri = args->uri,
	};
	struct happening what = {
		.kind = HAPPENED_METADATA_CHANGE,
		.metadata = {.type = args->type, .uri = args->uri},
	};
	struct domain *domain;
	struct rpc_domain dom;
	bool is_live;

	if (call_check_flags(call, args->flags, IMPACT_ALL) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_domain(call, &args->dom);
	if (!domain || !def_of_impact(call, domain, args->flags))
		return RPC_FAILED;
	is_live = args->flags & IMPACT_LIVE || (args->flags == 0 && domain_is_active(domain));
	if (apply(call, domain, &change, is_live, args->flags & IMPACT_CONFIG || !is_live) !=
		RPC_DONE)
		return RPC_FAILED;
	dom = call_domain_ret(domain);
	event_tell(call->client->server, &dom, &what);
	return RPC_DONE;
}
