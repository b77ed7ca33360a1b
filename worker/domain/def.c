/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * def.c: a definition as a whole: read, completed, checked, written.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/def.h"

#include <errno.h>
#include <stdlib.h>

#include "worker/domain/alias.h"
#include "worker/domain/devices.h"
#include "worker/domain/identity.h"
#include "worker/domain/lifecycle.h"
#include "worker/domain/parse.h"
#include "worker/domain/pci.h"
#include "worker/domain/seclabel.h"
#include "worker/domain/usb.h"
#include "worker/domain/virtio_serial.h"
#include "worker/domain/writer.h"

/* What others depend on comes before them: the machine (os), the number of vCPUs, NUMA. */
static int (*const parsers[])(struct domain_parse *p, xmlNode *domain) = {
	domain_identity_parse,
	domain_os_parse,
	domain_vcpu_parse,
	domain_numa_parse,
	domain_memory_parse,
	domain_iothreads_parse,
	domain_sysinfo_parse,
	domain_features_parse,
	domain_cpu_parse,
	domain_clock_parse,
	domain_lifecycle_parse,
	domain_devices_parse,
	domain_seclabel_parse,
};

/* The order in which libvirt writes them; <devices> come behind, then what is after them. */
static void (*const formatters[])(struct writer *w, const struct domain_def *def) = {
	domain_identity_format,
	domain_memory_format,
	domain_vcpu_format,
	domain_iothreads_format,
	domain_sysinfo_format,
	domain_os_format,
	domain_features_format,
	domain_cpu_format,
	domain_clock_format,
	domain_lifecycle_format,
};

static int
parse(struct domain_parse *p, xmlNode *domain)
{
	int r = 0;

	if (!xml_is(domain, "domain"))
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"expecting root element of 'domain', not '%.100s'%s",
			(const char *)domain->name, domain->ns ? " in a namespace" : "");
	for (size_t i = 0; i < sizeof(parsers) / sizeof(parsers[0]) && r == 0; i++)
		r = parsers[i](p, domain);
	if (r == 0)
		r = xml_refuse_unread(domain, p->error);
	if (r == 0)
		r = domain_os_complete(p);
	if (r == 0)
		r = domain_alias_check(p->def, p->error);
	if (r == 0)
		r = domain_virtio_serial_assign(p->def, p->error);
	if (r == 0)
		r = domain_pci_assign(p->def, p->error);
	if (r == 0)
		r = domain_usb_assign(p->def, p->error);
	return r;
}

int
domain_def_parse(const char *xml, size_t size, unsigned flags, const struct domain_env *env,
	struct rpc_error *error, struct domain_def **ret_def)
{
	domain_def_auto struct domain_def *def = NULL;
	xml_doc_auto xmlDoc *document = NULL;
	struct domain_parse p = {.env = env, .flags = flags, .error = error};
	int r = xml_read("domain_definition", xml, size, error, &document);

	if (r)
		return r;
	def = calloc(1, sizeof(*def));
	if (!def)
		return -ENOMEM;
	p.def = def;
	r = parse(&p, xmlDocGetRootElement(document));
	if (r == 0)
		*ret_def = take_ptr(def);
	return r;
}

int
domain_def_format(const struct domain_def *def, unsigned flags, int id, char **ret_xml)
{
	AUTO(writer_fini) struct writer w = {0};

	writer_start(&w, "domain");
	writer_attr(&w, "type", domain_type_word(def->type));
	if (flags & DOMAIN_DEF_LIVE)
		writer_attr_f(&w, "id", "%d", id);
	for (size_t i = 0; i < sizeof(formatters) / sizeof(formatters[0]); i++)
		formatters[i](&w, def);
	domain_devices_format(&w, def, flags);
	domain_seclabel_format(&w, def);
	writer_end(&w, "domain");
	*ret_xml = writer_take(&w);
	return *ret_xml ? 0 : -ENOMEM;
}

struct domain_def *
domain_def_free(struct domain_def *def)
{
	if (!def)
		return NULL;
	domain_devices_fini(def);
	free(def->name);
	free(def->title);
	free(def->description);
	free(def->metadata);
	free(def->each_vcpu);
	domain_iothreads_fini(&def->iothreads);
	domain_sysinfo_fini(&def->sysinfo);
	domain_os_fini(&def->os);
	domain_cpu_fini(&def->cpu);
	domain_numa_fini(&def->numa);
	domain_clock_fini(&def->clock);
	free(def);
	return NULL;
}
