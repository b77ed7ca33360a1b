/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_rng.c: random number generators.
 *
 * Runs in the worker, as the user. Pure. Must never name a file of the user's.
 */
#include "worker/qemu/command_devices.h"

#include <stdio.h>

#include "worker/qemu/command_pci.h"

enum { PERIOD_MS = 1000 /* libvirt's */ };

static void
add_backend(struct command_line *line, const struct domain_rng *rng)
{
	bool builtin = rng->backend == DOMAIN_RNG_BUILTIN;

	/* The box has one of the host's two devices, which give the same bytes. */
	command_line_add_json(line, "-object",
		json_pack("{ss so ss*}", "qom-type", builtin ? "rng-builtin" : "rng-random", "id",
			json_sprintf("obj%s", rng->device.alias), "filename",
			builtin ? NULL : "/dev/urandom"));
}

static void
add_rng(struct command_line *line, const struct domain_rng *rng)
{
	json_t *more = json_pack("{so}", "rng", json_sprintf("obj%s", rng->device.alias));
	char driver[64];

	(void)snprintf(
		driver, sizeof(driver), "virtio-rng-pci%s", domain_virtio_suffix(rng->virtio));
	if (rng->rate_bytes > 0 &&
		json_object_update_new(more,
			json_pack("{sI sI}", "max-bytes", (json_int_t)rng->rate_bytes, "period",
				(json_int_t)(rng->period_ms ? rng->period_ms : PERIOD_MS))) < 0)
		line->failed = true;
	add_backend(line, rng);
	command_pci_add(line, driver, &rng->device, more);
}

void
command_add_rngs(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_rngs; i++)
		add_rng(line, &line->def->rngs[i]);
}
