/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hotplug_cpus.h: QEMU's places for virtual CPUs: those that are taken, and those where one can be
 * plugged.
 *
 * Runs in the worker. Pure. QEMU's answer to query-hotpluggable-cpus (qemu-qmp-ref) is not trusted: it
 * is taken whole or not at all.
 */
#ifndef WORKER_QEMU_HOTPLUG_CPUS_H
#define WORKER_QEMU_HOTPLUG_CPUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { HOTPLUG_CPUS_MAX = 255, HOTPLUG_CPU_PLACE = 5, HOTPLUG_CPU_TYPE_MAX = 127 };

#define HOTPLUG_CPUS_E_BAD 1

struct hotplug_cpu {
	/* Of socket-id, die-id, core-id, thread-id and node-id; -1: it is not said. */
	int64_t place[HOTPLUG_CPU_PLACE];
	bool there;
	bool plugged; /* under the alias that hotplug_cpu_alias() has for it: it can be unplugged */
};

/* In the order of their places, which is that of their numbers: the first is number 0. */
struct hotplug_cpus {
	char type[HOTPLUG_CPU_TYPE_MAX + 1]; /* what is plugged there: the same for all */
	uint32_t n;
	uint32_t n_there;
	struct hotplug_cpu cpus[HOTPLUG_CPUS_MAX];
};

enum { HOTPLUG_CPU_ALIAS_SIZE = 16 };

/** The alias of a virtual CPU of that number, as libvirt has it. */
const char *hotplug_cpu_alias(uint32_t number, char out[static HOTPLUG_CPU_ALIAS_SIZE]);

/**
 * Read the answer of a QEMU that has n places, 1 to HOTPLUG_CPUS_MAX. Returns 0, or HOTPLUG_CPUS_E_BAD:
 * it is none, has another number of them, the same one twice, places for more than one virtual CPU, or
 * none that is taken; then *ret is not to be used.
 */
int hotplug_cpus_read(const json_t *answer, uint32_t n, struct hotplug_cpus *ret);
/** What device_add is to be given to plug that one. The caller's; NULL without memory. */
json_t *hotplug_cpu_device(const struct hotplug_cpus *cpus, uint32_t number);

#endif
