/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cpu.c: which CPU the guest sees, and how closely it must be that.
 *
 * Runs in the worker, as the user. Pure. What is refused, and how, is what libvirt 9.0 does when
 * such a machine is defined (virCPUDefParseXML, qemuValidateDomainDefCpu) or started.
 */
#include "worker/domain/cpu.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/parse.h"

#define refuse_cpu(p, ...) domain_refuse((p)->error, VIR_ERR_XML_ERROR, VIR_FROM_CPU, __VA_ARGS__)

static const struct xml_word modes[] = {
	{"custom", DOMAIN_CPU_CUSTOM},
	{"host-model", DOMAIN_CPU_HOST_MODEL},
	{"host-passthrough", DOMAIN_CPU_HOST_PASSTHROUGH},
	{"maximum", DOMAIN_CPU_MAXIMUM},
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
static const struct xml_word policies[] = {
	{"force", DOMAIN_CPU_FORCE},
	{"require", DOMAIN_CPU_REQUIRE},
	{"optional", DOMAIN_CPU_OPTIONAL},
	{"disable", DOMAIN_CPU_DISABLE},
	{"forbid", DOMAIN_CPU_FORBIDDEN},
	{NULL, 0},
};
static const struct xml_word caches[] = {
	{"emulate", DOMAIN_CACHE_EMULATE},
	{"passthrough", DOMAIN_CACHE_PASSTHROUGH},
	{"disable", DOMAIN_CACHE_DISABLE},
	{NULL, 0},
};
static const struct xml_word addresses[] = {
	{"emulate", DOMAIN_ADDRESS_EMULATE},
	{"passthrough", DOMAIN_ADDRESS_PASSTHROUGH},
	{NULL, 0},
};

/* Names become parts of QEMU's -cpu argument, where a comma begins another option. */
static bool
is_name(const char *name)
{
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				".+_-");

	return isalnum((unsigned char)*name) && !name[n];
}

static bool
is_like_the_host(const struct domain_cpu *cpu)
{
	return cpu->mode == DOMAIN_CPU_HOST_PASSTHROUGH || cpu->mode == DOMAIN_CPU_MAXIMUM;
}

/* --- mode and model ----------------------------------------------------------------------- */

/* A word of which libvirt names the attribute, and perhaps the value. */
static int
parse_word(struct domain_parse *p, xmlNode *node, const char *name, const struct xml_word *words,
	bool shows_value, unsigned *ret)
{
	const char *value = xml_attr(node, name);

	*ret = value ? xml_word_value(words, value) : 0;
	if (!value || *ret)
		return 0;
	return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_CPU,
		shows_value ? "Invalid %s attribute '%.100s'" : "Invalid %s attribute", name,
		value);
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

static int
parse_mode(struct domain_parse *p, xmlNode *node)
{
	struct domain_cpu *cpu = &p->def->cpu;
	unsigned mode = 0, match = 0, check = 0, migratable = 0;
	int r = 0;

	if (node)
		r = parse_word(p, node, "mode", modes, true, &mode);
	cpu->mode = mode ? mode : DOMAIN_CPU_CUSTOM;
	if (r == 0 && node)
		r = xml_attr_choice(node, "check", checks, p->error, &check);
	if (r == 0 && node && cpu->mode == DOMAIN_CPU_CUSTOM)
		r = xml_attr_choice(node, "match", matches, p->error, &match);
	if (r == 0 && node)
		r = xml_attr_choice(node, "migratable", xml_on_off, p->error, &migratable);
	if (r)
		return r;
	if (migratable && !is_like_the_host(cpu))
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_CPU,
			"Attribute migratable is only allowed for 'host-passthrough' / 'maximum' "
			"CPU mode");
	cpu->check = check ? check : default_check(p->def);
	if (cpu->mode == DOMAIN_CPU_CUSTOM)
		cpu->match = match ? match : DOMAIN_CPU_EXACT;
	cpu->migratable = migratable;
	if (cpu->mode != DOMAIN_CPU_HOST_PASSTHROUGH)
		return 0;
	if (!migratable)
		cpu->migratable = DOMAIN_ON;
	if (p->def->type != DOMAIN_TYPE_KVM)
		return refuse_unsupported(p, "CPU mode 'host-passthrough' for x86_64 qemu domain "
					     "on x86_64 host is not supported by hypervisor");
	return 0;
}

