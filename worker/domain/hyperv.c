/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hyperv.c: what makes a guest that knows Hyper-V faster.
 *
 * Runs in the worker, as the user. Pure. Which of them need which others is told by QEMU, when it
 * starts: with TCG it does not look.
 */
#include "worker/domain/hyperv.h"

#include <stdio.h>
#include <string.h>

#include "worker/domain/parse.h"

static const struct xml_word words[] = {
	{"relaxed", DOMAIN_HYPERV_RELAXED},
	{"vapic", DOMAIN_HYPERV_VAPIC},
	{"spinlocks", DOMAIN_HYPERV_SPINLOCKS},
	{"vpindex", DOMAIN_HYPERV_VPINDEX},
	{"runtime", DOMAIN_HYPERV_RUNTIME},
	{"synic", DOMAIN_HYPERV_SYNIC},
	{"stimer", DOMAIN_HYPERV_STIMER},
	{"reset", DOMAIN_HYPERV_RESET},
	{"vendor_id", DOMAIN_HYPERV_VENDOR_ID},
	{"frequencies", DOMAIN_HYPERV_FREQUENCIES},
	{"reenlightenment", DOMAIN_HYPERV_REENLIGHTENMENT},
	{"tlbflush", DOMAIN_HYPERV_TLBFLUSH},
	{"ipi", DOMAIN_HYPERV_IPI},
	{"evmcs", DOMAIN_HYPERV_EVMCS},
	{"avic", DOMAIN_HYPERV_AVIC},
	{NULL, 0},
};
static const struct xml_word modes[] = {
	{"custom", DOMAIN_HYPERV_CUSTOM},
	{"passthrough", DOMAIN_HYPERV_PASSTHROUGH},
	{NULL, 0},
};

const char *
domain_hyperv_word(enum domain_hyperv feature)
{
	return xml_word(words, feature);
}

static int
parse_spinlocks(struct domain_parse *p, xmlNode *node)
{
	uint32_t *retries = &p->def->features.spinlock_retries;
	const char *given;
	int r = xml_attr_required(node, "retries", p->error, &given);

	if (r == 0)
		r = xml_attr_number(node, "retries", 0, UINT32_MAX, 0, p->error, retries);
	if (r == 0 && *retries < 4095)
		return refuse_xml(p, "HyperV spinlock retry count must be at least 4095");
	return r;
}

static int
parse_stimer(struct domain_parse *p, xmlNode *node)
{
	xmlNode *direct = xml_child(node, "direct");
	unsigned state = 0;
	int r = 0;

	if (direct)
		r = xml_attr_required_choice(direct, "state", xml_on_off, p->error, &state);
	/* As libvirt: "off" is the same as nothing. */
	p->def->features.stimer_direct = state == DOMAIN_ON ? DOMAIN_ON : 0;
	return r;
}

static int
parse_vendor(struct domain_parse *p, xmlNode *node)
{
	char *vendor = p->def->features.hyperv_vendor;
	const char *value = xml_attr(node, "value");

	if (!value || !*value)
		return refuse_xml(p, "missing 'value' attribute for HyperV feature 'vendor_id'");
	if (strlen(value) > DOMAIN_HYPERV_VENDOR_MAX)
		return refuse_xml(p, "HyperV vendor_id value must not be more than %d characters.",
			DOMAIN_HYPERV_VENDOR_MAX);
	/* It becomes a part of a list. */
	if (strchr(value, ','))
		return refuse_xml(p, "HyperV vendor_id value is invalid");
	(void)snprintf(vendor, DOMAIN_HYPERV_VENDOR_MAX + 1, "%s", value);
	return 0;
}

/* What belongs to one that is on. */
static int
parse_more(struct domain_parse *p, xmlNode *node, enum domain_hyperv feature)
{
	/* QEMU asks the kernel for it, whichever accelerator it has. */
	if (feature == DOMAIN_HYPERV_VPINDEX && p->def->type != DOMAIN_TYPE_KVM)
		return refuse_unsupported(
			p, "HyperV feature 'vpindex' needs a domain of type 'kvm'");
	if (feature == DOMAIN_HYPERV_SPINLOCKS)
		return parse_spinlocks(p, node);
	if (feature == DOMAIN_HYPERV_STIMER)
		return parse_stimer(p, node);
	return feature == DOMAIN_HYPERV_VENDOR_ID ? parse_vendor(p, node) : 0;
}

int
domain_hyperv_parse(struct domain_parse *p, xmlNode *domain_features)
{
	struct domain_features *features = &p->def->features;
	xmlNode *hyperv = xml_child(domain_features, "hyperv");
	unsigned mode = 0;
	int r;

	if (!hyperv)
		return 0;
	r = xml_attr_choice(hyperv, "mode", modes, p->error, &mode);
	features->hyperv_mode = mode ? mode : DOMAIN_HYPERV_CUSTOM;
	for (const struct xml_word *h = words; h->word && r == 0; h++) {
		xmlNode *node = xml_child(hyperv, h->word);
		unsigned state = 0;

		if (node)
			r = xml_attr_required_choice(node, "state", xml_on_off, p->error, &state);
		features->hyperv[h->value] = state;
		if (r == 0 && state == DOMAIN_ON)
			r = parse_more(p, node, h->value);
	}
	return r;
}

void
domain_hyperv_format(struct writer *w, const struct domain_features *features)
{
	if (!features->hyperv_mode)
		return;
	writer_start(w, "hyperv");
	writer_attr(w, "mode", xml_word(modes, features->hyperv_mode));
	writer_content(w);
	for (const struct xml_word *h = words; h->word; h++) {
		enum domain_switch state = features->hyperv[h->value];

		if (!state)
			continue;
		writer_start(w, h->word);
		writer_attr(w, "state", xml_word(xml_on_off, state));
		if (h->value == DOMAIN_HYPERV_SPINLOCKS && features->spinlock_retries)
			writer_attr_f(w, "retries", "%u", features->spinlock_retries);
		if (h->value == DOMAIN_HYPERV_VENDOR_ID && *features->hyperv_vendor)
			writer_attr(w, "value", features->hyperv_vendor);
		if (h->value == DOMAIN_HYPERV_STIMER && features->stimer_direct) {
			writer_start(w, "direct");
			writer_attr(w, "state", "on");
			writer_end(w, "direct");
		}
		writer_end(w, h->word);
	}
	writer_end(w, "hyperv");
}
