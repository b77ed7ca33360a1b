/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capabilities.h: what one QEMU binary can do, as it said itself.
 *
 * Runs in the worker, as the user. Pure: no I/O, no clock, no log. What QEMU says is not trusted:
 * it is typed, counted, and names are held to the letters that names of machines and CPU models
 * have, because they become parts of command lines, XML and file contents.
 */
#ifndef WORKER_QEMU_CAPABILITIES_H
#define WORKER_QEMU_CAPABILITIES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/domain/def.h"

enum {
	CAPABILITIES_MACHINES_MAX = 512,
	CAPABILITIES_MODELS_MAX = 2048,
	CAPABILITIES_FEATURES_MAX = 2048,
	CAPABILITIES_NAME_MAX = 64, /* bytes of a machine's or model's name, its NUL included */
	CAPABILITIES_VCPUS_MAX = 65535
};

enum capabilities_error { CAPABILITIES_E_BAD = 1 /* not what QEMU, or a cache, may say */ };

struct capabilities_machine {
	char name[CAPABILITIES_NAME_MAX];
	char alias[CAPABILITIES_NAME_MAX]; /* "" for none */
	char cpu[CAPABILITIES_NAME_MAX];   /* model of its default CPU: "qemu64"; "" for none */
	uint32_t max_vcpus;
	bool is_default, deprecated;
};

/* What a CPU can have: "avx2". */
struct capabilities_feature {
	char name[CAPABILITIES_NAME_MAX];
};

/* A CPU model. */
struct capabilities_model {
	char name[CAPABILITIES_NAME_MAX];
	bool usable; /* all its features can be had with the accelerator that was asked */
	bool deprecated;
};

struct capabilities {
	uint32_t version;                 /* major * 1000000 + minor * 1000 + micro: 7002022 */
	char arch[CAPABILITIES_NAME_MAX]; /* of its guests: "x86_64" */
	bool kvm;                         /* it could use KVM where it was asked */
	struct capabilities_machine *machines;
	size_t n_machines;
	struct capabilities_model *models;
	size_t n_models;
	struct capabilities_feature *features;
	size_t n_features;
};

/** New and empty; NULL when there is no memory. */
struct capabilities *capabilities_new(void);
/** Accepts NULL and half-filled ones; returns NULL. */
struct capabilities *capabilities_free(struct capabilities *capabilities);

static inline void
capabilities_cleanup(struct capabilities **capabilities)
{
	(void)capabilities_free(*capabilities);
}
#define capabilities_auto AUTO(capabilities_cleanup)

/**
 * Add what QEMU returned for a QMP command: query-version, query-target, query-machines,
 * query-cpu-definitions, qom-list-properties of the CPU that has all, query-kvm. Each returns 0, CAPABILITIES_E_BAD or -ENOMEM.
 */
typedef int capabilities_take_fn(struct capabilities *capabilities, const json_t *value);
capabilities_take_fn capabilities_take_version, capabilities_take_target,
	capabilities_take_machines, capabilities_take_models, capabilities_take_features,
	capabilities_take_kvm;

/** Add one; names are checked. Returns 0, CAPABILITIES_E_BAD (also when there are too many) or
 * -ENOMEM. */
int capabilities_add_machine(
	struct capabilities *capabilities, const struct capabilities_machine *machine);
int capabilities_add_model(
	struct capabilities *capabilities, const struct capabilities_model *model);
int capabilities_add_feature(
	struct capabilities *capabilities, const struct capabilities_feature *feature);

/** Copy a name that a machine, model or architecture may have; false for any other. */
bool capabilities_name_set(char ret[static CAPABILITIES_NAME_MAX], const char *name);

/**
 * Fill in what definitions depend on, but new_uuid and arg. Only machines that have a default CPU
 * are there. All is lent by the capabilities but the arrays in *ret, which *ret_arrays owns (freed
 * by the caller). emulator is lent, too. Returns 0 or -ENOMEM.
 */
int capabilities_env(const struct capabilities *capabilities, const char *emulator,
	struct domain_env *ret, void **ret_arrays);

#endif
