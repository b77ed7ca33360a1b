/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kind.c: the list of one kind of device.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/kind.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/parse.h"

size_t
domain_kind_count(const struct domain_kind *kind, const struct domain_def *def)
{
	if (kind->size == 0)
		return 0;
	return kind->count ? *(const size_t *)((const char *)def + kind->count) : 1;
}

struct domain_device *
domain_kind_at(const struct domain_kind *kind, const struct domain_def *def, size_t i)
{
	const char *place = (const char *)def + kind->list;

	if (kind->count > 0)
		place = *(const char *const *)place;
	return (struct domain_device *)(uintptr_t)(place + i * kind->size);
}

int
domain_kind_insert(const struct domain_kind *kind, struct domain_def *def, size_t at, void *device,
	struct rpc_error *error)
{
	char **list = (char **)((char *)def + kind->list);
	size_t *count = (size_t *)((char *)def + kind->count);
	char *grown;

	if (*count == kind->max)
		return domain_refuse(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
			"more than %u elements <%s>", kind->max, kind->element);
	grown = reallocarray(*list, *count + 1, kind->size);
	if (!grown)
		return -ENOMEM;
	*list = grown;
	memmove(grown + (at + 1) * kind->size, grown + at * kind->size, (*count - at) * kind->size);
	memcpy(grown + at * kind->size, device, kind->size);
	memset(device, 0, kind->size);
	++*count;
	return 0;
}

void
domain_kind_fini(const struct domain_kind *kind, void *device)
{
	if (kind->fini)
		kind->fini(device);
	domain_device_fini(device);
	memset(device, 0, kind->size);
}
