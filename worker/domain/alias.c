/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * alias.c: generated aliases, after libvirt's qemu_alias.c.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/alias.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int
name(struct domain_device *device, const char *prefix, size_t number)
{
	if (device->alias)
		return 0;
	return asprintf(&device->alias, "%s%zu", prefix, number) < 0 ? -ENOMEM : 0;
}

static int
name_controller(struct domain_controller *c)
{
	const char *alias = NULL;

	if (c->device.alias)
		return 0;
	if (c->type == DOMAIN_CONTROLLER_USB)
		alias = "usb";
	else if (c->type == DOMAIN_CONTROLLER_IDE || c->type == DOMAIN_CONTROLLER_SATA)
		alias = "ide";
	else if (c->model == DOMAIN_MODEL_PCIE_ROOT)
		alias = "pcie.0";
	if (!alias)
		return name(&c->device, "pci.", c->index);
	c->device.alias = strdup(alias);
	return c->device.alias ? 0 : -ENOMEM;
}

int
domain_alias_assign(struct domain_def *def)
{
	int r = 0;

	for (size_t i = 0; i < def->n_disks && r == 0; i++)
		r = name(&def->disks[i].device, "virtio-disk", def->disks[i].index);
	for (size_t i = 0; i < def->n_controllers && r == 0; i++)
		r = name_controller(&def->controllers[i]);
	for (size_t i = 0; i < def->n_serials && r == 0; i++)
		r = name(&def->serials[i].device, "serial", i);
	for (size_t i = 0; i < def->n_inputs && r == 0; i++)
		r = name(&def->inputs[i].device, "input", i);
	if (r == 0 && def->memballoon.model == DOMAIN_MEMBALLOON_VIRTIO)
		r = name(&def->memballoon.device, "balloon", 0);
	for (size_t i = 0; i < def->n_rngs && r == 0; i++)
		r = name(&def->rngs[i].device, "rng", i);
	return r;
}

#define ALIASES_MAX                                                                               \
	(DOMAIN_DISKS_MAX + DOMAIN_CONTROLLERS_MAX + 3 + DOMAIN_SERIALS_MAX + DOMAIN_INPUTS_MAX + \
		1 + DOMAIN_RNGS_MAX)

struct aliases {
	const char *name[ALIASES_MAX];
	size_t n;
};

static void
add(struct aliases *aliases, const struct domain_device *device)
{
	if (device->alias)
		aliases->name[aliases->n++] = device->alias;
}

int
domain_alias_check(const struct domain_def *def, struct rpc_error *error)
{
	struct aliases aliases = {.n = 0};

	for (size_t i = 0; i < def->n_disks; i++)
		add(&aliases, &def->disks[i].device);
	for (size_t i = 0; i < def->n_controllers; i++)
		add(&aliases, &def->controllers[i].device);
	for (size_t i = 0; i < def->n_serials; i++)
		add(&aliases, &def->serials[i].device);
	for (size_t i = 0; i < def->n_inputs; i++)
		add(&aliases, &def->inputs[i].device);
	add(&aliases, &def->memballoon.device);
	for (size_t i = 0; i < def->n_rngs; i++)
		add(&aliases, &def->rngs[i].device);
	for (size_t i = 0; i < aliases.n; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(aliases.name[i], aliases.name[j]) == 0)
				return domain_refuse(error, VIR_ERR_CONFIG_UNSUPPORTED,
					VIR_FROM_DOMAIN, "non unique alias detected: %s",
					aliases.name[i]);
	return 0;
}