static int
parse_vendor_id(struct domain_parse *p, xmlNode *model)
{
	const char *id = xml_attr(model, "vendor_id");

	if (!id)
		return 0;
	if (strlen(id) != DOMAIN_CPU_VENDOR_SIZE)
		return refuse_cpu(
			p, "vendor_id must be exactly %d characters long", DOMAIN_CPU_VENDOR_SIZE);
	if (strchr(id, ','))
		return refuse_cpu(p, "vendor id is invalid");
	(void)snprintf(p->def->cpu.vendor_id, sizeof(p->def->cpu.vendor_id), "%s", id);
	return 0;
}

/* Of no model is it the machine's own. */
static int
complete_model(struct domain_parse *p)
{
	struct domain_cpu *cpu = &p->def->cpu;

	if (!cpu->model && cpu->n_features)
		return refuse_cpu(p, "Non-empty feature list specified without CPU model");
	if (!cpu->model) {
		cpu->fallback = DOMAIN_CPU_FORBID;
		cpu->model = strdup(p->machine->cpu);
		if (!cpu->model)
			return -ENOMEM;
	}
	if (!is_name(cpu->model))
		return refuse_unsupported(p, "'%.100s' is not the name of a CPU model", cpu->model);
	return 0;
}

static int
parse_model(struct domain_parse *p, xmlNode *node)
{
	struct domain_cpu *cpu = &p->def->cpu;
	xmlNode *model = node ? xml_child(node, "model") : NULL;
	unsigned fallback = 0;
	int r = 0;

	if (model)
		r = parse_word(p, model, "fallback", fallbacks, false, &fallback);
	if (r == 0 && model)
		r = parse_vendor_id(p, model);
	/* In other modes an empty <model fallback=''/> says nothing. */
	if (r || cpu->mode != DOMAIN_CPU_CUSTOM)
		return r;
	if (node)
		r = xml_child_text(node, "model", &cpu->model);
	cpu->fallback = fallback ? fallback : DOMAIN_CPU_ALLOW;
	if (r == 0 && node)
		r = xml_child_text(node, "vendor", &cpu->vendor);
	if (r)
		return r;
	if (cpu->vendor && !cpu->model)
		return refuse_cpu(p, "CPU vendor specified without CPU model");
	/* It is the host's that would have to be compared with it. */
	if (cpu->vendor && p->def->type == DOMAIN_TYPE_KVM)
		return refuse_unsupported(p,
			"element <vendor> below <cpu> of a domain of type 'kvm' is not supported "
			"by qemud yet");
	return 0;
}

/* --- topology, cache, addresses ----------------------------------------------------------- */

static int
parse_count(struct domain_parse *p, xmlNode *node, const char *name, uint32_t *ret)
{
	const char *given;
	int r = xml_attr_required(node, name, p->error, &given);

	return r ? r : xml_attr_positive(node, name, 0, p->error, ret);
}

static int
parse_topology(struct domain_parse *p, xmlNode *cpu_node)
{
	struct domain_cpu *cpu = &p->def->cpu;
	xmlNode *node = xml_child(cpu_node, "topology");
	uint64_t n;
	int r;

	if (!node)
		return 0;
	r = parse_count(p, node, "sockets", &cpu->sockets);
	if (r == 0)
		r = xml_attr_positive(node, "dies", 1, p->error, &cpu->dies);
	if (r == 0)
		r = parse_count(p, node, "cores", &cpu->cores);
	if (r == 0)
		r = parse_count(p, node, "threads", &cpu->threads);
	if (r)
		return r;
	if (__builtin_mul_overflow((uint64_t)cpu->sockets * cpu->dies, cpu->cores, &n) ||
		__builtin_mul_overflow(n, cpu->threads, &n) || n != p->def->vcpus)
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"CPU topology doesn't match maximum vcpu count");
	return 0;
}

