/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memballoon.c: the device through which a running guest gives memory back.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/memballoon.h"

#include "worker/domain/device.h"

static const struct xml_word models[] = {
	{"virtio", DOMAIN_MEMBALLOON_VIRTIO},
	{"none", DOMAIN_MEMBALLOON_NONE},
	{NULL, 0},
};

int
domain_memballoon_parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_memballoon *balloon = &p->def->memballoon;
	unsigned model;
	int r;

	if (balloon->model)
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"only a single memory balloon device is supported");
	r = xml_attr_word(node, "model", models, p->error, &model);
	if (r)
		return r;
	if (!model)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Missing required attribute 'model' in element 'memballoon'");
	balloon->model = model;
	if (balloon->model == DOMAIN_MEMBALLOON_NONE)
		return 0;
	return domain_device_parse(p, node, &balloon->device);
}

void
domain_memballoon_complete(struct domain_def *def)
{
	if (!def->memballoon.model)
		def->memballoon.model = DOMAIN_MEMBALLOON_VIRTIO;
}

void
domain_memballoon_format(struct writer *w, const struct domain_memballoon *balloon, unsigned flags)
{
	writer_start(w, "memballoon");
	writer_attr(w, "model", xml_word(models, balloon->model));
	domain_device_format(w, &balloon->device, flags);
	writer_end(w, "memballoon");
}
