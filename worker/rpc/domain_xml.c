/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_xml.c: procedures that show a domain's definition, whole or in part.
 *
 * Runs in the worker.
 */
#include <stdlib.h>

#include "lib/take.h"
#include "protocol/rpc/handlers.h"
#include "worker/domain/metadata.h"
#include "worker/rpc/domain_find.h"
#include "worker/vm/vm.h"

/* virDomainXMLFlags: SECURE, INACTIVE, UPDATE_CPU, MIGRATABLE. No secret is kept in a definition. */
enum {
	DOMAIN_XML_SECURE = 1,
	DOMAIN_XML_INACTIVE = 2,
	DOMAIN_XML_MIGRATABLE = 8,
	DOMAIN_XML_ALL = 0xf
};

int
rpc_domain_get_xml_desc(struct rpc_call *call, const struct rpc_domain_get_xml_desc_args *args,
	struct rpc_domain_get_xml_desc_ret *ret)
{
	bool migratable = args->flags & DOMAIN_XML_MIGRATABLE;
	unsigned flags = migratable ? DOMAIN_DEF_MIGRATABLE : 0;
	const struct domain *domain;
	struct domain_def shown; /* borrows all that it holds */
	free_auto char *xml = NULL;

	if (call_check_flags(call, args->flags, DOMAIN_XML_ALL) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_domain(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	/* Another host has to have all of it: as in libvirt. */
	if (migratable || args->flags & DOMAIN_XML_SECURE)
		flags |= DOMAIN_DEF_SECURE;
	shown = *domain_def_now(domain);
	if (domain_is_active(domain) && !(args->flags & DOMAIN_XML_INACTIVE)) {
		flags |= DOMAIN_DEF_LIVE;
		shown.current_memory_kib = vm_memory_kib(domain->vm);
	} else if (domain->config) {
		shown = *domain->config;
	}
	if (domain_def_format(&shown, flags, domain->id, &xml) < 0)
		return call_out_of_memory(call);
	return call_return_string(call, xml, &ret->xml);
}

/* virDomainMetadataType */
enum domain_metadata { METADATA_DESCRIPTION, METADATA_TITLE, METADATA_ELEMENT };
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

int
rpc_domain_get_metadata(struct rpc_call *call, const struct rpc_domain_get_metadata_args *args,
	struct rpc_domain_get_metadata_ret *ret)
{
	const struct domain *domain;
	const struct domain_def *def;
	const char *text = NULL;
	free_auto char *element = NULL;
	int r = 0;

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
	case METADATA_DESCRIPTION:
		text = def->description;
		break;
	case METADATA_TITLE:
		text = def->title;
		break;
	case METADATA_ELEMENT:
		if (!args->uri)
			return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
				"invalid argument: a metadata element is asked for by its "
				"namespace URI");
		r = domain_metadata_find(def, args->uri, &element);
		text = element;
		break;
	default:
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"invalid argument: unknown metadata type '%d'", args->type);
	}
	if (r < 0)
		return call_out_of_memory(call);
	if (!text)
		return rpc_error_set(&call->error, VIR_ERR_NO_DOMAIN_METADATA, VIR_FROM_DOMAIN,
			"metadata not found: Requested metadata element is not present");
	return call_return_string(call, text, &ret->metadata);
}
