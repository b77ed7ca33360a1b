/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpu.c: the number of virtual CPUs, at most and at start.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/vcpu.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "worker/domain/parse.h"

static const struct xml_word placements[] = {{"static", 1}, {NULL, 0}};

static int
read_count(struct domain_parse *p, const char *text, const char *what, uint32_t *ret_count)
{
	unsigned long count;
	char *end;

	errno = 0;
	count = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || count > UINT32_MAX)
		return refuse_xml(p, "%s vcpus count must be an integer", what);
	if (count == 0)
		return refuse_xml(p, "%s vcpus count must not be 0", what);
	*ret_count = (uint32_t)count;
	return 0;
}

int
domain_vcpu_parse(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *node = xml_child(domain, "vcpu");
	struct domain_def *def = p->def;
	free_auto char *text = NULL;
	const char *current;
	unsigned placement;
	int r;

	def->vcpus = def->current_vcpus = 1;
	if (!node)
		return domain_vcpus_parse(p, domain);
	r = xml_text(node, &text);
	if (r == 0)
		r = read_count(p, text, "maximum", &def->vcpus);
	if (r == 0)
		r = xml_attr_word(node, "placement", placements, p->error, &placement);
	if (r)
		return r;
	if (def->vcpus > p->machine->max_vcpus)
		return refuse_unsupported(p,
			"Maximum CPUs greater than specified machine type limit %u",
			p->machine->max_vcpus);
	if (def->vcpus > DOMAIN_VCPUS_MAX)
		return refuse_unsupported(p,
			"more than %d vCPUs require extended interrupt mode "
			"enabled on the iommu device",
			DOMAIN_VCPUS_MAX);
	def->current_vcpus = def->vcpus;
	current = xml_attr(node, "current");
	r = current ? read_count(p, current, "current", &def->current_vcpus) : 0;
	if (r == 0)
		r = domain_vcpus_parse(p, domain);
	/* Those of which <vcpus> speaks have been counted. */
	if (r == 0 && def->current_vcpus > def->vcpus)
		r = domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"maximum vCPU count must not be less than current vCPU count");
	return r;
}

void
domain_vcpu_format(struct writer *w, const struct domain_def *def)
{
	writer_start(w, "vcpu");
	writer_attr(w, "placement", "static");
	if (def->current_vcpus != def->vcpus)
		writer_attr_f(w, "current", "%u", def->current_vcpus);
	writer_end_text_f(w, "vcpu", "%u", def->vcpus);
	domain_vcpus_format(w, def);
}
