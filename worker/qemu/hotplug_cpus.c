/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hotplug_cpus.c: QEMU's places for virtual CPUs; see hotplug_cpus.h.
 *
 * Runs in the worker. Pure. Of what QEMU says, numbers and one word go back to it, and nothing else.
 */
#include "worker/qemu/hotplug_cpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const members[HOTPLUG_CPU_PLACE] = {
	"socket-id", "die-id", "core-id", "thread-id", "node-id"};

/* By all but the node, which says where its memory is. */
static int
compare(const void *one, const void *other)
{
	const struct hotplug_cpu *a = one, *b = other;

	for (unsigned i = 0; i < HOTPLUG_CPU_PLACE - 1; i++)
		if (a->place[i] != b->place[i])
			return a->place[i] < b->place[i] ? -1 : 1;
	return 0;
}

static bool
read_place(const json_t *props, struct hotplug_cpu *ret)
{
	bool any = false;

	for (unsigned i = 0; i < HOTPLUG_CPU_PLACE; i++) {
		const json_t *value = json_object_get(props, members[i]);

		ret->place[i] = -1;
		if (!value)
			continue;
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return false;
		ret->place[i] = json_integer_value(value);
		any = true;
	}
	return any;
}

/* One word of QEMU's, that names a type: "qemu64-x86_64-cpu". */
static bool
read_type(const json_t *value, char ret[static HOTPLUG_CPU_TYPE_MAX + 1])
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-_.+";
	const char *type = json_string_value(value);
	size_t size = type ? strlen(type) : 0;

	if (size == 0 || size > HOTPLUG_CPU_TYPE_MAX || strspn(type, chars) != size)
		return false;
	if (*ret && strcmp(ret, type) != 0)
		return false;
	memcpy(ret, type, size + 1);
	return true;
}

/* The number that it has by its alias; HOTPLUG_CPUS_MAX: it has none of ours. */
static uint32_t
number_of(const char *path)
{
	static const char folder[] = "/machine/peripheral/", word[] = "vcpu";
	const char *name = path + sizeof(folder) - 1;
	char alias[HOTPLUG_CPU_ALIAS_SIZE];
	unsigned long number;

	if (strncmp(path, folder, sizeof(folder) - 1) != 0 ||
		strncmp(name, word, sizeof(word) - 1) != 0)
		return HOTPLUG_CPUS_MAX;
	number = strtoul(name + sizeof(word) - 1, NULL, 10);
	if (number >= HOTPLUG_CPUS_MAX)
		return HOTPLUG_CPUS_MAX;
	return strcmp(name, hotplug_cpu_alias((uint32_t)number, alias)) == 0 ? (uint32_t)number
									     : HOTPLUG_CPUS_MAX;
}

/* Where it is, if it is there. Which number that place has is known when all have been read. */
static bool
read_path(const json_t *value, struct hotplug_cpu *ret, uint32_t *ret_claims)
{
	ret->there = value != NULL;
	ret->plugged = false;
	*ret_claims = HOTPLUG_CPUS_MAX;
	if (!value)
		return true;
	if (!json_is_string(value))
		return false;
	*ret_claims = number_of(json_string_value(value));
	return true;
}

const char *
hotplug_cpu_alias(uint32_t number, char out[static HOTPLUG_CPU_ALIAS_SIZE])
{
	(void)snprintf(out, HOTPLUG_CPU_ALIAS_SIZE, "vcpu%u", number);
	return out;
}

/* With what each claims to be beside it, so that both are sorted together. */
struct reading {
	struct hotplug_cpu cpu; /* the first: compare() */
	uint32_t claims;
};

static bool
read_one(const json_t *value, struct reading *ret, char type[static HOTPLUG_CPU_TYPE_MAX + 1])
{
	const json_t *count = json_object_get(value, "vcpus-count");

	return json_is_integer(count) && json_integer_value(count) == 1 &&
	       read_type(json_object_get(value, "type"), type) &&
	       read_place(json_object_get(value, "props"), &ret->cpu) &&
	       read_path(json_object_get(value, "qom-path"), &ret->cpu, &ret->claims);
}

int
hotplug_cpus_read(const json_t *answer, uint32_t n, struct hotplug_cpus *ret)
{
	struct reading readings[HOTPLUG_CPUS_MAX];

	memset(ret, 0, sizeof(*ret));
	if (!json_is_array(answer) || n == 0 || n > HOTPLUG_CPUS_MAX ||
		json_array_size(answer) != n)
		return HOTPLUG_CPUS_E_BAD;
	for (uint32_t i = 0; i < n; i++)
		if (!read_one(json_array_get(answer, i), &readings[i], ret->type))
			return HOTPLUG_CPUS_E_BAD;
	qsort(readings, n, sizeof(*readings), compare);
	for (uint32_t i = 0; i < n; i++) {
		struct hotplug_cpu *cpu = &ret->cpus[i];

		if (i > 0 && compare(&readings[i - 1], &readings[i]) == 0)
			return HOTPLUG_CPUS_E_BAD;
		*cpu = readings[i].cpu;
		cpu->plugged = readings[i].claims == i;
		ret->n_there += cpu->there;
	}
	ret->n = n;
	return ret->n_there > 0 ? 0 : HOTPLUG_CPUS_E_BAD;
}

json_t *
hotplug_cpu_device(const struct hotplug_cpus *cpus, uint32_t number)
{
	const struct hotplug_cpu *cpu = &cpus->cpus[number];
	char alias[HOTPLUG_CPU_ALIAS_SIZE];
	json_t *device = json_pack(
		"{s:s, s:s}", "driver", cpus->type, "id", hotplug_cpu_alias(number, alias));

	for (unsigned i = 0; device && i < HOTPLUG_CPU_PLACE; i++)
		if (cpu->place[i] >= 0 &&
			json_object_set_new(device, members[i], json_integer(cpu->place[i])) < 0) {
			json_decref(device);
			return NULL;
		}
	return device;
}
