/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * devices.h: the list of devices of a definition.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_DEVICES_H
#define WORKER_DOMAIN_DEVICES_H

#include "worker/domain/parse.h"

/* All devices of a definition, one after another; {0} stands before the first. */
struct domain_cursor {
	size_t kind, next;
	/* Of the device that was found last. */
	const struct domain_kind *of;
	size_t index;
};

/** The next device, in libvirt's order of kinds; NULL after the last. */
struct domain_device *domain_device_next(
	const struct domain_def *def, struct domain_cursor *cursor);

/** What a kind of device may be told to be (kind.h); NULL: there is none, or nothing to choose. */
const struct domain_choice *domain_devices_choices(const char *element);

/** <devices>: all devices, and those that the machine has by itself. */
int domain_devices_parse(struct domain_parse *p, xmlNode *domain);

void domain_devices_format(struct writer *w, const struct domain_def *def, unsigned flags);

void domain_devices_fini(struct domain_def *def);

#endif
