/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * devices.c: the table of device elements, and their order in the XML.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/controller.h"
#include "worker/domain/device.h"
#include "worker/domain/disk.h"
#include "worker/domain/input.h"
#include "worker/domain/memballoon.h"
#include "worker/domain/rng.h"
#include "worker/domain/serial.h"

/* Sound goes nowhere; libvirt says so in each definition without graphics. */
static int
parse_audio(struct domain_parse *p, xmlNode *node)
{
	static const struct xml_word ids[] = {{"1", 1}, {NULL, 0}};
	static const struct xml_word types[] = {{"none", 1}, {NULL, 0}};
	unsigned value;
	int r;

	r = xml_attr_word(node, "id", ids, p->error, &value);
	return r ? r : xml_attr_word(node, "type", types, p->error, &value);
}

/* A console is read after the serial ports. */
static const struct kind {
	const char *name;
	int (*parse)(struct domain_parse *p, xmlNode *node);
} kinds[] = {
	{"disk", domain_disk_parse},
	{"controller", domain_controller_parse},
	{"serial", domain_serial_parse},
	{"console", domain_console_parse},
	{"input", domain_input_parse},
	{"audio", parse_audio},
	{"memballoon", domain_memballoon_parse},
	{"rng", domain_rng_parse},
};

/* Only the emulator that the environment vouches for is ever run. */
static int
parse_emulator(struct domain_parse *p, xmlNode *devices)
{
	const char *known = p->env->emulator;
	free_auto char *path = NULL;
	int r = devices ? xml_child_text(devices, "emulator", &path) : 0;

	if (r)
		return r;
	if (path && strcmp(path, known) != 0)
		return refuse_unsupported(p,
			"emulator '%.200s' is not run by qemud; leave <emulator> out or use '%s'",
			path, known);
	p->def->emulator = strdup(known);
	return p->def->emulator ? 0 : -ENOMEM;
}

int
domain_devices_parse(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *devices = xml_child(domain, "devices");
	int r = parse_emulator(p, devices);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && devices; i++) {
		xmlNode *node = NULL;

		while (r == 0 && (node = xml_each(devices, kinds[i].name, node)))
			r = kinds[i].parse(p, node);
	}
	if (r == 0)
		r = domain_controller_complete(p);
	if (r == 0)
		r = domain_serial_complete(p);
	if (r == 0)
		r = domain_input_complete(p);
	if (r == 0)
		domain_memballoon_complete(p->def);
	return r;
}

void
domain_devices_format(struct writer *w, const struct domain_def *def, unsigned flags)
{
	writer_start(w, "devices");
	writer_element(w, "emulator", def->emulator);
	for (size_t i = 0; i < def->n_disks; i++)
		domain_disk_format(w, &def->disks[i], flags);
	for (size_t i = 0; i < def->n_controllers; i++)
		domain_controller_format(w, &def->controllers[i], flags);
	domain_serial_format(w, def, flags);
	for (size_t i = 0; i < def->n_inputs; i++)
		domain_input_format(w, &def->inputs[i], flags);
	if (!(flags & DOMAIN_DEF_MIGRATABLE)) {
		writer_start(w, "audio");
		writer_attr(w, "id", "1");
		writer_attr(w, "type", "none");
		writer_end(w, "audio");
	}
	domain_memballoon_format(w, &def->memballoon, flags);
	for (size_t i = 0; i < def->n_rngs; i++)
		domain_rng_format(w, &def->rngs[i], flags);
	writer_end(w, "devices");
}

void
domain_devices_fini(struct domain_def *def)
{
	for (size_t i = 0; i < def->n_disks; i++)
		domain_disk_fini(&def->disks[i]);
	for (size_t i = 0; i < def->n_controllers; i++)
		domain_controller_fini(&def->controllers[i]);
	for (size_t i = 0; i < def->n_serials; i++)
		domain_serial_fini(&def->serials[i]);
	for (size_t i = 0; i < def->n_inputs; i++)
		domain_input_fini(&def->inputs[i]);
	for (size_t i = 0; i < def->n_rngs; i++)
		domain_rng_fini(&def->rngs[i]);
	domain_device_fini(&def->memballoon.device);
	free(def->disks);
	free(def->controllers);
	free(def->serials);
	free(def->inputs);
	free(def->rngs);
	free(def->emulator);
}
