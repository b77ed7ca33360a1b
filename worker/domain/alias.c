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

#include "worker/domain/devices.h"

int
domain_alias_assign(struct domain_def *def)
{
	struct domain_cursor at = {0};
	struct domain_device *device;
	int r = 0;

	while (r == 0 && (device = domain_device_next(def, &at))) {
		if (device->alias)
			continue;
		if (at.of->name)
			r = at.of->name(def, at.index, &device->alias);
		else if (at.of->alias &&
			 asprintf(&device->alias, "%s%zu", at.of->alias, at.index) < 0)
			r = -ENOMEM;
	}
	domain_disk_number(def);
	return r;
}

/* A companion has its master's alias, as in libvirt, and no id in QEMU. */
static bool
is_companion(const struct domain_def *def, const struct domain_cursor *at)
{
	return at->of == &domain_controller_kind && def->controllers[at->index].is_companion;
}

static int
check(const struct domain_def *def, struct domain_cursor at, const char *alias,
	struct rpc_error *error)
{
	const struct domain_device *other;

	while ((other = domain_device_next(def, &at)))
		if (other->alias && !is_companion(def, &at) && strcmp(other->alias, alias) == 0)
			return domain_refuse(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
				"non unique alias detected: %s", alias);
	return 0;
}

int
domain_alias_check(const struct domain_def *def, struct rpc_error *error)
{
	struct domain_cursor at = {0};
	const struct domain_device *device;
	int r = 0;

	while (r == 0 && (device = domain_device_next(def, &at)))
		if (device->alias && !is_companion(def, &at))
			r = check(def, at, device->alias, error);
	return r;
}
