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

static const struct xml_word models[] = {
	{"virtio", DOMAIN_MEMBALLOON_VIRTIO},
	{"none", DOMAIN_MEMBALLOON_NONE},
	{NULL, 0},
};

static int
parse(struct domain_parse *p, xmlNode *node)
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
	return domain_device_parse(p, node, &balloon->device, DOMAIN_ADDRESS_PCI);
}

static int
complete(struct domain_parse *p)
{
	struct domain_memballoon *balloon = &p->def->memballoon;

	if (!balloon->model) {
		balloon->model = DOMAIN_MEMBALLOON_VIRTIO;
		balloon->device.address = DOMAIN_ADDRESS_PCI;
	}
	return 0;
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	(void)i;
	writer_start(w, "memballoon");
	writer_attr(w, "model", xml_word(models, def->memballoon.model));
	domain_device_format(w, &def->memballoon.device, flags);
	writer_end(w, "memballoon");
}

static int
name(const struct domain_def *def, size_t i, char **ret)
{
	(void)i;
	if (def->memballoon.model == DOMAIN_MEMBALLOON_NONE)
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
