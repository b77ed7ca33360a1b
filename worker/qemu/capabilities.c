/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capabilities.c: what one QEMU binary can do, out of its QMP answers.
 *
 * Runs in the worker, as the user. Pure. The answers are those of QEMU's qapi/control.json,
 * qapi/machine.json and qapi/machine-target.json.
 */
#include "worker/qemu/capabilities.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/take.h"

enum { VERSION_PART_MAX = 999 };

struct capabilities *
capabilities_new(void)
{
	return calloc(1, sizeof(struct capabilities));
}

struct capabilities *
capabilities_free(struct capabilities *capabilities)
{
	if (!capabilities)
		return NULL;
	free(capabilities->machines);
	free(capabilities->models);
	free(capabilities->features);
	free(capabilities);
	return NULL;
}

static bool
name_ok(const char *name)
{
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				".+_-");

	return n > 0 && n < CAPABILITIES_NAME_MAX && !name[n] && *name != '-' && *name != '.';
}

bool
capabilities_name_set(char ret[static CAPABILITIES_NAME_MAX], const char *name)
{
	if (!name_ok(name))
		return false;
	memcpy(ret, name, strlen(name) + 1);
	return true;
}

/* --- members of QEMU's objects ------------------------------------------------------------ */

/* An integer in [min, max]. */
static int
get_number(const json_t *object, const char *key, json_int_t min, json_int_t max, uint32_t *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < min ||
		json_integer_value(value) > max)
		return CAPABILITIES_E_BAD;
	*ret = (uint32_t)json_integer_value(value);
	return 0;
}

/* A boolean; false where it is left out. */
static int
get_bool(const json_t *object, const char *key, bool *ret)
{
	const json_t *value = json_object_get(object, key);

	if (value && !json_is_boolean(value))
		return CAPABILITIES_E_BAD;
	*ret = json_is_true(value);
	return 0;
}

/* A name; "" where it is left out, if it may be. */
static int
get_name(const json_t *object, const char *key, bool optional,
	char ret[static CAPABILITIES_NAME_MAX])
{
	const json_t *value = json_object_get(object, key);
	const char *name = json_string_value(value);

	if (!value && optional)
		return 0;
	return name && capabilities_name_set(ret, name) ? 0 : CAPABILITIES_E_BAD;
}

/* --- answers ------------------------------------------------------------------------------ */

int
capabilities_take_version(struct capabilities *capabilities, const json_t *value)
{
	const json_t *qemu = json_object_get(value, "qemu");
	uint32_t major, minor, micro;

	if (get_number(qemu, "major", 1, VERSION_PART_MAX, &major) ||
		get_number(qemu, "minor", 0, VERSION_PART_MAX, &minor) ||
		get_number(qemu, "micro", 0, VERSION_PART_MAX, &micro))
		return CAPABILITIES_E_BAD;
	capabilities->version = major * 1000000 + minor * 1000 + micro;
	return 0;
}

int
capabilities_take_target(struct capabilities *capabilities, const json_t *value)
{
	return get_name(value, "arch", false, capabilities->arch);
}

int
capabilities_take_kvm(struct capabilities *capabilities, const json_t *value)
{
	return json_is_object(value) ? get_bool(value, "enabled", &capabilities->kvm)
				     : CAPABILITIES_E_BAD;
}

/* The model of a CPU's type: "qemu64" of "qemu64-x86_64-cpu". */
static int
get_default_cpu(const char *arch, const json_t *object, char ret[static CAPABILITIES_NAME_MAX])
{
	char suffix[CAPABILITIES_NAME_MAX + 8];
	size_t size, end = (size_t)snprintf(suffix, sizeof(suffix), "-%s-cpu", arch);
	int r = get_name(object, "default-cpu-type", true, ret);

	size = strlen(ret);
	if (r || size == 0)
		return r;
	if (size <= end || strcmp(ret + size - end, suffix) != 0)
		return CAPABILITIES_E_BAD;
	ret[size - end] = '\0';
	return 0;
}

static int
take_machine(struct capabilities *capabilities, const json_t *object)
{
	struct capabilities_machine machine = {.max_vcpus = 0};

	if (get_name(object, "name", false, machine.name) ||
		get_name(object, "alias", true, machine.alias) ||
		get_default_cpu(capabilities->arch, object, machine.cpu) ||
		get_number(object, "cpu-max", 1, CAPABILITIES_VCPUS_MAX, &machine.max_vcpus) ||
		get_bool(object, "is-default", &machine.is_default) ||
		get_bool(object, "deprecated", &machine.deprecated))
		return CAPABILITIES_E_BAD;
	return capabilities_add_machine(capabilities, &machine);
}

static int
take_model(struct capabilities *capabilities, const json_t *object)
{
	const json_t *unavailable = json_object_get(object, "unavailable-features");
	struct capabilities_model model = {.usable = false};

	if (get_name(object, "name", false, model.name) ||
		get_bool(object, "deprecated", &model.deprecated) ||
		(unavailable && !json_is_array(unavailable)))
		return CAPABILITIES_E_BAD;
	model.usable = unavailable && json_array_size(unavailable) == 0;
	return capabilities_add_model(capabilities, &model);
}