static int
parse_cache(struct domain_parse *p, xmlNode *cpu_node)
{
	struct domain_cpu *cpu = &p->def->cpu;
	xmlNode *node = xml_child(cpu_node, "cache");
	unsigned mode;
	int r;

	if (!node)
		return 0;
	if (xml_attr(node, "level")) {
		r = xml_attr_number(node, "level", 10, UINT32_MAX, 0, p->error, &cpu->cache_level);
		if (r)
			return r;
		if (cpu->cache_level < 1 || cpu->cache_level > 3)
			return refuse_cpu(p, "invalid CPU cache level, must be in range [1,3]");
	}
	r = xml_attr_required_choice(node, "mode", caches, p->error, &mode);
	if (r)
		return r;
	cpu->cache = mode;
	if (mode == DOMAIN_CACHE_EMULATE && cpu->cache_level != 3)
		return refuse_unsupported(
			p, "CPU cache mode 'emulate' can only be used with level='3'");
	if (mode == DOMAIN_CACHE_PASSTHROUGH && !is_like_the_host(cpu))
		return refuse_unsupported(p, "CPU cache mode 'passthrough' can only be used with "
					     "'host-passthrough' / 'maximum' CPUs");
	if (mode != DOMAIN_CACHE_EMULATE && cpu->cache_level)
		return refuse_unsupported(
			p, "unsupported CPU cache level for mode '%s'", xml_word(caches, mode));
	return 0;
}

static int
parse_addresses(struct domain_parse *p, xmlNode *cpu_node)
{
	struct domain_cpu *cpu = &p->def->cpu;
	xmlNode *node = xml_child(cpu_node, "maxphysaddr");
	const char *bits;
	unsigned mode;
	int r;

	if (!node)
		return 0;
	r = xml_attr_required_choice(node, "mode", addresses, p->error, &mode);
	if (r)
		return r;
	cpu->address = mode;
	bits = xml_attr(node, "bits");
	if (mode == DOMAIN_ADDRESS_EMULATE && !bits)
		return refuse_unsupported(p, "if using CPU maximum physical address "
					     "mode='emulate', bits= must be specified too");
	if (mode == DOMAIN_ADDRESS_PASSTHROUGH && bits)
		return refuse_unsupported(p, "CPU maximum physical address bits number "
					     "specification cannot be used with "
					     "mode='passthrough'");
	r = xml_attr_number(node, "bits", 10, UINT32_MAX, 0, p->error, &cpu->address_bits);
	/* What a QEMU takes for an x86. */
	if (r == 0 && bits && (cpu->address_bits < 32 || cpu->address_bits > 52))
		return refuse_unsupported(
			p, "a physical address has 32 to 52 bits, not %u", cpu->address_bits);
	return r;
}

/* --- features ----------------------------------------------------------------------------- */

static bool
has_feature(const struct domain_cpu *cpu, const char *name)
{
	for (size_t i = 0; i < cpu->n_features; i++)
		if (strcmp(cpu->features[i].name, name) == 0)
			return true;
	return false;
}

static int
parse_feature(struct domain_parse *p, xmlNode *node)
{
	struct domain_cpu *cpu = &p->def->cpu;
	const char *policy = xml_attr(node, "policy"), *name = xml_attr(node, "name");
	struct domain_cpu_feature *feature = &cpu->features[cpu->n_features];

	feature->policy = policy ? xml_word_value(policies, policy) : DOMAIN_CPU_REQUIRE;
	if (!feature->policy)
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_CPU,
			"Invalid CPU feature policy");
	if (!name || !*name)
		return refuse_cpu(p, "Invalid CPU feature name");
	if (has_feature(cpu, name))
		return refuse_cpu(p, "CPU feature '%.100s' specified more than once", name);
	if (!is_name(name))
		return refuse_unsupported(p, "unknown CPU feature: %.100s", name);
	feature->name = strdup(name);
	if (!feature->name)
		return -ENOMEM;
	cpu->n_features++;
	return 0;
}

static int
parse_features(struct domain_parse *p, xmlNode *cpu_node)
{
	struct domain_cpu *cpu = &p->def->cpu;
	xmlNode *node = NULL;
	size_t n = 0;
	int r = 0;

	while ((node = xml_each(cpu_node, "feature", node)))
		n++;
	if (n > DOMAIN_CPU_FEATURES_MAX)
		return refuse_unsupported(
			p, "more than %d features of a CPU", DOMAIN_CPU_FEATURES_MAX);
	if (n == 0)
		return 0;
	cpu->features = calloc(n, sizeof(*cpu->features));
	if (!cpu->features)
		return -ENOMEM;
	while (r == 0 && (node = xml_each(cpu_node, "feature", node)))
		r = parse_feature(p, node);
	return r;
}

