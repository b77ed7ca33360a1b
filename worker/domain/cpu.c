/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cpu.c: which CPU the guest sees, and how closely it must be that.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/cpu.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct xml_word modes[] = {
	{"custom", DOMAIN_CPU_CUSTOM},
	{"host-model", DOMAIN_CPU_HOST_MODEL},
	{"host-passthrough", DOMAIN_CPU_HOST_PASSTHROUGH},
	{NULL, 0},
};
static const struct xml_word matches[] = {
	{"minimum", DOMAIN_CPU_MINIMUM},
	{"exact", DOMAIN_CPU_EXACT},
	{"strict", DOMAIN_CPU_STRICT},
	{NULL, 0},
};
static const struct xml_word checks[] = {
	{"none", DOMAIN_CPU_CHECK_NONE},
	{"partial", DOMAIN_CPU_PARTIAL},
	{"full", DOMAIN_CPU_FULL},
	{NULL, 0},
};
static const struct xml_word fallbacks[] = {
	{"allow", DOMAIN_CPU_ALLOW},
	{"forbid", DOMAIN_CPU_FORBID},
	{NULL, 0},
};
static const struct xml_word switches[] = {{"on", DOMAIN_ON}, {"off", DOMAIN_OFF}, {NULL, 0}};

/* The model becomes a part of QEMU's -cpu argument, where a comma begins another option. */
static bool
is_model_name(const char *model)
{
	size_t n = strspn(model, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				 ".+_-");

	return isalnum((unsigned char)*model) && !model[n];
}

static int
parse_model(struct domain_parse *p, xmlNode *node)
{
	struct domain_cpu *cpu = &p->def->cpu;
	xmlNode *model = node ? xml_child(node, "model") : NULL;
	unsigned fallback = 0;
	int r;

	if (model) {
		r = xml_attr_word(model, "fallback", fallbacks, p->error, &fallback);
		if (r)
			return r;
		/* In other modes an empty <model fallback=''/> says nothing. */
		if (cpu->mode != DOMAIN_CPU_CUSTOM)
			return 0;
		r = xml_child_text(node, "model", &cpu->model);
		if (r)
			return r;
	}
	if (cpu->mode != DOMAIN_CPU_CUSTOM)
		return 0;
	cpu->fallback = fallback ? fallback : DOMAIN_CPU_ALLOW;
	if (!cpu->model) {
		cpu->fallback = DOMAIN_CPU_FORBID;
		cpu->model = strdup(p->machine->cpu);
		if (!cpu->model)
			return -ENOMEM;
	}
	if (!is_model_name(cpu->model))
		return refuse_unsupported(p, "'%.100s' is not the name of a CPU model", cpu->model);
	return 0;
}

/* Whether the host's CPU can do what the model has matters to KVM only. */
static enum domain_cpu_check
default_check(const struct domain_def *def)
{
	if (def->cpu.mode == DOMAIN_CPU_HOST_MODEL)
		return DOMAIN_CPU_PARTIAL;
	if (def->cpu.mode == DOMAIN_CPU_CUSTOM && def->type == DOMAIN_TYPE_KVM)
		return DOMAIN_CPU_PARTIAL;
	return DOMAIN_CPU_CHECK_NONE;
}

int
domain_cpu_parse(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *node = xml_child(domain, "cpu");
	struct domain_cpu *cpu = &p->def->cpu;
	unsigned mode = 0, match = 0, check = 0, migratable = 0;
	int r = 0;

	if (node)
		r = xml_attr_word(node, "mode", modes, p->error, &mode);
	cpu->mode = mode ? mode : DOMAIN_CPU_CUSTOM;
	if (r == 0 && node)
		r = xml_attr_word(node, "check", checks, p->error, &check);
	if (r == 0 && node && cpu->mode == DOMAIN_CPU_CUSTOM)
		r = xml_attr_word(node, "match", matches, p->error, &match);
	if (r == 0 && node && cpu->mode == DOMAIN_CPU_HOST_PASSTHROUGH)
		r = xml_attr_word(node, "migratable", switches, p->error, &migratable);
	if (r == 0)
		r = parse_model(p, node);
	if (r)
		return r;
	cpu->check = check ? check : default_check(p->def);
	if (cpu->mode == DOMAIN_CPU_CUSTOM)
		cpu->match = match ? match : DOMAIN_CPU_EXACT;
	if (cpu->mode == DOMAIN_CPU_HOST_PASSTHROUGH) {
		cpu->migratable = migratable ? migratable : DOMAIN_ON;
		if (p->def->type != DOMAIN_TYPE_KVM)
			return refuse_unsupported(p,
				"CPU mode 'host-passthrough' for x86_64 qemu domain on x86_64 host "
				"is not supported by hypervisor");
	}
	return 0;
}

void
domain_cpu_format(struct writer *w, const struct domain_def *def)
{
	const struct domain_cpu *cpu = &def->cpu;

	writer_start(w, "cpu");
	writer_attr(w, "mode", xml_word(modes, cpu->mode));
	if (cpu->mode == DOMAIN_CPU_CUSTOM)
		writer_attr(w, "match", xml_word(matches, cpu->match));
	writer_attr(w, "check", xml_word(checks, cpu->check));
	if (cpu->mode == DOMAIN_CPU_HOST_PASSTHROUGH)
		writer_attr(w, "migratable", xml_word(switches, cpu->migratable));
	if (cpu->mode == DOMAIN_CPU_CUSTOM) {
		writer_start(w, "model");
		writer_attr(w, "fallback", xml_word(fallbacks, cpu->fallback));
		writer_end_text(w, "model", cpu->model);
	}
	writer_end(w, "cpu");
}
