/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_env.h: the emulator that the tests of definitions are about, and their files.
 */
#ifndef TESTS_UNIT_DOMAIN_ENV_H
#define TESTS_UNIT_DOMAIN_ENV_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/take.h"
#include "worker/domain/def.h"

static const struct domain_machine domain_machines[] = {
	{"pc-i440fx-7.2", "pc", "qemu64", 255},
	{"pc-q35-7.2", "q35", "qemu64", 288},
	{"pc-i440fx-6.2", NULL, "qemu64", 255},
	{"microvm", NULL, "qemu64", 288},
};

static const char *const domain_cpu_models[] = {"qemu64", "Nehalem", "max"};
static const char *const domain_cpu_features[] = {"avx2", "vmx"};

/* The same each time, so that what is made of it can be compared. */
static inline void
domain_test_uuid(void *arg, uint8_t uuid[16])
{
	(void)arg;
	for (uint8_t i = 0; i < 16; i++)
		uuid[i] = (uint8_t)(i * 0x11);
}

static const struct domain_env domain_tcg = {
	.emulator = "/usr/bin/qemu-system-x86_64",
	.machine = "pc",
	.machines = domain_machines,
	.n_machines = sizeof(domain_machines) / sizeof(domain_machines[0]),
	.cpu_models = domain_cpu_models,
	.n_cpu_models = sizeof(domain_cpu_models) / sizeof(domain_cpu_models[0]),
	.cpu_features = domain_cpu_features,
	.n_cpu_features = sizeof(domain_cpu_features) / sizeof(domain_cpu_features[0]),
	.kvm = false,
	.new_uuid = domain_test_uuid,
};

/** A file as a string that the caller frees; NULL if it cannot be read. */
static inline char *
domain_read_file(const char *path, size_t *ret_size)
{
	file_auto FILE *f = fopen(path, "re");
	char *text = calloc(1, 2 * 1024 * 1024);

	*ret_size = f && text ? fread(text, 1, 2 * 1024 * 1024 - 1, f) : 0;
	if (!f) {
		free(text);
		return NULL;
	}
	return text;
}

#endif
