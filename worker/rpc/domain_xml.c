/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_xml.c: procedures that show a domain's definition.
 *
 * Runs in the worker.
 */
#include <stdlib.h>

#include "lib/take.h"
#include "protocol/rpc/handlers.h"
#include "worker/domain/guise.h"
#include "worker/rpc/domain_find.h"
#include "worker/rpc/serving.h"
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
	domain_def_auto struct domain_def *disguised = NULL;
	const struct guise *guise = call_guise(call);
	int r = 0;
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
	if (guise) {
		r = domain_guise_put_on(&shown, guise, flags & DOMAIN_DEF_LIVE,
			&call_estate(call)->env, &call->error, &disguised);
		if (r > 0)
			return RPC_FAILED;
	}
	if (r == 0)
		r = domain_def_format(disguised ? disguised : &shown, flags, domain->id, &xml);
	if (r < 0)
		return call_out_of_memory(call);
	return call_return_string(call, xml, &ret->xml);
}
