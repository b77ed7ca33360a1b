/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memballoon.c: the device through which a running guest gives memory back.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/memballoon.h"

#include <errno.h>
#include <string.h>

#include "worker/domain/def.h"
#include "worker/domain/parse.h"

#define NONE DOMAIN_VIRTIO_N

static const struct xml_word models[] = {
	{"virtio", DOMAIN_VIRTIO},
	{"virtio-transitional", DOMAIN_VIRTIO_TRANSITIONAL},
	{"virtio-non-transitional", DOMAIN_VIRTIO_NON_TRANSITIONAL},
	{"none", NONE},
	{NULL, 0},
};

static int
parse_options(struct domain_parse *p, xmlNode *node, struct domain_memballoon *balloon)
{
	xmlNode *stats = xml_child(node, "stats");
	unsigned autodeflate = 0, reporting = 0;
	int r;

	r = xml_attr_word(node, "autodeflate", xml_on_off, p->error, &autodeflate);
	if (r == 0)
		r = xml_attr_word(node, "freePageReporting", xml_on_off, p->error, &reporting);
	if (r == 0 && stats)
		r = xml_attr_number(
			stats, "period", 10, INT32_MAX, 0, p->error, &balloon->stats_period_s);
	balloon->autodeflate = autodeflate;
	balloon->free_page_reporting = reporting;
	return r;
}

static int
parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_memballoon *balloon = &p->def->memballoon;
	unsigned model;
	int r;

	if (p->memballoon)
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"only a single memory balloon device is supported");
	p->memballoon = true;
	r = xml_attr_word(node, "model", models, p->error, &model);
	if (r)
		return r;
	if (!model)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Missing required attribute 'model' in element 'memballoon'");
	r = parse_options(p, node, balloon);
	if (r || model == NONE)
		return r;
	balloon->virtio = model;
	balloon->device.conventional = balloon->virtio == DOMAIN_VIRTIO_TRANSITIONAL;
	return domain_device_parse(p, node, &balloon->device, DOMAIN_ADDRESS_PCI);
}

static int
complete(struct domain_parse *p)
{
	struct domain_memballoon *balloon = &p->def->memballoon;

	if (!p->memballoon) {
		balloon->virtio = DOMAIN_VIRTIO;
		balloon->device.address = DOMAIN_ADDRESS_PCI;
	}
	return 0;
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_memballoon *balloon = &def->memballoon;

	(void)i;
	writer_start(w, "memballoon");
	writer_attr(w, "model", xml_word(models, balloon->virtio ? balloon->virtio : NONE));
	if (balloon->autodeflate)
		writer_attr(w, "autodeflate", xml_word(xml_on_off, balloon->autodeflate));
	if (balloon->free_page_reporting)
		writer_attr(
			w, "freePageReporting", xml_word(xml_on_off, balloon->free_page_reporting));
	if (balloon->stats_period_s > 0) {
		writer_start(w, "stats");
		writer_attr_f(w, "period", "%u", balloon->stats_period_s);
		writer_end(w, "stats");
	}
	domain_device_format(w, &balloon->device, flags);
	writer_end(w, "memballoon");
}

static int
name(const struct domain_def *def, size_t i, char **ret)
{
	(void)i;
	if (!def->memballoon.virtio)
		return 0;
	*ret = strdup("balloon0");
	return *ret ? 0 : -ENOMEM;
}

const struct domain_kind domain_memballoon_kind = {
	.element = "memballoon",
	DOMAIN_KIND_SINGLE(memballoon, domain_memballoon),
	.max = 1,
	.parse = parse,
	.complete = complete,
	.format = format,
	.name = name,
};