int
domain_cpu_parse(struct domain_parse *p, xmlNode *domain)
{
	static int (*const parts[])(struct domain_parse * p, xmlNode * node) = {
		parse_topology, parse_cache, parse_addresses, parse_features};
	xmlNode *node = xml_child(domain, "cpu");
	int r = parse_mode(p, node);

	if (r == 0)
		r = parse_model(p, node);
	for (size_t i = 0; node && i < sizeof(parts) / sizeof(parts[0]) && r == 0; i++)
		r = parts[i](p, node);
	if (r == 0 && p->def->cpu.mode == DOMAIN_CPU_CUSTOM)
		r = complete_model(p);
	return r;
}

/* --- as XML ------------------------------------------------------------------------------- */

static void
format_model(struct writer *w, const struct domain_cpu *cpu)
{
	if (!cpu->model && !*cpu->vendor_id)
		return;
	writer_start(w, "model");
	writer_attr_word(w, "fallback", fallbacks, cpu->fallback);
	if (*cpu->vendor_id)
		writer_attr(w, "vendor_id", cpu->vendor_id);
	if (cpu->model)
		writer_end_text(w, "model", cpu->model);
	else
		writer_end(w, "model");
	if (cpu->vendor)
		writer_element(w, "vendor", cpu->vendor);
}

static void
format_details(struct writer *w, const struct domain_cpu *cpu)
{
	if (cpu->sockets) {
		writer_start(w, "topology");
		writer_attr_number(w, "sockets", cpu->sockets);
		writer_attr_number(w, "dies", cpu->dies);
		writer_attr_number(w, "cores", cpu->cores);
		writer_attr_number(w, "threads", cpu->threads);
		writer_end(w, "topology");
	}
	if (cpu->cache) {
		writer_start(w, "cache");
		writer_attr_number(w, "level", cpu->cache_level);
		writer_attr_word(w, "mode", caches, cpu->cache);
		writer_end(w, "cache");
	}
	if (cpu->address) {
		writer_start(w, "maxphysaddr");
		writer_attr_word(w, "mode", addresses, cpu->address);
		writer_attr_number(w, "bits", cpu->address_bits);
		writer_end(w, "maxphysaddr");
	}
	for (size_t i = 0; i < cpu->n_features; i++) {
		writer_start(w, "feature");
		writer_attr(w, "policy", xml_word(policies, cpu->features[i].policy));
		writer_attr(w, "name", cpu->features[i].name);
		writer_end(w, "feature");
	}
}

void
domain_cpu_format(struct writer *w, const struct domain_def *def)
{
	const struct domain_cpu *cpu = &def->cpu;

	writer_start(w, "cpu");
	writer_attr(w, "mode", xml_word(modes, cpu->mode));
	writer_attr_word(w, "match", matches, cpu->match);
	writer_attr(w, "check", xml_word(checks, cpu->check));
	writer_attr_word(w, "migratable", xml_on_off, cpu->migratable);
	format_model(w, cpu);
	format_details(w, cpu);
	domain_numa_format(w, &def->numa);
	writer_end(w, "cpu");
}

/* --- before a start ----------------------------------------------------------------------- */

static bool
is_among(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

int
domain_cpu_check(
	const struct domain_def *def, const struct domain_env *env, struct rpc_error *error)
{
	const struct domain_cpu *cpu = &def->cpu;

	if (cpu->mode == DOMAIN_CPU_CUSTOM && cpu->match != DOMAIN_CPU_MINIMUM &&
		!is_among(env->cpu_models, env->n_cpu_models, cpu->model))
		return domain_refuse(error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_CPU,
			"Unknown CPU model %s", cpu->model);
	for (size_t i = 0; i < cpu->n_features; i++)
		if (!is_among(env->cpu_features, env->n_cpu_features, cpu->features[i].name))
			return domain_refuse(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_CPU,
				"unknown CPU feature: %s", cpu->features[i].name);
	return 0;
}

void
domain_cpu_fini(struct domain_cpu *cpu)
{
	for (size_t i = 0; i < cpu->n_features; i++)
		free(cpu->features[i].name);
	free(cpu->features);
	free(cpu->model);
	free(cpu->vendor);
}
