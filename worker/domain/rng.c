/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rng.c: virtio random number generators fed by the host's kernel.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/def.h"
#include "worker/domain/parse.h"

static const struct xml_word models[] = {{"virtio", 1}, {NULL, 0}};
static const struct xml_word backends[] = {{"random", 1}, {NULL, 0}};
static const struct xml_word sources[] = {{"/dev/random", 1}, {"/dev/urandom", 2}, {NULL, 0}};

static int
parse_backend(struct domain_parse *p, xmlNode *node, struct domain_rng *rng)
{
	xmlNode *backend = xml_child(node, "backend");
	unsigned model;
	int r;

	if (!backend || xml_each(node, "backend", backend))
		return refuse_xml(p, "only one RNG backend is supported");
	r = xml_attr_word(backend, "model", backends, p->error, &model);
	if (r)
		return r;
	if (!model)
		return refuse_xml(p, "missing RNG device backend model");
	r = xml_child_text(node, "backend", &rng->source);
	if (r == 0 && !rng->source) {
		rng->source = strdup("/dev/random");
		r = rng->source ? 0 : -ENOMEM;
	}
	if (r == 0 && !xml_word_value(sources, rng->source))
		return refuse_unsupported(p,
			"random source '%.200s' is not supported by qemud; use '/dev/urandom'",
			rng->source);
	return r;
}

static int
parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_rng rng = {0};
	unsigned model;
	int r;

	r = xml_attr_word(node, "model", models, p->error, &model);
	if (r == 0 && !model)
		return refuse_xml(p, "missing RNG device model");
	if (r == 0)
		r = parse_backend(p, node, &rng);
	if (r == 0)
		r = domain_device_parse(p, node, &rng.device, DOMAIN_ADDRESS_PCI);
	if (r == 0)
		r = domain_kind_insert(&domain_rng_kind, p->def, p->def->n_rngs, &rng, p->error);
	domain_kind_fini(&domain_rng_kind, &rng);
	return r;
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_rng *rng = &def->rngs[i];

	writer_start(w, "rng");
	writer_attr(w, "model", "virtio");
	writer_start(w, "backend");
	writer_attr(w, "model", "random");
	writer_end_text(w, "backend", rng->source);
	domain_device_format(w, &rng->device, flags);
	writer_end(w, "rng");
}

static void
fini(void *device)
{
	struct domain_rng *rng = device;

	free(rng->source);
}

const struct domain_kind domain_rng_kind = {
	.element = "rng",
	DOMAIN_KIND_LIST(rngs, domain_rng),
	.max = DOMAIN_RNGS_MAX,
	.parse = parse,
	.format = format,
	.alias = "rng",
	.fini = fini,
};
