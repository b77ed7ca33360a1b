/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_rng.c: random number generators.
 *
 * Runs in the worker, as the user. Pure. Must never name a file of the user's.
 */
#include "worker/qemu/command_devices.h"

#include "worker/qemu/command_pci.h"

/* The box has one of the host's two devices, which give the same bytes. */
static void
add_rng(struct command_line *line, const struct domain_rng *rng)
{
	command_line_add_json(line, "-object",
		json_pack("{ss so ss}", "qom-type", "rng-random", "id",
			json_sprintf("obj%s", rng->device.alias), "filename", "/dev/urandom"));
	command_pci_add(line, "virtio-rng-pci", &rng->device,
		json_pack("{so}", "rng", json_sprintf("obj%s", rng->device.alias)));
}

void
command_add_rngs(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_rngs; i++)
		add_rng(line, &line->def->rngs[i]);
}
