/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpu_change.c: another number of virtual CPUs in a definition.
 *
 * Runs in the worker, as the user. Pure. What comes of it and the errors are libvirt 9.0.0's (measured).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/parse.h"
#include "worker/domain/vcpu.h"

static int
check_maximum(const struct domain_def *config, uint32_t n, struct rpc_error *error)
{
	const struct domain_cpu *cpu = &config->cpu;

	/* All of them are in some cell. */
	if (config->numa.n_cells > 0 && n < config->vcpus)
		return domain_refuse(error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
			"Number of CPUs in <numa> exceeds the desired maximum vcpu count");
	if (cpu->sockets && n != config->vcpus)
		return domain_refuse(error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
			"CPU topology doesn't match the desired vcpu count");
	return 0;
}

static void
change_maximum(struct domain_def *def, uint32_t n)
{
	uint32_t enabled = 0;

	for (uint32_t i = 0; i < n && i < def->vcpus; i++)
		enabled += domain_vcpu_enabled(def, i);
	def->vcpus = n;
	def->current_vcpus = enabled;
}

static void
enable(struct domain_def *def, uint32_t n, bool hotpluggable)
{
	for (uint32_t i = 0; def->current_vcpus < n; i++) {
		struct domain_vcpu *vcpu = &def->each_vcpu[i];

		/* Those that can be taken away are the last ones. */
		if (vcpu->enabled) {
			hotpluggable |= vcpu->hotpluggable;
			continue;
		}
		*vcpu = (struct domain_vcpu){.enabled = true, .hotpluggable = hotpluggable};
		def->current_vcpus++;
	}
}

static void
disable(struct domain_def *def, uint32_t n)
{
	for (uint32_t i = def->vcpus; def->current_vcpus > n; i--) {
		struct domain_vcpu *vcpu = &def->each_vcpu[i - 1];

		def->current_vcpus -= vcpu->enabled;
		*vcpu = (struct domain_vcpu){.hotpluggable = true};
	}
}

/* each_vcpu is as long as the old maximum, and as the new one. */
static void
change_each(struct domain_def *def, const struct domain_vcpu_change *change)
{
	if (change->maximum)
		change_maximum(def, change->n);
	else if (def->current_vcpus < change->n)
		enable(def, change->n, change->hotpluggable);
	else
		disable(def, change->n);
}

/*
 * What is said of each, with room for those that are not there yet; an order among others means nothing
 * any more. NULL without memory.
 */
static struct domain_vcpu *
copy_each(const struct domain_def *config, uint32_t room)
{
	struct domain_vcpu *each = calloc(room, sizeof(*each));

	for (uint32_t i = 0; each && i < room; i++)
		each[i] = (struct domain_vcpu){.hotpluggable = true};
	for (uint32_t i = 0; each && i < config->vcpus; i++)
		each[i] = (struct domain_vcpu){.enabled = domain_vcpu_enabled(config, i),
			.hotpluggable = domain_vcpu_hotpluggable(config, i)};
	return each;
}

/* Does the definition that comes of it speak of each? */
static bool
speaks_of_each(const struct domain_def *config, const struct domain_vcpu_change *change)
{
	/* More than there can be is refused by its number alone. */
	if (change->n > DOMAIN_VCPUS_MAX)
		return false;
	return config->each_vcpu ||
	       (!change->maximum && change->hotpluggable && change->n > config->current_vcpus);
}

int
domain_vcpu_change(const struct domain_def *config, const struct domain_vcpu_change *change,
	const struct domain_env *env, struct rpc_error *error, struct domain_def **ret_def)
{
	struct domain_def changed = *config; /* borrows all but what is new */
	free_auto struct domain_vcpu *each = NULL;
	free_auto char *xml = NULL;
	int r = change->maximum ? check_maximum(config, change->n, error) : 0;

	if (r)
		return r;
	changed.each_vcpu = NULL;
	if (speaks_of_each(config, change)) {
		each = copy_each(config, change->n > config->vcpus ? change->n : config->vcpus);
		if (!each)
			return -ENOMEM;
		changed.each_vcpu = each;
		change_each(&changed, change);
	} else if (change->maximum) {
		changed.vcpus = change->n;
		if (changed.current_vcpus > change->n)
			changed.current_vcpus = change->n;
	} else {
		changed.current_vcpus = change->n;
	}
	/* What is kept can be read again. */
	r = domain_def_format(&changed, DOMAIN_DEF_SECURE, -1, &xml);
	return r ? r : domain_def_parse(xml, strlen(xml), 0, env, error, ret_def);
}
