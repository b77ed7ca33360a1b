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

static const struct xml_word models[] = {
	{"virtio", DOMAIN_VIRTIO},
	{"virtio-transitional", DOMAIN_VIRTIO_TRANSITIONAL},
	{"virtio-non-transitional", DOMAIN_VIRTIO_NON_TRANSITIONAL},
	{NULL, 0},
};
static const struct xml_word backends[] = {
	{"random", DOMAIN_RNG_RANDOM}, {"builtin", DOMAIN_RNG_BUILTIN}, {NULL, 0}};
static const struct xml_word sources[] = {{"/dev/random", 1}, {"/dev/urandom", 2}, {NULL, 0}};

static int
parse_source(struct domain_parse *p, xmlNode *node, struct domain_rng *rng)
{
	int r = xml_child_text(node, "backend", &rng->source);

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
	rng->backend = model;
	return rng->backend == DOMAIN_RNG_RANDOM ? parse_source(p, node, rng) : 0;
}

/* A period without bytes, and none of them, are no rate: as in libvirt. */
static int
parse_rate(struct domain_parse *p, xmlNode *node, struct domain_rng *rng)
{
	xmlNode *rate = xml_child(node, "rate");
	int r;

	if (!rate)
		return 0;
	if (!xml_attr(rate, "bytes"))
		return refuse_xml(p, "missing attribute 'bytes' of element <rate> below <rng>");
	r = xml_attr_number(rate, "bytes", 10, UINT32_MAX, 0, p->error, &rng->rate_bytes);
	if (r == 0)
		r = xml_attr_number(rate, "period", 10, UINT32_MAX, 0, p->error, &rng->period_ms);
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
	rng.virtio = model;
	rng.device.conventional = rng.virtio == DOMAIN_VIRTIO_TRANSITIONAL;
	if (r == 0)
		r = parse_rate(p, node, &rng);
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
	writer_attr(w, "model", xml_word(models, rng->virtio));
	if (rng->rate_bytes > 0) {
		writer_start(w, "rate");
		writer_attr_f(w, "bytes", "%u", rng->rate_bytes);
		if (rng->period_ms > 0)
			writer_attr_f(w, "period", "%u", rng->period_ms);
		writer_end(w, "rate");
	}
	writer_start(w, "backend");
	writer_attr(w, "model", xml_word(backends, rng->backend));
	if (rng->source)
		writer_end_text(w, "backend", rng->source);
	else
		writer_end(w, "backend");
	domain_device_format(w, &rng->device, flags);
	writer_end(w, "rng");
}

static void
fini(void *device)
{
	struct domain_rng *rng = device;

	free(rng->source);
}

static const struct domain_choice choices[] = {{.name = "model", .words = models},
	{.name = "backendModel", .words = backends}, {.name = NULL}};

const struct domain_kind domain_rng_kind = {
	.element = "rng",
	.choices = choices,
	DOMAIN_KIND_LIST(rngs, domain_rng),
	.max = DOMAIN_RNGS_MAX,
	.parse = parse,
	.format = format,
	.alias = "rng",
	.fini = fini,
};