/* The device that a CPU is, too, has some of its own. */
static bool
is_devices(const char *name)
{
	static const char *const devices[] = {
		"realized", "hotplugged", "hotpluggable", "start-powered-off"};

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		if (strcmp(devices[i], name) == 0)
			return true;
	return false;
}

static int
take_feature(struct capabilities *capabilities, const json_t *object)
{
	const char *type = json_string_value(json_object_get(object, "type"));
	struct capabilities_feature feature = {.name = ""};

	if (!type)
		return CAPABILITIES_E_BAD;
	if (strcmp(type, "bool") != 0)
		return 0;
	if (get_name(object, "name", false, feature.name))
		return CAPABILITIES_E_BAD;
	return is_devices(feature.name) ? 0 : capabilities_add_feature(capabilities, &feature);
}

static int
take_each(struct capabilities *capabilities, const json_t *value, capabilities_take_fn *take)
{
	if (!json_is_array(value))
		return CAPABILITIES_E_BAD;
	for (size_t i = 0; i < json_array_size(value); i++) {
		int r = take(capabilities, json_array_get(value, i));

		if (r)
			return r;
	}
	return 0;
}

int
capabilities_take_machines(struct capabilities *capabilities, const json_t *value)
{
	return take_each(capabilities, value, take_machine);
}

int
capabilities_take_models(struct capabilities *capabilities, const json_t *value)
{
	return take_each(capabilities, value, take_model);
}

int
capabilities_take_features(struct capabilities *capabilities, const json_t *value)
{
	return take_each(capabilities, value, take_feature);
}

/* --- lists -------------------------------------------------------------------------------- */

/* One more element in an array that grows by doubling. Returns NULL when there is no memory. */
static void *
grown(void *array, size_t n, size_t size)
{
	return (n & (n - 1)) == 0 ? reallocarray(array, n ? n * 2 : 1, size) : array;
}

int
capabilities_add_machine(
	struct capabilities *capabilities, const struct capabilities_machine *machine)
{
	struct capabilities_machine *machines;

	if (capabilities->n_machines == CAPABILITIES_MACHINES_MAX || !name_ok(machine->name) ||
		(*machine->alias && !name_ok(machine->alias)) ||
		(*machine->cpu && !name_ok(machine->cpu)))
		return CAPABILITIES_E_BAD;
	machines = grown(capabilities->machines, capabilities->n_machines, sizeof(*machines));
	if (!machines)
		return -ENOMEM;
	capabilities->machines = machines;
	machines[capabilities->n_machines++] = *machine;
	return 0;
}

int
capabilities_add_model(struct capabilities *capabilities, const struct capabilities_model *model)
{
	struct capabilities_model *models;

	if (capabilities->n_models == CAPABILITIES_MODELS_MAX || !name_ok(model->name))
		return CAPABILITIES_E_BAD;
	models = grown(capabilities->models, capabilities->n_models, sizeof(*models));
	if (!models)
		return -ENOMEM;
	capabilities->models = models;
	models[capabilities->n_models++] = *model;
	return 0;
}

int
capabilities_add_feature(
	struct capabilities *capabilities, const struct capabilities_feature *feature)
{
	struct capabilities_feature *features;

	if (capabilities->n_features == CAPABILITIES_FEATURES_MAX || !name_ok(feature->name))
		return CAPABILITIES_E_BAD;
	features = grown(capabilities->features, capabilities->n_features, sizeof(*features));
	if (!features)
		return -ENOMEM;
	capabilities->features = features;
	features[capabilities->n_features++] = *feature;
	return 0;
}

/* --- what definitions depend on ----------------------------------------------------------- */

static void
put_machines(const struct capabilities *capabilities, struct domain_machine *machines,
	struct domain_env *ret)
{
	size_t n = 0;

	ret->machine = "pc"; /* libvirt's, where QEMU names none */
	for (size_t i = 0; i < capabilities->n_machines; i++) {
		const struct capabilities_machine *machine = &capabilities->machines[i];

		if (!*machine->cpu)
			continue;
		machines[n++] = (struct domain_machine){.name = machine->name,
			.alias = *machine->alias ? machine->alias : NULL,
			.cpu = machine->cpu,
			.max_vcpus = machine->max_vcpus};
		if (machine->is_default)
			ret->machine = machine->name;
	}
	ret->machines = machines;
	ret->n_machines = n;
}

int
capabilities_env(const struct capabilities *capabilities, const char *emulator,
	struct domain_env *ret, void **ret_arrays)
{
	/* Machines first, then names: both are of pointers. */
	size_t n_names = capabilities->n_models + capabilities->n_features;
	size_t size = capabilities->n_machines * sizeof(struct domain_machine);
	void *arrays = calloc(1, size + (n_names + 1) * sizeof(char *));
	const char **names;

	if (!arrays)
		return -ENOMEM;
	put_machines(capabilities, arrays, ret);
	names = (const char **)((char *)arrays + size);
	ret->cpu_models = names;
	ret->n_cpu_models = capabilities->n_models;
	for (size_t i = 0; i < capabilities->n_models; i++)
		*names++ = capabilities->models[i].name;
	ret->cpu_features = names;
	ret->n_cpu_features = capabilities->n_features;
	for (size_t i = 0; i < capabilities->n_features; i++)
		*names++ = capabilities->features[i].name;
	ret->emulator = emulator;
	ret->kvm = capabilities->kvm;
	*ret_arrays = arrays;
	return 0;
}
